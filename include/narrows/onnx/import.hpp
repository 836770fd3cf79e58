// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/onnx/detail/external_data.hpp>
#include <narrows/onnx/detail/file_bytes.hpp>
#include <narrows/onnx/detail/node_order.hpp>
#include <narrows/onnx/detail/wire_scan.hpp>
#include <narrows/onnx/import_options.hpp>
#include <narrows/onnx/op_table.hpp>
#include <narrows/onnx/sha256.hpp>

namespace narrows {

namespace detail {

/// Names in a file may hold anything; an error is one line.
inline error in_one_line(const std::string& file, error e)
{
  for (auto& ch : e.what)
    if (static_cast<unsigned char>(ch) < 0x20 || ch == 0x7F) ch = '?';
  if (e.what.size() > 600) e.what = e.what.substr(0, 600) + "...";
  e.what = e.what.empty() ? file : file + ": " + e.what;
  return e;
}

inline result<std::unique_ptr<onnx_wire::Model>> parse_model(std::span<const std::uint8_t> bytes, const import_options& how)
{
  if (bytes.size() > how.max_bytes || bytes.size() > INT32_MAX)
    return error(errc::limit_exceeded, "has " + std::to_string(bytes.size()) + " bytes, at most " + std::to_string(how.max_bytes) + " are read");
  wire_counts counts;
  NARROWS_TRY(scan_wire(bytes, wire_message::model, how.max_elements, how.max_nodes, counts));
  auto model = std::make_unique<onnx_wire::Model>();
  if (!model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return error(errc::bad_model, "not an ONNX model");
  if (!model->has_graph()) return error(errc::bad_model, "holds no graph");
  return model;
}

inline result<std::int64_t> opset_of(const onnx_wire::Model& m)
{
  for (const auto& set : m.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx") {
      if (set.version() >= 1 && set.version() <= newest_opset) return set.version();
      return error(errc::bad_model, "is of operator set " + std::to_string(set.version()) + "; 1 to " + std::to_string(newest_opset) + " are known");
    }
  if (m.opset_import_size() == 0 && m.has_ir_version() && m.ir_version() < 3) return std::int64_t{1};
  return error(errc::bad_model, "names no operator set");
}

/// A graph input: bound, fed at run time, or refused where it is read.
inline result<void> import_input(import_state& state, const onnx_wire::ValueInfo& info)
{
  const auto& name = info.name();
  if (state.tensors.count(name) != 0) return {};  // has an initializer, which is its value
  auto& slot = state.tensors[name];
  if (const auto bound = state.options.bind.find(name); bound != state.options.bind.end()) {
    slot.constant = std::make_shared<const onnx_constant>(bound->second);
    return {};
  }
  if (!info.type().has_tensor_type()) {
    slot.refused = "input '" + name + "' is no tensor";
    return {};
  }
  const auto& type = info.type().tensor_type();
  if (type.elem_type() != static_cast<int>(onnx_type::float32)) {
    slot.refused = "input '" + name + "' is " + name_of(static_cast<onnx_type>(type.elem_type())) + "; at run time narrows has float32 only";
    return {};
  }
  if (!type.has_shape()) return error(errc::unknown_op, "input '" + name + "' has no shape");
  std::vector<std::int64_t> extents;
  for (int i = 0; i < type.shape().dim_size(); ++i) {
    const auto& d = type.shape().dim(i);
    const bool known = d.has_dim_value() && d.dim_value() >= 0;
    if (!known && i > 0)
      return error(errc::unknown_op, "input '" + name + "' has an open extent '" + d.dim_param() + "' on axis " + std::to_string(i) + "; only the batch may be open");
    extents.push_back(known ? d.dim_value() : 1);
  }
  const auto dims = shape::make(extents);
  if (!dims) return error(errc::bad_shape, "input '" + name + "'");
  if (dims->elements() > state.options.max_tensor_bytes / 4)
    return error(errc::limit_exceeded, "input '" + name + "' of " + to_string(*dims) + " is larger than " + std::to_string(state.options.max_tensor_bytes) + " bytes");
  auto id = state.builder.input(name, *dims);
  if (!id) return unexpected(std::move(id).error());
  slot.id = *id;
  return {};
}

inline result<void> import_node(import_state& state, const onnx_wire::Node& n, bool live)
{
  node_context c(state, n);
  const auto* entry = find_op(n.op_type());
  if (!n.domain().empty() && n.domain() != "ai.onnx") c.refuse("operator of domain '" + n.domain() + "'");
  else if (!entry && !is_folded_op(n.op_type())) c.refuse("operator is not known");
  else if (live && !fold_node(c) && !c.failed()) {
    if (entry) entry->handle(c);
    else c.refuse("is only supported on values known before the network runs");
  }
  if (c.failed()) return c.why();
  return {};
}

inline result<value_id> import_output(import_state& state, const onnx_wire::Graph& g, const node_order& nodes, const onnx_wire::ValueInfo& info)
{
  const auto& name = info.name();
  const auto maker = nodes.maker.find(name);
  const auto it = state.tensors.find(name);
  if (it == state.tensors.end()) return error(errc::bad_graph, "output '" + name + "' is made by no node");
  const auto& slot = it->second;
  if (!slot.refused.empty()) return error(errc::unknown_op, slot.refused);
  if (slot.id && maker != nodes.maker.end() && !slot.constant) return *slot.id;
  if (!slot.constant) return error(errc::bad_graph, "output '" + name + "' is an input of the graph");
  if (slot.constant->type != onnx_type::float32) {
    const auto where = maker == nodes.maker.end() ? "" : "node " + node_label(g.node(maker->second)) + " (" + g.node(maker->second).op_type() + "): ";
    return error(errc::unknown_op, where + "output '" + name + "' is " + name_of(slot.constant->type) + "; at run time narrows has float32 only");
  }
  auto source = slot.id ? result<value_id>(*slot.id) : state.builder.constant(name + "/constant", slot.constant->floats);
  if (!source) return source;
  auto made = state.builder.add({name, "Constant", op::reshape{}, {*source}, {name}, {slot.constant->dims}, {}, {}});
  if (!made) return unexpected(std::move(made).error());
  return made->front();
}

/// The graph of a parsed model, whose weights are freed on the way, and the number of float values among them. `state`
/// then holds what became of each tensor.
inline result<std::pair<std::shared_ptr<const graph>, std::uint64_t>> import_graph(import_state& state, onnx_wire::Model& m, external_data& files)
{
  const auto& how = state.options;
  const auto opset = opset_of(m);
  if (!opset) return opset.error();
  auto& g = *m.mutable_graph();
  const auto nodes = order_nodes(g);
  if (!nodes) return nodes.error();

  state.opset = *opset;
  std::uint64_t parameters = 0;
  for (const auto& o : g.output()) state.outputs.insert(o.name());
  for (auto& t : *g.mutable_initializer()) {
    const auto tensor_name = t.name();
    const auto external = t.data_location() == 1;
    auto c = external ? files.take(t, how.max_tensor_bytes) : take_tensor(t, how.max_tensor_bytes);
    if (!c) return unexpected(std::move(c).error());
    if (c->type == onnx_type::float32) parameters += c->dims.elements();
    if (!state.count_constant(*c)) return error(errc::limit_exceeded, "the model's constants take more than " + std::to_string(how.max_constant_bytes) + " bytes");
    auto& slot = state.tensors[tensor_name];
    if (slot.constant) return error(errc::bad_graph, "two initializers are named '" + tensor_name + "'");
    if (nodes->maker.count(tensor_name) != 0) return error(errc::bad_graph, "initializer '" + tensor_name + "' is also made by a node");
    slot.constant = std::make_shared<const onnx_constant>(std::move(*c));
  }
  for (const auto& i : g.input()) {
    if (nodes->maker.count(i.name()) != 0) return error(errc::bad_graph, "input '" + i.name() + "' is also made by a node");
    NARROWS_TRY(import_input(state, i));
  }
  for (const auto i : nodes->order) NARROWS_TRY(import_node(state, g.node(i), nodes->live[static_cast<std::size_t>(i)]));
  std::vector<value_id> outputs;
  for (const auto& o : g.output()) {
    auto v = import_output(state, g, *nodes, o);
    if (!v) return unexpected(std::move(v).error());
    outputs.push_back(*v);
  }
  auto built = state.builder.finish(outputs);
  if (!built) return unexpected(std::move(built).error());
  return std::pair(std::move(*built), parameters);
}

inline result<model> import_bytes(const std::string& name, std::vector<std::uint8_t>* owned, std::span<const std::uint8_t> bytes,
  const std::filesystem::path& folder, const import_options& how)
{
  auto parsed = parse_model(bytes, how);
  if (!parsed) return in_one_line(name, std::move(parsed).error());
  sha256 hash;
  hash.update(bytes);
  if (owned) std::vector<std::uint8_t>().swap(*owned);
  external_data files(folder, how.allow_external_data);
  auto built = [&] {
    import_state state(name, how);  // holds every unfused weight; gone before the fusion
    return import_graph(state, **parsed, files);
  }();
  parsed->reset();
  if (!built) return in_one_line(name, std::move(built).error());
  if (auto hashed = files.hash_into(hash); !hashed) return in_one_line(name, hashed.error());
  auto network = std::move(built->first);
  if (how.fuse) {
    auto fused = fuse(*network);
    if (!fused) return in_one_line(name, std::move(fused).error());
    network = std::move(*fused);
  }
  return model{name, to_hex(hash.finish()), std::move(network), built->second};
}

}  // namespace detail

/// Reads an ONNX model given as bytes.
///
/// The graph has static shapes: an open batch counts 1, other open extents are refused. Shape arithmetic and constants
/// rearranged in the graph are folded. Everything that runs is float32; other element types are allowed where they are
/// known beforehand (axes, shapes). Graph inputs without initializer stay inputs, whatever they are used for.
///
/// Errors   limit_exceeded; truncated, corrupt, bad_model (not an ONNX model); bad_graph (cycle, dangling or double
///          names); unknown_op (operator, form of it or element type that narrows lacks); bad_node, bad_shape (the model
///          contradicts itself). The text is one line: model, node, operator, cause.
/// Source   onnx.ai, "Operators" and "Intermediate Representation", operator sets 1 to 21.
inline result<model> import_onnx(std::string name, std::span<const std::uint8_t> bytes, const import_options& how = {})
{
  return detail::import_bytes(name, nullptr, bytes, {}, how);
}

/// Reads an ONNX file; the model's name is the file's. The file's bytes are freed before the weights are laid out.
/// Errors: as import_onnx; io_error.
inline result<model> load_onnx(const std::filesystem::path& file, const import_options& how = {})
{
  auto bytes = detail::read_file(file, how.max_bytes);
  if (!bytes) return unexpected(std::move(bytes).error());
  auto folder = file.parent_path();
  return detail::import_bytes(file.filename().string(), &*bytes, *bytes, folder.empty() ? "." : folder, how);
}

}  // namespace narrows
