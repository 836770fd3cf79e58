// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows::detail {

/// What the nodes outside `head` read of its outputs and of the graph's inputs; ascending.
inline std::vector<value_id> crossing_tensors(const graph& g, const std::vector<bool>& head)
{
  std::vector<value_id> out;
  for (std::size_t i = 0; i < g.values().size(); ++i) {
    const auto& v = g.values()[i];
    if (v.is_constant || (v.producer && !head[index(*v.producer)])) continue;
    if (std::any_of(v.consumers.begin(), v.consumers.end(), [&](node_id n) { return !head[index(n)]; })) out.push_back(static_cast<value_id>(i));
  }
  return out;
}

/// Finds heads, that is sets of nodes that contain the makers of all they read.
class cut_search {
public:
  explicit cut_search(const graph& g) : graph_(g) {}

  /// The makers of these tensors and of all that those read.
  [[nodiscard]] std::vector<bool> ancestors(const std::vector<value_id>& tensors) const
  {
    std::vector<bool> head(graph_.nodes().size());
    for (const auto v : tensors) add_maker(v, head);
    return head;
  }

  /// The smallest head whose crossing tensors are exactly these, if there is one.
  ///
  /// Any such head contains the makers of the tensors, all they read, and every reader of whatever else it makes or the
  /// graph is fed (else that would cross). The least set closed under these rules is therefore inside every solution;
  /// if some tensor then has no reader left outside, no larger head has one either.
  [[nodiscard]] std::optional<std::vector<bool>> smallest_head(const std::vector<value_id>& tensors) const
  {
    const auto may_cross = [&](value_id v) { return std::find(tensors.begin(), tensors.end(), v) != tensors.end(); };
    auto head = ancestors(tensors);
    std::vector<value_id> pending(graph_.inputs().begin(), graph_.inputs().end());
    for (std::size_t i = 0; i < head.size(); ++i)
      if (head[i]) pending.insert(pending.end(), graph_.nodes()[i].outputs.begin(), graph_.nodes()[i].outputs.end());
    while (!pending.empty()) {
      const auto v = pending.back();
      pending.pop_back();
      if (may_cross(v)) continue;
      for (const auto reader : graph_[v].consumers)
        if (!head[index(reader)]) add_node(reader, head, &pending);
    }
    auto crossing = crossing_tensors(graph_, head);
    if (crossing != tensors) return {};
    return head;
  }

  /// Calls `visit` with the smallest head of each set of 1 to `max_tensors` crossing tensors, the cut at the input left
  /// out. Errors: limit_exceeded (more than `limit` visits, or far more steps than that many need).
  template <class Visit>
  result<void> for_each_head(int max_tensors, std::size_t limit, Visit&& visit) const
  {
    walk w{std::vector<char>(graph_.nodes().size(), undecided), std::vector<std::size_t>(graph_.values().size()), 0, 0, 0};
    const auto too_many = error(errc::limit_exceeded, "more than " + std::to_string(limit) + " cuts of up to " + std::to_string(max_tensors) + " tensors");
    if (graph_.nodes().size() > max_nodes) return error(errc::limit_exceeded, "graph of " + std::to_string(graph_.nodes().size()) + " nodes");
    const auto most_steps = (limit + 16) * (graph_.nodes().size() + 16) * 16;
    for (const auto v : graph_.inputs()) w.outside_readers[index(v)] = 0;
    return step(w, 0, max_tensors, [&](const std::vector<bool>& head) -> result<void> {
      if (w.visits++ >= limit) return too_many;
      visit(head);
      return {};
    }, most_steps, too_many);
  }

private:
  static constexpr char undecided = 0, inside = 1, outside = 2;
  static constexpr std::size_t max_nodes = 4096;  // depth of the recursion below

  struct walk {
    std::vector<char> side;                     ///< per node
    std::vector<std::size_t> outside_readers;   ///< per value: readers known to be outside
    std::size_t definite;                       ///< values made inside (or fed) that have one
    std::size_t visits, steps;
  };

  void add_maker(value_id v, std::vector<bool>& head, std::vector<value_id>* made = nullptr) const
  {
    if (const auto maker = graph_[v].producer; maker && !head[index(*maker)]) add_node(*maker, head, made);
  }

  void add_node(node_id n, std::vector<bool>& head, std::vector<value_id>* made) const
  {
    std::vector<node_id> pending{n};
    head[index(n)] = true;
    while (!pending.empty()) {
      const auto& at = graph_[pending.back()];
      pending.pop_back();
      if (made) made->insert(made->end(), at.outputs.begin(), at.outputs.end());
      for (const auto v : at.inputs)
        if (const auto maker = graph_[v].producer; maker && !head[index(*maker)]) {
          head[index(*maker)] = true;
          pending.push_back(*maker);
        }
    }
  }

  /// Decides the sides of node `i` and later ones. A branch ends as soon as more tensors are sure to cross than allowed.
  template <class Visit>
  result<void> step(walk& w, std::size_t i, int max_tensors, const Visit& visit, std::size_t most_steps, const error& too_many) const
  {
    if (++w.steps > most_steps) return too_many;
    if (w.definite > static_cast<std::size_t>(max_tensors)) return {};
    if (i == graph_.nodes().size()) {
      std::vector<bool> head(w.side.size());
      for (std::size_t k = 0; k < head.size(); ++k) head[k] = w.side[k] == inside;
      if (std::find(head.begin(), head.end(), true) == head.end()) return {};
      const auto crossing = crossing_tensors(graph_, head);
      if (crossing.empty() || smallest_head(crossing) != head) return {};
      return visit(head);
    }
    const auto& n = graph_.nodes()[i];
    const bool may_be_inside = std::all_of(n.inputs.begin(), n.inputs.end(), [&](value_id v) {
      const auto maker = graph_[v].producer;
      return !maker || w.side[index(*maker)] == inside;
    });
    if (may_be_inside) {
      w.side[i] = inside;
      NARROWS_TRY(step(w, i + 1, max_tensors, visit, most_steps, too_many));
    }
    w.side[i] = outside;
    for (const auto v : n.inputs)
      if (crosses_if_read(w, v) && w.outside_readers[index(v)]++ == 0) ++w.definite;
    NARROWS_TRY(step(w, i + 1, max_tensors, visit, most_steps, too_many));
    for (const auto v : n.inputs)
      if (crosses_if_read(w, v) && --w.outside_readers[index(v)] == 0) --w.definite;
    w.side[i] = undecided;
    return {};
  }

  [[nodiscard]] bool crosses_if_read(const walk& w, value_id v) const
  {
    const auto& at = graph_[v];
    return !at.is_constant && (!at.producer || w.side[index(*at.producer)] == inside);
  }

  const graph& graph_;
};

}  // namespace narrows::detail
