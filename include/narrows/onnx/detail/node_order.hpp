// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <functional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/onnx/onnx.pb.h>

/// The order in which a file's nodes are imported.
namespace narrows::detail {

inline std::string node_label(const onnx_wire::Node& n)
{
  return "'" + (!n.name().empty() ? n.name() : n.output_size() > 0 ? n.output(0) : std::string("unnamed")) + "'";
}

struct node_order {
  std::vector<int> order;                             ///< each node after those it reads; the file's order where that leaves a choice
  std::vector<bool> live;                             ///< does an output of the graph depend on it?
  std::unordered_map<std::string, int> maker;         ///< of each tensor
};

/// Errors: bad_graph (a tensor made twice, or a cycle, whose nodes are named).
inline result<node_order> order_nodes(const onnx_wire::Graph& g)
{
  node_order out;
  const auto count = static_cast<std::size_t>(g.node_size());
  for (int i = 0; i < g.node_size(); ++i)
    for (const auto& name : g.node(i).output())
      if (!name.empty() && !out.maker.emplace(name, i).second) return error(errc::bad_graph, "tensor '" + name + "' is made twice");

  std::vector<std::vector<int>> readers(count);
  std::vector<int> waiting(count);
  for (int i = 0; i < g.node_size(); ++i)
    for (const auto& name : g.node(i).input())
      if (const auto it = out.maker.find(name); it != out.maker.end()) {
        readers[static_cast<std::size_t>(it->second)].push_back(i);
        ++waiting[static_cast<std::size_t>(i)];
      }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < g.node_size(); ++i)
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
  while (!ready.empty()) {
    const auto i = ready.top();
    ready.pop();
    out.order.push_back(i);
    for (const auto r : readers[static_cast<std::size_t>(i)])
      if (--waiting[static_cast<std::size_t>(r)] == 0) ready.push(r);
  }
  if (out.order.size() != count) {
    // Going backwards from a node that waits, along nodes that wait, must come round.
    int at = 0;
    while (waiting[static_cast<std::size_t>(at)] == 0) ++at;
    std::vector<int> path;
    std::vector<int> seen(count, -1);
    while (seen[static_cast<std::size_t>(at)] < 0) {
      seen[static_cast<std::size_t>(at)] = static_cast<int>(path.size());
      path.push_back(at);
      for (const auto& name : g.node(at).input())
        if (const auto it = out.maker.find(name); it != out.maker.end() && waiting[static_cast<std::size_t>(it->second)] > 0) {
          at = it->second;
          break;
        }
    }
    const auto first = static_cast<std::size_t>(seen[static_cast<std::size_t>(at)]);
    std::string text = node_label(g.node(at));
    for (std::size_t i = path.size(); i-- > first;) {
      if (path.size() - i > 8 && i > first) continue;  // long cycles: the ends are enough
      text += " -> " + node_label(g.node(path[i]));
    }
    return error(errc::bad_graph, "nodes form a cycle: " + text);
  }

  out.live.assign(count, false);
  std::vector<int> pending;
  const auto need = [&](const std::string& name) {
    if (const auto it = out.maker.find(name); it != out.maker.end() && !out.live[static_cast<std::size_t>(it->second)]) {
      out.live[static_cast<std::size_t>(it->second)] = true;
      pending.push_back(it->second);
    }
  };
  for (const auto& o : g.output()) need(o.name());
  while (!pending.empty()) {
    const auto i = pending.back();
    pending.pop_back();
    for (const auto& name : g.node(i).input()) need(name);
  }
  return out;
}

}  // namespace narrows::detail
