// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {

namespace detail {

/// Which nodes become one, by node index. The last node of a group gives the outputs, the first one the work.
struct fusion_plan {
  std::vector<std::optional<node_id>> batch_norm;  ///< folded into the convolution at this index
  std::vector<std::optional<node_id>> activation;  ///< applied by the node at this index
  std::vector<bool> absorbed;
};

/// The only reader of a value that nobody else sees: no graph output, read once, by one node.
inline std::optional<node_id> only_reader(const graph& g, value_id v)
{
  const auto& at = g[v];
  if (at.consumers.size() != 1 || std::count(g.outputs().begin(), g.outputs().end(), v) != 0) return {};
  const auto& reads = g[at.consumers[0]].inputs;
  if (reads.empty() || reads[0] != v || std::count(reads.begin(), reads.end(), v) != 1) return {};
  return at.consumers[0];
}

inline bool takes_activation(const any_op& o)
{
  return std::holds_alternative<op::conv>(o) || std::holds_alternative<op::conv_transpose>(o) || std::holds_alternative<op::gemm>(o) ||
         std::holds_alternative<op::matmul>(o) || std::holds_alternative<op::batch_norm>(o) || std::holds_alternative<op::elementwise>(o);
}

inline fusion_plan plan_fusion(const graph& g)
{
  const auto count = g.nodes().size();
  fusion_plan plan{std::vector<std::optional<node_id>>(count), std::vector<std::optional<node_id>>(count), std::vector<bool>(count)};
  const auto constant = [&](const node& n, std::size_t first) {
    return std::all_of(n.inputs.begin() + static_cast<std::ptrdiff_t>(first), n.inputs.end(), [&](value_id v) { return g[v].is_constant; });
  };
  for (std::size_t i = 0; i < count; ++i) {
    const auto& n = g.nodes()[i];
    if (plan.absorbed[i] || !takes_activation(n.operation) || n.activation != op::unary{} || n.outputs.size() != 1) continue;
    auto next = only_reader(g, n.outputs[0]);
    if (next && std::holds_alternative<op::conv>(n.operation) && std::holds_alternative<op::batch_norm>(g[*next].operation) &&
        constant(n, 1) && constant(g[*next], 1)) {
      plan.batch_norm[i] = next;
      plan.absorbed[index(*next)] = true;
      if (g[*next].activation != op::unary{}) continue;
      next = only_reader(g, g[*next].outputs[0]);
    }
    if (next && std::holds_alternative<op::unary>(g[*next].operation) && g[*next].activation == op::unary{}) {
      plan.activation[i] = next;
      plan.absorbed[index(*next)] = true;
    }
  }
  return plan;
}

/// Whether the values of all weights that a node reads are there.
inline bool has_values(const graph& g, const node& n)
{
  return std::none_of(n.inputs.begin(), n.inputs.end(), [&](value_id v) { return g[v].is_constant && !g[v].constant; });
}

/// Weights and bias of a convolution with the normalisation that follows it inside: w * s and (b - mean) * s + bias
/// with s = scale / sqrt(variance + epsilon), in double, rounded once.
inline std::pair<tensor, tensor> fold_batch_norm(const graph& g, const node& conv, const node& norm)
{
  const auto values = [&](value_id v) { return g[v].constant->values(); };
  const auto& weights = *g[conv.inputs[1]].constant;
  const auto scale = values(norm.inputs[1]), shift = values(norm.inputs[2]), mean = values(norm.inputs[3]), variance = values(norm.inputs[4]);
  const double epsilon = std::get<op::batch_norm>(norm.operation).epsilon;
  const auto channels = scale.size();
  tensor w(weights.dims()), b(shape{static_cast<std::int64_t>(channels)});
  const auto each = channels == 0 ? 0 : weights.size() / channels;
  for (std::size_t m = 0; m < channels; ++m) {
    const double factor = double(scale[m]) / std::sqrt(double(variance[m]) + epsilon);
    for (std::size_t i = m * each; i < (m + 1) * each; ++i) w.values()[i] = static_cast<float>(double(weights.values()[i]) * factor);
    const double before = conv.inputs.size() > 2 ? double(values(conv.inputs[2])[m]) : 0.0;
    b.values()[m] = static_cast<float>((before - double(mean[m])) * factor + double(shift[m]));
  }
  return {std::move(w), std::move(b)};
}

}  // namespace detail

/// The same network with fewer nodes: a batch normalisation after a convolution goes into its weights, and a function
/// of one input after a convolution, matrix product, element-by-element node or normalisation becomes that node's
/// activation. Only where nobody else sees the tensor between them. Each fused node keeps the first node's name and
/// lists the others in `fused`; the tensor it makes keeps the name of the last one's output. Weights are shared with
/// `g` where they are unchanged; those made of weights without values have none either. Errors: none for a graph that
/// the builder made.
[[nodiscard]] inline result<std::shared_ptr<const graph>> fuse(const graph& g)
{
  const auto plan = detail::plan_fusion(g);
  graph_builder out(g.name());
  std::vector<std::optional<value_id>> moved(g.values().size());
  for (const auto v : g.inputs()) {
    auto id = out.input(g[v].name, g[v].dims);
    if (!id) return unexpected(std::move(id).error());
    moved[index(v)] = *id;
  }
  const auto keep = [&](value_id v) -> result<value_id> {
    if (!moved[index(v)]) {
      auto id = g[v].constant ? out.constant(g[v].name, g[v].constant) : out.constant(g[v].name, g[v].dims);
      if (!id) return id;
      moved[index(v)] = *id;
    }
    return *moved[index(v)];
  };
  const auto add_constant = [&](const std::string& base, auto values_or_shape) {
    auto name = base;
    for (int i = 2; g.find(name) || out.find(name); ++i) name = base + "." + std::to_string(i);
    return out.constant(std::move(name), std::move(values_or_shape));
  };

  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    if (plan.absorbed[i]) continue;
    const auto& n = g.nodes()[i];
    node_description what{n.name, n.type, n.operation, {}, {}, {}, n.activation, n.fused};
    auto last = static_cast<node_id>(i);
    auto read = n.inputs;
    if (const auto norm = plan.batch_norm[i]) {
      const auto weights_name = g[n.inputs[1]].name + "/folded", bias_name = g[*norm].name + "/folded";
      const bool known = detail::has_values(g, n) && detail::has_values(g, g[*norm]);
      auto [w, b] = known ? detail::fold_batch_norm(g, n, g[*norm]) : std::pair<tensor, tensor>();
      auto x = keep(n.inputs[0]);
      auto wi = known ? add_constant(weights_name, std::move(w)) : add_constant(weights_name, g[n.inputs[1]].dims);
      auto bi = known ? add_constant(bias_name, std::move(b)) : add_constant(bias_name, g[g[*norm].inputs[1]].dims);
      if (!x || !wi || !bi) return unexpected((!x ? x : !wi ? wi : bi).error());
      what.inputs = {*x, *wi, *bi};
      what.fused.push_back(g[*norm].name);
      what.activation = g[*norm].activation;
      last = *norm;
    } else {
      for (const auto v : read) {
        auto id = keep(v);
        if (!id) return unexpected(std::move(id).error());
        what.inputs.push_back(*id);
      }
    }
    if (const auto function = plan.activation[i]) {
      what.activation = std::get<op::unary>(g[*function].operation);
      what.fused.push_back(g[*function].name);
      last = *function;
    }
    for (const auto v : g[last].outputs) {
      what.outputs.push_back(g[v].name);
      what.shapes.push_back(g[v].dims);
    }
    auto made = out.add(std::move(what));
    if (!made) return unexpected(std::move(made).error());
    for (std::size_t k = 0; k < made->size(); ++k) moved[index(g[last].outputs[k])] = (*made)[k];
  }
  std::vector<value_id> outputs;
  for (const auto v : g.outputs()) outputs.push_back(*moved[index(v)]);
  return out.finish(outputs);
}

}  // namespace narrows
