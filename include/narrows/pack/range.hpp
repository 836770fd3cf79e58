// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/dispatch.hpp>

namespace narrows {

/// The mapping whose codes 0 and 2^bits - 1 mean `lo` and `hi`, to within half a step (the zero point is an integer).
///
/// lo = 0 gives zero 0, so ReLU outputs keep exact zeros. lo = hi gives a mapping that holds that one value exactly.
/// Where the limits on scale or zero point bite, the step grows until they hold and the range is still covered.
/// Errors   bad_width; bad_range if a bound is not finite, lo > hi, or the range is too wide for `max_scale`.
[[nodiscard]] inline result<affine, errc> affine_from_range(float lo, float hi, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (!is_finite(lo) || !is_finite(hi) || lo > hi) return errc::bad_range;
  // In double: float differences could overflow, and double quotients leave the one rounding to float that counts.
  const double low = lo;
  const double high = hi;
  const double largest = max_code(bits);
  if (lo == hi) {
    if (lo == 0) return affine{1, 0};
    const double scale = std::max(std::abs(low), static_cast<double>(min_scale));
    if (scale > static_cast<double>(max_scale)) return errc::bad_range;
    return affine{static_cast<float>(scale), lo > 0 ? 0 : 1};
  }
  double scale = std::max((high - low) / largest, static_cast<double>(min_scale));
  // |zero| = |lo| / scale must fit, one step kept back for rounding.
  scale = std::max(scale, std::abs(low) / (max_zero(bits) - 1));
  const auto rounded = static_cast<float>(scale);
  if (!(rounded <= max_scale)) return errc::bad_range;
  const double zero = std::nearbyint(-low / static_cast<double>(rounded));
  return affine{rounded, static_cast<std::int32_t>(zero)};
}

/// Range of the smallest to the largest value of `x`. Errors: bad_width; bad_range if `x` is empty or its range too
/// wide; not_finite if it holds a NaN or infinity.
[[nodiscard]] inline result<affine, errc> fit_min_max(std::span<const float> x, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (x.empty()) return errc::bad_range;
  float low = 0;
  float high = 0;
  if (!best_kernels().min_max(x.data(), x.size(), low, high)) return errc::not_finite;
  return affine_from_range(low, high, bits);
}

/// One range per group: value i belongs to group (i / inner) mod scales.size(). `scales` is the output; groups without
/// values keep scale 1. Errors: as above, and bad_descriptor if there are values but no groups.
[[nodiscard]] inline errc fit_min_max(std::span<const float> x, std::size_t inner, int bits,
                                      std::span<affine> scales) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (x.empty()) return errc::ok;
  if (scales.empty() || inner == 0) return errc::bad_descriptor;
  const std::size_t period = scales.size() == 1 ? x.size() : inner * scales.size();
  if (scales.size() == 1) inner = x.size();
  for (std::size_t g = 0; g < scales.size(); ++g) {
    float low = std::numeric_limits<float>::max();
    float high = -low;
    for (std::size_t first = g * inner; first < x.size(); first += period) {
      float part_low = 0;
      float part_high = 0;
      if (!best_kernels().min_max(x.data() + first, std::min(inner, x.size() - first), part_low, part_high))
        return errc::not_finite;
      low = std::min(low, part_low);
      high = std::max(high, part_high);
    }
    if (low > high) continue;
    const auto fitted = affine_from_range(low, high, bits);
    if (!fitted) return fitted.error();
    scales[g] = *fitted;
  }
  return errc::ok;
}

}  // namespace narrows
