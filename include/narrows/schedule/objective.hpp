// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <narrows/partition/candidate.hpp>

namespace narrows {

/// What a plan is judged by.
enum class metric : std::uint8_t {
  latency,      ///< seconds of one request alone
  throughput,   ///< requests per second in a pipeline
  device,       ///< seconds of the device per request, encoding included
  server,       ///< seconds of the server per request, decoding included
  bytes,        ///< bytes to the server per request
  agreement,    ///< share of answers like those of the float, uncut network
};
inline constexpr std::array all_metrics{metric::latency, metric::throughput, metric::device, metric::server, metric::bytes, metric::agreement};

[[nodiscard]] constexpr std::string_view to_string(metric m) noexcept
{
  switch (m) {
  case metric::latency: return "latency";
  case metric::throughput: return "throughput";
  case metric::device: return "device";
  case metric::server: return "server";
  case metric::bytes: return "bytes";
  case metric::agreement: return "agreement";
  }
  return "unknown";
}
[[nodiscard]] constexpr std::optional<metric> parse_metric(std::string_view name) noexcept
{
  for (const metric m : all_metrics)
    if (name == to_string(m)) return m;
  return std::nullopt;
}

/// Whether more of it is better.
[[nodiscard]] constexpr bool is_gain(metric m) noexcept { return m == metric::throughput || m == metric::agreement; }

/// The value in the metric's unit; an agreement that nobody measured counts as 0, so that no floor is met by ignorance.
[[nodiscard]] constexpr double value_of(metric m, const cost_terms& c) noexcept
{
  switch (m) {
  case metric::latency: return c.latency();
  case metric::throughput: return c.throughput();
  case metric::device: return c.device_load();
  case metric::server: return c.server_load();
  case metric::bytes: return c.bytes;
  case metric::agreement: return c.agreement.value_or(0);
  }
  return 0;
}

/// A bound in the metric's unit: a ceiling, or a floor for throughput and agreement.
struct limit {
  metric of = metric::latency;
  double bound = 0;
};

/// By what share the bound is missed: 0 if it is kept, else in (0, 1], the same measure for every unit.
[[nodiscard]] constexpr double missed_by(const limit& l, const cost_terms& c) noexcept
{
  const double value = value_of(l.of, c);
  const double large = is_gain(l.of) ? l.bound : value, small = is_gain(l.of) ? value : l.bound;
  if (large <= small) return 0;
  return large < std::numeric_limits<double>::infinity() ? 1 - small / large : 1;
}

/// What to make best, and bounds on the rest.
struct objective {
  static constexpr std::size_t max_limits = 8;

  metric of = metric::latency;
  std::array<limit, max_limits> limits{};
  std::size_t limit_count = 0;

  constexpr objective() = default;
  constexpr objective(metric m) : of(m) {}  // NOLINT: implicit, `objective goal = metric::latency;`

  /// Adds a bound; false if there is no room for one more.
  constexpr bool require(metric m, double bound) noexcept
  {
    if (limit_count == max_limits) return false;
    limits[limit_count++] = {m, bound};
    return true;
  }
  /// Sum of the shares by which the bounds are missed, 0 for a feasible plan. A plan over a link that is down misses
  /// everything: it would never answer.
  [[nodiscard]] constexpr double missed(const cost_terms& c) const noexcept
  {
    if (!(c.latency() < std::numeric_limits<double>::infinity())) return std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::size_t i = 0; i < limit_count; ++i) sum += missed_by(limits[i], c);
    return sum;
  }
  /// Smaller is better, in the metric's unit (negative for gains).
  [[nodiscard]] constexpr double rank(const cost_terms& c) const noexcept { return is_gain(of) ? -value_of(of, c) : value_of(of, c); }
};

}  // namespace narrows
