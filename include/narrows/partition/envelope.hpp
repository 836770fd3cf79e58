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

#include <narrows/core/result.hpp>
#include <narrows/core/units.hpp>
#include <narrows/partition/detail/layered_cut.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// The fastest plan for every bandwidth of one link, made once; asking it is a binary search.
///
/// Model    a plan's latency is fixed + bytes * x, a line over x, the time per byte; the least of all plans is concave and
///          piecewise linear. Two plans are fastest at x = 0 and at a link that is down; where their lines meet, one more
///          minimum cut either finds a faster plan, and both sides are searched, or proves that there is none.
/// Exact    x is a fraction and costs are 128-bit products, so each piece is optimal on all of its interval. Widths and codecs
///          are chosen anew for each piece. Other links keep the rates of the problem, and every link its round trip.
/// Cost     2 * pieces - 1 minimum cuts (one at least two); a look-up takes log2(pieces) comparisons.
/// Source   METHODS 9.5, 9.6. Equal to brute force in tests.
class latency_envelope {
public:
  struct piece {
    tier_plan plan;             ///< its cost is that at the rate of the problem
    std::int64_t fixed_ns = 0;  ///< latency but for the bytes on the link
    std::int64_t bytes = 0;     ///< bytes on the link, both ways
    double up_to_ns = 0;        ///< nanoseconds per byte from which the next piece is faster; infinite for the last
    [[nodiscard]] double latency_s(bit_rate rate) const noexcept
    {
      return (static_cast<double>(fixed_ns) + (bytes == 0 ? 0 : static_cast<double>(bytes) * ns_per_byte(rate))) * 1e-9;
    }
  };

  /// Errors: bad_input (no such link, a direct link, no plan is possible), limit_exceeded (sizes that add up to over 2^58).
  [[nodiscard]] static result<latency_envelope> make(const priced_problem& p, std::size_t link = 0)
  {
    if (p.has_direct_link()) return error(errc::bad_input, "plan: an envelope cannot weigh a direct link to the cloud");
    if (link >= p.links().size()) return error(errc::bad_input, "plan: there is no link " + std::to_string(link));
    latency_envelope e(p, link);
    const auto most = e.most();
    if (static_cast<double>(most.fixed) > 0x1p61 || static_cast<double>(most.bytes) > 0x1p58)
      return error(errc::limit_exceeded, "plan: the sizes add up to too much");
    // Least fixed part, then fewest bytes; and the other way round.
    auto fast = e.solve({1, most.bytes + 1}), down = e.solve({most.fixed + 1, 1});
    if (!fast.possible || !down.possible) return detail::no_plan();
    e.between(std::move(fast), down);
    e.add(std::move(down), std::numeric_limits<double>::infinity());
    e.problem_ = nullptr;
    return e;
  }

  /// From the fastest link to one that is down.
  [[nodiscard]] const std::vector<piece>& pieces() const noexcept { return pieces_; }
  /// The index of the fastest plan at a rate; one of 0 or less is a link that is down.
  [[nodiscard]] std::size_t find(bit_rate rate) const noexcept
  {
    const double x = ns_per_byte(rate);
    const auto it =
      std::upper_bound(pieces_.begin(), pieces_.end() - 1, x, [](double at, const piece& one) { return at < one.up_to_ns; });
    return static_cast<std::size_t>(it - pieces_.begin());
  }
  [[nodiscard]] const piece& at(bit_rate rate) const noexcept { return pieces_[find(rate)]; }
  /// The rates between which a piece is fastest, lowest first: how far the link may drift before another plan pays.
  [[nodiscard]] std::pair<bit_rate, bit_rate> band(std::size_t i) const noexcept
  {
    const double from = i == 0 ? 0 : pieces_[i - 1].up_to_ns;
    return {{8e9 / pieces_[i].up_to_ns}, {8e9 / from}};
  }
  /// Minimum cuts that were solved.
  [[nodiscard]] std::size_t cuts() const noexcept { return cuts_; }

private:
  using wide_int = detail::wide_int;
  static constexpr wide_int infinite = wide_int{1} << 120;
  /// Time per byte as a fraction, nanoseconds.
  struct slope {
    wide_int up, down;
  };
  struct line {
    tier_plan plan;
    wide_int fixed = 0, bytes = 0;
    bool possible = false;
  };
  struct totals {
    wide_int fixed = 0, bytes = 0;
  };

  latency_envelope(const priced_problem& p, std::size_t link) : problem_(&p), link_(link) {}

  [[nodiscard]] static double ns_per_byte(bit_rate rate) noexcept
  {
    return rate.bits_per_second > 0 ? 8e9 / rate.bits_per_second : std::numeric_limits<double>::infinity();
  }
  /// Parts of the cost of a node, an option and a message on the link in question: infinite where impossible.
  [[nodiscard]] totals node_cost(const priced_problem::node& n, std::size_t tier) const
  {
    totals sum{n.compute_ns[tier], 0};
    for (std::size_t l = 0; l < tier && n.return_bytes > 0; ++l)
      if (l == link_)
        sum.bytes += n.return_bytes;
      else
        sum.fixed += problem_->links()[l].bytes_ns(n.return_bytes);
    return sum;
  }
  [[nodiscard]] totals option_cost(const priced_problem::option& o) const
  {
    return {add_ns(o.coding_ns[link_], o.fixed_ns[link_]), o.bytes};
  }
  [[nodiscard]] totals message_cost(std::size_t l) const
  {
    const auto& link = problem_->links()[l];
    if (l == link_) return {link.message_s_ns, 2 * wide_int{link.message_bytes}};
    return {link.message_ns, 0};
  }
  [[nodiscard]] static wide_int at(const totals& cost, const slope& x)
  {
    return cost.fixed >= never_ns ? infinite : x.down * cost.fixed + x.up * cost.bytes;
  }

  /// Above what any plan can add up to.
  [[nodiscard]] totals most() const
  {
    totals sum;
    const auto add = [&](const totals& t) {
      if (t.fixed < never_ns) sum.fixed += t.fixed;
      sum.bytes += t.bytes;
    };
    for (const auto& n : problem_->nodes())
      for (std::size_t t = 0; t < problem_->tiers(); ++t) add(node_cost(n, t));
    for (const auto& t : problem_->tensors()) {
      for (const auto& o : t.options) add(option_cost(o));
      for (std::size_t l = 0; l < problem_->links().size(); ++l)
        if (l != link_) add({t.best_ns[l], 0});
    }
    for (std::size_t l = 0; l < problem_->links().size(); ++l) add(message_cost(l));
    return sum;
  }

  [[nodiscard]] std::size_t option_at(const priced_problem::tensor& t, const slope& x) const
  {
    std::size_t best = 0;
    for (std::size_t o = 1; o < t.options.size(); ++o) {
      const auto a = option_cost(t.options[o]), b = option_cost(t.options[best]);
      const auto value = at(a, x), least = at(b, x);
      if (value < least || (value == least && a.bytes < b.bytes)) best = o;
    }
    return best;
  }

  [[nodiscard]] line solve(const slope& x)
  {
    const auto& p = *problem_;
    detail::cut_costs<wide_int> costs{infinite, {}, {}, {}};
    for (const auto& n : p.nodes()) {
      costs.node.push_back({});
      for (std::size_t t = 0; t < p.tiers(); ++t) costs.node.back()[t] = at(node_cost(n, t), x);
    }
    std::vector<std::size_t> options;
    for (const auto& t : p.tensors()) {
      costs.hop.push_back({});
      options.push_back(option_at(t, x));
      for (std::size_t l = 0; l < p.links().size() && !t.options.empty(); ++l)
        costs.hop.back()[l] = l == link_ ? at(option_cost(t.options[options.back()]), x) : at({t.best_ns[l], 0}, x);
    }
    for (std::size_t l = 0; l < p.links().size(); ++l) costs.message[l] = at(message_cost(l), x);
    auto cut = detail::layered_cut(p, costs);
    ++cuts_;
    if (cut.value >= infinite) return {};

    line made{plan_of(p, std::move(cut.tiers)), 0, 0, true};
    const auto add = [&](const totals& t) { made.fixed += t.fixed, made.bytes += t.bytes; };
    std::array<bool, max_links> used{};
    for (std::size_t n = 0; n < p.nodes().size(); ++n) add(node_cost(p.nodes()[n], made.plan.tiers[n]));
    for (std::size_t t = 0; t < p.tensors().size(); ++t)
      for (std::size_t l = 0; l < p.links().size(); ++l) {
        if (!made.plan.routes[t].takes(l)) continue;
        used[l] = true;
        if (l == link_) made.plan.routes[t].option[l] = static_cast<std::int32_t>(options[t]);
        add(l == link_ ? option_cost(p.tensors()[t].options[options[t]]) : totals{p.tensors()[t].best_ns[l], 0});
      }
    for (std::size_t l = 0; l < p.links().size(); ++l)
      if (used[l]) add(message_cost(l));
    NARROWS_EXPECTS(x.down * made.fixed + x.up * made.bytes == cut.value);
    made.plan.cost = cost_of(p, made.plan.tiers, made.plan.routes);
    return made;
  }

  void add(line one, double up_to)
  {
    pieces_.push_back({std::move(one.plan), static_cast<std::int64_t>(one.fixed), static_cast<std::int64_t>(one.bytes), up_to});
  }
  /// Adds the pieces from `fast` up to, but without, `slow`.
  void between(line fast, const line& slow)
  {
    if (fast.bytes == slow.bytes) return;  // then both have the least fixed part as well
    const slope meet{slow.fixed - fast.fixed, fast.bytes - slow.bytes};
    auto middle = solve(meet);
    if (meet.down * middle.fixed + meet.up * middle.bytes == meet.down * fast.fixed + meet.up * fast.bytes)
      return add(std::move(fast), static_cast<double>(meet.up) / static_cast<double>(meet.down));
    between(std::move(fast), middle);
    between(std::move(middle), slow);
  }

  const priced_problem* problem_;  ///< while it is made
  std::size_t link_, cuts_ = 0;
  std::vector<piece> pieces_;
};

}  // namespace narrows
