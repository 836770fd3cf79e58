// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <compare>
#include <cstdint>

namespace narrows {

/// Rate of a link in bits per second (network units: 1 Mbit/s = 10^6 bit/s). Durations are std::chrono.
struct bit_rate {
  double bits_per_second = 0;

  [[nodiscard]] static constexpr bit_rate mbit(double n) noexcept { return {n * 1e6}; }
  [[nodiscard]] constexpr double seconds_for_bytes(double bytes) const noexcept { return bytes * 8 / bits_per_second; }
  friend constexpr auto operator<=>(const bit_rate&, const bit_rate&) = default;
};

}  // namespace narrows
