// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/partition/cost.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Costs every candidate for the link as it is and takes the best by the objective among those within the limits; if
/// none is, the one that misses them least. Equals go to the lower latency, then to the first. One pass, about 10 ns
/// per candidate.
class best_candidate {
public:
  static constexpr std::string_view name = "best-candidate";

  best_candidate() = default;
  explicit best_candidate(const objective& goal) : goal_(goal) {}

  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) const noexcept
  {
    score best;
    std::size_t at = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const cost_terms cost = evaluate(from[i], seen.link);
      const score now{goal_.missed(cost), goal_.rank(cost), cost.latency()};
      if (i == 0 || now.beats(best)) {
        best = now;
        at = i;
      }
    }
    const bool feasible = !from.empty() && !(best.missed > 0);
    return {at, feasible, feasible ? reason() : "infeasible: no plan keeps the limits; this one misses them least"};
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  struct score {
    double missed = 0, rank = 0, latency = 0;
    [[nodiscard]] bool beats(const score& other) const noexcept
    {
      if (missed != other.missed) return missed < other.missed;
      if (rank != other.rank) return rank < other.rank;
      return latency < other.latency;
    }
  };

  [[nodiscard]] std::string_view reason() const noexcept
  {
    switch (goal_.of) {
    case metric::latency: return "lowest latency within the limits";
    case metric::throughput: return "highest throughput within the limits";
    case metric::device: return "least device time within the limits";
    case metric::server: return "least server time within the limits";
    case metric::bytes: return "fewest bytes within the limits";
    case metric::agreement: return "highest agreement within the limits";
    }
    return "best within the limits";
  }

  objective goal_;
};
static_assert(scheduling_policy<best_candidate>);

}  // namespace narrows
