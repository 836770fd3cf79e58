// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include <narrows/core/result.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// Whether the direct link from device to cloud, if there is one, never saves anything: for each tensor it costs at least the
/// two links through the edge, and so does its message. `three_tier_plan` is exact then.
[[nodiscard]] inline bool edge_is_on_the_way(const priced_problem& p) noexcept
{
  if (!p.has_direct_link()) return true;
  if (p.links()[2].message_ns < add_ns(p.links()[0].message_ns, p.links()[1].message_ns)) return false;
  for (const auto& t : p.tensors())
    if (!t.consumers.empty() && t.best_ns[2] < add_ns(t.best_ns[0], t.best_ns[1])) return false;
  return true;
}

/// The three-tier plan with the least latency, exactly, by one minimum cut with two labels per node.
///
/// Model    as for two tiers. What the cloud reads of the device goes through the edge and pays both links, each by its own
///          cheapest option: the edge decodes and encodes again, or the options say that it hands on.
/// Needs    edge_is_on_the_way: with a direct link that is cheaper than both others the labels are no longer submodular, and
///          the cut would answer a wrong plan, so it refuses; `frontier_plan` is for that. Times need no order: a tier may be
///          slower than the one before for some nodes, or impossible.
/// Ties     of equal plans the one with every node on the lowest tier that any of them has it on.
/// Cost     one maximum flow over 2 + 2 * (nodes + tensors) labels.
/// Errors   bad_input (not three tiers, a direct link that is cheaper, no plan is possible).
/// Source   METHODS 9.2. Equal to brute force in tests.
[[nodiscard]] inline result<tier_plan> three_tier_plan(const priced_problem& p)
{
  if (p.tiers() != 3) return error(errc::bad_input, "plan: this minimum cut is for three tiers");
  if (!edge_is_on_the_way(p))
    return error(
      errc::bad_input, "plan: the direct link to the cloud is cheaper than the way through the edge; a cut cannot weigh them");
  return detail::fastest_by_cut(p);
}

}  // namespace narrows
