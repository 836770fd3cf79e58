// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows::detail {

/// Latency of a partial plan: one sum, so one label per state.
struct latency_sum {
  static constexpr bool every_option = false;
  std::int64_t ns = 0;

  void add_node(const priced_problem&, const priced_problem::node& n, std::size_t tier) { ns = add_ns(ns, n.total_ns[tier]); }
  void add_hop(const priced_problem::option& o, std::size_t link) { ns = add_ns(ns, o.total_ns(link)); }
  void add_message(const priced_problem::link& l, std::size_t) { ns = add_ns(ns, l.message_ns); }
  [[nodiscard]] std::int64_t least(std::int64_t rest_ns) const { return add_ns(ns, rest_ns); }
  [[nodiscard]] bool covers(const latency_sum& other) const { return ns <= other.ns; }
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rank() const { return {ns, ns}; }
  friend auto operator<=>(const latency_sum&, const latency_sum&) = default;
};

/// Loads of a partial plan: tiers, links up, links back.
struct load_sums {
  static constexpr bool every_option = true;
  std::array<std::int64_t, max_tiers + 2 * max_links> ns{};

  void add(std::size_t at, std::int64_t more) { ns[at] = add_ns(ns[at], more); }
  void add_node(const priced_problem& p, const priced_problem::node& n, std::size_t tier)
  {
    add(tier, n.compute_ns[tier]);
    if (n.return_bytes == 0) return;
    const auto back = [&](std::size_t l) { add(max_tiers + max_links + l, p.links()[l].bytes_ns(n.return_bytes)); };
    if (tier == 2 && p.has_direct_link())
      back(2);
    else
      for (std::size_t l = 0; l < tier; ++l) back(l);
  }
  void add_hop(const priced_problem::option& o, std::size_t link)
  {
    add(sender_of(link), o.encode_ns[sender_of(link)]);
    add(receiver_of(link), o.decode_ns[receiver_of(link)]);
    add(max_tiers + link, o.link_ns[link]);
  }
  void add_message(const priced_problem::link& l, std::size_t link)
  {
    add(max_tiers + link, l.busy_ns);
    add(max_tiers + max_links + link, l.busy_ns);
  }
  [[nodiscard]] std::int64_t most() const { return *std::max_element(ns.begin(), ns.end()); }
  [[nodiscard]] std::int64_t least(std::int64_t) const { return most(); }
  [[nodiscard]] bool covers(const load_sums& other) const
  {
    for (std::size_t i = 0; i < ns.size(); ++i)
      if (ns[i] > other.ns[i]) return false;
    return true;
  }
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rank() const
  {
    std::int64_t sum = 0;
    for (const auto x : ns) sum = add_ns(sum, x);
    return {most(), sum};
  }
  friend auto operator<=>(const load_sums&, const load_sums&) = default;
};

/// Places the nodes in order; keeps, per state of the frontier, the partial plans that no other one covers. A tensor is paid
/// when its last reader has been placed: only then is it known where it must go.
template <class Sums>
class frontier_search {
public:
  /// Plans that cost more than `bound` are dropped; one that costs at most that must be there, unless none is possible.
  frontier_search(const priced_problem& p, std::int64_t bound, std::size_t limit) : p_(p), bound_(bound), limit_(limit) {}

  result<void> run()
  {
    const auto& order = p_.order();
    std::vector<std::int64_t> rest(order.size() + 1);  // least time of the nodes to come
    for (std::size_t i = order.size(); i-- > 0;) {
      const auto& times = p_.nodes()[order[i]].total_ns;
      rest[i] = add_ns(rest[i + 1], *std::min_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(p_.tiers())));
    }
    std::vector<std::size_t> unread(p_.tensors().size());
    for (std::size_t t = 0; t < unread.size(); ++t) {
      unread[t] = p_.tensors()[t].consumers.size();
      if (!p_.tensors()[t].producer && unread[t] > 0) live_.push_back(t);
    }
    state start;
    start.key.assign(1 + live_.size(), '\0');
    now_.assign(1, std::move(start));
    for (std::size_t i = 0; i < order.size(); ++i) {
      NARROWS_TRY(place(order[i], rest[i + 1], unread));
      if (now_.empty()) return no_plan();
      labels_ += now_.size();
    }
    return {};
  }

  [[nodiscard]] std::size_t labels() const noexcept { return labels_; }
  [[nodiscard]] tier_plan best() const
  {
    std::size_t at = 0;
    for (std::size_t i = 1; i < now_.size(); ++i)
      if (now_[i].sums.rank() < now_[at].sums.rank()) at = i;
    tier_plan plan{std::vector<std::uint8_t>(p_.nodes().size()), std::vector<tensor_route>(p_.tensors().size()), {}};
    for (std::size_t i = steps_.size(); i-- > 0;) {
      const auto& s = steps_[i][at];
      plan.tiers[p_.order()[i]] = s.tier;
      for (const auto& [tensor, route] : s.sent) plan.routes[tensor] = route;
      at = s.parent;
    }
    plan.cost = cost_of(p_, plan.tiers, plan.routes);
    return plan;
  }

private:
  using routes = std::vector<std::pair<std::size_t, tensor_route>>;
  struct step {
    std::size_t parent = 0;
    std::uint8_t tier = 0;
    routes sent;
  };
  /// First byte of the key: links in use. Then per live tensor 16 * the tier that made it + a bit per tier that reads it.
  struct state {
    std::string key;
    Sums sums;
    step last;
  };

  result<void> place(std::size_t node, std::int64_t rest, std::vector<std::size_t>& unread)
  {
    const auto& at = p_.nodes()[node];
    std::vector<std::size_t> next_live;
    for (const auto t : at.reads) --unread[t];
    for (const auto t : live_)
      if (unread[t] > 0) next_live.push_back(t);
    for (const auto t : at.makes)
      if (unread[t] > 0) next_live.push_back(t);

    std::vector<state> made;
    std::vector<std::pair<std::size_t, std::uint8_t>> dying;  // tensor, its byte of the key
    for (std::size_t parent = 0; parent < now_.size(); ++parent) {
      const auto& from = now_[parent];
      std::size_t least = 0;
      for (std::size_t i = 0; i < live_.size(); ++i)
        if (reads(node, live_[i])) least = std::max<std::size_t>(least, static_cast<std::uint8_t>(from.key[1 + i]) >> 4U);
      for (std::size_t tier = least; tier < p_.tiers(); ++tier) {
        state to;
        to.sums = from.sums;
        to.sums.add_node(p_, at, tier);
        if (to.sums.least(rest) > bound_) continue;
        to.key.push_back(from.key[0]);
        dying.clear();
        for (std::size_t i = 0; i < live_.size(); ++i) {
          auto byte = static_cast<std::uint8_t>(from.key[1 + i]);
          if (reads(node, live_[i]) && byte >> 4U != tier) byte = static_cast<std::uint8_t>(byte | 1U << tier);
          if (unread[live_[i]] > 0)
            to.key.push_back(static_cast<char>(byte));
          else if ((byte & 7U) != 0)
            dying.emplace_back(live_[i], byte);
        }
        to.key.resize(1 + next_live.size(), static_cast<char>(tier << 4U));
        to.last.parent = parent;
        to.last.tier = static_cast<std::uint8_t>(tier);
        send(dying, 0, std::move(to), rest, made);
        if (made.size() > 32 * limit_) return too_many();
      }
    }
    live_ = std::move(next_live);
    return keep(made);
  }

  [[nodiscard]] bool reads(std::size_t node, std::size_t tensor) const
  {
    const auto& in = p_.nodes()[node].reads;
    return std::binary_search(in.begin(), in.end(), tensor);
  }

  /// Every way in which the tensors from `i` on can travel.
  void send(const std::vector<std::pair<std::size_t, std::uint8_t>>& dying, std::size_t i, state to, std::int64_t rest,
    std::vector<state>& made) const
  {
    if (to.sums.least(rest) > bound_) return;
    if (i == dying.size()) {
      made.push_back(std::move(to));
      return;
    }
    const auto [tensor, byte] = dying[i];
    std::vector<delivery> ways;
    deliveries(p_, p_.tensors()[tensor], byte >> 4U, byte & 7U, ways);
    for (const auto& way : ways) {
      to.last.sent.emplace_back(tensor, tensor_route{});
      hop(dying, i, 0, way.links, to, rest, made);
      to.last.sent.pop_back();
    }
  }
  void hop(const std::vector<std::pair<std::size_t, std::uint8_t>>& dying, std::size_t i, std::size_t l, unsigned links, state to,
    std::int64_t rest, std::vector<state>& made) const
  {
    if (l == p_.links().size()) return send(dying, i + 1, std::move(to), rest, made);
    if ((links >> l & 1U) == 0) return hop(dying, i, l + 1, links, std::move(to), rest, made);
    if (const auto used = static_cast<unsigned>(to.key[0]); (used >> l & 1U) == 0) {
      to.key[0] = static_cast<char>(used | 1U << l);
      to.sums.add_message(p_.links()[l], l);
    }
    const auto& t = p_.tensors()[dying[i].first];
    for (std::size_t o = 0; o < t.options.size(); ++o) {
      if (!Sums::every_option && o != t.best[l]) continue;
      state more = to;
      more.sums.add_hop(t.options[o], l);
      more.last.sent.back().second.option[l] = static_cast<std::int32_t>(o);
      hop(dying, i, l + 1, links, std::move(more), rest, made);
    }
  }

  /// Of equal states only those that no other one covers; the first of equals.
  result<void> keep(std::vector<state>& made)
  {
    std::stable_sort(made.begin(), made.end(), [](const state& a, const state& b) {
      const int order = a.key.compare(b.key);
      return order != 0 ? order < 0 : a.sums < b.sums;
    });
    now_.clear();
    std::size_t group = 0;  // where the states with this key begin
    for (auto& s : made) {
      if (group == now_.size() || now_[group].key != s.key) group = now_.size();
      bool covered = false;
      for (std::size_t i = group; i < now_.size() && !covered; ++i) covered = now_[i].sums.covers(s.sums);
      if (covered) continue;
      if (now_.size() == limit_) return too_many();
      now_.push_back(std::move(s));
    }
    std::vector<step> taken;
    for (auto& s : now_) taken.push_back(std::exchange(s.last, {}));
    steps_.push_back(std::move(taken));
    return {};
  }
  [[nodiscard]] error too_many() const
  {
    return {errc::limit_exceeded, "plan: more than " + std::to_string(limit_) + " partial plans at once"};
  }

  const priced_problem& p_;
  std::int64_t bound_;
  std::size_t limit_, labels_ = 0;
  std::vector<std::size_t> live_;
  std::vector<state> now_;
  std::vector<std::vector<step>> steps_;
};

}  // namespace narrows::detail
