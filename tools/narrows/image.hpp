// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <narrows/core/result.hpp>

namespace narrows::tool {

/// 8-bit pixels, row by row, `channels` values (R, G, B) side by side.
struct picture {
  static constexpr int channels = 3;
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;   ///< height * width * channels
};

enum class image_kind : std::uint8_t { unknown, jpeg, png };

/// What a file is by its first bytes (8 suffice), whatever it is called.
[[nodiscard]] image_kind image_kind_of(std::span<const std::uint8_t> start) noexcept;

/// What one picture may cost, set before anything of it is believed.
struct image_limits {
  std::uint64_t max_file_bytes = std::uint64_t{64} << 20;
  std::uint64_t max_pixels = std::uint64_t{64} << 20;
  int max_scans = 200;   ///< passes over a progressive JPEG: a few bytes each, a whole picture of work each
};

/// Decodes a whole JPEG or PNG file to RGB: grey widened to three channels, palettes and 16-bit samples brought to 8
/// bits, alpha dropped, the EXIF orientation applied. Colour profiles and gamma are not looked at.
///
/// Errors   bad_image: neither JPEG nor PNG, cut short, or damaged; a damaged picture is never returned half decoded.
///          limit_exceeded: more bytes, pixels or scans than `limits`.   `what` says which and where.
[[nodiscard]] result<picture> decode_image(std::span<const std::uint8_t> file, const image_limits& limits = {});

/// EXIF orientation (1..8) in a TIFF block as EXIF has it ("II*\0" or "MM\0*" first); 1 where there is none.
[[nodiscard]] int exif_orientation(std::span<const std::uint8_t> tiff) noexcept;

/// The picture turned and mirrored as EXIF orientation `orientation` asks for; unchanged for 1 and anything unknown.
[[nodiscard]] picture oriented(picture from, int orientation);

}  // namespace narrows::tool
