// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <narrows/core/units.hpp>

namespace narrows::tool {

namespace detail {

/// A decimal number and the text behind it.
[[nodiscard]] inline std::optional<std::pair<double, std::string_view>> number_and_unit(std::string_view text)
{
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  return std::pair(value, unit);
}

}  // namespace detail

/// "20ms", "1.5s", "800us", "2min"; "0" needs no unit. None for anything else, and for more than a day.
[[nodiscard]] inline std::optional<std::chrono::duration<double>> parse_duration(std::string_view text)
{
  const auto parts = detail::number_and_unit(text);
  if (!parts) return std::nullopt;
  const auto& [value, unit] = *parts;
  double seconds = 0;
  if (unit == "us") seconds = value * 1e-6;
  else if (unit == "ms") seconds = value * 1e-3;
  else if (unit == "s") seconds = value;
  else if (unit == "min") seconds = value * 60;
  else if (!(unit.empty() && value == 0)) return std::nullopt;
  if (seconds > 86400) return std::nullopt;
  return std::chrono::duration<double>(seconds);
}

/// "5Mbit", "800kbit", "1Gbit", "2.5Mbit/s": bits per second, decimal. None for anything else; 0 is not a rate.
[[nodiscard]] inline std::optional<bit_rate> parse_bit_rate(std::string_view text)
{
  if (text.ends_with("/s")) text.remove_suffix(2);
  const auto parts = detail::number_and_unit(text);
  if (!parts || parts->first <= 0) return std::nullopt;
  const auto& [value, unit] = *parts;
  if (unit == "bit") return bit_rate{value};
  if (unit == "kbit") return bit_rate{value * 1e3};
  if (unit == "Mbit") return bit_rate{value * 1e6};
  if (unit == "Gbit") return bit_rate{value * 1e9};
  return std::nullopt;
}

}  // namespace narrows::tool
