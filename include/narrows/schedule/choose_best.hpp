// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>

#include <narrows/partition/cost.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// A candidate and how it does by an objective.
struct ranked {
  std::size_t index = 0;
  /// objective::missed: 0 where the limits are kept, infinite where there is no candidate.
  double missed = std::numeric_limits<double>::infinity();
  cost_terms cost;
};

/// The best candidate by an objective for the world as it is: among those within the limits the one that comes first by all
/// ranks; if none is within them, the one that misses them least. Equals go to the lower latency, then to the first.
///
/// Shapes   `from` is not empty. `admits(candidate)`: which of them count; if none does, the answer's index is 0 and `missed`
///          infinite.
/// Cost     a pass per rank, about 10 ns per candidate each; nothing allocated.
template <std::predicate<const candidate&> Admits>
[[nodiscard]] ranked choose_best(std::span<const candidate> from, const objective& goal, const observation& seen, const Admits& admits) noexcept
{
  std::array<double, objective::max_metrics> bars{};
  ranked best;
  for (std::size_t k = 0; k < goal.ranks(); ++k) {
    bool any = false;
    double least = 0, latency = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!admits(from[i])) continue;
      const cost_terms cost = evaluate(from[i], seen.link, seen.load);
      const double missed = goal.missed(cost);
      bool stays = k == 0 || missed == 0;
      for (std::size_t j = 0; j < k && stays; ++j) stays = goal.rank(cost, j) <= bars[j];
      if (!stays) continue;
      const double rank = goal.rank(cost, k);
      const bool better = missed != best.missed ? missed < best.missed : rank != least ? rank < least : cost.latency() < latency;
      if (any && !better) continue;
      any = true;
      best = {i, missed, cost};
      least = rank;
      latency = cost.latency();
    }
    if (best.missed > 0) break;   // nothing keeps the limits: what misses them least, whatever else
    bars[k] = goal.good_enough(least, k);
  }
  return best;
}
[[nodiscard]] inline ranked choose_best(std::span<const candidate> from, const objective& goal, const observation& seen) noexcept
{
  return choose_best(from, goal, seen, [](const candidate&) { return true; });
}

/// What a policy answers that takes it.
[[nodiscard]] constexpr decision decision_of(const ranked& best, const objective& goal) noexcept
{
  const bool feasible = !(best.missed > 0);
  return {best.index, feasible, feasible ? reason_of(goal) : "infeasible: no plan keeps the limits; this one misses them least"};
}

}  // namespace narrows
