// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <narrows/partition/max_flow.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows::detail {

/// Products of times with bytes or weights: 64 bits would not hold them.
__extension__ typedef __int128 wide_int;

/// What a cut pays, in any unit. `infinite` and above means "must not be"; all finite costs together stay below it.
template <class C>
struct cut_costs {
  C infinite;
  std::vector<std::array<C, max_tiers>> node;     ///< per node and tier
  std::vector<std::array<C, max_tiers - 1>> hop;  ///< per tensor and link, however many read it behind the link
  std::array<C, max_tiers - 1> message{};         ///< per link, once if anything lies behind it
};

template <class C>
struct cut_answer {
  std::vector<std::uint8_t> tiers;
  C value;  ///< infinite where no plan is possible
};

/// The tiers with the least sum of costs, by one minimum cut. Of equal plans the one with every node on the lowest tier that
/// any of them has it on.
///
/// Form    label X(k, v) is behind the cut iff node v runs after tier k: one layer per link. Per layer: the difference of the
///         node's costs on both sides of the link as an arc from the source or to the sink (DADS's two arcs less what both
///         have in common); an arc v -> readers for the tensor, through a node of its own where several read it, so that it
///         is paid once (DADS, INFOCOM 2019); an infinite arc reader -> v, so that no data flows back (METHODS 5.4, which
///         DADS lacks); X(k, v) -> X(k + 1, v) infinite, as tiers come in order (METHODS 9.2). Inputs are the source itself,
///         so that they are pinned to the device and their upload is paid. A message is a node before the last nodes of the
///         network: something lies behind a link iff one of these does.
/// Needs   a tensor from tier 0 to 2 costs at least what it costs link by link, which is what the layers charge.
/// Source  METHODS 5.2, 5.4, 9.2.
template <class C>
[[nodiscard]] cut_answer<C> layered_cut(const priced_problem& p, const cut_costs<C>& costs)
{
  const std::size_t nodes = p.nodes().size(), layers = p.tiers() - 1;
  const C never = costs.infinite;
  flow_network<C> net(3 + layers * nodes);
  // No flow exceeds `never`, whatever infinite arcs meet: so nothing overflows, and a full first arc means "impossible".
  const std::size_t top = 0, source = 1, sink = 2;
  net.add_arc(top, source, never);
  const auto label = [&](std::size_t layer, std::size_t node) { return 3 + layer * nodes + node; };

  C base = 0;
  for (std::size_t n = 0; n < nodes; ++n) {
    const auto& cost = costs.node[n];
    const auto possible = [&](std::size_t tier) { return cost[tier] < never; };
    const auto finite = [&](std::size_t tier) { return possible(tier) ? cost[tier] : C{0}; };
    base += finite(0);
    for (std::size_t k = 0; k < layers; ++k) {
      const C more = finite(k + 1) - finite(k);
      if (more >= 0)
        net.add_arc(source, label(k, n), more);
      else
        net.add_arc(label(k, n), sink, -more), base += more;
      if (k > 0) net.add_arc(label(k - 1, n), label(k, n), never);
      if (k > 0 && !possible(k)) net.add_arc(label(k, n), label(k - 1, n), never);  // not on this tier: both labels or none
    }
    if (!possible(0)) net.add_arc(label(0, n), sink, never);
    if (!possible(layers)) net.add_arc(source, label(layers - 1, n), never);
  }
  for (std::size_t t = 0; t < p.tensors().size(); ++t) {
    const auto& tensor = p.tensors()[t];
    for (std::size_t k = 0; k < layers && !tensor.consumers.empty(); ++k) {
      const std::size_t from = tensor.producer ? label(k, *tensor.producer) : source;
      const C price = costs.hop[t][k] < never ? costs.hop[t][k] : never;
      if (tensor.consumers.size() == 1) {
        net.add_arc(from, label(k, tensor.consumers.front()), price);
      } else {
        const std::size_t shared = net.add_node();
        net.add_arc(from, shared, price);
        for (const auto reader : tensor.consumers) net.add_arc(shared, label(k, reader), never);
      }
      if (tensor.producer)
        for (const auto reader : tensor.consumers) net.add_arc(label(k, reader), from, never);
    }
  }
  for (std::size_t k = 0; k < layers; ++k) {
    if (costs.message[k] == 0) continue;
    const std::size_t message = net.add_node();
    net.add_arc(source, message, costs.message[k] < never ? costs.message[k] : never);
    for (std::size_t n = 0; n < nodes; ++n) {
      const auto& made = p.nodes()[n].makes;
      const bool last = std::all_of(made.begin(), made.end(), [&](std::size_t t) { return p.tensors()[t].consumers.empty(); });
      if (last) net.add_arc(message, label(k, n), never);
    }
  }

  cut_answer<C> answer{std::vector<std::uint8_t>(nodes), net.max_flow(top, sink)};
  if (answer.value >= never) return answer;
  answer.value += base;
  const auto before = net.greatest_source_side(sink);
  for (std::size_t n = 0; n < nodes; ++n)
    for (std::size_t k = 0; k < layers; ++k)
      if (!before[label(k, n)]) answer.tiers[n] = static_cast<std::uint8_t>(k + 1);
  return answer;
}

/// Latency as costs of a cut: every tensor by its cheapest option on each link.
[[nodiscard]] inline cut_costs<std::int64_t> latency_costs(const priced_problem& p)
{
  cut_costs<std::int64_t> costs{never_ns, {}, {}, {}};
  for (const auto& n : p.nodes()) costs.node.push_back(n.total_ns);
  for (const auto& t : p.tensors()) costs.hop.push_back({t.best_ns[0], t.best_ns[1]});
  for (std::size_t k = 0; k + 1 < p.tiers(); ++k) costs.message[k] = p.links()[k].message_ns;
  return costs;
}

[[nodiscard]] inline result<tier_plan> fastest_by_cut(const priced_problem& p)
{
  auto answer = layered_cut(p, latency_costs(p));
  if (answer.value >= never_ns) return no_plan();
  auto plan = plan_of(p, std::move(answer.tiers));
  NARROWS_EXPECTS(plan.cost.latency_ns == answer.value);
  return plan;
}

}  // namespace narrows::detail
