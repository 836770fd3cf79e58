// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <narrows/core/shape.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/bits.hpp>

namespace narrows {

/// Version of the packed format (docs/format.md) that this build writes, and the only one it reads.
inline constexpr int format_version = 1;

/// How codes become bytes. The numbers are part of the format.
enum class codec : std::uint8_t {
  raw = 0,     ///< float32 little-endian, no codes
  dense = 1,   ///< blocks of 512 codes, every code written
  sparse = 2,  ///< bit mask of the non-zero codes, then those codes dense
  runs = 3,    ///< masks within masks, their runs suppressed
  rans = 4,    ///< entropy coded, by the code before
  lz4 = 5,     ///< LZ4 over codes at 1, 2, 4 or 8 bits
  zstd = 6,    ///< Zstandard over the same
  huffman = 7, ///< Huffman codes (DEFLATE) over a byte per code
  pixels = 16, ///< 8-bit pixels before normalisation; at the input cut only
  image = 17,  ///< JPEG or PNG file as it came; at the input cut only
  predicted = 18,  ///< such pixels without loss in fewer bytes (predicted.hpp); at the input cut only
};

/// Every codec there is, whether this program can code it (coder.hpp) or not.
inline constexpr std::array all_codecs{codec::raw,  codec::dense, codec::sparse, codec::runs, codec::rans,
                                       codec::lz4,  codec::zstd,  codec::huffman, codec::pixels, codec::image, codec::predicted};

[[nodiscard]] constexpr std::string_view to_string(codec c) noexcept
{
  switch (c) {
  case codec::raw: return "raw";
  case codec::dense: return "dense";
  case codec::sparse: return "sparse";
  case codec::runs: return "runs";
  case codec::rans: return "rans";
  case codec::lz4: return "lz4";
  case codec::zstd: return "zstd";
  case codec::huffman: return "huffman";
  case codec::pixels: return "pixels";
  case codec::image: return "image";
  case codec::predicted: return "predicted";
  }
  return "unknown";
}

/// Whether a picture travels, before it becomes values: at the input cut only.
[[nodiscard]] constexpr bool is_picture(codec c) noexcept { return c == codec::pixels || c == codec::image || c == codec::predicted; }

/// Whether values travel as codes of some width, with scales.
[[nodiscard]] constexpr bool has_codes(codec c) noexcept { return c != codec::raw && !is_picture(c); }

/// Order in which the values of a tensor stand in the stream; dims are given in that order. Part of the format.
enum class value_order : std::uint8_t { as_given = 0, nchw = 1, nhwc = 2 };

/// Which values share a scale and zero point: all of them, or those with the same index along `axis`.
struct scale_group {
  static constexpr int whole_tensor = -1;
  int axis = whole_tensor;
  friend bool operator==(const scale_group&, const scale_group&) = default;
};

/// Everything a receiver needs beside the payload bytes. Plain data; `wire` carries it, `check` judges it.
struct descriptor {
  int version = format_version;
  value_order order = value_order::nchw;
  shape dims;
  codec coded_as = codec::raw;
  int width = 0;                 ///< bits per code; 0 for codecs without codes
  scale_group group;
  std::vector<affine> scales;    ///< one, or one per index along group.axis; empty for codecs without codes
  std::vector<float> levels;     ///< reconstruction levels: none, or 2^width for each scale, those of the first scale first
  std::uint64_t payload_bytes = 0;
  friend bool operator==(const descriptor&, const descriptor&) = default;
};

/// Codes of at most so many bits may have reconstruction levels.
inline constexpr int max_level_width = 8;

/// Where the scale of a tensor comes from.
enum class range_rule : std::uint8_t {
  min_max,     ///< smallest and largest value of this tensor, found anew for each
  calibrated,  ///< `coding::scales`, found beforehand
};

/// How a plan wants one tensor coded.
struct coding {
  codec coded_as = codec::dense;
  int width = 8;
  range_rule rule = range_rule::min_max;
  scale_group group{};
  std::shared_ptr<const std::vector<affine>> scales{};  ///< for `calibrated`: one per group; shared by all requests of a plan
  std::shared_ptr<const std::vector<float>> levels{};   ///< for `calibrated`: as in a descriptor, or null; shared likewise
};

}  // namespace narrows
