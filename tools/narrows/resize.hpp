// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>

#include "image.hpp"

namespace narrows::tool {

namespace detail {

/// For each output position of one axis: the first input it reads, and its weights as 22-bit fractions.
struct resize_taps {
  static constexpr int fraction_bits = 22;
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;   ///< `most` per output position
  int most = 0;
};

/// A triangle of half-width max(1, in / out) around the centre of each output pixel, cut off at the borders, sum 1.
inline resize_taps make_resize_taps(int in, int out)
{
  const double scale = static_cast<double>(in) / out;
  const double reach = std::max(scale, 1.0);
  resize_taps taps;
  taps.most = static_cast<int>(std::ceil(reach)) * 2 + 1;
  taps.weights.resize(static_cast<std::size_t>(taps.most) * static_cast<std::size_t>(out));
  std::vector<double> w(static_cast<std::size_t>(taps.most));
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int last = std::min(in, static_cast<int>(centre + reach + 0.5));
    double sum = 0;
    for (int k = first; k < last; ++k) {
      auto& one = w[static_cast<std::size_t>(k - first)];
      one = std::max(0.0, 1.0 - std::abs((k + 0.5 - centre) / reach));
      sum += one;
    }
    taps.first.push_back(first);
    taps.count.push_back(last - first);
    for (int k = first; k < last; ++k)
      taps.weights[static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.most) + static_cast<std::size_t>(k - first)] =
        static_cast<std::int32_t>(0.5 + w[static_cast<std::size_t>(k - first)] / sum * (1 << resize_taps::fraction_bits));
  }
  return taps;
}

/// Weighted sum of `count` bytes that stand `step` apart, rounded to a byte. Weights are not negative and sum to one
/// within rounding, so 255 * sum stays far inside 32 bits.
inline std::uint8_t weighted(const std::uint8_t* from, std::size_t step, const std::int32_t* weights, int count)
{
  std::int32_t sum = 1 << (resize_taps::fraction_bits - 1);
  for (int k = 0; k < count; ++k) sum += from[static_cast<std::size_t>(k) * step] * weights[k];
  return static_cast<std::uint8_t>(std::min(sum >> resize_taps::fraction_bits, 255));
}

}  // namespace detail

/// The picture at another size: bilinear, and a filter as wide as the shrinkage where it shrinks (so nothing aliases).
/// Rows first, rounded to 8 bits, then columns: the arithmetic of Pillow's BILINEAR (libImaging/Resample.c), with
/// which published accuracies of most networks were taken.
///
/// Units    pixels; `width`, `height` at least 1.
/// Cost     width * in_height * ceil(2 * in_width / width) products, then the same for the columns.
[[nodiscard]] inline picture resized(const picture& from, int width, int height)
{
  NARROWS_EXPECTS(width >= 1 && height >= 1 && from.width >= 1 && from.height >= 1);
  constexpr auto channels = static_cast<std::size_t>(picture::channels);
  picture narrow;
  narrow.width = width;
  narrow.height = from.height;
  const auto out_width = static_cast<std::size_t>(width);
  if (width == from.width) {
    narrow.pixels = from.pixels;
  } else {
    const auto taps = detail::make_resize_taps(from.width, width);
    narrow.pixels.resize(out_width * static_cast<std::size_t>(from.height) * channels);
    for (std::size_t y = 0; y < static_cast<std::size_t>(from.height); ++y)
      for (std::size_t x = 0; x < out_width; ++x) {
        const auto* source = from.pixels.data() + (y * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(taps.first[x])) * channels;
        const auto* weights = taps.weights.data() + x * static_cast<std::size_t>(taps.most);
        for (std::size_t c = 0; c < channels; ++c)
          narrow.pixels[(y * out_width + x) * channels + c] = detail::weighted(source + c, channels, weights, taps.count[x]);
      }
  }
  if (height == from.height) return narrow;
  const auto taps = detail::make_resize_taps(from.height, height);
  picture out;
  out.width = width;
  out.height = height;
  const std::size_t row = out_width * channels;
  out.pixels.resize(row * static_cast<std::size_t>(height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    const auto* source = narrow.pixels.data() + static_cast<std::size_t>(taps.first[y]) * row;
    const auto* weights = taps.weights.data() + y * static_cast<std::size_t>(taps.most);
    for (std::size_t x = 0; x < row; ++x) out.pixels[y * row + x] = detail::weighted(source + x, row, weights, taps.count[y]);
  }
  return out;
}

/// The size at which the short side is `side` and the long side keeps the proportion, rounded down.
[[nodiscard]] inline std::pair<int, int> short_side_to(const picture& from, int side)
{
  const auto scaled = [side](int longer, int shorter) {
    return static_cast<int>(std::min<std::int64_t>(std::int64_t{side} * longer / shorter, 1 << 24));
  };
  if (from.width <= from.height) return {side, scaled(from.height, from.width)};
  return {scaled(from.width, from.height), side};
}

/// The central `width` x `height` pixels; where the margin is odd, the half pixel goes to the even side, as in
/// torchvision's CenterCrop. Errors: bad_input where the picture is smaller than that.
[[nodiscard]] inline result<picture> central(const picture& from, int width, int height)
{
  if (from.width < width || from.height < height)
    return error(errc::bad_input, "picture of " + std::to_string(from.width) + " x " + std::to_string(from.height) +
      " pixels is smaller than the crop of " + std::to_string(width) + " x " + std::to_string(height));
  constexpr auto channels = static_cast<std::size_t>(picture::channels);
  const auto half = [](int margin) { return static_cast<std::size_t>(margin / 2 + (margin % 4 == 3)); };
  const auto left = half(from.width - width);
  const auto top = half(from.height - height);
  picture out;
  out.width = width;
  out.height = height;
  const auto row = static_cast<std::size_t>(width) * channels;
  out.pixels.resize(row * static_cast<std::size_t>(height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y)
    std::copy_n(from.pixels.data() + ((top + y) * static_cast<std::size_t>(from.width) + left) * channels, row, out.pixels.data() + y * row);
  return out;
}

}  // namespace narrows::tool
