// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <limits>

#include <narrows/core/units.hpp>

namespace narrows {

/// The link between two tiers as it is now: the same rate both ways, each way on its own (full duplex).
/// A rate of 0 means that the link is down.
struct link_state {
  bit_rate bandwidth = bit_rate::mbit(100);
  double rtt_s = 0;   ///< round trip of a small message, seconds

  [[nodiscard]] constexpr bool is_up() const noexcept { return bandwidth.bits_per_second > 0; }
  /// Time for which `bytes` keep the link busy; the round trip is latency, not occupancy (METHODS 1.2).
  [[nodiscard]] constexpr double busy_s(double bytes) const noexcept
  {
    return is_up() ? bandwidth.seconds_for_bytes(bytes) : std::numeric_limits<double>::infinity();
  }
  friend constexpr bool operator==(const link_state&, const link_state&) = default;
};

}  // namespace narrows
