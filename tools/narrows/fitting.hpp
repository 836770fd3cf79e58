// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include <narrows/pack/arithmetic.hpp>

namespace narrows::tool {

/// How one tensor is coded at one width: the range of each picture itself from 5 bits on; below, the clip of least
/// squared error from the other fold, per channel where that pays. Of class scores only the upper end decides the answer:
/// from 3 bits on their range hangs down from each picture's largest score, as far as the other fold wants it.
enum class rule { picture, clip, channel_clip, upper_end };

[[nodiscard]] inline std::string_view name_of(rule r)
{
  switch (r) {
  case rule::picture: return "picture";
  case rule::clip: return "clip";
  case rule::channel_clip: return "clip per channel";
  case rule::upper_end: return "upper end";
  }
  return "";
}

/// Levels for [highest - span, highest]; 0 need not be among them.
[[nodiscard]] inline affine upper_levels(float highest, float span, int bits)
{
  const float scale = span / static_cast<float>((1 << bits) - 1);
  const auto most = static_cast<float>(max_zero(bits));
  return {std::clamp(scale, min_scale, max_scale), static_cast<std::int32_t>(std::clamp(std::nearbyint((span - highest) / scale), -most, most))};
}

/// Of twenty spans, the middle one of those with which most inputs keep their first class.
[[nodiscard]] inline float fit_upper_span(std::span<const std::vector<float>> scores, int bits)
{
  float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::lowest();
  for (const auto& x : scores) {
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    lowest = std::min(lowest, *low), highest = std::max(highest, *high);
  }
  std::vector<float> best;
  int most = 0;
  for (int part = 1; part <= 20; ++part) {
    const float span = (highest - lowest) * static_cast<float>(part) / 20;
    int kept = 0;
    for (const auto& x : scores) {
      const auto first = std::max_element(x.begin(), x.end());
      const auto levels = upper_levels(*first, span, bits);
      const quantizer code(levels, bits);
      kept += std::none_of(x.begin(), first, [&](float value) { return code(value) == code(*first); });
    }
    if (kept > most) most = kept, best.clear();
    if (kept == most) best.push_back(span);
  }
  return best[best.size() / 2];
}

}  // namespace narrows::tool
