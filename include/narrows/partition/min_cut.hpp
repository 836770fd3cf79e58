// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/core/result.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// The two-tier plan with the least latency, exactly: the minimum cut of DADS with the arcs that it lacks.
///
/// Model    sum of node times, of the cheapest way of each crossing tensor once, of the message and of the way back.
/// Ties     of equal plans the one with the most on the device: its device nodes contain those of every other.
/// Cost     one maximum flow over 2 + nodes + tensors labels; a network of 200 nodes takes a fraction of a millisecond.
/// Errors   bad_input (three tiers; no plan is possible).
/// Source   DADS (INFOCOM 2019) as amended in METHODS 5.4: reverse arcs, pinned inputs. Equal to brute force in tests.
[[nodiscard]] inline result<tier_plan> min_cut_plan(const priced_problem& p)
{
  if (p.tiers() != 2) return error(errc::bad_input, "plan: this minimum cut is for two tiers");
  return detail::fastest_by_cut(p);
}

}  // namespace narrows
