// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <narrows/exec/reference/simd.hpp>
#include <narrows/graph/op.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// A feature map laid out so that every tap of a sliding window is one flat shift, whatever stride and padding:
///
///     output (y, x) reads, for tap t,  planes[tap[t] + y * pitch + x]
///
/// Stride s splits the padded map in up to s x s planes (rows and columns of equal remainder), so that neighbouring
/// outputs read neighbouring values. The y * pitch + x of neighbouring rows are `pitch - width` apart, so a whole map is
/// one run of `flat` positions with a few in between that nobody wants. With stride 1 and no padding the feature map
/// itself has this form (`direct`) and is not copied.
struct window_layout {
  std::ptrdiff_t height = 0, width = 0;            ///< of the output
  std::ptrdiff_t pitch = 0, flat = 0;
  std::ptrdiff_t floats = 0;                       ///< of one channel, all planes
  std::vector<std::ptrdiff_t> tap;                 ///< row-major over the kernel
  bool direct = false;

  window_layout() = default;
  window_layout(const op::window& w, const shape& in, const shape& out)
    : height(out[2]), width(out[3]), window_(w), in_height_(in[2]), in_width_(in[3])
  {
    const std::ptrdiff_t far_y = (w.kernel[0] - 1) * w.dilation[0] / w.stride[0], far_x = (w.kernel[1] - 1) * w.dilation[1] / w.stride[1];
    pitch = width + far_x;
    rows_ = height + far_y;
    flat = height > 0 && width > 0 ? (height - 1) * pitch + width : 0;
    // Direct also asks for a full register of values, since the last outputs are computed by reaching back.
    const bool bare = w.stride[0] == 1 && w.stride[1] == 1 && w.pads[0] == 0 && w.pads[1] == 0 && rows_ <= in_height_ && pitch <= in_width_;
    const std::ptrdiff_t flat_in_place = (height - 1) * in_width_ + width;
    if (bare && flat_in_place >= static_cast<std::ptrdiff_t>(2 * lanes)) {
      direct = true;
      pitch = in_width_;
      rows_ = in_height_;
      flat = flat_in_place;
    }
    const std::ptrdiff_t plane = rows_ * pitch;
    for (std::int64_t ky = 0; ky < w.kernel[0]; ++ky)
      for (std::int64_t kx = 0; kx < w.kernel[1]; ++kx) {
        const std::ptrdiff_t y = ky * w.dilation[0], x = kx * w.dilation[1];
        const phase which{y % w.stride[0], x % w.stride[1]};
        const auto at = std::find(phases_.begin(), phases_.end(), which);
        const auto number = at - phases_.begin();
        if (at == phases_.end()) phases_.push_back(which);
        tap.push_back(number * plane + y / w.stride[0] * pitch + x / w.stride[1]);
      }
    floats = static_cast<std::ptrdiff_t>(phases_.size()) * plane;
  }

  /// Lays out one channel (height x width of the input) in `floats` floats, `fill` where the padding is.
  void gather(const float* channel, float* planes, float fill) const noexcept
  {
    const auto sy = window_.stride[0], sx = window_.stride[1];
    for (const auto& p : phases_) {
      // Columns q with 0 <= q * sx + p.x - left < in_width_.
      const std::ptrdiff_t shift = window_.pads[1] - p.x;
      const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(shift <= 0 ? 0 : (shift + sx - 1) / sx, 0, pitch);
      const std::ptrdiff_t end = in_width_ + shift <= 0 ? first : std::clamp<std::ptrdiff_t>((in_width_ + shift - 1) / sx + 1, first, pitch);
      for (std::ptrdiff_t r = 0; r < rows_; ++r, planes += pitch) {
        const std::ptrdiff_t y = r * sy + p.y - window_.pads[0];
        if (y < 0 || y >= in_height_ || first == end) {
          std::fill_n(planes, pitch, fill);
          continue;
        }
        const float* from = channel + y * in_width_ + (first * sx - shift);
        std::fill_n(planes, first, fill);
        if (sx == 1) std::copy_n(from, end - first, planes + first);
        else if (sx == 2)  // a constant step lets the compiler take whole registers
          for (std::ptrdiff_t q = 0; q < end - first; ++q) planes[first + q] = from[2 * q];
        else
          for (std::ptrdiff_t q = first; q < end; ++q, from += sx) planes[q] = *from;
        std::fill_n(planes + end, pitch - end, fill);
      }
    }
  }

private:
  struct phase {
    std::ptrdiff_t y, x;
    friend bool operator==(const phase&, const phase&) = default;
  };
  op::window window_;
  std::ptrdiff_t in_height_ = 0, in_width_ = 0, rows_ = 0;
  std::vector<phase> phases_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
