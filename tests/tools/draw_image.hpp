// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include <jpeglib.h>
#include <png.h>

#include "image.hpp"

/// Writers of JPEG and PNG files for tests, by the libraries' own encoders.
namespace narrows::test {

inline tool::picture noise_picture(int width, int height, unsigned seed)
{
  tool::picture p;
  p.width = width;
  p.height = height;
  std::mt19937 random(seed);
  p.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (auto& v : p.pixels) v = static_cast<std::uint8_t>(random());
  return p;
}

/// A picture that JPEG keeps well: slow ramps.
inline tool::picture ramp_picture(int width, int height)
{
  tool::picture p;
  p.width = width;
  p.height = height;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      p.pixels.push_back(static_cast<std::uint8_t>(255 * x / width));
      p.pixels.push_back(static_cast<std::uint8_t>(255 * y / height));
      p.pixels.push_back(static_cast<std::uint8_t>(128));
    }
  return p;
}

struct jpeg_form {
  int components = 3;          ///< 1: grey, from the first channel; 4: CMYK, inverted as Adobe writes it
  int quality = 100;
  bool progressive = false;
  bool half_chroma = false;
  int orientation = 0;         ///< 0: no EXIF
};

inline std::vector<std::uint8_t> jpeg_file(const tool::picture& from, const jpeg_form& form = {})
{
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);   // ends the test program on an error, which would be the test's own
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&info, &out, &bytes);
  info.image_width = static_cast<JDIMENSION>(from.width);
  info.image_height = static_cast<JDIMENSION>(from.height);
  info.input_components = form.components;
  info.in_color_space = form.components == 1 ? JCS_GRAYSCALE : form.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, form.quality, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = form.half_chroma ? 2 : 1;
  if (form.components == 4) info.write_Adobe_marker = TRUE;
  if (form.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (form.orientation != 0) {
    const std::uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
      0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, static_cast<std::uint8_t>(form.orientation), 0, 0, 0, 0, 0, 0};
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
  }
  std::vector<std::uint8_t> row(static_cast<std::size_t>(from.width) * static_cast<std::size_t>(form.components));
  for (int y = 0; y < from.height; ++y) {
    for (int x = 0; x < from.width; ++x) {
      const auto* p = &from.pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(x)) * 3];
      auto* q = &row[static_cast<std::size_t>(x) * static_cast<std::size_t>(form.components)];
      for (int c = 0; c < form.components; ++c) q[c] = c < 3 ? p[c] : std::uint8_t{255};
    }
    JSAMPROW rows[1] = {row.data()};
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<std::uint8_t> file(out, out + bytes);
  jpeg_destroy_compress(&info);
  std::free(out);
  return file;
}

struct png_form {
  int color = PNG_COLOR_TYPE_RGB;
  int depth = 8;
  bool interlaced = false;
  bool transparent = false;            ///< adds a tRNS chunk
  int orientation = 0;
  std::vector<png_color> palette{};
};

/// A PNG of rows already in the form's own layout.
inline std::vector<std::uint8_t> png_file(int width, int height, const std::vector<std::vector<std::uint8_t>>& rows, const png_form& form = {})
{
  std::vector<std::uint8_t> file;
  auto* png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  auto* info = png_create_info_struct(png);
  png_set_write_fn(png, &file, [](png_structp p, png_bytep data, std::size_t n) {
    auto* to = static_cast<std::vector<std::uint8_t>*>(png_get_io_ptr(p));
    to->insert(to->end(), data, data + n);
  }, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), form.depth, form.color,
    form.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!form.palette.empty()) png_set_PLTE(png, info, form.palette.data(), static_cast<int>(form.palette.size()));
  if (form.transparent) {
    png_byte alpha[1] = {0};
    png_color_16 key{};
    png_set_tRNS(png, info, alpha, 1, &key);
  }
  if (form.orientation != 0) {
    std::uint8_t exif[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, static_cast<std::uint8_t>(form.orientation), 0, 0, 0, 0, 0, 0, 0};
    png_set_eXIf_1(png, info, sizeof exif, exif);
  }
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  for (const auto& row : rows) pointers.push_back(const_cast<png_bytep>(row.data()));
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

inline std::vector<std::uint8_t> png_file(const tool::picture& from, png_form form = {})
{
  std::vector<std::vector<std::uint8_t>> rows;
  const auto row = static_cast<std::size_t>(from.width) * 3;
  for (std::size_t y = 0; y < static_cast<std::size_t>(from.height); ++y)
    rows.emplace_back(from.pixels.begin() + static_cast<std::ptrdiff_t>(y * row), from.pixels.begin() + static_cast<std::ptrdiff_t>((y + 1) * row));
  return png_file(from.width, from.height, rows, form);
}

}  // namespace narrows::test
