// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {
namespace detail {

/// Whether an operator computes each entry of axis 0 from the same entry of its inputs alone. `grows[i]`: input i has an
/// entry per request there; one that has not is the same for all requests.
struct keeps_requests_apart {
  const graph& g;
  const node& n;
  const std::vector<bool>& grows;

  [[nodiscard]] bool first_only() const
  {
    return grows[0] && std::find(grows.begin() + 1, grows.end(), true) == grows.end();
  }
  [[nodiscard]] bool all() const { return std::find(grows.begin(), grows.end(), false) == grows.end(); }
  [[nodiscard]] std::size_t rank(std::size_t i) const { return g[n.inputs[i]].dims.rank(); }

  bool operator()(const op::conv&) const { return first_only(); }
  bool operator()(const op::conv_transpose&) const { return first_only(); }
  bool operator()(const op::pool&) const { return all(); }
  bool operator()(const op::global_pool&) const { return all(); }
  bool operator()(const op::batch_norm&) const { return first_only(); }
  bool operator()(const op::gemm& o) const { return first_only() && !o.transpose_a; }
  bool operator()(const op::matmul&) const { return first_only() && rank(1) <= rank(0) && (rank(1) < rank(0) || rank(0) == 2); }
  bool operator()(const op::unary&) const { return all(); }
  bool operator()(const op::elementwise&) const
  {
    const auto out = g[n.outputs[0]].dims.rank();
    for (std::size_t i = 0; i < grows.size(); ++i)
      if (grows[i] ? rank(i) != out : rank(i) == out && g[n.inputs[i]].dims[0] != 1) return false;
    return true;
  }
  bool operator()(const op::concat& o) const { return all() && o.axis != 0; }
  bool operator()(const op::split& o) const { return all() && o.axis != 0; }
  bool operator()(const op::slice& o) const { return all() && !o.starts.empty() && o.starts[0] == 0 && o.steps[0] == 1; }
  bool operator()(const op::pad& o) const { return first_only() && !o.before.empty() && o.before[0] == 0 && o.after[0] == 0; }
  bool operator()(const op::reshape&) const { return all(); }
  bool operator()(const op::transpose& o) const { return all() && !o.permutation.empty() && o.permutation[0] == 0; }
  bool operator()(const op::resize& o) const { return first_only() && (o.scales.empty() || o.scales[0] == 1); }
  bool operator()(const op::reduce& o) const { return all() && std::find(o.axes.begin(), o.axes.end(), std::size_t{0}) == o.axes.end(); }
  bool operator()(const op::softmax& o) const { return all() && o.first > 0; }
  bool operator()(const op::lrn&) const { return all(); }
};

/// `dims` with `times` entries along axis 0 in place of one. Errors: bad_graph (axis 0 is not 1), bad_shape.
inline result<shape> grown(const shape& dims, std::int64_t times)
{
  if (dims.rank() == 0 || dims[0] != 1) return error(errc::bad_graph, to_string(dims) + " is not of one request");
  std::vector<std::int64_t> extents(dims.dims().begin(), dims.dims().end());
  extents[0] = times;
  const auto made = shape::make(extents);
  if (!made) return made.error();
  return *made;
}

}  // namespace detail

/// The same network for `requests` at once: axis 0 of every input, and of all that depends on one, has an entry for each.
/// Tensors and nodes keep their ids, and weights are shared, so a cut of one graph is a cut of the other.
/// Errors   bad_graph: an input or a tensor has more than one entry along axis 0 already, or a node mixes entries of it (the
///          text names the node); those of the builder.
[[nodiscard]] inline result<std::shared_ptr<const graph>> batched(const graph& g, std::int64_t requests)
{
  graph_builder made(g.name());
  std::vector<bool> grows(g.values().size());
  std::vector<bool> added(g.nodes().size());
  const auto same_id = [&](const result<value_id>& id, std::size_t i) -> result<void> {
    if (!id) return id.error();
    if (index(*id) != i) return error(errc::bad_graph, "tensor '" + g.values()[i].name + "' was not added in its turn");
    return {};
  };
  for (std::size_t i = 0; i < g.values().size(); ++i) {
    const auto& v = g.values()[i];
    if (v.is_constant) {
      NARROWS_TRY(same_id(v.constant ? made.constant(v.name, v.constant) : made.constant(v.name, v.dims), i));
      continue;
    }
    if (!v.producer) {
      const auto dims = detail::grown(v.dims, requests);
      if (!dims) return error(errc::bad_graph, "input '" + v.name + "': " + dims.error().what);
      NARROWS_TRY(same_id(made.input(v.name, *dims), i));
      grows[i] = true;
      continue;
    }
    if (added[index(*v.producer)]) continue;   // with the node's first output
    added[index(*v.producer)] = true;
    const auto& n = g[*v.producer];
    node_description again{n.name, n.type, n.operation, n.inputs, {}, {}, n.activation, n.fused};
    std::vector<bool> in;
    for (const auto from : n.inputs) in.push_back(grows[index(from)]);
    const bool depends = std::find(in.begin(), in.end(), true) != in.end();
    if (depends && !std::visit(detail::keeps_requests_apart{g, n, in}, n.operation))
      return error(errc::bad_graph, "node '" + n.name + "' (" + n.type + ") does not keep requests apart");
    for (const auto out : n.outputs) {
      again.outputs.push_back(g[out].name);
      grows[index(out)] = depends;
      if (!depends) {
        again.shapes.push_back(g[out].dims);
        continue;
      }
      const auto dims = detail::grown(g[out].dims, requests);
      if (!dims) return error(errc::bad_graph, "node '" + n.name + "' (" + n.type + "): " + dims.error().what);
      again.shapes.push_back(*dims);
    }
    auto outputs = made.add(std::move(again));
    if (!outputs) return std::move(outputs).error();
    for (std::size_t k = 0; k < outputs->size(); ++k) NARROWS_TRY(same_id((*outputs)[k], index(n.outputs[k])));
  }
  return made.finish(g.outputs());
}

}  // namespace narrows
