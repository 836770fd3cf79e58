// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/op_names.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/version.hpp>

#include "command.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

struct inspect_options {
  std::string model;
  output_format format = output_format::table;
  bool dot = false;
  int tensors = 1;
  std::size_t limit = 10000;
};

std::uint64_t bytes_at(const graph& g, const cut& c, int bits)
{
  std::uint64_t bytes = 0;
  for (const auto v : c.tensors) bytes += packed_bytes(g[v].dims.elements(), bits);
  return bytes;
}

std::string output_shapes(const graph& g, const node& n)
{
  std::string text;
  for (const auto v : n.outputs) {
    if (!text.empty()) text += ' ';
    text += to_string(g[v].dims);
  }
  return text;
}

std::string type_text(const node& n)
{
  auto text = n.type;
  if (n.activation.kind != op::unary::kind::identity && n.type != name_of(n.activation.kind)) text += "+" + std::string(name_of(n.activation.kind));
  return text;
}

std::string crossing_text(const graph& g, const cut& c)
{
  if (c.tensors.empty()) return "";
  std::string text;
  for (const auto v : c.tensors) {
    if (!text.empty()) text += " + ";
    text += to_string(g[v].dims);
  }
  return text;
}

json inspect_json(const model& m, const std::vector<cut>& cuts)
{
  const auto& g = *m.network;
  json all{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(m)}};
  const auto tensor_json = [&](value_id v) { return json{{"name", g[v].name}, {"shape", g[v].dims.dims()}}; };
  const auto list = [&](auto&& ids) {
    auto out = json::array();
    for (const auto v : ids) out.push_back(tensor_json(v));
    return out;
  };
  all["inputs"] = list(g.inputs());
  all["outputs"] = list(g.outputs());
  auto nodes = json::array();
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const auto& n = g.nodes()[i];
    auto inputs = json::array();
    for (const auto v : n.inputs)
      if (!g[v].is_constant) inputs.push_back(g[v].name);
    nodes.push_back({{"name", n.name}, {"type", n.type}, {"activation", name_of(n.activation.kind)}, {"inputs", std::move(inputs)},
      {"outputs", list(n.outputs)}, {"macs", multiply_adds(g, static_cast<node_id>(i))}, {"fused", n.fused}});
  }
  all["nodes"] = std::move(nodes);
  all["macs"] = multiply_adds(g);
  all["parameters"] = parameters(g);
  auto cut_list = json::array();
  for (const auto& c : cuts) {
    json bytes;
    for (int b = min_width; b <= max_width; ++b) bytes[std::to_string(b)] = bytes_at(g, c, b);
    bytes["float32"] = float32_bytes(g, c);
    cut_list.push_back({{"name", name_of(g, c)}, {"tensors", list(c.tensors)}, {"macs_head", c.macs_head}, {"bytes", std::move(bytes)}});
  }
  all["cuts"] = std::move(cut_list);
  return all;
}

std::string dot_text(std::string_view text)
{
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + '"';
}

// Graphviz: nodes as boxes, tensors as arrows with their shapes; those that make a cut on their own are bold.
void print_dot(const graph& g, const std::vector<cut>& cuts)
{
  std::vector<bool> is_cut(g.values().size());
  for (const auto& c : cuts)
    if (c.tensors.size() == 1) is_cut[index(c.tensors[0])] = true;
  fmt::print("digraph {} {{\n  rankdir=TB;\n  node [shape=box, fontname=\"Helvetica\"];\n  edge [fontname=\"Helvetica\", fontsize=10];\n", dot_text(g.name()));
  for (const auto v : g.inputs()) fmt::print("  v{} [shape=oval, label={}];\n", index(v), dot_text(g[v].name));
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const auto& n = g.nodes()[i];
    fmt::print("  n{} [label={}];\n", i, dot_text(fmt::format("{}  {}  {} MAC", n.name, type_text(n), count_text(static_cast<double>(multiply_adds(g, static_cast<node_id>(i)))))));
  }
  const auto edge = [&](const std::string& from, const std::string& to, value_id v) {
    fmt::print("  {} -> {} [label={}{}];\n", from, to, dot_text(to_string(g[v].dims)), is_cut[index(v)] ? ", style=bold" : "");
  };
  for (std::size_t i = 0; i < g.nodes().size(); ++i)
    for (const auto v : g.nodes()[i].inputs)
      if (!g[v].is_constant) edge(g[v].producer ? fmt::format("n{}", index(*g[v].producer)) : fmt::format("v{}", index(v)), fmt::format("n{}", i), v);
  for (const auto v : g.outputs()) {
    fmt::print("  out{} [shape=oval, label={}];\n", index(v), dot_text(g[v].name));
    if (g[v].producer) edge(fmt::format("n{}", index(*g[v].producer)), fmt::format("out{}", index(v)), v);
  }
  fmt::print("}}\n");
}

void print_table(const model& m, const std::vector<cut>& cuts)
{
  const auto& g = *m.network;
  using enum table::align;
  const auto macs = static_cast<double>(std::max<std::uint64_t>(1, multiply_adds(g)));
  fmt::print("{}   {} nodes, {} parameters, {} multiply-adds{}\n", bold(m.name), g.nodes().size(), count_text(static_cast<double>(parameters(g))),
    count_text(static_cast<double>(multiply_adds(g))), m.hash.empty() ? "" : "   sha256 " + m.hash.substr(0, 12));
  for (const auto v : g.inputs()) fmt::print("input    {}  {}\n", g[v].name, to_string(g[v].dims));
  for (const auto v : g.outputs()) fmt::print("output   {}  {}\n", g[v].name, to_string(g[v].dims));
  fmt::print("\n");
  table nodes({{"NODE", left}, {"TYPE", left}, {"OUTPUT", left}, {"MAC"}});
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const auto& n = g.nodes()[i];
    nodes.row({shortened(n.name, 44), type_text(n), output_shapes(g, n), count_text(static_cast<double>(multiply_adds(g, static_cast<node_id>(i))))});
  }
  nodes.print();
  fmt::print("\n");
  table list({{"CUT AT", left}, {"TENSOR", left}, {"HEAD MAC"}, {"8 BIT"}, {"4 BIT"}, {"2 BIT"}, {"FLOAT32"}});
  for (const auto& c : cuts) {
    const auto at = [&](int b) { return c.tensors.empty() ? std::string("-") : bytes_text(static_cast<double>(bytes_at(g, c, b))); };
    list.row({shortened(name_of(g, c), 44), crossing_text(g, c), fmt::format("{:.1f} %", 100 * static_cast<double>(c.macs_head) / macs), at(8), at(4), at(2),
      c.tensors.empty() ? "-" : bytes_text(static_cast<double>(float32_bytes(g, c)))});
  }
  list.print();
  fmt::print("\n{} cuts of up to {} tensor{}; input and none are the two ends. -o json lists every width.\n", cuts.size(),
    std::max<std::size_t>(1, std::max_element(cuts.begin(), cuts.end(), [](const cut& a, const cut& b) { return a.tensors.size() < b.tensors.size(); })->tensors.size()),
    std::any_of(cuts.begin(), cuts.end(), [](const cut& c) { return c.tensors.size() > 1; }) ? "s" : "");
}

exit_code inspect(const inspect_options& options)
{
  auto m = open_model(options.model, zoo_weights::shapes);
  if (!m) return report(m.error());
  const auto& g = *m->network;
  std::vector<cut> cuts;
  if (options.tensors == 1) {
    cuts = single_tensor_cuts(g);
  } else {
    auto found = enumerate_cuts(g, options.tensors, options.limit);
    if (!found) return report(found.error(), "lower --tensors or raise --cut-limit");
    cuts = std::move(found).value();
  }
  if (options.dot) {
    print_dot(g, cuts);
    return exit_code::ok;
  }
  switch (options.format) {
  case output_format::table: print_table(*m, cuts); break;
  case output_format::json: fmt::print("{}\n", inspect_json(*m, cuts).dump(2, ' ', false, json::error_handler_t::replace)); break;
  case output_format::csv: {
    std::vector<std::string> head{"cut", "tensors", "shapes", "macs_head"};
    for (int b = min_width; b <= max_width; ++b) head.push_back(fmt::format("bytes_{}", b));
    head.push_back("bytes_float32");
    csv_line(head);
    for (const auto& c : cuts) {
      std::vector<std::string> row{name_of(g, c), fmt::format("{}", c.tensors.size()), crossing_text(g, c), fmt::format("{}", c.macs_head)};
      for (int b = min_width; b <= max_width; ++b) row.push_back(fmt::format("{}", bytes_at(g, c, b)));
      row.push_back(fmt::format("{}", float32_bytes(g, c)));
      csv_line(row);
    }
    break;
  }
  }
  return exit_code::ok;
}

}  // namespace

void add_inspect(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<inspect_options>();
  auto* app = add_command(program, chosen, "inspect", "List a network's nodes, shapes and costs, and every place to cut it", options, inspect);
  add_model(*app, options->model);
  add_output(*app, options->format);
  app->add_flag("--dot", options->dot, "print the graph for Graphviz instead; bold arrows are cuts of one tensor");
  app->add_option("--tensors", options->tensors, "list cuts of up to N crossing tensors")->check(CLI::Range(1, 8))->type_name("N")->capture_default_str();
  app->add_option("--cut-limit", options->limit, "give up beyond so many cuts")->type_name("N")->capture_default_str();
}

}  // namespace narrows::tool
