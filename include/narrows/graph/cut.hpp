// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/detail/cut_search.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {

/// A place where a graph is cut in two: the nodes of the head (closed under "what they read") and the tensors that
/// cross. `tensors` holds inputs or node outputs that the tail reads, ascending. Graph outputs made by the head do not
/// cross. The cut at the input has an empty head; the cut at the end has an empty tail and no tensors.
///
/// Several heads can have the same crossing tensors (a branch that ends in an output of its own may lie on either
/// side). The functions below give the smallest: there is always one, contained in all others.
struct cut {
  std::vector<value_id> tensors;
  std::vector<bool> head;            ///< one flag per node of the graph
  std::uint64_t macs_head = 0;       ///< multiply-adds before the cut
  friend bool operator==(const cut& a, const cut& b) { return a.head == b.head; }
};

namespace detail {

inline cut make_cut(const graph& g, std::vector<bool> head)
{
  cut c;
  c.tensors = crossing_tensors(g, head);
  for (std::size_t i = 0; i < head.size(); ++i)
    if (head[i]) c.macs_head = saturating_add(c.macs_head, multiply_adds(g, static_cast<node_id>(i)));
  c.head = std::move(head);
  return c;
}

/// By size of the head, then by tensors: from the input to the end.
inline void sort_cuts(std::vector<cut>& cuts)
{
  const auto size = [](const cut& c) { return std::count(c.head.begin(), c.head.end(), true); };
  std::stable_sort(cuts.begin(), cuts.end(), [&](const cut& a, const cut& b) {
    const auto sa = size(a), sb = size(b);
    return sa != sb ? sa < sb : a.tensors < b.tensors;
  });
}

}  // namespace detail

/// The cut before everything: the tail is the whole graph, the tensors are the graph's inputs (those that are read).
[[nodiscard]] inline cut input_cut(const graph& g) { return detail::make_cut(g, std::vector<bool>(g.nodes().size())); }

/// The cut behind everything: the head is the whole graph and nothing crosses.
[[nodiscard]] inline cut end_cut(const graph& g) { return detail::make_cut(g, std::vector<bool>(g.nodes().size(), true)); }

/// Every set of one crossing tensor, from the cut at the input (listed even if several inputs cross there) to the cut at
/// the end. Complete.
[[nodiscard]] inline std::vector<cut> single_tensor_cuts(const graph& g)
{
  std::vector<cut> cuts{input_cut(g)};
  const detail::cut_search search(g);
  for (std::size_t i = 0; i < g.values().size(); ++i) {
    const auto v = static_cast<value_id>(i);
    if (g[v].is_constant) continue;
    auto head = search.smallest_head({v});
    if (head && std::find(head->begin(), head->end(), true) != head->end()) cuts.push_back(detail::make_cut(g, std::move(*head)));
  }
  cuts.push_back(end_cut(g));
  detail::sort_cuts(cuts);
  return cuts;
}

/// Every set of at most `max_tensors` crossing tensors, from the cut at the input to the cut at the end.
/// Errors: limit_exceeded (more than `limit` of them, or the search grew far beyond that).
[[nodiscard]] inline result<std::vector<cut>> enumerate_cuts(const graph& g, int max_tensors, std::size_t limit)
{
  std::vector<cut> cuts{input_cut(g), end_cut(g)};
  const detail::cut_search search(g);
  NARROWS_TRY(search.for_each_head(max_tensors, limit, [&](const std::vector<bool>& head) { cuts.push_back(detail::make_cut(g, head)); }));
  if (cuts.size() > limit) return error(errc::limit_exceeded, "more than " + std::to_string(limit) + " cuts of up to " + std::to_string(max_tensors) + " tensors");
  detail::sort_cuts(cuts);
  return cuts;
}

/// The cut where exactly these tensors cross; {"input"} and {"none"} are the two ends (unless a tensor has that name).
/// Errors: bad_cut (unknown tensor, or the tensors do not cut the graph; the text names another tensor that crosses).
[[nodiscard]] inline result<cut> find_cut(const graph& g, std::span<const std::string> tensor_names)
{
  if (tensor_names.empty()) return error(errc::bad_cut, "no tensor is named");
  if (tensor_names.size() == 1 && !g.find(tensor_names[0])) {
    if (tensor_names[0] == "input") return input_cut(g);
    if (tensor_names[0] == "none") return end_cut(g);
  }
  std::vector<value_id> tensors;
  for (const auto& name : tensor_names) {
    const auto v = g.find(name);
    if (!v) return error(errc::bad_cut, "'" + name + "' is no tensor of the fused graph of '" + g.name() + "'");
    if (g[*v].is_constant) return error(errc::bad_cut, "'" + name + "' is a constant");
    tensors.push_back(*v);
  }
  std::sort(tensors.begin(), tensors.end());
  tensors.erase(std::unique(tensors.begin(), tensors.end()), tensors.end());
  if (tensors == detail::crossing_tensors(g, std::vector<bool>(g.nodes().size()))) return input_cut(g);
  const detail::cut_search search(g);
  if (auto head = search.smallest_head(tensors)) return detail::make_cut(g, std::move(*head));

  const auto crossing = detail::crossing_tensors(g, search.ancestors(tensors));
  std::string text;
  for (const auto& name : tensor_names) text += (text.empty() ? "" : ",") + name;
  for (const auto v : crossing)
    if (!std::binary_search(tensors.begin(), tensors.end(), v)) return error(errc::bad_cut, "cut at '" + text + "': '" + g[v].name + "' would cross as well");
  for (const auto v : tensors)
    if (!std::binary_search(crossing.begin(), crossing.end(), v)) return error(errc::bad_cut, "cut at '" + text + "': nothing behind the cut reads '" + g[v].name + "'");
  return error(errc::bad_cut, "cut at '" + text + "'");
}

/// Whether the nodes before `from` all lie before `to` too. Both are of one graph.
[[nodiscard]] inline bool lies_behind(const cut& from, const cut& to)
{
  for (std::size_t i = 0; i < from.head.size(); ++i)
    if (from.head[i] && !to.head[i]) return false;
  return true;
}

/// The first cut that lies behind both: its head is the two heads together, so each of its tensors crosses one of them.
[[nodiscard]] inline cut joined_cut(const graph& g, const cut& a, const cut& b)
{
  auto head = a.head;
  for (std::size_t i = 0; i < head.size(); ++i) head[i] = head[i] || b.head[i];
  return detail::make_cut(g, std::move(head));
}

/// "a,b"; "input" and "none" for the two ends.
[[nodiscard]] inline std::string name_of(const graph& g, const cut& c)
{
  if (c.tensors.empty()) return "none";
  if (std::find(c.head.begin(), c.head.end(), true) == c.head.end()) return "input";
  std::string text;
  for (const auto v : c.tensors) text += (text.empty() ? "" : ",") + g[v].name;
  return text;
}

/// The part before the cut. Inputs: all inputs of the graph. Outputs: the tensors of the cut in their order (one that is
/// a graph input is passed through), then the graph outputs made by the head that do not cross.
[[nodiscard]] inline graph_slice head_slice(std::shared_ptr<const graph> g, const cut& c)
{
  graph_slice s;
  for (std::size_t i = 0; i < c.head.size(); ++i)
    if (c.head[i]) s.nodes.push_back(static_cast<node_id>(i));
  s.inputs.assign(g->inputs().begin(), g->inputs().end());
  s.outputs = c.tensors;
  for (const auto v : g->outputs())
    if (c.head[index(*(*g)[v].producer)] && std::find(c.tensors.begin(), c.tensors.end(), v) == c.tensors.end()) s.outputs.push_back(v);
  s.whole = std::move(g);
  return s;
}

/// The part between two cuts; `to` lies behind `from` (contract). Inputs: the tensors of `from` in their order. Outputs: the
/// tensors of `to` in their order (one that crosses both is passed through), then the graph outputs made in between that
/// do not cross.
[[nodiscard]] inline graph_slice middle_slice(std::shared_ptr<const graph> g, const cut& from, const cut& to)
{
  NARROWS_EXPECTS(lies_behind(from, to));
  graph_slice s;
  const auto between = [&](node_id n) { return to.head[index(n)] && !from.head[index(n)]; };
  for (std::size_t i = 0; i < to.head.size(); ++i)
    if (between(static_cast<node_id>(i))) s.nodes.push_back(static_cast<node_id>(i));
  s.inputs = from.tensors;
  s.outputs = to.tensors;
  for (const auto v : g->outputs())
    if (between(*(*g)[v].producer) && std::find(to.tensors.begin(), to.tensors.end(), v) == to.tensors.end()) s.outputs.push_back(v);
  s.whole = std::move(g);
  return s;
}

/// The part behind the cut. Inputs: the tensors of the cut in their order. Outputs: the graph outputs that the head does
/// not make, in the graph's order.
[[nodiscard]] inline graph_slice tail_slice(std::shared_ptr<const graph> g, const cut& c)
{
  graph_slice s;
  for (std::size_t i = 0; i < c.head.size(); ++i)
    if (!c.head[i]) s.nodes.push_back(static_cast<node_id>(i));
  s.inputs = c.tensors;
  for (const auto v : g->outputs())
    if (!c.head[index(*(*g)[v].producer)]) s.outputs.push_back(v);
  s.whole = std::move(g);
  return s;
}

}  // namespace narrows
