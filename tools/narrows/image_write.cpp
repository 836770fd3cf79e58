// SPDX-License-Identifier: BSD-3-Clause
#include "image_write.hpp"

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <jpeglib.h>
#include <png.h>

// As in image.cpp: what calls setjmp has locals without destructors only, and the job belongs to a frame outside the jump.

namespace narrows::tool {

namespace {

struct jpeg_job {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  unsigned char* file = nullptr;
  unsigned long bytes = 0;
  bool created = false;

  jpeg_job() = default;
  jpeg_job(const jpeg_job&) = delete;
  jpeg_job& operator=(const jpeg_job&) = delete;
  ~jpeg_job()
  {
    if (created) jpeg_destroy_compress(&info);
    std::free(file);
  }
};

[[noreturn]] void jpeg_fails(j_common_ptr info)
{
  auto* job = static_cast<jpeg_job*>(info->client_data);
  info->err->format_message(info, job->message.data());
  std::longjmp(job->escape, 1);
}

bool write_jpeg(jpeg_job& job, const picture& from, int quality)
{
  job.info.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = jpeg_fails;
  job.info.client_data = &job;
  if (setjmp(job.escape) != 0) return false;
  jpeg_create_compress(&job.info);
  job.created = true;
  jpeg_mem_dest(&job.info, &job.file, &job.bytes);
  job.info.image_width = static_cast<JDIMENSION>(from.width);
  job.info.image_height = static_cast<JDIMENSION>(from.height);
  job.info.input_components = picture::channels;
  job.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&job.info);
  jpeg_set_quality(&job.info, quality, TRUE);
  job.info.comp_info[0].h_samp_factor = job.info.comp_info[0].v_samp_factor = quality >= 95 ? 1 : 2;
  jpeg_start_compress(&job.info, TRUE);
  const auto row_bytes = static_cast<std::size_t>(from.width) * picture::channels;
  while (job.info.next_scanline < job.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(from.pixels.data() + job.info.next_scanline * row_bytes);
    jpeg_write_scanlines(&job.info, &row, 1);
  }
  jpeg_finish_compress(&job.info);
  return true;
}

bool has_its_pixels(const picture& p)
{
  return p.width > 0 && p.height > 0 &&
    p.pixels.size() == static_cast<std::size_t>(p.width) * static_cast<std::size_t>(p.height) * picture::channels;
}

}  // namespace

result<std::vector<std::uint8_t>> encode_jpeg(const picture& from, int quality)
{
  if (!has_its_pixels(from)) return error(errc::bad_input, "picture without its pixels");
  jpeg_job job;
  if (!write_jpeg(job, from, quality)) return error(errc::internal, "writing a JPEG: " + std::string(job.message.data()));
  return std::vector<std::uint8_t>(job.file, job.file + job.bytes);
}

result<std::vector<std::uint8_t>> encode_png(const picture& from)
{
  if (!has_its_pixels(from)) return error(errc::bad_input, "picture without its pixels");
  png_image image{};   // libpng's simple form, which keeps its jumps to itself
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(from.width);
  image.height = static_cast<png_uint_32>(from.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::uint8_t> file(bytes);
  if (png_image_write_to_memory(&image, file.data(), &bytes, 0, from.pixels.data(), 0, nullptr) == 0)
    return error(errc::internal, "writing a PNG: " + std::string(image.message));
  file.resize(bytes);
  return file;
}

}  // namespace narrows::tool
