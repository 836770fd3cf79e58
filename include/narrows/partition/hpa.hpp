// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// How `hpa_plan` and `update_hpa` go about it.
struct hpa_options {
  bool siblings = true;         ///< the SIS step
  double band = 0.2;            ///< share by which a figure may leave its planned value before anything is planned anew
  double full_run_share = 0.3;  ///< share of nodes that may change in a local update; beyond, all is planned anew
};

namespace detail {

/// One pass of the heuristic, or a part of one.
class hpa_run {
public:
  hpa_run(const priced_problem& p, const hpa_options& how) : p_(p), how_(how), tiers_(p.nodes().size()), placed_(p.nodes().size())
  {}

  void place_all()
  {
    placed_.assign(placed_.size(), false);
    auto nodes = p_.order();
    std::stable_sort(nodes.begin(), nodes.end(), [&](std::size_t a, std::size_t b) { return layered(a) < layered(b); });
    std::vector<std::size_t> changed;
    for (const auto n : nodes) place(n, changed);
  }

  /// Decides again about `open` and whatever follows from it; gives how many nodes it looked at.
  std::size_t replace(const std::vector<std::uint8_t>& tiers, std::set<std::pair<std::size_t, std::size_t>> open)
  {
    tiers_ = tiers;
    placed_.assign(tiers.size(), true);
    std::size_t visited = 0;
    std::vector<std::size_t> changed;
    while (!open.empty()) {  // layer by layer, so that what follows from a change comes later
      const auto n = open.begin()->second;
      open.erase(open.begin());
      ++visited;
      changed.clear();
      place(n, changed);
      for (const auto c : changed)
        for (const auto t : p_.nodes()[c].makes)
          for (const auto reader : p_.tensors()[t].consumers) open.insert(layered(reader));
    }
    return visited;
  }

  [[nodiscard]] const std::vector<std::uint8_t>& tiers() const noexcept { return tiers_; }
  [[nodiscard]] std::pair<std::size_t, std::size_t> layered(std::size_t n) const { return {p_.nodes()[n].layer, n}; }
  /// Whether all that `a` reads is read by `b`, too; `b` is another node of the same layer.
  [[nodiscard]] bool is_sibling(std::size_t a, std::size_t b) const
  {
    const auto &in = p_.nodes()[a].reads, &of = p_.nodes()[b].reads;
    return a != b && p_.nodes()[a].layer == p_.nodes()[b].layer && std::includes(of.begin(), of.end(), in.begin(), in.end());
  }

private:
  void place(std::size_t n, std::vector<std::size_t>& changed)
  {
    std::size_t least = 0;
    for (const auto t : p_.nodes()[n].reads)
      if (const auto maker = p_.tensors()[t].producer) least = std::max<std::size_t>(least, tiers_[*maker]);
    std::size_t best = least;
    std::int64_t best_ns = never_ns;
    for (std::size_t x = least; x < p_.tiers(); ++x)
      if (const auto ns = add_ns(p_.nodes()[n].total_ns[x], bring(n, x)); ns < best_ns) best_ns = ns, best = x;
    if (!placed_[n] || tiers_[n] != best) changed.push_back(n);
    tiers_[n] = static_cast<std::uint8_t>(best);
    placed_[n] = true;
    if (!how_.siblings || best == least) return;
    for (const auto t : p_.nodes()[n].reads)
      for (const auto w : p_.tensors()[t].consumers)
        if (placed_[w] && tiers_[w] != best && is_sibling(w, n) &&
            p_.nodes()[w].total_ns[best] < p_.nodes()[w].total_ns[tiers_[w]]) {
          tiers_[w] = static_cast<std::uint8_t>(best);
          changed.push_back(w);
        }
  }

  /// What it costs to have all that `n` reads at tier `x`, beyond what its other readers have brought there already.
  [[nodiscard]] std::int64_t bring(std::size_t n, std::size_t x) const
  {
    std::int64_t sum = 0;
    for (const auto t : p_.nodes()[n].reads) {
      const auto& tensor = p_.tensors()[t];
      const std::size_t from = tensor.producer ? tiers_[*tensor.producer] : 0;
      unsigned there = 0;
      for (const auto w : tensor.consumers)
        if (w != n && placed_[w] && tiers_[w] > from) there |= 1U << tiers_[w];
      if (x == from || (there >> x & 1U) != 0) continue;
      const auto with = delivery_ns(tensor, from, there | 1U << x), without = delivery_ns(tensor, from, there);
      sum = add_ns(sum, with < never_ns ? with - without : never_ns);
    }
    for (std::size_t l = 0; l < x && l + 1 < p_.tiers(); ++l) {  // the first behind a link opens it
      bool open = p_.links()[l].message_ns == 0;
      for (std::size_t w = 0; w < tiers_.size() && !open; ++w) open = w != n && placed_[w] && tiers_[w] > l;
      if (!open) sum = add_ns(sum, p_.links()[l].message_ns);
    }
    return sum;
  }
  [[nodiscard]] std::int64_t delivery_ns(const priced_problem::tensor& t, std::size_t from, unsigned to) const
  {
    if (to == 0) return 0;
    std::vector<delivery> ways;
    deliveries(p_, t, from, to, ways);
    std::int64_t best = never_ns;
    for (const auto& w : ways) best = std::min(best, w.ns);
    return best;
  }

  const priced_problem& p_;
  const hpa_options& how_;
  std::vector<std::uint8_t> tiers_;
  std::vector<bool> placed_;
};

/// Whether a time left the band around its planned value.
[[nodiscard]] inline bool left_band(std::int64_t planned, std::int64_t now, double band) noexcept
{
  if (planned >= never_ns || now >= never_ns) return planned != now;
  return std::abs(static_cast<double>(now - planned)) > band * static_cast<double>(planned);
}

[[nodiscard]] inline error hpa_stuck()
{
  return {errc::bad_input, "plan: the heuristic came to a node that cannot run behind its inputs"};
}

}  // namespace detail

/// A plan in the manner of D3's horizontal partition algorithm: a heuristic to compare with, not the paper's own rules, of which
/// only the abstract was readable.
///
/// Method   nodes by their longest distance from the inputs; each goes to the tier, not before those of its predecessors, where
///          its time and what must be brought there cost least. Then SIS: if it moved on, siblings that read nothing else follow
///          where they run faster there, as their inputs are there anyway.
/// Ties     the lower tier.
/// Limits   it never looks ahead: it stays on the device for ever if no single node earns its upload, so its loss has no bound.
///          `gap_to_exact` says how much it loses.
/// Cost     O(tiers * (nodes + tensors)) and the comparisons of siblings; where messages cost something, O(nodes) more per node.
/// Errors   bad_input (it came to a node that cannot run behind its inputs: there may still be a plan).
/// Source   METHODS 8.2.
[[nodiscard]] inline result<tier_plan> hpa_plan(const priced_problem& p, const hpa_options& how = {})
{
  detail::hpa_run run(p, how);
  run.place_all();
  auto plan = plan_of(p, run.tiers());
  if (!plan.cost.is_possible()) return detail::hpa_stuck();
  return plan;
}

/// What a local update did.
struct hpa_update {
  tier_plan plan;
  std::size_t visited = 0;  ///< nodes that were decided again
  std::size_t changed = 0;  ///< nodes whose tier is another
  bool full_run = false;    ///< all was planned anew
};

/// Adapts a plan to times that changed: only where a figure left its band, and what follows from that.
///
/// Method   nodes with such a time, and those at both ends of tensors that cross a link whose cost did, with their siblings
///          and direct successors are placed again in order; where that changes a tier, its successors too. All is planned anew
///          if too many change, or if a link's cost left its band that nothing crosses (so no node is near it).
/// Errors   bad_input (`now` is another problem than `planned`, a plan for another problem, as hpa_plan).
/// Source   METHODS 8.2, "local update".
[[nodiscard]] inline result<hpa_update> update_hpa(
  const priced_problem& planned, const priced_problem& now, const tier_plan& plan, const hpa_options& how = {})
{
  bool same = planned.tiers() == now.tiers() && planned.links().size() == now.links().size() &&
              planned.nodes().size() == now.nodes().size() && planned.tensors().size() == now.tensors().size();
  for (std::size_t t = 0; same && t < now.tensors().size(); ++t)
    same =
      planned.tensors()[t].producer == now.tensors()[t].producer && planned.tensors()[t].consumers == now.tensors()[t].consumers;
  if (!same) return error(errc::bad_input, "plan: it was made for another problem");
  if (!flows_one_way(planned, plan.tiers) || plan.routes.size() != planned.tensors().size())
    return error(errc::bad_input, "plan: it is not one for this problem");

  detail::hpa_run run(now, how);
  std::set<std::size_t> affected;
  for (std::size_t n = 0; n < now.nodes().size(); ++n)
    for (std::size_t t = 0; t < now.tiers(); ++t)
      if (detail::left_band(planned.nodes()[n].total_ns[t], now.nodes()[n].total_ns[t], how.band)) affected.insert(n);
  bool all = false;
  for (std::size_t l = 0; l < now.links().size(); ++l) {
    bool moved = detail::left_band(planned.links()[l].message_ns, now.links()[l].message_ns, how.band), crossed = false;
    for (std::size_t t = 0; t < now.tensors().size() && !moved; ++t)
      moved = detail::left_band(planned.tensors()[t].best_ns[l], now.tensors()[t].best_ns[l], how.band);
    if (!moved) continue;
    for (std::size_t t = 0; t < now.tensors().size(); ++t) {
      if (!plan.routes[t].takes(l)) continue;
      crossed = true;
      if (const auto maker = now.tensors()[t].producer) affected.insert(*maker);
      affected.insert(now.tensors()[t].consumers.begin(), now.tensors()[t].consumers.end());
    }
    all = all || !crossed;
  }

  hpa_update made;
  if (!all) {
    std::set<std::pair<std::size_t, std::size_t>> open;
    for (const auto n : affected) {
      open.insert(run.layered(n));
      for (const auto t : now.nodes()[n].reads)
        for (const auto w : now.tensors()[t].consumers)
          if (run.is_sibling(w, n) || run.is_sibling(n, w)) open.insert(run.layered(w));
      for (const auto t : now.nodes()[n].makes)
        for (const auto reader : now.tensors()[t].consumers) open.insert(run.layered(reader));
    }
    made.visited = run.replace(plan.tiers, std::move(open));
  }
  const auto count = [&](const std::vector<std::uint8_t>& tiers) {
    std::size_t changed = 0;
    for (std::size_t n = 0; n < tiers.size(); ++n) changed += tiers[n] != plan.tiers[n];
    return changed;
  };
  made.full_run = all || static_cast<double>(count(run.tiers())) > how.full_run_share * static_cast<double>(now.nodes().size());
  if (made.full_run) {
    run.place_all();
    made.visited = now.nodes().size();
  }
  made.changed = count(run.tiers());
  made.plan = plan_of(now, run.tiers());
  if (!made.plan.cost.is_possible()) return detail::hpa_stuck();
  return made;
}

}  // namespace narrows
