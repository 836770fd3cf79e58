// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/partition/priced_problem.hpp>

namespace narrows {

/// The links that a tensor takes and which of its options on each; `stays` where it does not travel.
struct tensor_route {
  static constexpr std::int32_t stays = -1;
  std::array<std::int32_t, max_links> option{stays, stays, stays};
  [[nodiscard]] bool takes(std::size_t link) const noexcept { return option[link] != stays; }
  friend bool operator==(const tensor_route&, const tensor_route&) = default;
};

/// What one request costs, in nanoseconds and bytes. A plan that is impossible costs `never_ns`.
struct plan_cost {
  std::int64_t latency_ns = 0;                    ///< of one request alone
  std::array<std::int64_t, max_tiers> tier_ns{};  ///< work per tier: nodes, encoding, decoding
  std::array<std::int64_t, max_links> link_ns{};  ///< how long each link is busy on the way up
  std::array<std::int64_t, max_links> back_ns{};  ///< and on the way back
  std::array<std::int64_t, max_links> bytes{};    ///< on the way up
  /// Nanoseconds per request when requests follow one another closely: the busiest tier or direction sets the pace.
  [[nodiscard]] std::int64_t period_ns() const noexcept
  {
    std::int64_t most = 0;
    for (const auto* loads : {&tier_ns, &link_ns, &back_ns})
      most = std::max(most, *std::max_element(loads->begin(), loads->end()));
    return most;
  }
  [[nodiscard]] bool is_possible() const noexcept { return latency_ns < never_ns; }
  [[nodiscard]] double latency_s() const noexcept
  {
    return is_possible() ? static_cast<double>(latency_ns) * 1e-9 : std::numeric_limits<double>::infinity();
  }
  friend bool operator==(const plan_cost&, const plan_cost&) = default;
};

/// Where each node runs and how each tensor travels, and what that costs.
struct tier_plan {
  std::vector<std::uint8_t> tiers;   ///< per node
  std::vector<tensor_route> routes;  ///< per tensor
  plan_cost cost;
  friend bool operator==(const tier_plan&, const tier_plan&) = default;
};

/// Whether every node has a tier, and none lies before a tensor it reads.
[[nodiscard]] inline bool flows_one_way(const priced_problem& p, const std::vector<std::uint8_t>& tiers) noexcept
{
  if (tiers.size() != p.nodes().size()) return false;
  for (const auto t : tiers)
    if (t >= p.tiers()) return false;
  for (const auto& t : p.tensors())
    for (const auto n : t.consumers)
      if (t.producer && tiers[n] < tiers[*t.producer]) return false;
  return true;
}

namespace detail {

/// Charges a link's message, once for all tensors that take it.
inline void add_message(plan_cost& c, const priced_problem& p, std::size_t l) noexcept
{
  const auto& link = p.links()[l];
  c.link_ns[l] = add_ns(c.link_ns[l], link.busy_ns);
  c.back_ns[l] = add_ns(c.back_ns[l], link.busy_ns);
  c.bytes[l] += link.message_bytes;
  c.latency_ns = add_ns(c.latency_ns, link.message_s_ns);
}
/// Adds all work and transfers to the latency, when the last of them is charged.
inline void add_loads(plan_cost& c) noexcept
{
  for (const auto* loads : {&c.tier_ns, &c.link_ns, &c.back_ns})
    for (const auto ns : *loads) c.latency_ns = add_ns(c.latency_ns, ns);
}

}  // namespace detail

/// What a plan costs, by its tiers and routes alone. `tiers` flow one way and the routes reach all readers (contract).
/// Latency is the sum of all work and transfers, one after the other (METHODS 1.2); each link that any tensor takes costs
/// its message once. O(nodes + tensors).
[[nodiscard]] inline plan_cost cost_of(
  const priced_problem& p, const std::vector<std::uint8_t>& tiers, const std::vector<tensor_route>& routes)
{
  NARROWS_EXPECTS(flows_one_way(p, tiers) && routes.size() == p.tensors().size());
  plan_cost c;
  std::array<bool, max_links> used{};
  const auto back = [&](std::size_t link, std::int64_t bytes) {
    const auto ns = p.links()[link].bytes_ns(bytes);
    c.back_ns[link] = add_ns(c.back_ns[link], ns);
  };
  for (std::size_t n = 0; n < tiers.size(); ++n) {
    const auto& at = p.nodes()[n];
    const std::size_t tier = tiers[n];
    c.tier_ns[tier] = add_ns(c.tier_ns[tier], at.compute_ns[tier]);
    if (at.return_bytes == 0 || tier == 0) continue;
    if (tier == 2 && p.has_direct_link())
      back(2, at.return_bytes);
    else
      for (std::size_t l = 0; l < tier; ++l) back(l, at.return_bytes);
  }
  for (std::size_t t = 0; t < routes.size(); ++t)
    for (std::size_t l = 0; l < p.links().size(); ++l) {
      if (!routes[t].takes(l)) continue;
      const auto& o = p.tensors()[t].options[static_cast<std::size_t>(routes[t].option[l])];
      c.tier_ns[sender_of(l)] = add_ns(c.tier_ns[sender_of(l)], o.encode_ns[sender_of(l)]);
      c.tier_ns[receiver_of(l)] = add_ns(c.tier_ns[receiver_of(l)], o.decode_ns[receiver_of(l)]);
      c.link_ns[l] = add_ns(c.link_ns[l], o.link_ns[l]);
      c.bytes[l] += o.bytes;
      used[l] = true;
    }
  for (std::size_t l = 0; l < p.links().size(); ++l)
    if (used[l]) detail::add_message(c, p, l);
  detail::add_loads(c);
  return c;
}

namespace detail {

/// Links that bring a tensor from the tier `from` to every tier of the bit mask `to`, least total first; at most two ways.
struct delivery {
  unsigned links = 0;   ///< bit mask
  std::int64_t ns = 0;  ///< sum of the tensor's best options
};
inline void deliveries(
  const priced_problem& p, const priced_problem::tensor& t, std::size_t from, unsigned to, std::vector<delivery>& out)
{
  out.clear();
  const auto way = [&](unsigned links) {
    delivery d{links, 0};
    for (std::size_t l = 0; l < p.links().size(); ++l)
      if (links >> l & 1U) d.ns = add_ns(d.ns, t.best_ns[l]);
    out.push_back(d);
  };
  const bool edge = from == 0 && (to & 2U) != 0, cloud = from < 2 && (to & 4U) != 0;
  if (!cloud)
    way(edge ? 1U : 0U);
  else if (from == 1)
    way(2U);
  else {
    way(3U);  // through the edge, whether or not somebody there reads it
    if (p.has_direct_link()) way(edge ? 5U : 4U);
  }
}

/// Tiers where a tensor is read but not made, as a bit mask.
inline unsigned wanted_at(const priced_problem::tensor& t, const std::vector<std::uint8_t>& tiers)
{
  unsigned mask = 0;
  const std::size_t from = t.producer ? tiers[*t.producer] : 0;
  for (const auto n : t.consumers)
    if (tiers[n] != from) mask |= 1U << tiers[n];
  return mask;
}

}  // namespace detail

/// The plan with these tiers whose tensors travel so that one request is fastest: each by its cheapest option on each link
/// it takes; at equal cost through the edge rather than directly, and the first of equal options. `tiers` flow one way
/// (contract). O(nodes + tensors).
[[nodiscard]] inline tier_plan plan_of(const priced_problem& p, std::vector<std::uint8_t> tiers)
{
  NARROWS_EXPECTS(flows_one_way(p, tiers));
  std::vector<tensor_route> best;
  std::int64_t best_ns = std::numeric_limits<std::int64_t>::max();
  std::vector<detail::delivery> ways;
  // With a direct link the choice hangs together: each link in use costs its message once. So each set of links in turn.
  const auto sets = p.has_direct_link() ? std::vector<unsigned>{3, 7, 5, 6, 4, 1, 2, 0} : std::vector<unsigned>{7};
  for (const unsigned allowed : sets) {
    std::vector<tensor_route> routes(p.tensors().size());
    std::int64_t sum = 0;
    bool reaches = true;
    unsigned used = 0;
    for (std::size_t i = 0; i < routes.size() && reaches; ++i) {
      const auto& t = p.tensors()[i];
      const unsigned to = detail::wanted_at(t, tiers);
      if (to == 0) continue;
      detail::deliveries(p, t, t.producer ? tiers[*t.producer] : 0, to, ways);
      const detail::delivery* way = nullptr;
      for (const auto& w : ways)
        if ((w.links & ~allowed) == 0 && (!way || w.ns < way->ns)) way = &w;
      reaches = way != nullptr;
      if (!way) break;
      sum = add_ns(sum, way->ns);
      used |= way->links;
      for (std::size_t l = 0; l < max_links; ++l)
        if (way->links >> l & 1U) routes[i].option[l] = static_cast<std::int32_t>(t.best[l]);
    }
    if (!reaches) continue;
    for (std::size_t l = 0; l < p.links().size(); ++l)
      if (used >> l & 1U) sum = add_ns(sum, p.links()[l].message_ns);
    if (sum < best_ns) best_ns = sum, best = std::move(routes);
  }
  tier_plan plan{std::move(tiers), std::move(best), {}};
  plan.cost = cost_of(p, plan.tiers, plan.routes);
  return plan;
}

namespace detail {

/// What planners answer where every plan has a part that takes for ever.
[[nodiscard]] inline error no_plan()
{
  return {errc::bad_input, "plan: no plan is possible: some node can run on no tier that its inputs reach"};
}

}  // namespace detail
}  // namespace narrows
