// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/graph/op.hpp>

namespace narrows {

enum class value_id : std::uint32_t {};
enum class node_id : std::uint32_t {};
[[nodiscard]] constexpr std::size_t index(value_id v) noexcept { return static_cast<std::size_t>(v); }
[[nodiscard]] constexpr std::size_t index(node_id n) noexcept { return static_cast<std::size_t>(n); }

/// A tensor of a graph: an input, a constant, or an output of one node. The shape is static.
struct value {
  std::string name;
  shape dims;
  std::optional<node_id> producer;             ///< none for inputs and constants
  std::shared_ptr<const tensor> constant;      ///< values of weights; null for all else and where only the shape is known
  std::vector<node_id> consumers;              ///< ascending, each once
  bool is_constant = false;                    ///< weights, whether their values are there or not
};

/// One step of the network: an operator, then an activation on its first output (identity where none was fused).
struct node {
  std::string name;
  std::string type;                            ///< operator's name in the source model, for people ("Conv")
  any_op operation;
  op::unary activation;
  std::vector<value_id> inputs;                ///< optional ones left out at the end
  std::vector<value_id> outputs;
  std::vector<std::string> fused;              ///< names of the source nodes merged into this one, itself left out
};

/// An immutable network: nodes in an order in which each comes after what it reads. Made by `graph_builder`.
class graph {
public:
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::span<const node> nodes() const noexcept { return nodes_; }
  [[nodiscard]] std::span<const value> values() const noexcept { return values_; }
  [[nodiscard]] const node& operator[](node_id n) const noexcept { NARROWS_EXPECTS(index(n) < nodes_.size()); return nodes_[index(n)]; }
  [[nodiscard]] const value& operator[](value_id v) const noexcept { NARROWS_EXPECTS(index(v) < values_.size()); return values_[index(v)]; }
  /// Values fed from outside, in the model's order; constants are not among them.
  [[nodiscard]] std::span<const value_id> inputs() const noexcept { return inputs_; }
  [[nodiscard]] std::span<const value_id> outputs() const noexcept { return outputs_; }
  [[nodiscard]] std::optional<value_id> find(std::string_view value_name) const
  {
    const auto it = by_name_.find(value_name);
    return it == by_name_.end() ? std::nullopt : std::optional(it->second);
  }

private:
  friend class graph_builder;
  graph() = default;

  std::string name_;
  std::vector<node> nodes_;
  std::vector<value> values_;
  std::vector<value_id> inputs_;
  std::vector<value_id> outputs_;
  std::map<std::string, value_id, std::less<>> by_name_;
};

/// A part of a graph that runs on its own: `nodes` ascending; every value they read is a constant, made by one of
/// them, or among `inputs`. A whole graph, the head or the tail of a cut.
struct graph_slice {
  std::shared_ptr<const graph> whole;
  std::vector<node_id> nodes;
  std::vector<value_id> inputs;
  std::vector<value_id> outputs;
};

/// All of a graph as a slice.
[[nodiscard]] inline graph_slice whole_slice(std::shared_ptr<const graph> g)
{
  graph_slice s;
  s.whole = std::move(g);
  for (std::size_t i = 0; i < s.whole->nodes().size(); ++i) s.nodes.push_back(static_cast<node_id>(i));
  s.inputs.assign(s.whole->inputs().begin(), s.whole->inputs().end());
  s.outputs.assign(s.whole->outputs().begin(), s.whole->outputs().end());
  return s;
}

}  // namespace narrows
