// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// Whether each node but the first reads one tensor, made by the node before it and read by nobody else, and the first reads
/// one input.
[[nodiscard]] inline bool is_chain(const priced_problem& p) noexcept
{
  for (std::size_t i = 0; i < p.order().size(); ++i) {
    const auto& at = p.nodes()[p.order()[i]];
    if (at.reads.size() != 1) return false;
    const auto& in = p.tensors()[at.reads.front()];
    if (in.consumers.size() != 1 || in.producer.has_value() != (i > 0)) return false;
    if (i > 0 && *in.producer != p.order()[i - 1]) return false;
  }
  return true;
}

/// The best plan of a chain, and by how much.
struct chain_answer {
  tier_plan plan;
  double value = 0;       ///< what the judge said
  std::size_t plans = 0;  ///< plans that were judged
};

namespace detail {

/// Loads of the nodes of a chain up to each position, so that any stretch of it costs a subtraction.
class chain_sums {
public:
  explicit chain_sums(const priced_problem& p) : p_(p), sums_(p.order().size() + 1)
  {
    for (std::size_t i = 0; i < p.order().size(); ++i) {
      const auto& n = p.nodes()[p.order()[i]];
      sums_[i + 1] = sums_[i];
      for (std::size_t t = 0; t < p.tiers(); ++t)
        if (n.compute_ns[t] < never_ns)
          sums_[i + 1].compute[t] += n.compute_ns[t];
        else
          ++sums_[i + 1].never[t];
      for (std::size_t l = 0; l < p.links().size(); ++l)
        if (n.return_bytes > 0) {
          const auto ns = p.links()[l].bytes_ns(n.return_bytes);
          if (ns < never_ns)
            sums_[i + 1].back[l] += ns;
          else
            ++sums_[i + 1].never_back[l];
        }
    }
  }
  /// Adds nodes `from` to `to` (not included) at a tier.
  void add(plan_cost& c, std::size_t from, std::size_t to, std::size_t tier) const
  {
    const auto &a = sums_[from], &b = sums_[to];
    c.tier_ns[tier] = add_ns(c.tier_ns[tier], b.never[tier] > a.never[tier] ? never_ns : b.compute[tier] - a.compute[tier]);
    const auto back = [&](std::size_t l) {
      c.back_ns[l] = add_ns(c.back_ns[l], b.never_back[l] > a.never_back[l] ? never_ns : b.back[l] - a.back[l]);
    };
    if (tier == 2 && p_.has_direct_link())
      back(2);
    else
      for (std::size_t l = 0; l < tier; ++l) back(l);
  }

private:
  struct sums {
    std::array<std::int64_t, max_tiers> compute{};
    std::array<std::int64_t, max_links> back{};
    std::array<std::size_t, max_tiers> never{};
    std::array<std::size_t, max_links> never_back{};
  };
  const priced_problem& p_;
  std::vector<sums> sums_;
};

}  // namespace detail

/// The plan of a chain that a judge likes best, by trying all: every position of every cut, every route and option of every
/// tensor that crosses. Exact for any objective: latency, period, energy, with any limits.
///
/// Judge    `judge(const plan_cost&) -> double`, smaller is better; infinity or NaN rejects the plan. Impossible plans are
///          not shown to it.
/// Cost     nodes^(tiers - 1) * options^(tiers - 1) judgements of O(1).
/// Ties     the first in order of most nodes on the device, then most on the edge, then routes through the edge, then options.
/// Errors   bad_graph (not a chain), bad_input (no plan is possible, or the judge rejects all).
/// Source   METHODS 9.3.
template <std::invocable<const plan_cost&> Judge>
[[nodiscard]] result<chain_answer> best_of_chain(const priced_problem& p, Judge&& judge)
{
  if (!is_chain(p)) return error(errc::bad_graph, "plan: the problem is not a chain");
  const std::size_t n = p.order().size();
  const detail::chain_sums nodes(p);
  const auto input_of = [&](std::size_t i) { return p.nodes()[p.order()[i]].reads.front(); };

  chain_answer best;
  best.value = std::numeric_limits<double>::infinity();
  bool possible = false;
  std::array<std::size_t, 2> ends{}, best_ends{};
  std::vector<std::pair<std::size_t, std::size_t>> hops;  // tensor and link
  std::vector<std::size_t> options;
  std::vector<std::pair<std::size_t, tensor_route>> best_routes;

  const auto finish = [&](plan_cost c) {
    for (const auto& [tensor, l] : hops) detail::add_message(c, p, l);
    detail::add_loads(c);
    if (!c.is_possible()) return;
    possible = true;
    ++best.plans;
    const double value = judge(std::as_const(c));
    if (!(value < best.value)) return;
    best.value = value;
    best.plan.cost = c;
    best_ends = ends;
    best_routes.clear();
    for (std::size_t h = 0; h < hops.size(); ++h) {
      tensor_route one;
      one.option[hops[h].second] = static_cast<std::int32_t>(options[h]);
      best_routes.emplace_back(hops[h].first, one);
    }
  };
  const auto with_options = [&](const auto& self, std::size_t h, const plan_cost& c) -> void {
    if (h == hops.size()) return finish(c);
    const auto [tensor, l] = hops[h];
    for (std::size_t o = 0; o < p.tensors()[tensor].options.size(); ++o) {
      const auto& how = p.tensors()[tensor].options[o];
      plan_cost more = c;
      more.tier_ns[sender_of(l)] = add_ns(more.tier_ns[sender_of(l)], how.encode_ns[sender_of(l)]);
      more.tier_ns[receiver_of(l)] = add_ns(more.tier_ns[receiver_of(l)], how.decode_ns[receiver_of(l)]);
      more.link_ns[l] = add_ns(more.link_ns[l], how.link_ns[l]);
      more.bytes[l] += how.bytes;
      options.push_back(o);
      self(self, h + 1, more);
      options.pop_back();
    }
  };
  // ends[0]: nodes on the device; ends[1]: on the device and the tier behind it.
  for (ends[0] = n + 1; ends[0]-- > 0;)
    for (ends[1] = n + 1; ends[1]-- > (p.tiers() == 2 ? n : ends[0]);) {
      plan_cost c;
      nodes.add(c, 0, ends[0], 0);
      nodes.add(c, ends[0], ends[1], 1);
      if (p.tiers() == 3) nodes.add(c, ends[1], n, 2);
      hops.clear();
      if (ends[0] < n) hops.emplace_back(input_of(ends[0]), 0);
      if (ends[1] < n) hops.emplace_back(input_of(ends[1]), 1);
      with_options(with_options, 0, c);
      if (!p.has_direct_link() || ends[0] != ends[1] || ends[0] == n) continue;
      hops.assign(1, {input_of(ends[0]), 2});
      with_options(with_options, 0, c);
    }
  if (!possible) return detail::no_plan();
  if (best_routes.empty() && !(best.value < std::numeric_limits<double>::infinity()))
    return error(errc::bad_input, "plan: every plan of the chain is rejected");

  best.plan.tiers.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    best.plan.tiers[p.order()[i]] = static_cast<std::uint8_t>((i >= best_ends[0]) + (i >= best_ends[1]));
  best.plan.routes.resize(p.tensors().size());
  for (const auto& [tensor, route] : best_routes)
    for (std::size_t l = 0; l < max_links; ++l)
      if (route.takes(l)) best.plan.routes[tensor].option[l] = route.option[l];
  NARROWS_EXPECTS(best.plan.cost == cost_of(p, best.plan.tiers, best.plan.routes));
  return best;
}

}  // namespace narrows
