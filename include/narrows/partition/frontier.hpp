// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/partition/detail/frontier_search.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/throughput_cut.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// An optimal plan, and what finding it took.
struct frontier_answer {
  tier_plan plan;
  std::size_t labels = 0;  ///< partial plans kept, over all steps
};

/// Plans kept at one step, beyond which a search gives up.
inline constexpr std::size_t default_frontier_limit = 20'000;

namespace detail {

/// A plan that is surely there, to prune by: the best cut through the edge.
[[nodiscard]] inline std::optional<tier_plan> some_plan(const priced_problem& p)
{
  auto cut = layered_cut(p, latency_costs(p));
  if (cut.value >= never_ns) return {};
  return plan_of(p, std::move(cut.tiers));
}

}  // namespace detail

/// The plan with the least latency, exactly, whatever the links cost: also with a direct link from device to cloud that is
/// cheaper than the way through the edge, where `three_tier_plan` must refuse.
///
/// Method   dynamic programming over the nodes in order. A state is what lies between those placed and those to come: per
///          tensor that is still to be read, where it was made and where it was read. Where all paths meet, that is one
///          tensor, so a chain of blocks costs the sum of its blocks. Partial plans that cannot beat the best cut are dropped.
/// Cost     states: up to 7 per tensor in the frontier (1 to 4 of them in common networks) times those of each other one.
/// Ties     the first found; the order of the search is fixed by that of the problem.
/// Errors   limit_exceeded (more than `limit` states at a step), bad_input (no plan is possible).
/// Source   METHODS 9.3.
[[nodiscard]] inline result<frontier_answer> frontier_plan(const priced_problem& p, std::size_t limit = default_frontier_limit)
{
  const auto known = detail::some_plan(p);
  detail::frontier_search<detail::latency_sum> search(p, known ? known->cost.latency_ns : never_ns - 1, limit);
  NARROWS_TRY(search.run());
  return frontier_answer{search.best(), search.labels()};
}

/// The plan with the shortest period, exactly, over two or three tiers and any links: the busiest of tiers, links up and links
/// back, with every choice of routes and options.
///
/// Method   as frontier_plan, with all undominated combinations of loads per state (Pareto set) in place of the least sum.
/// Cost     the sets stay small in networks of blocks but have no good bound: the problem is NP-hard (DADS).
/// Ties     the plan of throughput_cut_plan, where that is proven to be best; else the least sum of loads, then the first found.
/// Errors   limit_exceeded (more than `limit` partial plans at a step; `throughput_cut_plan` then still has an answer and a
///          bound), bad_input (no plan is possible).
/// Source   METHODS 9.4.
[[nodiscard]] inline result<frontier_answer> frontier_throughput_plan(
  const priced_problem& p, std::size_t limit = default_frontier_limit)
{
  std::int64_t bound = never_ns - 1;
  if (!p.has_direct_link()) {
    if (const auto cut = throughput_cut_plan(p)) {
      if (cut->gap_ns() == 0) return frontier_answer{cut->plan, 0};
      bound = cut->plan.cost.period_ns();
    }
  } else if (const auto known = detail::some_plan(p)) {
    bound = known->cost.period_ns();
  }
  detail::frontier_search<detail::load_sums> search(p, bound, limit);
  NARROWS_TRY(search.run());
  return frontier_answer{search.best(), search.labels()};
}

}  // namespace narrows
