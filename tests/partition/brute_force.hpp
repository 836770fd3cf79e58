// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <narrows/partition/planning_problem.hpp>

#include "support/random_data.hpp"

/// Small random planning problems and their best plans by trying all, straight from the definition: the oracle of planners.
namespace narrows::test {

inline constexpr double infinite = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

using loads = std::array<std::int64_t, 9>;  ///< nanoseconds: tiers, links up, links back

struct problem_kind {
  std::size_t tiers = 2;
  std::size_t most_nodes = 10;
  std::size_t most_options = 3;
  bool direct = false;     ///< a third link from the device to the cloud
  bool impossible = true;  ///< now and then a node that cannot run on a tier, and links that are down
};

/// "t7". Appended, not added: g++ 12 warns of overlapping copies in the latter (GCC bug 105651).
inline std::string name_with(const char* base, std::size_t i)
{
  std::string text = base;
  text += std::to_string(i);
  return text;
}

inline double ns(std::uint64_t n) { return static_cast<double>(n) * 1e-9; }

/// Figures are small whole nanoseconds, so that ties are common; any tier may be the slower one for a node. Nodes are
/// numbered at random, may make two tensors, and read few or many, so that cuts are narrow or wide.
inline planning_problem random_problem(random_source& random, const problem_kind& kind)
{
  planning_problem p;
  p.tiers = kind.tiers;
  p.links.clear();
  const std::size_t links = kind.tiers - 1 + (kind.direct ? 1 : 0);
  for (std::size_t l = 0; l < links; ++l) {
    const bool down = kind.impossible && random.below(25) == 0;
    p.links.push_back({down ? std::numeric_limits<double>::infinity() : ns(random.below(4)),
      ns(random.below(2) * random.below(12)), static_cast<double>(random.below(3))});
  }
  const std::size_t n = 1 + random.below(kind.most_nodes), inputs = 1 + random.below(2), wide = random.below(3);
  const std::uint64_t slow[] = {1 + random.below(40), 1 + random.below(40), 1 + random.below(40)};
  const bool drift = random.below(2) == 0;  // whether the device suits the first nodes and the cloud the last ones
  std::vector<std::size_t> number(n);
  for (std::size_t i = 0; i < n; ++i) number[i] = i;
  for (std::size_t i = n; i > 1; --i) std::swap(number[i - 1], number[random.below(i)]);
  p.nodes.resize(n);
  const auto add_tensor = [&](std::optional<std::size_t> producer) {
    planning_tensor t{name_with("t", p.tensors.size()), producer, {}, {}};
    const std::size_t options = 1 + random.below(kind.most_options);
    for (std::uint32_t o = 0; o < options; ++o) {
      transfer_option made;
      made.tag = o;
      made.bytes = static_cast<double>(random.below(1 + random.below(12)));
      for (auto& s : made.link_s) s = ns(random.below(2));
      for (auto& s : made.encode_s) s = ns(random.below(3));
      for (auto& s : made.decode_s) s = ns(random.below(3));
      t.options.push_back(made);
    }
    p.tensors.push_back(std::move(t));
  };
  for (std::size_t i = 0; i < inputs; ++i) add_tensor({});
  for (std::size_t i = 0; i < n; ++i) {
    auto& at = p.nodes[number[i]];
    at.name = name_with("n", number[i]);
    for (std::size_t t = 0; t < kind.tiers; ++t) {
      const std::size_t away = drift ? (t == 0 ? i : t + 1 == kind.tiers ? n - 1 - i : n / 2) : n - 1;
      at.seconds.push_back(ns(random.below(1 + slow[t] * away / n)));
    }
    if (kind.impossible && random.below(30) == 0) at.seconds[random.below(kind.tiers)] = std::numeric_limits<double>::infinity();
    if (random.below(4) == 0) at.return_bytes = static_cast<double>(random.below(6));
    const std::size_t reads = 1 + random.below(3);
    for (std::size_t r = 0; r < reads; ++r) {
      // Mostly the newest, one of the newest few, or any: chains, blocks, wide graphs.
      const std::size_t have = p.tensors.size(), reach = wide == 0   ? std::min<std::size_t>(have, 2)
                                                         : wide == 1 ? std::min<std::size_t>(have, 4)
                                                                     : have;
      p.tensors[have - 1 - random.below(reach)].consumers.push_back(number[i]);
    }
    const std::size_t makes = random.below(8) == 0 ? 2 : 1;
    for (std::size_t m = 0; m < makes; ++m) add_tensor(number[i]);
  }
  for (std::size_t i = p.tensors.size(); i > 1; --i) std::swap(p.tensors[i - 1], p.tensors[random.below(i)]);
  return p;
}

/// Random chain: the tensors of a random problem put in a row.
inline planning_problem random_chain(random_source& random, const problem_kind& kind)
{
  auto p = random_problem(random, kind);
  const std::size_t n = p.nodes.size();
  while (p.tensors.size() > n) p.tensors.pop_back();
  while (p.tensors.size() < n) p.tensors.push_back(p.tensors.front());
  for (std::size_t i = 0; i < n; ++i) {
    p.tensors[i].producer.reset();
    if (i > 0) p.tensors[i].producer = n - i;  // numbered from the end
    p.tensors[i].consumers = {n - 1 - i};
    if (p.tensors[i].options.empty()) p.tensors[i].options.resize(1);
  }
  return p;
}

/// Tries every plan of a problem.
class brute_force {
public:
  static constexpr std::int64_t never = std::int64_t{1} << 50;

  explicit brute_force(const planning_problem& p) : p_(p), tier_(p.nodes.size(), unset), reads_(p.nodes.size())
  {
    for (std::size_t t = 0; t < p.tensors.size(); ++t)
      for (const auto n : p.tensors[t].consumers) reads_[n].push_back(t);
    while (order_.size() < p.nodes.size())  // any order in which makers come first
      for (std::size_t n = 0; n < p.nodes.size(); ++n)
        if (std::find(order_.begin(), order_.end(), n) == order_.end() &&
            std::all_of(reads_[n].begin(), reads_[n].end(), [&](std::size_t t) {
              return !p.tensors[t].producer || std::find(order_.begin(), order_.end(), *p.tensors[t].producer) != order_.end();
            }))
          order_.push_back(n);
  }

  /// Calls `visit(tiers)` for each placement that flows one way.
  template <class Visit>
  void for_each_placement(const Visit& visit)
  {
    place(0, visit);
  }

  /// Calls `visit(loads, links used)` for each way in which the tensors can travel at these tiers: every route, every option.
  template <class Visit>
  void for_each_delivery(const std::vector<std::size_t>& tiers, const Visit& visit) const
  {
    loads sum{};
    for (std::size_t n = 0; n < tiers.size(); ++n) {
      sum[tiers[n]] += whole(p_.nodes[n].seconds[tiers[n]]);
      const double back = p_.nodes[n].return_bytes;
      if (tiers[n] == 2 && p_.links.size() == 3)
        sum[8] += sent(back, 2);
      else
        for (std::size_t l = 0; l < tiers[n]; ++l) sum[6 + l] += sent(back, l);
    }
    deliver(tiers, 0, sum, 0, visit);
  }

  /// Latency of loads over the links in the bit mask.
  [[nodiscard]] std::int64_t latency(const loads& sum, unsigned used) const
  {
    std::int64_t all = 0;
    for (const auto x : sum) all += x;
    for (std::size_t l = 0; l < p_.links.size(); ++l)
      if (used >> l & 1U) all += whole(p_.links[l].message_s);
    return std::min(all, never);
  }

  [[nodiscard]] std::int64_t best_latency()
  {
    std::int64_t best = never;
    for_each_placement([&](const std::vector<std::size_t>& tiers) {
      if (p_.links.size() == 3)
        for_each_delivery(tiers, [&](const loads& sum, unsigned used) { best = std::min(best, latency(sum, used)); });
      else
        best = std::min(best, quick_latency(tiers));
    });
    return best;
  }
  [[nodiscard]] std::int64_t best_period()
  {
    std::int64_t best = never;
    for_each_placement([&](const std::vector<std::size_t>& tiers) {
      for_each_delivery(
        tiers, [&](const loads& sum, unsigned) { best = std::min(best, *std::max_element(sum.begin(), sum.end())); });
    });
    return best;
  }

  /// Latency without a direct link: each tensor takes its cheapest option on each link it must cross.
  [[nodiscard]] std::int64_t quick_latency(const std::vector<std::size_t>& tiers) const
  {
    std::int64_t sum = 0;
    std::array<bool, 2> used{};
    for (std::size_t n = 0; n < tiers.size(); ++n) {
      sum += whole(p_.nodes[n].seconds[tiers[n]]);
      for (std::size_t l = 0; l < tiers[n]; ++l) sum += sent(p_.nodes[n].return_bytes, l);
    }
    for (const auto& t : p_.tensors) {
      const std::size_t from = t.producer ? tiers[*t.producer] : 0;
      std::size_t to = from;
      for (const auto n : t.consumers) to = std::max(to, tiers[n]);
      for (std::size_t l = from; l < to; ++l) {
        std::int64_t best = never;
        for (const auto& o : t.options)
          best = std::min(best, whole(o.encode_s[l]) + whole(o.decode_s[l + 1]) + whole(o.link_s[l]) + sent(o.bytes, l));
        sum += best;
        used[l] = true;
      }
    }
    for (std::size_t l = 0; l + 1 < p_.tiers; ++l)
      if (used[l]) sum += whole(p_.links[l].message_s) + 2 * sent(p_.links[l].message_bytes, l);
    return std::min(sum, never);
  }

private:
  static constexpr std::size_t unset = 99;

  static std::int64_t whole(double s) { return s < 1e5 ? std::llround(s * 1e9) : never; }
  [[nodiscard]] std::int64_t sent(double bytes, std::size_t link) const
  {
    return bytes > 0 ? whole(bytes * p_.links[link].seconds_per_byte) : 0;
  }

  template <class Visit>
  void place(std::size_t i, const Visit& visit)
  {
    if (i == order_.size()) return visit(tier_);
    std::size_t least = 0;
    for (const auto t : reads_[order_[i]])
      if (p_.tensors[t].producer) least = std::max(least, tier_[*p_.tensors[t].producer]);
    for (std::size_t t = least; t < p_.tiers; ++t) {
      tier_[order_[i]] = t;
      place(i + 1, visit);
    }
  }

  template <class Visit>
  void deliver(const std::vector<std::size_t>& tiers, std::size_t i, const loads& sum, unsigned used, const Visit& visit) const
  {
    if (i == p_.tensors.size()) {
      loads all = sum;
      for (std::size_t l = 0; l < p_.links.size(); ++l)
        if (used >> l & 1U) {
          all[3 + l] += sent(p_.links[l].message_bytes, l);
          all[6 + l] += sent(p_.links[l].message_bytes, l);
        }
      return visit(all, used);
    }
    const auto& t = p_.tensors[i];
    const std::size_t from = t.producer ? tiers[*t.producer] : 0;
    bool edge = false, cloud = false;
    for (const auto n : t.consumers) {
      edge |= tiers[n] == 1 && from == 0;
      cloud |= tiers[n] == 2 && from < 2;
    }
    for (unsigned links = 0; links < 8; ++links) {  // all sets of links that bring it to where it is read, and no link in vain
      if (links >= 1U << p_.links.size()) break;
      const bool at_edge = from == 1 || (from == 0 && (links & 1U) != 0);
      const bool at_cloud = (at_edge && (links & 2U) != 0) || (links & 4U) != 0;
      if ((edge && !at_edge) || (cloud && !at_cloud) || (from > 0 && (links & 5U) != 0) || (!cloud && (links & 6U) != 0) ||
          (!edge && !cloud && links != 0))
        continue;
      if ((links & 6U) == 6U || (!edge && (links & 1U) != 0 && (links & 2U) == 0) || ((links & 2U) != 0 && !at_edge)) continue;
      code(tiers, i, 0, links, sum, used, visit);
    }
  }

  template <class Visit>
  void code(const std::vector<std::size_t>& tiers, std::size_t i, std::size_t l, unsigned links, const loads& sum, unsigned used,
    const Visit& visit) const
  {
    if (l == p_.links.size()) return deliver(tiers, i + 1, sum, used, visit);
    if ((links >> l & 1U) == 0) return code(tiers, i, l + 1, links, sum, used, visit);
    const std::size_t from = l == 1 ? 1 : 0, to = l == 0 ? 1 : 2;
    for (const auto& o : p_.tensors[i].options) {
      loads now = sum;
      now[from] += whole(o.encode_s[from]);
      now[to] += whole(o.decode_s[to]);
      now[3 + l] += whole(o.link_s[l]) + sent(o.bytes, l);
      code(tiers, i, l + 1, links, now, used | 1U << l, visit);
    }
  }

  const planning_problem& p_;
  std::vector<std::size_t> tier_, order_;
  std::vector<std::vector<std::size_t>> reads_;
};

}  // namespace narrows::test
