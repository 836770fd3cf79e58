// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <narrows/partition/plan.hpp>

namespace narrows {

/// Where the work of a plan is done.
enum class placement : std::uint8_t {
  device,   ///< everything on the device; nothing crosses
  split,    ///< head on the device, tail on the server
  cloud,    ///< the input crosses, everything on the server
};

[[nodiscard]] constexpr std::string_view to_string(placement p) noexcept
{
  switch (p) {
  case placement::device: return "device";
  case placement::split: return "split";
  case placement::cloud: return "cloud";
  }
  return "unknown";
}

/// What one request costs under a plan. All but the two link terms are known beforehand; `evaluate` (cost.hpp) fills
/// those for a link. Times in seconds, sizes in bytes (means, hence not whole numbers).
struct cost_terms {
  double device_s = 0;            ///< head
  double encode_s = 0;            ///< on the device
  double link_s = 0;              ///< both ways and the round trip; infinite while the link is down
  double decode_s = 0;            ///< on the server
  double server_s = 0;            ///< tail
  double link_busy_s = 0;         ///< how long the busier direction is occupied
  double bytes = 0;               ///< to the server, payload and envelope
  double payload_bytes = 0;       ///< to the server, payload alone
  double return_bytes = 0;        ///< back
  double memory_bytes = 0;        ///< of the device: weights of the head, and the tensors it needs at once
  std::optional<double> agreement; ///< with the float, uncut network; none where it was not measured

  /// One request alone, from input to answer: the sum of its parts (METHODS 1.2).
  [[nodiscard]] constexpr double latency() const noexcept { return device_s + encode_s + link_s + decode_s + server_s; }
  /// Work that one request puts on each resource. Encoding runs on the cores that run the head.
  [[nodiscard]] constexpr double device_load() const noexcept { return device_s + encode_s; }
  [[nodiscard]] constexpr double server_load() const noexcept { return decode_s + server_s; }
  /// Seconds per request when requests follow one another closely: the busiest resource sets the pace.
  [[nodiscard]] constexpr double period() const noexcept { return std::max({device_load(), link_busy_s, server_load()}); }
  /// Requests per second with enough of them in flight: at least latency() / period().
  [[nodiscard]] constexpr double throughput() const noexcept
  {
    const double p = period();
    return p > 0 ? 1 / p : std::numeric_limits<double>::infinity();
  }
};

/// A plan and what it is predicted to cost.
struct candidate {
  plan what;
  cost_terms cost;
  placement where = placement::split;
};

}  // namespace narrows
