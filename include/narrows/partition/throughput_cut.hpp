// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/three_tier.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// A plan for throughput, and how good any plan could be.
struct throughput_cut {
  tier_plan plan;
  std::int64_t bound_ns = 0;  ///< no plan has a shorter period; the plan is optimal where its period is this
  std::size_t cuts = 0;       ///< minimum cuts that were solved
  [[nodiscard]] std::int64_t gap_ns() const noexcept { return plan.cost.period_ns() - bound_ns; }
};

namespace detail {

/// One weight per load of a plan: tiers, links up, links back.
struct load_weights {
  std::array<std::int64_t, max_tiers> tier{};
  std::array<std::int64_t, max_tiers - 1> up{}, back{};
  friend auto operator<=>(const load_weights&, const load_weights&) = default;
};

/// The plans with the least weighted sum of loads, and that sum.
class weighted_cuts {
public:
  explicit weighted_cuts(const priced_problem& p) : p_(p) {}

  struct answer {
    tier_plan plan;
    wide_int sum;
    bool possible;
  };
  [[nodiscard]] answer solve(const load_weights& w) const
  {
    cut_costs<wide_int> costs{infinite, {}, {}, {}};
    for (const auto& n : p_.nodes()) {
      std::array<wide_int, max_tiers> sums{};
      for (std::size_t t = 0; t < p_.tiers(); ++t) {
        sums[t] = weighted(w.tier[t], n.compute_ns[t]);
        for (std::size_t l = 0; l < t && n.return_bytes > 0; ++l)
          sums[t] += weighted(w.back[l], p_.links()[l].bytes_ns(n.return_bytes));
      }
      costs.node.push_back(sums);
    }
    std::vector<std::array<std::size_t, max_tiers - 1>> choice;
    for (const auto& t : p_.tensors()) {
      std::array<wide_int, max_tiers - 1> least{infinite, infinite};
      std::array<std::size_t, max_tiers - 1> which{t.best[0], t.best[1]};
      for (std::size_t l = 0; l + 1 < p_.tiers(); ++l)
        for (std::size_t o = 0; o < t.options.size(); ++o) {
          const auto& how = t.options[o];
          const wide_int sum = weighted(w.tier[l], how.encode_ns[l]) + weighted(w.up[l], how.link_ns[l]) +
                               weighted(w.tier[l + 1], how.decode_ns[l + 1]);
          // Of equals the one that is best for latency: with a weight of 0 much is equal.
          if (sum < least[l] || (sum == least[l] && how.total_ns(l) < t.options[which[l]].total_ns(l)))
            least[l] = sum, which[l] = o;
        }
      costs.hop.push_back(least);
      choice.push_back(which);
    }
    for (std::size_t l = 0; l + 1 < p_.tiers(); ++l)
      costs.message[l] = weighted(w.up[l], p_.links()[l].busy_ns) + weighted(w.back[l], p_.links()[l].busy_ns);

    auto cut = layered_cut(p_, costs);
    if (cut.value >= infinite) return {{}, cut.value, false};
    auto plan = plan_of(p_, std::move(cut.tiers));
    for (std::size_t t = 0; t < plan.routes.size(); ++t)
      for (std::size_t l = 0; l + 1 < p_.tiers(); ++l)
        if (plan.routes[t].takes(l)) plan.routes[t].option[l] = static_cast<std::int32_t>(choice[t][l]);
    plan.cost = cost_of(p_, plan.tiers, plan.routes);
    return {std::move(plan), cut.value, true};
  }

private:
  static constexpr wide_int infinite = wide_int{1} << 100;
  static wide_int weighted(std::int64_t w, std::int64_t ns) noexcept { return ns >= never_ns ? infinite : wide_int{w} * ns; }

  const priced_problem& p_;
};

/// Changes one option at a time as long as that shortens the period, or the latency at the same period.
inline void improve_options(const priced_problem& p, tier_plan& plan)
{
  const auto rank = [](const plan_cost& c) { return std::pair(c.period_ns(), c.latency_ns); };
  for (bool better = true; better;) {
    better = false;
    for (std::size_t t = 0; t < plan.routes.size(); ++t)
      for (std::size_t l = 0; l < max_links; ++l) {
        if (!plan.routes[t].takes(l)) continue;
        for (std::size_t o = 0; o < p.tensors()[t].options.size(); ++o) {
          const auto before = std::exchange(plan.routes[t].option[l], static_cast<std::int32_t>(o));
          const auto cost = cost_of(p, plan.tiers, plan.routes);
          if (rank(cost) < rank(plan.cost))
            plan.cost = cost, better = true;
          else
            plan.routes[t].option[l] = before;
        }
      }
  }
}

/// Moves one node at a time to another tier, where its neighbours allow it, as long as that shortens the period.
inline void improve_tiers(const priced_problem& p, tier_plan& plan)
{
  improve_options(p, plan);
  for (bool better = true; better;) {
    better = false;
    for (const auto n : p.order()) {
      std::size_t low = 0, high = p.tiers() - 1;
      for (const auto t : p.nodes()[n].reads)
        if (const auto maker = p.tensors()[t].producer) low = std::max<std::size_t>(low, plan.tiers[*maker]);
      for (const auto t : p.nodes()[n].makes)
        for (const auto reader : p.tensors()[t].consumers) high = std::min<std::size_t>(high, plan.tiers[reader]);
      for (std::size_t tier = low; tier <= high; ++tier) {
        if (tier == plan.tiers[n]) continue;
        auto tiers = plan.tiers;
        tiers[n] = static_cast<std::uint8_t>(tier);
        auto moved = plan_of(p, std::move(tiers));
        improve_options(p, moved);
        if (moved.cost.period_ns() < plan.cost.period_ns()) plan = std::move(moved), better = true;
      }
    }
  }
}

}  // namespace detail

/// A two- or three-tier plan with a short period (high throughput), by minimum cuts, with a proof of how short it could be.
///
/// Model    the busiest of tiers, links up and links back sets the pace; encoding and decoding load the tier they run on.
/// Method   the problem is NP-hard (DADS). For any weights that add up to 1 the least weighted sum of loads, one minimum cut, is
///          not above the least period; and the plan of each such cut is a candidate. First a grid of weights, then finer steps
///          around the weights of the best plan and of the best bound; last, single nodes and options are moved. DADS's
///          throughput mode (DSH) searches a grid of factors for the same cuts, with the link's fixed at 1; bounded weights
///          cannot explode as its grid can (METHODS 5.4), and give the bound besides. The plan with the least latency is always
///          among the candidates.
/// Cost     at most `most_cuts` minimum cuts; it stops once the plan is proven.
/// Ties     the first found of equal period and latency; the order of the search is fixed.
/// Errors   bad_input (no plan is possible; a direct link to the cloud, which a cut cannot weigh).
/// Source   METHODS 5.3, 9.4; bound by weak duality. `frontier_throughput_plan` is exact where it ends.
[[nodiscard]] inline result<throughput_cut> throughput_cut_plan(const priced_problem& p, std::size_t most_cuts = 200)
{
  if (p.has_direct_link()) return error(errc::bad_input, "plan: a cut for throughput cannot weigh a direct link to the cloud");
  auto first = detail::fastest_by_cut(p);
  if (!first) return unexpected(std::move(first).error());
  throughput_cut best{std::move(*first), 0, 1};
  const auto rank = [](const plan_cost& c) { return std::pair(c.period_ns(), c.latency_ns); };
  detail::improve_options(p, best.plan);

  const std::size_t tiers = p.tiers(), links = tiers - 1, resources = tiers + 2 * links;
  const detail::weighted_cuts cuts(p);
  using weights = std::vector<std::int64_t>;  // tiers, links up, links back
  weights for_plan, for_bound;
  std::set<weights> seen;  // scaled to the finest step
  std::int64_t total = tiers == 2 ? 8 : 4;
  constexpr std::int64_t finest = 1024;

  const auto try_weights = [&](const weights& w) {
    weights scaled = w;
    for (auto& x : scaled) x *= finest / total;
    if (best.cuts >= most_cuts || best.gap_ns() == 0 || !seen.insert(scaled).second) return;
    detail::load_weights split;
    for (std::size_t t = 0; t < tiers; ++t) split.tier[t] = w[t];
    for (std::size_t l = 0; l < links; ++l) split.up[l] = w[tiers + l], split.back[l] = w[tiers + links + l];
    auto answer = cuts.solve(split);
    ++best.cuts;
    if (!answer.possible) return;
    const auto bound = static_cast<std::int64_t>((answer.sum + total - 1) / total);
    if (bound > best.bound_ns || for_bound.empty()) best.bound_ns = std::max(bound, best.bound_ns), for_bound = std::move(scaled);
    if (rank(answer.plan.cost) < rank(best.plan.cost) || for_plan.empty()) {
      scaled = w;
      for (auto& x : scaled) x *= finest / total;
      for_plan = std::move(scaled);
      if (rank(answer.plan.cost) < rank(best.plan.cost)) best.plan = std::move(answer.plan);
    }
  };
  // All ways to share `total` among the tiers and the links up; the way back is seldom the busiest.
  weights w(resources);
  const auto grid = [&](const auto& self, std::size_t at, std::int64_t left) -> void {
    if (at + 1 == tiers + links) {
      w[at] = left;
      return try_weights(w);
    }
    for (std::int64_t x = 0; x <= left; ++x) {
      w[at] = x;
      self(self, at + 1, left - x);
    }
  };
  grid(grid, 0, total);
  while (total < finest) {
    total *= 2;
    for (const auto& around : {for_bound, for_plan})
      for (std::size_t from = 0; from < around.size(); ++from)
        for (std::size_t to = 0; to < around.size(); ++to) {
          weights near = around;
          for (auto& x : near) x /= finest / total;
          if (from == to || near[from] == 0) continue;
          --near[from];
          ++near[to];
          try_weights(near);
        }
  }
  if (best.gap_ns() > 0) detail::improve_tiers(p, best.plan);
  return best;
}

}  // namespace narrows
