// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/op.hpp>

/// Arithmetic of sliding windows on attributes that come from a file: nothing here can wrap.
namespace narrows::detail {

/// Largest kernel, stride, dilation or border of a window. Far above any network; keeps products of attributes and
/// extents (at most 2^44) inside 64 bits and a hostile loop short.
inline constexpr std::int64_t max_window_attribute = 65536;

inline result<void> check_window(const op::window& w)
{
  const auto pair_text = [](const op::pair& p) { return std::to_string(p[0]) + "x" + std::to_string(p[1]); };
  for (std::size_t i = 0; i < 2; ++i) {
    if (w.kernel[i] < 1) return error(errc::bad_node, "kernel is " + pair_text(w.kernel));
    if (w.stride[i] < 1) return error(errc::bad_node, "stride is " + pair_text(w.stride));
    if (w.dilation[i] < 1) return error(errc::bad_node, "dilation is " + pair_text(w.dilation));
    if (w.kernel[i] > max_window_attribute) return error(errc::limit_exceeded, "kernel is " + pair_text(w.kernel));
    if (w.stride[i] > max_window_attribute) return error(errc::limit_exceeded, "stride is " + pair_text(w.stride));
    if (w.dilation[i] > max_window_attribute) return error(errc::limit_exceeded, "dilation is " + pair_text(w.dilation));
  }
  for (const auto p : w.pads) {
    if (p < 0) return error(errc::bad_node, "a pad is negative (" + std::to_string(p) + ")");
    if (p > max_window_attribute) return error(errc::limit_exceeded, "a pad is " + std::to_string(p));
  }
  return {};
}

/// Extent that `kernel` values cover when they lie `dilation` apart.
constexpr std::int64_t covered(std::int64_t kernel, std::int64_t dilation) noexcept { return dilation * (kernel - 1) + 1; }

/// Window positions along one axis of a checked window, without the ones that would hang over the end; 0 if none.
constexpr std::int64_t positions_floor(std::int64_t extent, const op::window& w, std::size_t axis) noexcept
{
  const auto room = extent + w.pads[axis] + w.pads[axis + 2] - covered(w.kernel[axis], w.dilation[axis]);
  return room < 0 ? 0 : room / w.stride[axis] + 1;
}

/// The same with ceil_mode: a last window may hang over the end, but must start inside the input or its first border
/// (a window that holds nothing but the last border has no mean; PyTorch and ONNX 1.16 leave it out too).
constexpr std::int64_t positions_ceil(std::int64_t extent, const op::window& w, std::size_t axis) noexcept
{
  const auto stride = w.stride[axis];
  const auto room = extent + w.pads[axis] + w.pads[axis + 2] - covered(w.kernel[axis], w.dilation[axis]);
  auto n = room < 0 ? (room > -stride ? 1 : 0) : (room + stride - 1) / stride + 1;
  if (n > 1 && (n - 1) * stride >= extent + w.pads[axis]) --n;
  return n;
}

}  // namespace narrows::detail
