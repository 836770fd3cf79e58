// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>

namespace narrows {

/// A directed network with integer capacities, and its greatest flow: Dinic's algorithm (Dinitz 1970), which augments along
/// shortest paths, all of one length at a time. No recursion.
///
/// Units    `Capacity` is a signed integer. Capacities are not negative, and what leaves the source adds up to no overflow
///          (contract): give arcs that must not be cut the least capacity that no flow can fill.
/// Cost     O(nodes^2 * arcs) at worst; on the networks of planners near linear.
/// Same     the least and the greatest source side of a minimum cut are unique, so answers do not depend on the order of arcs.
template <class Capacity>
class flow_network {
public:
  explicit flow_network(std::size_t nodes = 0) : first_(nodes, none) {}

  std::size_t add_node()
  {
    first_.push_back(none);
    return first_.size() - 1;
  }
  [[nodiscard]] std::size_t nodes() const noexcept { return first_.size(); }

  void add_arc(std::size_t from, std::size_t to, Capacity capacity)
  {
    NARROWS_EXPECTS(from < first_.size() && to < first_.size() && capacity >= 0);
    if (capacity == 0) return;
    arcs_.push_back({to, first_[from], capacity});
    first_[from] = arcs_.size() - 1;
    arcs_.push_back({from, first_[to], 0});
    first_[to] = arcs_.size() - 1;
  }

  /// Sends as much as still fits, and gives the amount; a second call gives 0.
  Capacity max_flow(std::size_t source, std::size_t sink)
  {
    NARROWS_EXPECTS(source != sink && source < first_.size() && sink < first_.size());
    Capacity sum = 0;
    while (measure(source, sink)) {
      next_ = first_;
      sum += block(source, sink);
    }
    return sum;
  }

  /// After `max_flow`: the nodes before the minimum cut that lies nearest to the sink (a superset of every other).
  [[nodiscard]] std::vector<bool> greatest_source_side(std::size_t sink) const
  {
    std::vector<bool> side(first_.size(), true);
    std::vector<std::size_t> open{sink};
    side[sink] = false;
    while (!open.empty()) {
      const auto at = open.back();
      open.pop_back();
      for (auto a = first_[at]; a != none; a = arcs_[a].next)
        if (const auto from = arcs_[a].to; side[from] && arcs_[a ^ 1U].left > 0) {
          side[from] = false;
          open.push_back(from);
        }
    }
    return side;
  }

private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  struct arc {
    std::size_t to, next;
    Capacity left;  ///< what still fits; the arc beside it, with the last bit of the index flipped, runs the other way
  };

  /// Distances from the source over arcs with room; whether the sink is among them.
  bool measure(std::size_t source, std::size_t sink)
  {
    depth_.assign(first_.size(), none);
    depth_[source] = 0;
    queue_.assign(1, source);
    for (std::size_t i = 0; i < queue_.size() && depth_[sink] == none; ++i)
      for (auto a = first_[queue_[i]]; a != none; a = arcs_[a].next)
        if (arcs_[a].left > 0 && depth_[arcs_[a].to] == none) {
          depth_[arcs_[a].to] = depth_[queue_[i]] + 1;
          queue_.push_back(arcs_[a].to);
        }
    return depth_[sink] != none;
  }

  /// Fills shortest paths one by one until each has an arc without room.
  Capacity block(std::size_t source, std::size_t sink)
  {
    Capacity sum = 0;
    path_.clear();
    std::size_t at = source;
    for (;;) {
      if (at == sink) {
        Capacity most = arcs_[path_.front()].left;
        for (const auto a : path_) most = std::min(most, arcs_[a].left);
        std::size_t full = path_.size();
        for (std::size_t i = path_.size(); i-- > 0;) {
          arcs_[path_[i]].left -= most;
          arcs_[path_[i] ^ 1U].left += most;
          if (arcs_[path_[i]].left == 0) full = i;
        }
        sum += most;
        at = arcs_[path_[full] ^ 1U].to;  // the path is still good up to its first full arc
        path_.resize(full);
        continue;
      }
      auto& a = next_[at];
      while (a != none && (arcs_[a].left == 0 || depth_[arcs_[a].to] != depth_[at] + 1)) a = arcs_[a].next;
      if (a != none) {
        path_.push_back(a);
        at = arcs_[a].to;
      } else if (at == source) {
        return sum;
      } else {
        at = arcs_[path_.back() ^ 1U].to;
        path_.pop_back();
        next_[at] = arcs_[next_[at]].next;  // a dead end
      }
    }
  }

  std::vector<std::size_t> first_;  ///< per node, its arc added last
  std::vector<arc> arcs_;
  std::vector<std::size_t> depth_, queue_, next_, path_;
};

}  // namespace narrows
