// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <narrows/graph/op.hpp>

namespace narrows::detail {

/// Which input indexes an output of a resize reads along one axis, in the coordinates of the whole maps. Plain double
/// arithmetic with nothing to contract: the same on every machine.
struct resize_map {
  op::resize::part where;                ///< the whole axis where the node names no part
  enum op::resize::mode mode;
  enum op::resize::coordinates coordinates;
  enum op::resize::rounding rounding;
  double scale;
  bool keeps;                            ///< output o is input o

  /// `from` and `to`: extents of the node's input and output.
  resize_map(const op::resize& r, std::size_t axis, std::int64_t from, std::int64_t to)
    : where(r.parts.empty() ? op::resize::part{0, from, 0, to} : r.parts[axis]), mode(r.mode), coordinates(r.coordinates), rounding(r.rounding),
      scale(r.scales.empty() ? static_cast<double>(where.output_extent) / static_cast<double>(where.input_extent) : r.scales[axis]),
      keeps(where.input_extent == where.output_extent && scale == 1)
  {
  }

  [[nodiscard]] double coordinate(std::int64_t output) const
  {
    const auto at = static_cast<double>(output);
    const auto from = where.input_extent, to = where.output_extent;
    using c = enum op::resize::coordinates;
    switch (coordinates) {
    case c::half_pixel: return (at + 0.5) / scale - 0.5;
    case c::pytorch_half_pixel: return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case c::align_corners: return to > 1 ? at * static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
    case c::asymmetric: return at / scale;
    case c::tf_half_pixel_for_nn: return (at + 0.5) / scale;
    }
    return 0;
  }

  /// Index that mode `nearest` takes, before it is clamped to the map.
  [[nodiscard]] std::int64_t nearest(double at) const
  {
    using r = enum op::resize::rounding;
    double i = at;
    switch (rounding) {
    case r::floor: i = std::floor(at); break;
    case r::ceil: i = std::ceil(at); break;
    case r::round_prefer_floor: i = std::ceil(at - 0.5); break;
    case r::round_prefer_ceil: i = std::floor(at + 0.5); break;
    }
    return whole(i);
  }

  /// First and last index of the map that `output` reads, those of weight 0 included.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> reads(std::int64_t output) const
  {
    if (keeps) return {output, output};
    const auto last = where.input_extent - 1;
    const auto inside = [last](std::int64_t i) { return std::clamp<std::int64_t>(i, 0, last); };
    const double at = coordinate(output);
    if (mode == op::resize::mode::nearest) return {inside(nearest(at)), inside(nearest(at))};
    if (mode == op::resize::mode::linear) {
      const auto low = static_cast<std::int64_t>(std::floor(std::clamp(at, 0.0, static_cast<double>(last))));
      return {inside(low), inside(low + 1)};
    }
    const auto low = whole(std::floor(at));
    return {inside(low - 1), inside(low + 2)};
  }

private:
  /// A scale may be tiny: what lies far outside any map stays there, but fits an integer.
  [[nodiscard]] static std::int64_t whole(double i) { return static_cast<std::int64_t>(std::clamp(i, -0x1p60, 0x1p60)); }
};

}  // namespace narrows::detail
