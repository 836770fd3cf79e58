// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/frontier.hpp>
#include <narrows/partition/three_tier.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// How much longer a plan takes than the fastest one.
struct optimality_gap {
  std::int64_t plan_ns = 0;
  std::int64_t best_ns = 0;
  [[nodiscard]] std::int64_t ns() const noexcept { return plan_ns - best_ns; }  ///< never below 0
  /// Share of the best; 0 where both are 0, infinite where only the best is.
  [[nodiscard]] double share() const noexcept { return ns() == 0 ? 0 : static_cast<double>(ns()) / static_cast<double>(best_ns); }
};

/// The plan with the least latency over any tiers and links: by minimum cut where that is exact, else by frontier search.
/// Errors: those of `min_cut_plan` and `frontier_plan`.
[[nodiscard]] inline result<tier_plan> fastest_plan(const priced_problem& p, std::size_t limit = default_frontier_limit)
{
  if (edge_is_on_the_way(p)) return detail::fastest_by_cut(p);
  auto found = frontier_plan(p, limit);
  if (!found) return unexpected(std::move(found).error());
  return std::move(found->plan);
}

/// The latency of a plan, as it costs over `p`, against the least there is.
/// Errors: bad_input (a plan for other nodes, or one that flows back), those of `fastest_plan`.
[[nodiscard]] inline result<optimality_gap> gap_to_exact(const priced_problem& p, const tier_plan& plan)
{
  if (!flows_one_way(p, plan.tiers) || plan.routes.size() != p.tensors().size())
    return error(errc::bad_input, "plan: it is not one for this problem");
  auto best = fastest_plan(p);
  if (!best) return unexpected(std::move(best).error());
  return optimality_gap{cost_of(p, plan.tiers, plan.routes).latency_ns, best->cost.latency_ns};
}

}  // namespace narrows
