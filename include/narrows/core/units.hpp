// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <compare>
#include <cstdint>
#include <cstdio>
#include <string>

namespace narrows {

/// Rate of a link in bits per second (network units: 1 Mbit/s = 10^6 bit/s). Durations are std::chrono.
struct bit_rate {
  double bits_per_second = 0;

  [[nodiscard]] static constexpr bit_rate mbit(double n) noexcept { return {n * 1e6}; }
  [[nodiscard]] constexpr double seconds_for_bytes(double bytes) const noexcept { return bytes * 8 / bits_per_second; }
  friend constexpr auto operator<=>(const bit_rate&, const bit_rate&) = default;
};

/// "5 Mbit/s", "2.5 Gbit/s": three significant digits.
[[nodiscard]] inline std::string to_string(bit_rate rate)
{
  double value = rate.bits_per_second;
  const char* unit = "bit/s";
  for (const char* larger : {"kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}) {
    if (value < 999.5) break;   // 999.5 is printed as 1000
    value /= 1000;
    unit = larger;
  }
  char text[64];
  std::snprintf(text, sizeof text, "%.3g %s", value, unit);
  return text;
}

}  // namespace narrows
