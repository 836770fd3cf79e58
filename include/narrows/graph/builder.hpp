// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/op_names.hpp>
#include <narrows/graph/shape_inference.hpp>

namespace narrows {

/// What `graph_builder::add` needs to know of a node.
struct node_description {
  std::string name;                  ///< for messages; empty: the first output's name
  std::string type;                  ///< operator's name in the source model; empty: ours
  any_op operation;
  std::vector<value_id> inputs;
  std::vector<std::string> outputs;  ///< one name per output
  std::vector<shape> shapes{};       ///< as `stated` of infer_shapes
  op::unary activation{};
  std::vector<std::string> fused{};
};

/// Builds a graph node by node. Each node reads only what is already there, so a cycle cannot be written down; the
/// first node that is wrong is named in the error, and nothing is added for it.
class graph_builder {
public:
  explicit graph_builder(std::string name) : graph_(new graph) { graph_->name_ = std::move(name); }
  /// Goes on from a copy of `g`, whose weights are shared; tensors and nodes keep their ids.
  explicit graph_builder(const graph& g) : graph_(new graph(g)) {}

  /// A tensor fed from outside. Errors: bad_graph (name empty or taken).
  result<value_id> input(std::string name, const shape& dims)
  {
    auto id = add_value(std::move(name), dims);
    if (id) graph_->inputs_.push_back(*id);
    return id;
  }

  /// Weights; shared, not copied. Errors: bad_graph (name empty or taken, no tensor).
  result<value_id> constant(std::string name, std::shared_ptr<const tensor> values)
  {
    if (!values) return error(errc::bad_graph, "constant '" + name + "' has no values");
    auto id = constant(std::move(name), values->dims());
    if (id) graph_->values_[index(*id)].constant = std::move(values);
    return id;
  }
  result<value_id> constant(std::string name, tensor values)
  {
    return constant(std::move(name), std::make_shared<const tensor>(std::move(values)));
  }
  /// Weights known by shape alone: enough for shapes, costs, cuts and fusing; an executor refuses them.
  result<value_id> constant(std::string name, const shape& dims)
  {
    auto id = add_value(std::move(name), dims);
    if (id) graph_->values_[index(*id)].is_constant = true;
    return id;
  }
  /// Gives weights known by shape alone their values. Errors: bad_graph (no such weights, another shape).
  result<void> fill(value_id v, tensor values)
  {
    if (index(v) >= graph_->values_.size() || !graph_->values_[index(v)].is_constant || graph_->values_[index(v)].constant)
      return error(errc::bad_graph, "a tensor to be filled is not a constant without values");
    auto& at = graph_->values_[index(v)];
    if (values.dims() != at.dims) return error(errc::bad_graph, "constant '" + at.name + "' is " + to_string(at.dims) + ", its values are " + to_string(values.dims()));
    at.constant = std::make_shared<const tensor>(std::move(values));
    return {};
  }

  /// Adds a node and gives its outputs. Errors: those of infer_shapes, bad_graph (unknown input, name taken).
  result<std::vector<value_id>> add(node_description what)
  {
    if (what.name.empty() && !what.outputs.empty()) what.name = what.outputs.front();
    if (what.type.empty()) what.type = name_of(what.operation);
    const auto fail = [&](error e) {
      e.what = "node '" + what.name + "' (" + what.type + "): " + e.what;
      return e;
    };
    std::vector<shape> in;
    for (const auto v : what.inputs) {
      if (index(v) >= graph_->values_.size()) return fail({errc::bad_graph, "reads a tensor that is not there"});
      in.push_back(graph_->values_[index(v)].dims);
    }
    auto out = infer_shapes(what.operation, in, what.shapes);
    if (!out) return fail(std::move(out).error());
    if (out->size() != what.outputs.size())
      return fail({errc::bad_node, "has " + std::to_string(out->size()) + " outputs, " + std::to_string(what.outputs.size()) + " are named"});
    for (std::size_t i = 0; i < what.outputs.size(); ++i) {
      const auto& name = what.outputs[i];
      if (name.empty()) return fail({errc::bad_graph, "an output has no name"});
      if (graph_->find(name) || std::find(what.outputs.begin(), what.outputs.begin() + static_cast<std::ptrdiff_t>(i), name) != what.outputs.begin() + static_cast<std::ptrdiff_t>(i))
        return fail({errc::bad_graph, "output '" + name + "' is the name of another tensor"});
    }

    const auto id = static_cast<node_id>(graph_->nodes_.size());
    std::vector<value_id> outputs;
    for (std::size_t i = 0; i < out->size(); ++i) {
      auto v = add_value(what.outputs[i], (*out)[i]);
      if (!v) return fail(std::move(v).error());
      graph_->values_[index(*v)].producer = id;
      outputs.push_back(*v);
    }
    for (const auto v : what.inputs)
      if (auto& readers = graph_->values_[index(v)].consumers; readers.empty() || readers.back() != id) readers.push_back(id);
    graph_->nodes_.push_back({std::move(what.name), std::move(what.type), std::move(what.operation), what.activation,
      std::move(what.inputs), outputs, std::move(what.fused)});
    return outputs;
  }

  /// A tensor added before, by name.
  [[nodiscard]] std::optional<value_id> find(std::string_view name) const { return graph_->find(name); }
  /// Shape of a tensor added before.
  [[nodiscard]] const shape& dims(value_id v) const { return (*graph_)[v].dims; }

  /// Closes the graph; the builder is spent. Errors: bad_graph (no outputs, an output twice, or one that no node makes).
  result<std::shared_ptr<const graph>> finish(std::span<const value_id> outputs)
  {
    if (outputs.empty()) return error(errc::bad_graph, "graph '" + graph_->name_ + "' has no outputs");
    for (const auto v : outputs) {
      if (index(v) >= graph_->values_.size()) return error(errc::bad_graph, "an output is not a tensor of the graph");
      const auto& known = graph_->values_[index(v)];
      if (!known.producer) return error(errc::bad_graph, "output '" + known.name + "' is not made by a node");
      if (std::count(outputs.begin(), outputs.end(), v) > 1) return error(errc::bad_graph, "output '" + known.name + "' is listed twice");
    }
    graph_->outputs_.assign(outputs.begin(), outputs.end());
    return std::shared_ptr<const graph>(std::move(graph_));
  }
  result<std::shared_ptr<const graph>> finish(std::initializer_list<value_id> outputs)
  {
    return finish(std::span(outputs.begin(), outputs.size()));
  }

private:
  result<value_id> add_value(std::string name, const shape& dims)
  {
    if (name.empty()) return error(errc::bad_graph, "a tensor has no name");
    const auto id = static_cast<value_id>(graph_->values_.size());
    if (!graph_->by_name_.emplace(name, id).second) return error(errc::bad_graph, "two tensors are named '" + name + "'");
    graph_->values_.push_back({std::move(name), dims, {}, {}, {}});
    return id;
  }

  std::unique_ptr<graph> graph_;
};

}  // namespace narrows
