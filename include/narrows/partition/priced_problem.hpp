// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/planning_problem.hpp>

namespace narrows {

/// A time that means "impossible". Sums of a few of these do not overflow; every possible plan costs less.
inline constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max() / 8;

/// Sum that stays `never_ns` once it is.
[[nodiscard]] constexpr std::int64_t add_ns(std::int64_t a, std::int64_t b) noexcept { return std::min(a + b, never_ns); }

/// A `planning_problem` that was checked, in whole nanoseconds and bytes: sums and comparisons of plans are exact, so equal
/// plans tie on every machine and whatever order they are added up in.
class priced_problem {
public:
  struct option {
    std::uint32_t tag;
    std::int64_t bytes;
    std::array<std::int64_t, max_links> link_ns;    ///< bytes and fixed part
    std::array<std::int64_t, max_links> coding_ns;  ///< encoding at the link's sender and decoding at its receiver
    std::array<std::int64_t, max_links> fixed_ns;   ///< part of link_ns that does not depend on the rate
    std::array<std::int64_t, max_tiers> encode_ns, decode_ns;
    [[nodiscard]] std::int64_t total_ns(std::size_t link) const noexcept { return add_ns(coding_ns[link], link_ns[link]); }
  };
  struct node {
    std::string name;
    std::array<std::int64_t, max_tiers> compute_ns;
    std::int64_t return_bytes;
    std::array<std::int64_t, max_tiers> total_ns;  ///< compute_ns and the way back of the results
    std::vector<std::size_t> reads, makes;         ///< tensors, ascending
    std::size_t layer;                             ///< longest path from an input, in nodes: 1 for those that read inputs alone
  };
  struct tensor {
    std::string name;
    std::optional<std::size_t> producer;
    std::vector<std::size_t> consumers;  ///< ascending, each once
    std::vector<option> options;
    std::array<std::size_t, max_links> best{};      ///< option with the least total; the first of equals
    std::array<std::int64_t, max_links> best_ns{};  ///< its total; never_ns where there is no such link
  };
  struct link {
    double seconds_per_byte;
    std::int64_t message_s_ns;  ///< round trip alone
    std::int64_t message_bytes;
    std::int64_t busy_ns;     ///< of message_bytes, each way
    std::int64_t message_ns;  ///< round trip, and message_bytes both ways
    [[nodiscard]] std::int64_t bytes_ns(std::int64_t bytes) const noexcept
    {
      return from_seconds(static_cast<double>(bytes) * seconds_per_byte);
    }
  };

  /// Times are rounded to nanoseconds, bytes to whole ones. O(nodes + tensors * options).
  ///
  /// Errors: bad_input (number of tiers, links or nodes; a time or size that is NaN or negative; times that are not one per
  /// tier; a tensor that is read but has no options), bad_graph (an index that names no node, a node that reads nothing, a
  /// cycle), limit_exceeded (a size over 10^15 bytes, finite times that add up to over 36 years).
  [[nodiscard]] static result<priced_problem> make(const planning_problem& from)
  {
    priced_problem p;
    NARROWS_TRY(p.take_links(from));
    NARROWS_TRY(p.take_nodes(from));
    NARROWS_TRY(p.take_tensors(from));
    NARROWS_TRY(p.sort());
    NARROWS_TRY(p.check_range());
    return p;
  }

  [[nodiscard]] std::size_t tiers() const noexcept { return tiers_; }
  [[nodiscard]] const std::vector<link>& links() const noexcept { return links_; }
  [[nodiscard]] const std::vector<node>& nodes() const noexcept { return nodes_; }
  [[nodiscard]] const std::vector<tensor>& tensors() const noexcept { return tensors_; }
  /// Each node after those it reads from; of those that may come next, the one with the lowest index.
  [[nodiscard]] const std::vector<std::size_t>& order() const noexcept { return order_; }
  [[nodiscard]] bool has_direct_link() const noexcept { return links_.size() == 3; }
  /// Time for `bytes` of results to come back from a tier: over the direct link where there is one, else link by link.
  [[nodiscard]] std::int64_t return_ns(std::int64_t bytes, std::size_t tier) const noexcept
  {
    if (bytes == 0 || tier == 0) return 0;
    if (tier == 1) return links_[0].bytes_ns(bytes);
    return has_direct_link() ? links_[2].bytes_ns(bytes) : add_ns(links_[0].bytes_ns(bytes), links_[1].bytes_ns(bytes));
  }

private:
  static constexpr double longest_s = 1e9;

  priced_problem() = default;

  /// Nearest nanosecond. Not NaN, not negative: checked before.
  [[nodiscard]] static std::int64_t from_seconds(double s) noexcept
  {
    return s <= longest_s ? static_cast<std::int64_t>(std::llround(s * 1e9)) : never_ns;
  }
  [[nodiscard]] static result<std::int64_t> time(double s, const std::string& whose)
  {
    if (std::isnan(s) || s < 0) return error(errc::bad_input, "plan: " + whose + ": a time is negative or not a number");
    if (s > longest_s && s < std::numeric_limits<double>::infinity())
      return error(errc::limit_exceeded, "plan: " + whose + ": a time is over 36 years");
    return from_seconds(s);
  }
  [[nodiscard]] static result<std::int64_t> size(double bytes, const std::string& whose)
  {
    if (std::isnan(bytes) || bytes < 0) return error(errc::bad_input, "plan: " + whose + ": a size is negative or not a number");
    if (bytes > 1e15) return error(errc::limit_exceeded, "plan: " + whose + ": a size is over a petabyte");
    return static_cast<std::int64_t>(std::llround(bytes));
  }

  result<void> take_links(const planning_problem& from)
  {
    if (from.tiers < 2 || from.tiers > max_tiers)
      return error(errc::bad_input, "plan: " + std::to_string(from.tiers) + " tiers; 2 or 3 are possible");
    const bool fits = from.links.size() == from.tiers - 1 || (from.tiers == 3 && from.links.size() == 3);
    if (!fits)
      return error(errc::bad_input,
        "plan: " + std::to_string(from.links.size()) + " links between " + std::to_string(from.tiers) + " tiers");
    tiers_ = from.tiers;
    for (const auto& l : from.links) {
      const std::string whose = "link " + std::to_string(links_.size());
      auto trip = time(l.message_s, whose);
      if (!trip) return unexpected(std::move(trip).error());
      auto bytes = size(l.message_bytes, whose);
      if (!bytes) return unexpected(std::move(bytes).error());
      if (auto rate = time(l.seconds_per_byte, whose); !rate) return unexpected(std::move(rate).error());
      link made{l.seconds_per_byte, *trip, *bytes, 0, 0};
      made.busy_ns = *bytes == 0 ? 0 : made.bytes_ns(*bytes);
      made.message_ns = add_ns(*trip, add_ns(made.busy_ns, made.busy_ns));
      links_.push_back(made);
    }
    return {};
  }

  result<void> take_nodes(const planning_problem& from)
  {
    if (from.nodes.empty()) return error(errc::bad_input, "plan: there are no nodes");
    for (const auto& n : from.nodes) {
      const std::string whose = "node '" + n.name + "'";
      if (n.seconds.size() != tiers_)
        return error(errc::bad_input,
          "plan: " + whose + " has " + std::to_string(n.seconds.size()) + " times for " + std::to_string(tiers_) + " tiers");
      node made{n.name, {never_ns, never_ns, never_ns}, 0, {never_ns, never_ns, never_ns}, {}, {}, 0};
      auto back = size(n.return_bytes, whose);
      if (!back) return unexpected(std::move(back).error());
      made.return_bytes = *back;
      for (std::size_t t = 0; t < tiers_; ++t) {
        auto ns = time(n.seconds[t], whose);
        if (!ns) return unexpected(std::move(ns).error());
        made.compute_ns[t] = *ns;
        made.total_ns[t] = add_ns(*ns, return_ns(*back, t));
      }
      nodes_.push_back(std::move(made));
    }
    return {};
  }

  result<void> take_tensors(const planning_problem& from)
  {
    for (std::size_t i = 0; i < from.tensors.size(); ++i) {
      const auto& t = from.tensors[i];
      const std::string whose = "tensor '" + t.name + "'";
      if (t.options.empty() && !t.consumers.empty()) return error(errc::bad_input, "plan: " + whose + " has no way to travel");
      if (t.producer && *t.producer >= nodes_.size())
        return error(errc::bad_graph, "plan: " + whose + " is made by a node that is not there");
      tensor made;
      made.name = t.name;
      made.producer = t.producer;
      made.consumers = t.consumers;
      std::sort(made.consumers.begin(), made.consumers.end());
      made.consumers.erase(std::unique(made.consumers.begin(), made.consumers.end()), made.consumers.end());
      for (const auto& o : t.options) NARROWS_TRY(take_option(o, whose, made));
      for (std::size_t l = 0; l < max_links; ++l) {
        made.best_ns[l] = never_ns;
        for (std::size_t o = 0; o < made.options.size(); ++o)
          if (const auto ns = made.options[o].total_ns(l); ns < made.best_ns[l]) made.best_ns[l] = ns, made.best[l] = o;
      }
      if (made.producer) nodes_[*made.producer].makes.push_back(i);
      for (const auto n : made.consumers) {
        if (n >= nodes_.size()) return error(errc::bad_graph, "plan: " + whose + " is read by a node that is not there");
        nodes_[n].reads.push_back(i);
      }
      tensors_.push_back(std::move(made));
    }
    return {};
  }

  result<void> take_option(const transfer_option& o, const std::string& whose, tensor& to) const
  {
    option made{o.tag, 0, {never_ns, never_ns, never_ns}, {never_ns, never_ns, never_ns}, {never_ns, never_ns, never_ns}, {}, {}};
    auto bytes = size(o.bytes, whose);
    if (!bytes) return unexpected(std::move(bytes).error());
    made.bytes = *bytes;
    for (std::size_t t = 0; t < max_tiers; ++t) {
      auto encode = time(o.encode_s[t], whose), decode = time(o.decode_s[t], whose);
      if (!encode) return unexpected(std::move(encode).error());
      if (!decode) return unexpected(std::move(decode).error());
      made.encode_ns[t] = *encode;
      made.decode_ns[t] = *decode;
    }
    for (std::size_t l = 0; l < links_.size(); ++l) {
      auto fixed = time(o.link_s[l], whose);
      if (!fixed) return unexpected(std::move(fixed).error());
      made.fixed_ns[l] = *fixed;
      made.link_ns[l] = add_ns(*fixed, *bytes == 0 ? 0 : links_[l].bytes_ns(*bytes));
      made.coding_ns[l] = add_ns(made.encode_ns[sender_of(l)], made.decode_ns[receiver_of(l)]);
    }
    to.options.push_back(made);
    return {};
  }

  /// Kahn's algorithm with the least index first; fills `layer` on the way.
  result<void> sort()
  {
    std::vector<std::size_t> waits(nodes_.size());
    for (const auto& t : tensors_)
      if (t.producer)
        for (const auto n : t.consumers) ++waits[n];
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n].reads.empty()) return error(errc::bad_graph, "plan: node '" + nodes_[n].name + "' reads nothing");
      nodes_[n].layer = 1;
      if (waits[n] == 0) ready.push(n);
    }
    while (!ready.empty()) {
      const auto n = ready.top();
      ready.pop();
      order_.push_back(n);
      for (const auto t : nodes_[n].makes)
        for (const auto reader : tensors_[t].consumers) {
          nodes_[reader].layer = std::max(nodes_[reader].layer, nodes_[n].layer + 1);
          if (--waits[reader] == 0) ready.push(reader);
        }
    }
    if (order_.size() == nodes_.size()) return {};
    const auto stuck =
      static_cast<std::size_t>(std::find_if(waits.begin(), waits.end(), [](std::size_t w) { return w > 0; }) - waits.begin());
    return error(errc::bad_graph, "plan: node '" + nodes_[stuck].name + "' lies on or behind a cycle");
  }

  /// Whatever can be added up once stays well below never_ns.
  result<void> check_range() const
  {
    double sum = 0;
    const auto count = [&](std::int64_t ns) { sum += ns < never_ns ? static_cast<double>(ns) : 0; };
    for (const auto& n : nodes_)
      for (std::size_t t = 0; t < tiers_; ++t) count(n.total_ns[t]);
    for (const auto& t : tensors_)
      for (std::size_t l = 0; l < links_.size(); ++l) {
        std::int64_t most = 0;
        for (const auto& o : t.options)
          if (const auto ns = o.total_ns(l); ns < never_ns) most = std::max(most, ns);
        count(most);
      }
    for (const auto& l : links_) count(l.message_ns);
    if (sum < static_cast<double>(never_ns)) return {};
    return error(errc::limit_exceeded, "plan: the times add up to over 36 years");
  }

  std::size_t tiers_ = 2;
  std::vector<link> links_;
  std::vector<node> nodes_;
  std::vector<tensor> tensors_;
  std::vector<std::size_t> order_;
};

}  // namespace narrows
