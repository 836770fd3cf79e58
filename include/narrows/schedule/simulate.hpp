// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/scheduler.hpp>
#include <narrows/schedule/trace.hpp>

namespace narrows {

struct simulate_options {
  double seconds = 60;      ///< how long requests are made
  std::size_t requests = 0; ///< and at most so many; 0: no bound
  double every_s = 0;       ///< one request begins in this time, but never before the last one has ended
  double noise = 0;         ///< each transfer is so much faster or slower, as a share of its rate, evenly drawn
  double probe_every_s = 0; ///< a probe crosses where nothing else did for so long; 0: none
  double probe_bytes = 4096;
  std::uint64_t seed = 1;
};

/// One simulated request.
struct simulated_request {
  double at_s = 0;
  std::size_t candidate = 0;
  double latency_s = 0;     ///< as it turned out; infinite where the link was down and never came back
  double period_s = 0;      ///< of a pipeline under this plan, by its true costs
  double regret = 0;        ///< the share by which the best candidate for the true conditions of the moment is better
  bool feasible = true;     ///< the plan kept the limits, by its true costs
};

struct simulation {
  std::vector<simulated_request> requests;
  std::size_t switches = 0;
  double probe_seconds = 0;   ///< during which probes kept the link busy

  [[nodiscard]] double mean_regret() const noexcept
  {
    double sum = 0;
    for (const auto& r : requests) sum += r.regret;
    return requests.empty() ? 0 : sum / static_cast<double>(requests.size());
  }
  /// The regret that a share of all requests stays below: 0.95, or 1 for the worst.
  [[nodiscard]] double regret_below(double share) const
  {
    if (requests.empty()) return 0;
    std::vector<double> all;
    for (const auto& r : requests) all.push_back(r.regret);
    const auto n = static_cast<double>(all.size());
    const auto at = static_cast<std::size_t>(std::clamp(std::ceil(share * n) - 1, 0.0, n - 1));
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(at), all.end());
    return all[at];
  }
};

/// A policy over a trace: each request's plan is chosen by what the answers before it showed, as `narrows run` does it, and
/// pays what the trace makes of it. The oracle beside it takes the best candidate for the conditions as they truly are.
///
/// Model    requests one after the other; the device's part, then the transfer over the link as it is by then, then the
///          server's; load factors as they are when the request begins. The answer's way back is part of the transfer.
/// Shapes   `first` is what the scheduler believes of the link before anything crossed.
/// Errors   bad_input (no candidates; seconds not positive).
[[nodiscard]] inline result<simulation> simulate(std::vector<candidate> candidates, any_policy policy, const objective& goal,
  const trace& world, const link_state& first, const simulate_options& how = {})
{
  if (!(how.seconds > 0)) return error(errc::bad_input, "simulate: no time to simulate");
  const std::vector<candidate> all = candidates;
  auto made = scheduler::make(std::move(candidates), std::move(policy), first);
  if (!made) return unexpected(std::move(made).error());
  scheduler& s = *made;
  std::uint64_t state = how.seed;
  const auto slowed = [&](double seconds) {   // by the noise of one transfer
    state = state * 6364136223846793005U + 1442695040888963407U;
    const double drawn = static_cast<double>(state >> 11) * 0x1p-53;
    return seconds / (1 + how.noise * (2 * drawn - 1));
  };
  const auto cross = [&](double bytes, double at_s) {
    return world.at(at_s).link.rtt_s + slowed(world.seconds_to_send(bytes, at_s));
  };

  simulation out;
  std::uint64_t epoch = 0;
  for (double now = 0; now < how.seconds && (how.requests == 0 || out.requests.size() < how.requests);) {
    const plan& chosen = s.next(now);
    out.switches += epoch != 0 && chosen.epoch != epoch ? 1 : 0;
    epoch = chosen.epoch;
    const candidate& c = s.chosen();
    const conditions& truth = world.at(now);
    const observation known{truth.link, truth.load};
    const cost_terms fair = evaluate(c, truth.link, truth.load);
    const ranked best = choose_best(all, goal, known);

    simulated_request r;
    r.at_s = now;
    r.candidate = static_cast<std::size_t>(&c - s.candidates().data());
    r.period_s = fair.period();
    r.feasible = !(goal.missed(fair) > 0);
    // A plan that misses a limit which another keeps has lost, whatever it gained.
    r.regret = !r.feasible && best.missed == 0 ? 1 : goal.gain(fair, best.cost);
    const double device = fair.device_load(), server = fair.server_load();
    const double link = c.cost.bytes > 0 ? cross(c.cost.bytes + c.cost.return_bytes, now + device) : 0;
    r.latency_s = device + link + server;
    out.requests.push_back(r);
    if (!(r.latency_s < std::numeric_limits<double>::infinity())) {
      s.lost();
      now += std::max(how.every_s, 1.0);   // a deadline later
      continue;
    }
    s.saw_work(epoch, fair.device_s, fair.server_s);
    if (c.cost.bytes > 0) s.saw(c.cost.bytes + c.cost.return_bytes, link);
    if (how.probe_every_s > 0 && s.wants_probe(now, how.probe_every_s)) {
      const double probe = cross(how.probe_bytes, now);
      if (probe < std::numeric_limits<double>::infinity()) {
        s.saw(how.probe_bytes, probe);
        out.probe_seconds += probe;
      } else {
        s.lost();
      }
    }
    now += std::max(r.latency_s, how.every_s);
  }
  return out;
}

}  // namespace narrows
