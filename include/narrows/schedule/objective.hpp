// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
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
  memory,       ///< bytes that the head takes of the device's memory
  agreement,    ///< share of answers like those of the float, uncut network
};
inline constexpr std::array all_metrics{metric::latency, metric::throughput, metric::device, metric::server,
  metric::bytes, metric::memory, metric::agreement};

[[nodiscard]] constexpr std::string_view to_string(metric m) noexcept
{
  switch (m) {
  case metric::latency: return "latency";
  case metric::throughput: return "throughput";
  case metric::device: return "device";
  case metric::server: return "server";
  case metric::bytes: return "bytes";
  case metric::memory: return "memory";
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
  case metric::memory: return c.memory_bytes;
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

/// One metric of several, the most important first. Plans whose values differ by no more than `tolerance`, as a share of the
/// best one, count as equal in it: the next metric decides between them.
struct priority {
  metric of = metric::latency;
  double tolerance = 0;
};

/// A metric's part of a sum: weight * value / reference, or weight * reference / value for what more of is better.
struct weight {
  metric of = metric::latency;
  double share = 1;
  double reference = 1;   ///< in the metric's unit, > 0: the value that counts 1
};

/// What to make best, and bounds on the rest: one metric; several in order of importance (`then`); or a weighted sum (`weigh`),
/// which takes the place of them.
struct objective {
  static constexpr std::size_t max_limits = 8;
  static constexpr std::size_t max_metrics = all_metrics.size();

  metric of = metric::latency;   ///< the most important
  double tolerance = 0;          ///< of it, as in `priority`
  std::array<priority, max_metrics - 1> rest{};
  std::size_t rest_count = 0;
  std::array<weight, max_metrics> weights{};
  std::size_t weight_count = 0;
  std::array<limit, max_limits> limits{};
  std::size_t limit_count = 0;

  constexpr objective() = default;
  constexpr objective(metric m) : of(m) {}  // NOLINT: implicit, `objective goal = metric::latency;`

  /// Adds the metric that decides between plans which all before it count as equal, the last of them up to `within`; false if
  /// there is no room for one more, or `within` is negative or not a number.
  constexpr bool then(metric m, double within) noexcept
  {
    if (rest_count == rest.size() || !(within >= 0)) return false;
    (rest_count == 0 ? tolerance : rest[rest_count - 1].tolerance) = within;
    rest[rest_count++] = {m, 0};
    return true;
  }
  /// Adds a part of a weighted sum; false if there is no room for one more, or share or reference is not positive.
  constexpr bool weigh(metric m, double share, double reference) noexcept
  {
    if (weight_count == weights.size() || !(share > 0) || !(reference > 0)) return false;
    weights[weight_count++] = {m, share, reference};
    return true;
  }

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
  /// Figures by which plans are ranked, one after the other.
  [[nodiscard]] constexpr std::size_t ranks() const noexcept { return weight_count > 0 ? 1 : 1 + rest_count; }
  /// The k-th of them. Smaller is better: the sum, or the metric in its unit (negative for gains).
  [[nodiscard]] constexpr double rank(const cost_terms& c, std::size_t k = 0) const noexcept
  {
    if (weight_count == 0) {
      const metric m = k == 0 ? of : rest[k - 1].of;
      return is_gain(m) ? -value_of(m, c) : value_of(m, c);
    }
    double sum = 0;
    for (std::size_t i = 0; i < weight_count; ++i) {
      const double value = value_of(weights[i].of, c);
      sum += weights[i].share * (is_gain(weights[i].of) ? weights[i].reference / value : value / weights[i].reference);
    }
    return sum;
  }
  /// What counts as no worse than `best`, in rank k.
  [[nodiscard]] constexpr double good_enough(double best, std::size_t k) const noexcept
  {
    const double within = weight_count > 0 ? 0 : k == 0 ? tolerance : rest[k - 1].tolerance;
    const double size = best < 0 ? -best : best;
    return within > 0 && size < std::numeric_limits<double>::infinity() ? best + within * size : best;
  }
  /// The share by which `other` betters `now`, 0 if it does not: of the first rank in which one of them is not good enough, of
  /// the last if there is none. Limits are not looked at.
  [[nodiscard]] constexpr double gain(const cost_terms& now, const cost_terms& other) const noexcept
  {
    for (std::size_t k = 0;; ++k) {
      const double a = rank(now, k), b = rank(other, k);
      const bool last = k + 1 == ranks();
      if (b > good_enough(a, k) || (last && !(b < a))) return 0;
      if (!last && a <= good_enough(b, k)) continue;
      const double size = std::max(a < 0 ? -a : a, b < 0 ? -b : b);
      return size < std::numeric_limits<double>::infinity() ? (a - b) / size : 1;
    }
  }
};

/// Why a plan was taken by an objective, as a clause.
[[nodiscard]] constexpr std::string_view reason_of(const objective& goal) noexcept
{
  if (goal.weight_count > 0) return "least weighted sum within the limits";
  switch (goal.of) {
  case metric::latency: return "lowest latency within the limits";
  case metric::throughput: return "highest throughput within the limits";
  case metric::device: return "least device time within the limits";
  case metric::server: return "least server time within the limits";
  case metric::bytes: return "fewest bytes within the limits";
  case metric::memory: return "least memory within the limits";
  case metric::agreement: return "highest agreement within the limits";
  }
  return "best within the limits";
}

}  // namespace narrows
