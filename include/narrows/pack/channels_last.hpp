// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/layout.hpp>

/// Scales that change from value to value, as those of the channels of an NHWC tensor do. Values are taken by runs of channels,
/// whose levels stand side by side, in loops without branches that compilers turn into registers; one value at a time, a
/// quantizer for each, took 36 ns a value where this takes 1.2.
namespace narrows::detail::inline NARROWS_FLAGS {

inline constexpr std::size_t channels_at_once = 256;

/// The quantizers of some channels, member by member.
struct channel_levels {
  float inverse[channels_at_once];
  float low[channels_at_once];
  float high[channels_at_once];
  std::int32_t zero[channels_at_once];

  void fill(std::span<const affine> scales, int bits) noexcept
  {
    const auto largest = static_cast<std::int32_t>(max_code(bits));
    for (std::size_t j = 0; j < scales.size(); ++j) {
      inverse[j] = 1.0F / scales[j].scale;
      low[j] = static_cast<float>(-scales[j].zero);
      high[j] = static_cast<float>(largest - scales[j].zero);
      zero[j] = scales[j].zero;
    }
  }

  /// What quantizer says of n values, the first of which is of the channel at `j`; false if one is not finite.
  template <code_unit Code>
  [[nodiscard]] bool apply(const float* x, std::size_t n, std::size_t j, Code* codes) const noexcept
  {
    constexpr std::uint32_t exponent = 0x7F800000;
    std::uint32_t odd = 0;
    for (std::size_t i = 0; i < n; ++i) {
      odd |= (std::bit_cast<std::uint32_t>(x[i]) & exponent) == exponent ? 1U : 0U;
      const float y = x[i] * inverse[j + i];
      float held = y > low[j + i] ? y : low[j + i];  // NaN too
      held = held < high[j + i] ? held : high[j + i];
      auto below = static_cast<std::int32_t>(held);  // round_half_even, without its branches
      below -= static_cast<float>(below) > held ? 1 : 0;
      const float middle = static_cast<float>(below) + 0.5F;
      below += (held > middle ? 1 : 0) | ((held == middle ? 1 : 0) & below);
      codes[i] = static_cast<Code>(below + zero[j + i]);
    }
    return odd == 0;
  }
};

/// Codes of n values, the first of which is value `at` of the tensor, value i having scales[i mod scales.size()].
template <code_unit Code>
bool quantize_channels(
  const float* x, std::size_t at, std::size_t n, std::span<const affine> scales, int bits, Code* codes) noexcept
{
  channel_levels levels;
  std::size_t first = 0, held = 0;  // channels that `levels` has
  std::size_t channel = at % scales.size();
  bool finite = true;
  for (std::size_t i = 0; i < n;) {
    if (channel < first || channel - first >= held) {
      first = scales.size() <= channels_at_once ? 0 : channel;
      held = std::min(channels_at_once, scales.size() - first);
      levels.fill(scales.subspan(first, held), bits);
    }
    const std::size_t some = std::min(first + held - channel, n - i);
    finite = levels.apply(x + i, some, channel - first, codes + i) && finite;
    i += some;
    channel = channel + some == scales.size() ? 0 : channel + some;
  }
  return finite;
}

template <code_unit Code>
void dequantize_channels(const Code* codes, std::size_t at, std::size_t n, std::span<const affine> scales, float* out) noexcept
{
  for (std::size_t i = 0, channel = at % scales.size(); i < n; channel = 0) {
    const std::size_t some = std::min(scales.size() - channel, n - i);
    for (std::size_t j = 0; j < some; ++j)
      out[i + j] =
        static_cast<float>(static_cast<std::int32_t>(codes[i + j]) - scales[channel + j].zero) * scales[channel + j].scale;
    i += some;
  }
}

/// Smallest and largest value of each of some channels.
struct channel_ranges {
  float low[channels_at_once];
  float high[channels_at_once];
  float seen[channels_at_once]{};  ///< NaN once a value was not finite

  channel_ranges() noexcept
  {
    std::fill_n(low, channels_at_once, std::numeric_limits<float>::max());
    std::fill_n(high, channels_at_once, std::numeric_limits<float>::lowest());
  }
  void take(const float* x, std::size_t n) noexcept
  {
    for (std::size_t j = 0; j < n; ++j) {
      low[j] = x[j] < low[j] ? x[j] : low[j];
      high[j] = x[j] > high[j] ? x[j] : high[j];
      seen[j] += x[j] * 0.0F;
    }
  }
  [[nodiscard]] bool all_finite() const noexcept
  {
    return std::all_of(seen, seen + channels_at_once, [](float sum) { return sum == 0; });
  }
};

}  // namespace narrows::detail::inline NARROWS_FLAGS
