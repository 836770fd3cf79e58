// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/op_names.hpp>

namespace narrows {

namespace detail {

inline std::string dot_text(std::string_view s)
{
  std::string out;
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return out;
}

}  // namespace detail

/// The network as a Graphviz picture (`dot -Tsvg`): a box per node with its operator, activation and multiply-adds, an
/// arrow per tensor with its name and shape. Weights are left out.
[[nodiscard]] inline std::string to_dot(const graph& g)
{
  const auto value_line = [&](value_id v) { return detail::dot_text(g[v].name) + "\\n" + to_string(g[v].dims); };
  std::string out = "digraph \"" + detail::dot_text(g.name()) + "\" {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (const auto v : g.inputs())
    out += "  v" + std::to_string(index(v)) + " [shape=oval, label=\"" + value_line(v) + "\"];\n";
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const auto& n = g.nodes()[i];
    auto label = std::string(name_of(n.operation));
    if (n.activation.kind != op::unary::kind::identity) label += " + " + std::string(name_of(n.activation.kind));
    if (const auto macs = multiply_adds(g, static_cast<node_id>(i)); macs != 0) label += "\\n" + std::to_string(macs) + " multiply-adds";
    out += "  n" + std::to_string(i) + " [label=\"" + detail::dot_text(n.name) + "\\n" + label + "\"];\n";
  }
  const auto source = [&](value_id v) {
    const auto& at = g[v];
    return at.producer ? "n" + std::to_string(index(*at.producer)) : "v" + std::to_string(index(v));
  };
  for (std::size_t i = 0; i < g.values().size(); ++i) {
    const auto& v = g.values()[i];
    if (v.is_constant) continue;
    for (const auto reader : v.consumers)
      out += "  " + source(static_cast<value_id>(i)) + " -> n" + std::to_string(index(reader)) + " [label=\"" + value_line(static_cast<value_id>(i)) + "\"];\n";
  }
  for (const auto v : g.outputs()) {
    const auto end = "o" + std::to_string(index(v));
    out += "  " + end + " [shape=oval, label=\"" + value_line(v) + "\"];\n  " + source(v) + " -> " + end + ";\n";
  }
  return out + "}\n";
}

}  // namespace narrows
