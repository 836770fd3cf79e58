// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/core/split_mix.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/load.hpp>

namespace narrows {

/// What the world is like from a moment on.
struct conditions {
  double from_s = 0;
  link_state link;
  load_factors load{};
};

/// A link and the load of two machines over time: constant from each point to the next, the last one for good.
class trace {
public:
  /// Errors: bad_input (no points, the first not at 0, moments that do not grow, a rate, round trip or factor that is negative or
  /// no number; a factor of 0).
  [[nodiscard]] static result<trace> make(std::vector<conditions> points)
  {
    if (points.empty() || points.front().from_s != 0) return error(errc::bad_input, "trace: the first point is not at 0");
    for (std::size_t i = 0; i < points.size(); ++i) {
      const conditions& p = points[i];
      const auto finite = [](double v) { return v >= 0 && v < std::numeric_limits<double>::infinity(); };
      if (!finite(p.from_s) || (i > 0 && !(p.from_s > points[i - 1].from_s)))
        return error(errc::bad_input, "trace: point " + std::to_string(i) + ": moments must grow");
      if (!finite(p.link.bandwidth.bits_per_second) || !finite(p.link.rtt_s))
        return error(errc::bad_input, "trace: point " + std::to_string(i) + ": rate and round trip must be numbers of at least 0");
      if (!(finite(p.load.device) && p.load.device > 0 && finite(p.load.server) && p.load.server > 0))
        return error(errc::bad_input, "trace: point " + std::to_string(i) + ": factors must be positive numbers");
    }
    return trace(std::move(points));
  }

  [[nodiscard]] const std::vector<conditions>& points() const noexcept { return points_; }
  [[nodiscard]] const conditions& at(double moment_s) const noexcept { return points_[index_at(moment_s)]; }
  /// Seconds until `bytes`, put on the link at a moment, have left it; infinite if the link goes down for good. The round trip is
  /// not part of it.
  [[nodiscard]] double seconds_to_send(double bytes, double moment_s) const noexcept
  {
    double bits = bytes * 8, now = moment_s;
    for (std::size_t i = index_at(moment_s);; ++i) {
      const double rate = points_[i].link.bandwidth.bits_per_second;
      const bool last = i + 1 == points_.size();
      const double left = last ? std::numeric_limits<double>::infinity() : points_[i + 1].from_s - now;
      if (rate > 0 && bits <= rate * left) return now - moment_s + bits / rate;
      if (last) return left;
      bits -= rate * left;
      now = points_[i + 1].from_s;
    }
  }

private:
  explicit trace(std::vector<conditions> points) : points_(std::move(points)) {}
  [[nodiscard]] std::size_t index_at(double moment_s) const noexcept
  {
    const auto after = std::upper_bound(
      points_.begin(), points_.end(), moment_s, [](double moment, const conditions& p) { return moment < p.from_s; });
    return after == points_.begin() ? 0 : static_cast<std::size_t>(after - points_.begin()) - 1;
  }
  std::vector<conditions> points_;
};

/// Traces to measure policies on. Rates in bit/s.
namespace traces {

[[nodiscard]] inline trace constant(const link_state& link, const load_factors& load = {})
{
  return *trace::make({{0, link, load}});
}
[[nodiscard]] inline trace step(const link_state& before, const link_state& after, double at_s)
{
  NARROWS_EXPECTS(at_s > 0);
  return *trace::make({{0, before}, {at_s, after}});
}
/// From one rate to another, by the same factor every tenth of a second.
[[nodiscard]] inline trace ramp(const link_state& from, const link_state& to, double seconds)
{
  NARROWS_EXPECTS(from.is_up() && to.is_up() && seconds > 0.1);
  const auto steps = static_cast<std::size_t>(seconds * 10);
  std::vector<conditions> points;
  for (std::size_t i = 0; i <= steps; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(steps);
    const double rate = from.bandwidth.bits_per_second * std::pow(to.bandwidth.bits_per_second / from.bandwidth.bits_per_second, part);
    points.push_back({0.1 * static_cast<double>(i), {{rate}, from.rtt_s + part * (to.rtt_s - from.rtt_s)}});
  }
  return *trace::make(std::move(points));
}
/// Like a phone's link: the logarithm of the rate wanders around that of `around`, correlated over some seconds, with a
/// standard deviation of 0.5, and now and then drops to a tenth for a second. The same trace for the same seed.
[[nodiscard]] inline trace lte_like(const link_state& around, double seconds, std::uint64_t seed)
{
  NARROWS_EXPECTS(around.is_up() && seconds > 0);
  split_mix source(seed);
  const auto uniform = [&source] { return static_cast<double>(source.next() >> 11) * 0x1p-53; };
  const auto normal = [&uniform] {   // the sum of twelve
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  };
  constexpr double tick_s = 0.1, memory_s = 3, deviation = 0.5;
  const double kept = std::exp(-tick_s / memory_s), added = deviation * std::sqrt(1 - kept * kept);
  std::vector<conditions> points;
  double wander = deviation * normal();
  double faded_until_s = 0;
  for (std::size_t i = 0; static_cast<double>(i) * tick_s < seconds; ++i) {
    const double now = static_cast<double>(i) * tick_s;
    wander = kept * wander + added * normal();
    if (uniform() < tick_s / 20) faded_until_s = now + 1;   // one in 20 s
    const double rate = around.bandwidth.bits_per_second * std::exp(wander) * (now < faded_until_s ? 0.1 : 1);
    points.push_back({now, {{rate}, around.rtt_s}});
  }
  return *trace::make(std::move(points));
}

}  // namespace traces
}  // namespace narrows
