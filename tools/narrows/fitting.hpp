// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/pack/arithmetic.hpp>
#include <narrows/profile/calibration.hpp>

namespace narrows::tool {

/// A precision as asked for. Without a rule, the one that serves best at that width and cut (usual_rule).
struct wanted_precision {
  int width = 8;
  std::optional<level_rule> rule{};
  double step_of = 0;
  bool levels = false;
};

/// "4", "6:picture", "4:channel-clip", "4:step-3", "5:step-3.5", "4:clip+levels". None for anything else.
[[nodiscard]] inline std::optional<wanted_precision> parse_precision(std::string_view text)
{
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int n = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    return failed == std::errc{} && end == digits.data() + digits.size() && is_packable_width(n) ? std::optional(n) : std::nullopt;
  };
  constexpr std::string_view ending = "+levels";
  if (text.ends_with(ending)) {
    auto without = parse_precision(text.substr(0, text.size() - ending.size()));
    if (!without || without->levels || !without->rule || !may_have_levels(*without->rule, without->width)) return std::nullopt;
    without->levels = true;
    return without;
  }
  const auto colon = text.find(':');
  const auto width = number(text.substr(0, colon));
  if (!width) return std::nullopt;
  if (colon == std::string_view::npos) return wanted_precision{*width};
  auto rule_text = text.substr(colon + 1);
  if (const auto plain = parse_level_rule(rule_text)) return is_step(*plain) ? std::nullopt : std::optional(wanted_precision{*width, plain});
  const auto dash = rule_text.rfind('-');
  const auto rule = parse_level_rule(rule_text.substr(0, dash));
  if (dash == std::string_view::npos || !rule || !is_step(*rule)) return std::nullopt;
  auto of_text = rule_text.substr(dash + 1);
  const bool half = of_text.ends_with(".5");
  if (half) of_text.remove_suffix(2);
  const auto of = number(of_text);
  if (!of || *of + (half ? 1 : 0) > *width) return std::nullopt;
  return wanted_precision{*width, rule, *of + (half ? 0.5 : 0)};
}

/// What is known of the tensor at a cut when a rule is chosen.
struct cut_traits {
  bool has_channels = false;
  bool holds_scores = false;   ///< one value per class, with nothing left to compute
  double macs_share = 0;
};

/// The rule that keeps most agreement at a width: the range of each input itself from 5 bits on; below, the clip of least squared
/// error, per channel where that pays. Of class scores only the upper end decides the answer.
/// Source: the agreement of each rule over 57 cuts of five networks; docs/measurements.md, "Low widths", has today's.
[[nodiscard]] inline level_rule usual_rule(const cut_traits& at, int width)
{
  if (at.holds_scores && width >= 3) return level_rule::upper_end;
  if (width >= 5) return level_rule::picture;
  return at.has_channels && (width <= 2 || at.macs_share < 0.2) ? level_rule::channel_clip : level_rule::clip;
}

/// The precisions worth trying where none are asked for: each width by its usual rule, 5 bits by the clip too, whose step is finer,
/// and steps with the little room that a coder wants (more room makes codes longer, not answers better).
[[nodiscard]] inline std::vector<wanted_precision> usual_precisions()
{
  std::vector<wanted_precision> all;
  for (const int width : {8, 7, 6, 5, 4, 3}) all.push_back({width, {}, 0});
  all.push_back({5, level_rule::clip, 0});
  for (const auto& [width, of] : {std::pair{7, 6.0}, {6, 5.5}, {6, 5.0}, {5, 4.5}, {5, 4.0}, {4, 3.5}, {4, 3.0}, {4, 2.5}}) all.push_back({width, level_rule::step, of});
  return all;
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
