// SPDX-License-Identifier: BSD-3-Clause
#include "image.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

// libjpeg and libpng leave by longjmp when data are bad. Every function here that calls setjmp, and every callback
// between it and the library, has locals without destructors only, and what they work on lives in a job object whose
// owner is a C++ frame outside the jump. So nothing is ever jumped over.

namespace narrows::tool {

namespace {

struct jpeg_job {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int max_scans = 0;
  bool created = false;

  jpeg_job() = default;
  jpeg_job(const jpeg_job&) = delete;
  jpeg_job& operator=(const jpeg_job&) = delete;
  ~jpeg_job()
  {
    if (created) jpeg_destroy_decompress(&info);   // frees memory only: calls back nothing
  }
};

[[noreturn]] void jpeg_fails(j_common_ptr info)
{
  auto* job = static_cast<jpeg_job*>(info->client_data);
  info->err->format_message(info, job->message.data());
  std::longjmp(job->escape, 1);
}

// libjpeg calls damage a warning and paints on. Here damage is an error; left as warnings are oddities after which
// every pixel is still what the encoder meant.
void jpeg_remarks(j_common_ptr info, int level)
{
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR) return;
  jpeg_fails(info);
}

void jpeg_says_nothing(j_common_ptr) {}

void jpeg_counts_scans(j_common_ptr info)
{
  auto* job = static_cast<jpeg_job*>(info->client_data);
  if (info->is_decompressor == FALSE || job->info.input_scan_number <= job->max_scans) return;
  std::snprintf(job->message.data(), job->message.size(), "more than %d scans", job->max_scans);
  std::longjmp(job->escape, 1);
}

bool jpeg_reads_header(jpeg_job& job, const std::uint8_t* data, std::size_t bytes)
{
  job.info.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = jpeg_fails;
  job.errors.emit_message = jpeg_remarks;
  job.errors.output_message = jpeg_says_nothing;
  job.info.client_data = &job;
  if (setjmp(job.escape) != 0) return false;
  jpeg_create_decompress(&job.info);
  job.created = true;
  job.info.progress = &job.progress;
  job.progress.progress_monitor = jpeg_counts_scans;
  jpeg_mem_src(&job.info, data, static_cast<unsigned long>(bytes));
  jpeg_save_markers(&job.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&job.info, TRUE);
  const bool four = job.info.jpeg_color_space == JCS_CMYK || job.info.jpeg_color_space == JCS_YCCK;
  job.info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  return true;
}

bool jpeg_starts(jpeg_job& job)
{
  if (setjmp(job.escape) != 0) return false;
  jpeg_start_decompress(&job.info);
  return true;
}

bool jpeg_reads_row(jpeg_job& job, std::uint8_t* to)
{
  if (setjmp(job.escape) != 0) return false;
  JSAMPROW rows[1] = {to};
  return jpeg_read_scanlines(&job.info, rows, 1) == 1;
}

std::span<const std::uint8_t> exif_of(const jpeg_job& job)
{
  static constexpr std::uint8_t tag[6] = {'E', 'x', 'i', 'f', 0, 0};
  for (auto* m = job.info.marker_list; m != nullptr; m = m->next)
    if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof tag && std::memcmp(m->data, tag, sizeof tag) == 0)
      return {m->data + sizeof tag, m->data_length - sizeof tag};
  return {};
}

// Both libraries have passed the header. `bytes_per_pixel` is the least a pixel can cost in the file: a header that
// promises more pixels than its file can hold is refused before memory is taken for them.
result<void> check_size(std::string_view kind, std::uint64_t width, std::uint64_t height, std::uint64_t most_pixels_in_file,
  const image_limits& limits)
{
  const auto size = std::string(kind) + " of " + std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) return error(errc::bad_image, size);
  if (width > limits.max_pixels / height)
    return error(errc::limit_exceeded, size + ", at most " + std::to_string(limits.max_pixels) + " are allowed");
  if (width * height > most_pixels_in_file) return error(errc::bad_image, size + " in too few bytes to hold them");
  return {};
}

result<picture> decode_jpeg(std::span<const std::uint8_t> file, const image_limits& limits)
{
  jpeg_job job;
  job.max_scans = limits.max_scans;
  const auto failed = [&job](const std::string& where) { return error(errc::bad_image, "JPEG " + where + ": " + job.message.data()); };
  if (!jpeg_reads_header(job, file.data(), file.size())) return failed("header");
  // One bit per 8 x 8 block and component is the least a Huffman-coded scan can spend; arithmetic coding spends less.
  const std::uint64_t most = job.info.arith_code ? limits.max_pixels : std::uint64_t{file.size()} * 8 * 64;
  NARROWS_TRY(check_size("JPEG", job.info.image_width, job.info.image_height, most, limits));
  if (!jpeg_starts(job)) return failed("data");

  picture out;
  out.width = static_cast<int>(job.info.output_width);
  out.height = static_cast<int>(job.info.output_height);
  const auto width = static_cast<std::size_t>(out.width);
  const bool cmyk = job.info.out_color_space == JCS_CMYK;
  out.pixels.resize(width * static_cast<std::size_t>(out.height) * picture::channels);
  std::vector<std::uint8_t> inks(cmyk ? width * 4 : 0);
  for (int y = 0; y < out.height; ++y) {
    auto* row = out.pixels.data() + static_cast<std::size_t>(y) * width * picture::channels;
    if (!jpeg_reads_row(job, cmyk ? inks.data() : row))
      return failed("row " + std::to_string(y) + " of " + std::to_string(out.height));
    if (!cmyk) continue;
    const bool inverted = job.info.saw_Adobe_marker != FALSE;   // Adobe writes 255 for "no ink"
    for (std::size_t x = 0; x < width; ++x) {
      const auto light = [&](std::size_t k) { const unsigned v = inks[4 * x + k]; return inverted ? v : 255 - v; };
      for (std::size_t c = 0; c < 3; ++c) row[3 * x + c] = static_cast<std::uint8_t>((light(c) * light(3) + 127) / 255);
    }
  }
  return oriented(std::move(out), exif_orientation(exif_of(job)));
}

struct png_job {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf escape{};
  std::array<char, 200> message{};
  std::span<const std::uint8_t> rest;
  int passes = 1;

  png_job() = default;
  png_job(const png_job&) = delete;
  png_job& operator=(const png_job&) = delete;
  ~png_job() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void png_fails(png_structp png, png_const_charp why)
{
  auto* job = static_cast<png_job*>(png_get_error_ptr(png));
  std::snprintf(job->message.data(), job->message.size(), "%s", why);
  std::longjmp(job->escape, 1);
}

void png_says_nothing(png_structp, png_const_charp) {}

void png_takes(png_structp png, png_bytep to, std::size_t bytes)
{
  auto* job = static_cast<png_job*>(png_get_io_ptr(png));
  if (bytes > job->rest.size()) png_error(png, "data end too early");
  std::memcpy(to, job->rest.data(), bytes);
  job->rest = job->rest.subspan(bytes);
}

bool png_reads_header(png_job& job)
{
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, nullptr, png_says_nothing);
  if (job.png == nullptr) return false;
  png_set_error_fn(job.png, &job, png_fails, png_says_nothing);
  if (setjmp(job.escape) != 0) return false;
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) png_error(job.png, "out of memory");
  png_set_user_limits(job.png, 0x7FFFFFFF, 0x7FFFFFFF);   // the caller judges the size, by the area
  png_set_chunk_malloc_max(job.png, 4 << 20);
  png_set_chunk_cache_max(job.png, 128);
  png_set_read_fn(job.png, &job, png_takes);
  png_read_info(job.png, job.info);
  return true;
}

bool png_starts(png_job& job)
{
  if (setjmp(job.escape) != 0) return false;
  png_set_scale_16(job.png);
  png_set_palette_to_rgb(job.png);
  if ((png_get_color_type(job.png, job.info) & PNG_COLOR_MASK_COLOR) == 0) {
    png_set_expand_gray_1_2_4_to_8(job.png);
    png_set_gray_to_rgb(job.png);
  }
  png_set_strip_alpha(job.png);
  job.passes = png_set_interlace_handling(job.png);
  png_read_update_info(job.png, job.info);
  if (png_get_rowbytes(job.png, job.info) != std::size_t{3} * png_get_image_width(job.png, job.info))
    png_error(job.png, "unexpected pixel format");
  return true;
}

bool png_reads_row(png_job& job, std::uint8_t* to)
{
  if (setjmp(job.escape) != 0) return false;
  png_read_row(job.png, to, nullptr);
  return true;
}

bool png_ends(png_job& job)   // reads up to IEND, so that every checksum has been compared
{
  if (setjmp(job.escape) != 0) return false;
  png_read_end(job.png, job.info);
  return true;
}

result<picture> decode_png(std::span<const std::uint8_t> file, const image_limits& limits)
{
  png_job job;
  job.rest = file;
  const auto failed = [&job](const std::string& where) { return error(errc::bad_image, "PNG " + where + ": " + job.message.data()); };
  if (!png_reads_header(job)) return failed("header");
  const std::uint64_t width = png_get_image_width(job.png, job.info);
  const std::uint64_t height = png_get_image_height(job.png, job.info);
  // Deflate expands at most 1032 times, and a byte holds at most 8 pixels.
  NARROWS_TRY(check_size("PNG", width, height, std::uint64_t{file.size()} * 1032 * 8, limits));
  if (width > 0x7FFFFFF) return error(errc::limit_exceeded, "PNG row of " + std::to_string(width) + " pixels");
  if (!png_starts(job)) return failed("header");

  picture out;
  out.width = static_cast<int>(width);
  out.height = static_cast<int>(height);
  out.pixels.resize(width * height * picture::channels);
  for (int pass = 0; pass < job.passes; ++pass)
    for (std::uint64_t y = 0; y < height; ++y)
      if (!png_reads_row(job, out.pixels.data() + y * width * picture::channels))
        return failed("row " + std::to_string(y) + " of " + std::to_string(height));
  if (!png_ends(job)) return failed("end");
  int orientation = 1;
#ifdef PNG_eXIf_SUPPORTED
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  if (png_get_eXIf_1(job.png, job.info, &exif_bytes, &exif) != 0) orientation = exif_orientation({exif, exif_bytes});
#endif
  return oriented(std::move(out), orientation);
}

}  // namespace

image_kind image_kind_of(std::span<const std::uint8_t> start) noexcept
{
  static constexpr std::array<std::uint8_t, 8> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  static constexpr std::array<std::uint8_t, 3> jpeg{0xFF, 0xD8, 0xFF};
  const auto begins_with = [start](const auto& mark) {
    return start.size() >= mark.size() && std::equal(mark.begin(), mark.end(), start.begin());
  };
  if (begins_with(png)) return image_kind::png;
  if (begins_with(jpeg)) return image_kind::jpeg;
  return image_kind::unknown;
}

result<picture> decode_image(std::span<const std::uint8_t> file, const image_limits& limits)
{
  const auto kind = image_kind_of(file);
  if (kind == image_kind::unknown) return error(errc::bad_image, "neither JPEG nor PNG");
  if (file.size() > limits.max_file_bytes)
    return error(errc::limit_exceeded, "image file of " + std::to_string(file.size()) + " bytes, at most " +
      std::to_string(limits.max_file_bytes) + " are allowed");
  return kind == image_kind::jpeg ? decode_jpeg(file, limits) : decode_png(file, limits);
}

int exif_orientation(std::span<const std::uint8_t> tiff) noexcept
{
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  const bool little = tiff[0] == 'I';
  const auto number = [&](std::size_t at, std::size_t bytes) {   // callers have checked at + bytes <= size
    std::size_t v = 0;
    for (std::size_t i = 0; i < bytes; ++i) v |= std::size_t{tiff[at + i]} << 8 * (little ? i : bytes - 1 - i);
    return v;
  };
  if (number(2, 2) != 42) return 1;
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (number(entry, 2) != 0x0112) continue;
    const auto value = number(entry + 8, 2);
    return number(entry + 2, 2) == 3 && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

picture oriented(picture from, int orientation)
{
  if (orientation < 2 || orientation > 8) return from;
  const bool swapped = orientation >= 5;
  picture to;
  to.width = swapped ? from.height : from.width;
  to.height = swapped ? from.width : from.height;
  to.pixels.resize(from.pixels.size());
  // Where row and column 0 of the stored picture belong: EXIF 2.3, 4.6.4, tag 0x0112.
  const bool mirrored_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirrored_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < to.height; ++y)
    for (int x = 0; x < to.width; ++x) {
      const int across = swapped ? y : x;
      const int down = swapped ? x : y;
      const auto sx = static_cast<std::size_t>(mirrored_x ? from.width - 1 - across : across);
      const auto sy = static_cast<std::size_t>(mirrored_y ? from.height - 1 - down : down);
      const auto* s = from.pixels.data() + (sy * static_cast<std::size_t>(from.width) + sx) * picture::channels;
      auto* t = to.pixels.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(to.width) + static_cast<std::size_t>(x)) * picture::channels;
      std::copy_n(s, picture::channels, t);
    }
  return to;
}

}  // namespace narrows::tool
