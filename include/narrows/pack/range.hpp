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
#include <narrows/pack/channels_last.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernels_for.hpp>
#include <narrows/pack/moments.hpp>
#include <narrows/pack/value_source.hpp>

namespace narrows {

inline namespace NARROWS_FLAGS {

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

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

[[nodiscard]] inline const kernel_set& range_kernels() noexcept
{
  return kernels_for<kernel::kernel_use{kernel::uses::min_max | kernel::uses::read}>();
}

/// Smallest and largest of the values [first, first + n), n > 0; false if one is not finite.
[[nodiscard]] inline bool min_max_range(
  const kernel_set& with, const value_source& x, std::size_t first, std::size_t n, float& low, float& high) noexcept
{
  if (x.direct() != nullptr) return with.min_max(x.direct() + first, n, low, high);
  float room[piece_values];
  low = std::numeric_limits<float>::max();
  high = -low;
  for (std::size_t done = 0; done < n; done += piece_values) {
    const std::size_t some = std::min(piece_values, n - done);
    float part_low = 0;
    float part_high = 0;
    if (!with.min_max(x.read(with, first + done, some, room), some, part_low, part_high)) return false;
    low = std::min(low, part_low);
    high = std::max(high, part_high);
  }
  return true;
}

/// One range per group where value i belongs to group i mod scales.size(), at least two groups: rows of channels side by side.
[[nodiscard]] inline errc fit_channels(const value_source& x, int bits, std::span<affine> scales) noexcept
{
  float room[piece_values];
  for (std::size_t first = 0; first < scales.size() && first < x.size(); first += channels_at_once) {
    const std::size_t channels = std::min(channels_at_once, scales.size() - first);
    // Where all channels fit, many rows are read at once.
    const std::size_t rows = channels == scales.size() ? piece_values / channels : 1;
    channel_ranges ranges;
    for (std::size_t at = first; at < x.size(); at += rows * scales.size()) {
      const std::size_t n = std::min(rows * channels, x.size() - at);
      const float* const values = x.read(range_kernels(), at, n, room);
      for (std::size_t i = 0; i < n; i += channels) ranges.take(values + i, std::min(channels, n - i));
    }
    if (!ranges.all_finite()) return errc::not_finite;
    for (std::size_t j = 0; j < channels && first + j < x.size(); ++j) {
      const auto fitted = affine_from_range(ranges.low[j], ranges.high[j], bits);
      if (!fitted) return fitted.error();
      scales[first + j] = *fitted;
    }
  }
  return errc::ok;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Range of the smallest to the largest value of `x`. Errors: bad_width; bad_range if `x` is empty or its range too
/// wide; not_finite if it holds a NaN or infinity.
[[nodiscard]] inline result<affine, errc> fit_min_max(const value_source& x, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (x.size() == 0) return errc::bad_range;
  float low = 0;
  float high = 0;
  if (!detail::min_max_range(detail::range_kernels(), x, 0, x.size(), low, high)) return errc::not_finite;
  return affine_from_range(low, high, bits);
}

/// One range per group: value i belongs to group (i / inner) mod scales.size(). `scales` is the output; groups without
/// values keep scale 1. Errors: as above, and bad_descriptor if there are values but no groups.
[[nodiscard]] inline errc fit_min_max(const value_source& x, std::size_t inner, int bits, std::span<affine> scales) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  const std::size_t n = x.size();
  if (n == 0) return errc::ok;
  if (scales.empty() || inner == 0) return errc::bad_descriptor;
  if (inner == 1 && scales.size() > 1) return detail::fit_channels(x, bits, scales);
  inner = scales.size() == 1 ? n : std::min(inner, n);
  for (std::size_t g = 0; g < scales.size() && g <= (n - 1) / inner; ++g) {
    float low = std::numeric_limits<float>::max();
    float high = -low;
    for (std::size_t first = g * inner;;) {
      float part_low = 0;
      float part_high = 0;
      if (!detail::min_max_range(detail::range_kernels(), x, first, std::min(inner, n - first), part_low, part_high))
        return errc::not_finite;
      low = std::min(low, part_low);
      high = std::max(high, part_high);
      if ((n - 1 - first) / inner < scales.size()) break;  // before the product of the two, which may not fit
      first += inner * scales.size();
    }
    const auto fitted = affine_from_range(low, high, bits);
    if (!fitted) return fitted.error();
    scales[g] = *fitted;
  }
  return errc::ok;
}

/// Lambert's W for z >= 0: the w with w * exp(w) = z, by Newton's method.
[[nodiscard]] inline double lambert_w(double z) noexcept
{
  double w = std::log1p(z);
  for (int i = 0; i < 50; ++i) {
    const double e = std::exp(w);
    const double step = (w * e - z) / (e * (w + 1));
    w -= step;
    if (std::abs(step) <= 1e-14 * (1 + w)) break;
  }
  return w;
}

/// Best clip of Laplace-distributed values, in units of their scale beta: clipping and rounding error together are
/// least at W(3 * 4^bits) for values on both sides of 0, at W(12 * 4^bits) for values on one side (after a ReLU).
/// Source: R. Banner, Y. Nahshan, D. Soudry, "Post-training 4-bit quantization of convolution networks for
/// rapid-deployment", NeurIPS 2019; one-sided: the same derivation with error 2 beta^2 exp(-a / beta) + a^2 / (12 * 4^bits).
[[nodiscard]] inline double laplace_clip(int bits, bool one_sided) noexcept
{
  return lambert_w((one_sided ? 12.0 : 3.0) * std::ldexp(1.0, 2 * bits));
}

/// Range by the Laplace model, never wider than the data: [0, a] if no value is negative (beta = mean of the non-zero
/// values), else mean +- a (beta = mean distance from the mean). For where no histogram can be had (histogram.hpp).
/// Errors: as fit_min_max; bad_range also for a value beyond 2^120, of which sums might not be finite.
/// Cost: one pass over `x` if no value is negative, else two.
[[nodiscard]] inline result<affine, errc> fit_laplace(std::span<const float> x, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (x.empty()) return errc::bad_range;
  float low = x[0];
  float high = x[0];
  double sum = 0;
  std::size_t nonzero = 0;
  for (std::size_t first = 0; first < x.size(); first += piece_values) {  // each piece several times, from the first cache
    const auto part = x.subspan(first, std::min(piece_values, x.size() - first));
    float part_low = 0;
    float part_high = 0;
    if (!detail::min_max_range(detail::range_kernels(), part, 0, part.size(), part_low, part_high)) return errc::not_finite;
    low = std::min(low, part_low);
    high = std::max(high, part_high);
    if (std::max(high, -low) > detail::largest_in_moments) return errc::bad_range;
    sum += detail::sum(part);
    if (low >= 0) nonzero += detail::count_nonzero(part);
  }
  if (low >= 0) {
    if (nonzero == 0) return affine_from_range(0, 0, bits);
    const double a = laplace_clip(bits, true) * (sum / static_cast<double>(nonzero));
    return affine_from_range(0, static_cast<float>(std::min(a, static_cast<double>(high))), bits);
  }
  const double mean = sum / static_cast<double>(x.size());
  const double distance = detail::sum_of_distances(x, static_cast<float>(mean)) / static_cast<double>(x.size());
  const double a = laplace_clip(bits, false) * distance;
  return affine_from_range(static_cast<float>(std::max(mean - a, static_cast<double>(low))),
                           static_cast<float>(std::min(mean + a, static_cast<double>(high))), bits);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
