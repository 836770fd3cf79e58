// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/partition/problem_from_graph.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// A two-tier plan of a network as a candidate, so that policies, the scheduler and the running system can take what a planner
/// found: its cut, a coding per crossing tensor, and the cost terms without those of the link (`evaluate` fills them).
///
/// Arguments  p: made of `problem_from_graph(g, ...)`; plan: for p; codings: the list given there, which the tags index.
/// Model      min-max per tensor as the range; agreement is 1 where nothing is rounded, else unknown.
/// Errors     bad_input (three tiers, a plan or problem that does not fit the graph, a tag beyond the list).
[[nodiscard]] inline result<candidate> candidate_of(
  const graph& g, const priced_problem& p, const tier_plan& plan, std::span<const tensor_coding> codings)
{
  if (p.tiers() != 2 || p.nodes().size() != g.nodes().size() || !flows_one_way(p, plan.tiers) ||
      plan.routes.size() != p.tensors().size())
    return error(errc::bad_input, "plan: it is not one for two tiers of this graph");
  auto at = cut_of(g, plan);
  if (!at) return unexpected(std::move(at).error());
  candidate made;
  made.where = detail::placement_of(*at);
  made.what.at = std::move(*at);
  auto& cost = made.cost;
  cost.memory_bytes = head_memory_bytes(g, made.what.at);
  bool rounds = false;
  for (std::size_t n = 0; n < plan.tiers.size(); ++n) {
    (plan.tiers[n] == 0 ? cost.device_s : cost.server_s) += static_cast<double>(p.nodes()[n].compute_ns[plan.tiers[n]]) * 1e-9;
    if (plan.tiers[n] == 1) cost.return_bytes += static_cast<double>(p.nodes()[n].return_bytes);
  }
  for (const auto v : made.what.at.tensors) {
    const auto& all = p.tensors();
    const auto t = std::find_if(all.begin(), all.end(), [&](const priced_problem::tensor& one) { return one.name == g[v].name; });
    if (t == all.end() || !plan.routes[static_cast<std::size_t>(t - all.begin())].takes(0))
      return error(errc::bad_input, "plan: '" + g[v].name + "' crosses the cut, but not in the plan");
    const auto& o = t->options[static_cast<std::size_t>(plan.routes[static_cast<std::size_t>(t - all.begin())].option[0])];
    if (o.tag >= codings.size()) return error(errc::bad_input, "plan: '" + g[v].name + "' is coded in a way that is not listed");
    coding code;
    code.coded_as = codings[o.tag].coded_as;
    code.width = codings[o.tag].width;
    rounds = rounds || has_codes(code.coded_as);
    made.what.codings.push_back(std::move(code));
    cost.encode_s += static_cast<double>(o.encode_ns[0]) * 1e-9;
    cost.decode_s += static_cast<double>(o.decode_ns[1]) * 1e-9;
    cost.payload_bytes += static_cast<double>(o.bytes);
  }
  if (!made.what.codings.empty()) {
    cost.bytes = cost.payload_bytes + static_cast<double>(p.links()[0].message_bytes);
    cost.return_bytes += static_cast<double>(p.links()[0].message_bytes);
  }
  if (!rounds) cost.agreement = 1.0;
  return made;
}

}  // namespace narrows
