// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/onnx/import.hpp>

namespace narrows {

/// Two ONNX files that together are the model they were cut from.
struct split_files {
  std::vector<std::uint8_t> head, tail;
};

namespace detail {

/// Picks the nodes of one side out of a model and closes the gaps with inputs, outputs and weights.
class model_part {
public:
  /// `network` is the imported graph, whose shapes describe the cut.
  model_part(const onnx_wire::Model& whole, const node_order& nodes, const import_state& state, const graph& network)
    : whole_(whole), nodes_(nodes), state_(state), network_(network)
  {
    const auto& g = whole.graph();
    for (const auto& t : g.initializer()) initializer_.insert(t.name());
    // Which tensors depend on what the graph is fed?
    for (const auto& i : g.input())
      if (initializer_.count(i.name()) == 0) fed_.insert(i.name());
    for (const auto i : nodes.order) {
      const auto& n = g.node(i);
      if (std::any_of(n.input().begin(), n.input().end(), [&](const auto& name) { return fed_.count(name) != 0; }))
        fed_.insert(n.output().begin(), n.output().end());
    }
  }

  /// The part that makes `outputs`, given `stops` (tensors that come from outside).
  result<onnx_wire::Model> make(const std::vector<std::string>& outputs, const std::vector<std::string>& stops)
  {
    const auto& g = whole_.graph();
    std::vector<bool> taken(static_cast<std::size_t>(g.node_size()));
    std::unordered_set<std::string> reached;
    std::vector<std::string> pending, inputs, weights, folded;
    const auto need = [&](const std::string& name) {
      if (!name.empty() && reached.insert(name).second) pending.push_back(name);
    };
    for (const auto& o : outputs) need(o);
    while (!pending.empty()) {
      const auto name = std::move(pending.back());
      pending.pop_back();
      if (std::find(stops.begin(), stops.end(), name) != stops.end()) continue;
      const auto maker = nodes_.maker.find(name);
      if (maker == nodes_.maker.end()) {
        (initializer_.count(name) != 0 ? weights : inputs).push_back(name);
        continue;
      }
      // A shape taken from a tensor of the other side is a constant here.
      const auto slot = state_.tensors.find(name);
      if (!stops.empty() && fed_.count(name) != 0 && slot != state_.tensors.end() && slot->second.constant) {
        folded.push_back(name);
        continue;
      }
      taken[static_cast<std::size_t>(maker->second)] = true;
      for (const auto& read : g.node(maker->second).input()) need(read);
    }

    onnx_wire::Model part = shell();
    auto& out = *part.mutable_graph();
    for (int i = 0; i < g.node_size(); ++i)
      if (taken[static_cast<std::size_t>(i)]) *out.add_node() = g.node(i);
    for (const auto& t : g.initializer())
      if (reached.count(t.name()) != 0) *out.add_initializer() = t;
    for (const auto& name : folded) NARROWS_TRY(add_constant(out, name));
    for (const auto& i : g.input()) {
      const bool own = std::find(inputs.begin(), inputs.end(), i.name()) != inputs.end();
      const bool weight = std::find(weights.begin(), weights.end(), i.name()) != weights.end();
      if (own || weight) *out.add_input() = i;
    }
    for (const auto& s : stops)
      if (reached.count(s) != 0) NARROWS_TRY(describe(*out.add_input(), s));
    for (const auto& o : outputs) NARROWS_TRY(describe(*out.add_output(), o));
    for (const auto& v : g.value_info())
      if (reached.count(v.name()) != 0 && std::find(stops.begin(), stops.end(), v.name()) == stops.end() &&
          std::find(outputs.begin(), outputs.end(), v.name()) == outputs.end() && std::find(folded.begin(), folded.end(), v.name()) == folded.end())
        *out.add_value_info() = v;
    return part;
  }

private:
  /// Everything but nodes, tensors and their descriptions: versions, names, metadata, fields this program does not know.
  onnx_wire::Model shell() const
  {
    onnx_wire::Model m;
    if (whole_.has_ir_version()) m.set_ir_version(whole_.ir_version());
    *m.mutable_opset_import() = whole_.opset_import();
    *m.mutable_unknown_fields() = whole_.unknown_fields();
    if (whole_.graph().has_name()) m.mutable_graph()->set_name(whole_.graph().name());
    *m.mutable_graph()->mutable_unknown_fields() = whole_.graph().unknown_fields();
    return m;
  }

  /// Name, type and static shape of a tensor that runs. What the file says of an output of its own is kept.
  result<void> describe(onnx_wire::ValueInfo& out, const std::string& name) const
  {
    for (const auto* list : {&whole_.graph().input(), &whole_.graph().output()})
      for (const auto& v : *list)
        if (v.name() == name) {
          out = v;
          return {};
        }
    const auto slot = state_.tensors.find(name);
    if (slot == state_.tensors.end() || !slot->second.id) return error(errc::bad_cut, "'" + name + "' does not exist when the network runs");
    out.set_name(name);
    auto& type = *out.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int>(onnx_type::float32));
    auto& dims = *type.mutable_shape();
    for (const auto e : network_[*slot->second.id].dims.dims()) dims.add_dim()->set_dim_value(e);
    return {};
  }

  result<void> add_constant(onnx_wire::Graph& out, const std::string& name) const
  {
    const auto& c = *state_.tensors.at(name).constant;
    auto& t = *out.add_initializer();
    t.set_name(name);
    t.set_data_type(static_cast<int>(c.type));
    for (const auto e : c.dims.dims()) t.add_dims(e);
    if (c.type == onnx_type::float32) {
      const auto v = c.floats->values();
      t.set_raw_data(v.data(), v.size_bytes());
    } else if (c.type == onnx_type::int64) {
      for (const auto v : c.integers) t.add_int64_data(v);
    } else if (c.type == onnx_type::uint64 || c.type == onnx_type::uint32) {
      for (const auto v : c.integers) t.add_uint64_data(static_cast<std::uint64_t>(v));
    } else if (is_integer(c.type)) {
      for (const auto v : c.integers) t.add_int32_data(static_cast<std::int32_t>(v));
    } else if (c.type == onnx_type::float64) {
      for (const auto v : c.doubles) t.add_double_data(v);
    } else {
      return error(errc::unknown_op, "constant '" + name + "' is " + name_of(c.type));
    }
    return {};
  }

  const onnx_wire::Model& whole_;
  const node_order& nodes_;
  const import_state& state_;
  const graph& network_;
  std::unordered_set<std::string> initializer_;
  std::unordered_set<std::string> fed_;
};

inline result<std::vector<std::uint8_t>> serialise(const onnx_wire::Model& m)
{
  std::vector<std::uint8_t> bytes(m.ByteSizeLong());
  if (bytes.size() > INT32_MAX || !m.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()))) return error(errc::limit_exceeded, "part has 2 GiB or more");
  return bytes;
}

}  // namespace detail

/// Cuts an ONNX model at the named tensors into two models that any engine can run: the head gives those tensors (and
/// the outputs that do not depend on them), the tail takes them.
///
/// Shapes   the new inputs and outputs are float32 with the static shapes of the import (an open batch is 1).
/// Kept     nodes as they are, only those needed; versions, metadata and unknown fields. A shape that the tail takes
///          from a tensor of the head becomes a constant.
/// Errors   those of import_onnx, which the whole model must pass; bad_cut (unknown tensor, something else would cross,
///          or the cut is at the input or at the end and leaves one part empty).
inline result<split_files> split_onnx(std::span<const std::uint8_t> model_bytes, std::span<const std::string> tensors, const import_options& how = {})
{
  auto whole = detail::parse_model(model_bytes, how);
  auto spent = detail::parse_model(model_bytes, how);  // the import frees weights as it goes
  if (!whole || !spent) return whole.error();
  const auto order = detail::order_nodes((*whole)->graph());
  if (!order) return order.error();
  detail::external_data files({}, false);
  detail::import_state state("model", how);
  auto built = detail::import_graph(state, **spent, files);
  if (!built) return unexpected(std::move(built).error());
  spent->reset();
  const auto& network = *built->first;

  const auto at = find_cut(network, tensors);
  if (!at) return at.error();
  if (std::find(at->head.begin(), at->head.end(), true) == at->head.end()) return error(errc::bad_cut, "a cut at the input leaves nothing for the head");
  std::vector<std::string> stops, head_outputs, tail_outputs;
  for (const auto v : at->tensors) {
    stops.push_back(network[v].name);
    if (network[v].producer) head_outputs.push_back(network[v].name);
  }
  for (const auto v : network.outputs()) {
    const auto& name = network[v].name;
    if (!at->head[index(*network[v].producer)]) tail_outputs.push_back(name);
    else if (std::find(head_outputs.begin(), head_outputs.end(), name) == head_outputs.end()) head_outputs.push_back(name);
  }
  if (tail_outputs.empty()) return error(errc::bad_cut, "a cut at the end leaves nothing for the tail");
  for (const auto& name : stops)
    if (order->maker.count(name) == 0 && !std::any_of((*whole)->graph().input().begin(), (*whole)->graph().input().end(), [&](const auto& i) { return i.name() == name; }))
      return error(errc::bad_cut, "'" + name + "' is no tensor of the file");

  detail::model_part part(**whole, *order, state, network);
  auto head = part.make(head_outputs, {});
  if (!head) return unexpected(std::move(head).error());
  auto tail = part.make(tail_outputs, stops);
  if (!tail) return unexpected(std::move(tail).error());
  auto head_bytes = detail::serialise(*head), tail_bytes = detail::serialise(*tail);
  if (!head_bytes || !tail_bytes) return (head_bytes ? tail_bytes : head_bytes).error();
  return split_files{std::move(*head_bytes), std::move(*tail_bytes)};
}

}  // namespace narrows
