// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <narrows/graph/detail/resize_map.hpp>
#include <narrows/graph/detail/window_extent.hpp>
#include <narrows/graph/op.hpp>
#include <narrows/partition/region.hpp>

/// Reverse tile calculation along one axis: which inputs some outputs need, and how a node that has those alone makes
/// them. Attributes and extents have passed shape inference, so no product here can wrap.
namespace narrows::detail {

/// What one axis of a node needs for the outputs that are wanted.
struct reach {
  interval read;                     ///< of the input; empty: all that is read lies in the border
  interval made;                     ///< what comes out: the wanted outputs, more only where a pad must end on data
  std::int64_t before = 0, after = 0;   ///< border of the local node
  std::int64_t output_padding = 0;   ///< transposed convolution only
};

constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) noexcept { return a >= 0 ? a / b : -((-a + b - 1) / b); }
constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) noexcept { return -floor_divide(-a, b); }

/// Convolutions and pools. Output o, tap j reads o * stride - pad + j * dilation; the border stays where the map's is, and
/// is no wider than there: the rest of a last window that hangs over the end (ceil_mode) is no border, and does not count
/// in a mean.
/// Source   METHODS 10.2 of the design notes: [derived]; the tests hold it against enumeration.
constexpr reach window_reach(const op::window& w, std::size_t axis, std::int64_t extent, const interval& wanted) noexcept
{
  const auto low = wanted.begin * w.stride[axis] - w.pads[axis];
  const auto high = (wanted.end - 1) * w.stride[axis] - w.pads[axis] + covered(w.kernel[axis], w.dilation[axis]);
  reach r{{std::max<std::int64_t>(0, low), std::min(extent, high)}, wanted};
  if (r.read.empty()) return {{}, wanted};
  r.before = std::max<std::int64_t>(0, -low);
  r.after = std::clamp<std::int64_t>(high - extent, 0, w.pads[axis + 2]);
  return r;
}

/// How many values, border included, the windows of `count` outputs cover.
constexpr std::int64_t window_span(const op::window& w, std::size_t axis, std::int64_t count) noexcept
{
  return (count - 1) * w.stride[axis] + covered(w.kernel[axis], w.dilation[axis]);
}

/// Transposed convolutions: input i adds to outputs i * stride - pad + j * dilation. The border of such a node is what is
/// cut off its output, which cannot be negative: where a kernel is smaller than the stride, one input before those that
/// matter is read too.
constexpr reach transpose_reach(const op::window& w, std::size_t axis, std::int64_t extent, const interval& wanted) noexcept
{
  const auto s = w.stride[axis], p = w.pads[axis], size = covered(w.kernel[axis], w.dilation[axis]);
  const auto first = std::min(ceil_divide(wanted.begin + p - (size - 1), s), floor_divide(wanted.begin + p, s));
  const auto last = floor_divide(wanted.end - 1 + p, s);
  reach r{{std::clamp<std::int64_t>(first, 0, extent - 1), std::clamp<std::int64_t>(last, 0, extent - 1) + 1}, wanted};
  r.before = p + wanted.begin - r.read.begin * s;
  const auto length = s * (r.read.size() - 1) + size - r.before;
  r.after = std::max<std::int64_t>(0, length - wanted.size());
  r.output_padding = std::max<std::int64_t>(0, wanted.size() - length);
  return r;
}

/// Resizing: coordinates rise with the output, so the ends say all.
inline reach resize_reach(const resize_map& map, const interval& wanted)
{
  return {{map.reads(wanted.begin).first, map.reads(wanted.end - 1).second + 1}, wanted};
}

/// Padding; `before` may be negative. The part read always holds at least one value, so that mode `edge` has an edge.
constexpr reach pad_reach(enum op::pad::mode mode, std::int64_t before, std::int64_t extent, const interval& wanted) noexcept
{
  const auto first = wanted.begin - before, last = wanted.end - 1 - before;   // in the input's own indexes
  const bool below = first < 0, above = last > extent - 1;
  auto low = std::clamp<std::int64_t>(first, 0, extent - 1), high = std::clamp<std::int64_t>(last, 0, extent - 1);
  if (mode == op::pad::mode::reflect) {
    if (below) high = std::max(high, -first);
    if (above) low = std::min(low, 2 * (extent - 1) - last);
  }
  reach r{{low, high + 1}, {below ? wanted.begin : low + before, (above ? wanted.end - 1 : high + before) + 1}};
  r.before = below ? -first : 0;
  r.after = above ? last - (extent - 1) : 0;
  return r;
}

/// Slices: output o is input start + o * step.
constexpr reach slice_reach(std::int64_t start, std::int64_t step, const interval& wanted) noexcept
{
  const auto a = start + wanted.begin * step, b = start + (wanted.end - 1) * step;
  return {{std::min(a, b), std::max(a, b) + 1}, wanted};
}

}  // namespace narrows::detail
