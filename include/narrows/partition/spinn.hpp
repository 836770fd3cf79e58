// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/planning_problem.hpp>
#include <narrows/partition/serial_cuts.hpp>
#include <narrows/partition/signs.hpp>

namespace narrows {

struct spinn_options {
  std::uint32_t tag = 0;    ///< the coding of what crosses: 8 bits with LZ4, in the paper
  bool throughput = false;  ///< shortest period instead of least latency
};

/// Which tensors of `problem_from_graph(g, ...)` come out of a ReLU, where SPINN may split.
/// Errors: bad_input (a problem of another graph).
[[nodiscard]] inline result<std::vector<bool>> rectified_tensors(const graph& g, const planning_problem& p)
{
  if (p.nodes.size() != g.nodes().size())
    return error(errc::bad_input, "plan: the problem has another number of nodes than the graph");
  const auto signs = signs_of(g);
  std::vector<bool> rectified;
  for (const auto& t : p.tensors) {
    const auto v = g.find(t.name);
    rectified.push_back(v && signs[index(*v)] == value_sign::rectified);
  }
  return rectified;
}

/// The cut of a SPINN-style system with exits off: over the positions of the serialised network where every node's tensor that
/// crosses is `splittable` (inputs may always cross), the least latency or the shortest period with one coding.
///
/// Units    value: seconds.
/// Limits   its exits, which need a network trained for them, and its run-time feedback are not here.
/// Ties     the cut with more on the device.
/// Errors   bad_input (three tiers, flags that do not match the tensors, no cut possible).
/// Source   Laskaridis et al., MobiCom 2020, by METHODS 6. O(nodes + tensors).
[[nodiscard]] inline result<serial_choice> spinn_plan(
  const priced_problem& p, const std::vector<bool>& splittable, const spinn_options& how = {})
{
  if (splittable.size() != p.tensors().size())
    return error(errc::bad_input,
      "plan: SPINN: " + std::to_string(splittable.size()) + " flags for " + std::to_string(p.tensors().size()) + " tensors");
  detail::best_serial_cut best;
  const auto may_cross = [&](std::size_t t) { return splittable[t] || !p.tensors()[t].producer; };
  NARROWS_TRY(for_each_serial_cut(p, how.tag, may_cross, [&](const serial_cut& cut) {
    best.offer(cut, static_cast<double>(how.throughput ? cut.cost.period_ns() : cut.cost.latency_ns) * 1e-9);
  }));
  return best.answer(p, "SPINN");
}

}  // namespace narrows
