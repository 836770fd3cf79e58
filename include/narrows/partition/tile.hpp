// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/detail/node_reach.hpp>
#include <narrows/partition/region.hpp>

/// Spatial tiling (VSM of D3, FTP of DeepThings): a region of a tensor is made from regions of earlier tensors, with the
/// same bits as the whole tensor has there.
namespace narrows {

/// A stack: the nodes that make `to` from `from`, nodes on the way back to another input of the graph left out.
///
/// Errors   bad_cut: a node on the way reads an input of the graph that is not in `from`, or nothing lies between; the text
///          names the tensor.
[[nodiscard]] inline result<graph_slice> stack_between(std::shared_ptr<const graph> g, std::span<const value_id> from, value_id to)
{
  graph_slice s;
  std::vector<bool> needed(g->values().size());
  std::vector<bool> given(g->values().size());
  for (const auto v : from) given[index(v)] = true;
  needed[index(to)] = true;
  if (given[index(to)] || !(*g)[to].producer) return error(errc::bad_cut, "'" + (*g)[to].name + "' is not made behind the tensors that are given");
  for (std::size_t i = g->nodes().size(); i-- > 0;) {
    const auto& n = g->nodes()[i];
    if (std::none_of(n.outputs.begin(), n.outputs.end(), [&](value_id v) { return needed[index(v)] && !given[index(v)]; })) continue;
    s.nodes.push_back(static_cast<node_id>(i));
    for (const auto v : n.inputs) {
      if (given[index(v)] || (*g)[v].is_constant) needed[index(v)] = true;
      else if (!(*g)[v].producer) return error(errc::bad_cut, "'" + (*g)[to].name + "' needs '" + (*g)[v].name + "', which is not given");
      else needed[index(v)] = true;
    }
  }
  std::reverse(s.nodes.begin(), s.nodes.end());
  for (const auto v : from)
    if (needed[index(v)] && std::find(s.inputs.begin(), s.inputs.end(), v) == s.inputs.end()) s.inputs.push_back(v);
  s.outputs.push_back(to);
  s.whole = std::move(g);
  return s;
}

/// What a tile makes and needs.
struct tile_reach {
  region made;                                                 ///< of the stack's output
  std::vector<std::optional<region>> reads;                    ///< per input of the stack; none: the tile does not need it
  std::vector<std::optional<detail::node_reach>> nodes;        ///< per node of the stack; none: the tile does not need it
  std::map<value_id, region> held;                             ///< what is there of each tensor: the bounding box of its readers
};

/// Goes back through a stack from a region of its output.
///
/// Stack    one output; rows and columns are the last two axes of each tensor.
/// Errors   bad_shape: the region is empty or not inside the output; bad_cut: a node is a barrier (fully connected, global
///          pooling, softmax over space ...; the text names it).
/// Cost     one pass over the nodes, nothing of a tensor's size.
/// Source   METHODS 10.2: reverse tile calculation in reverse topological order, a tensor with several readers needs the
///          bounding box of their requests.
[[nodiscard]] inline result<tile_reach> find_reach(const graph_slice& stack, const region& wanted)
{
  const graph& g = *stack.whole;
  if (stack.outputs.size() != 1) return error(errc::bad_cut, "a stack of tiles has one output, not " + std::to_string(stack.outputs.size()));
  const auto to = stack.outputs[0];
  if (auto legal = shape_of(g[to].dims, wanted); !legal) return error(legal.error().code, "'" + g[to].name + "': " + legal.error().what);
  tile_reach all{wanted, std::vector<std::optional<region>>(stack.inputs.size()), std::vector<std::optional<detail::node_reach>>(stack.nodes.size()), {}};
  all.held[to] = wanted;
  for (std::size_t i = stack.nodes.size(); i-- > 0;) {
    const auto& n = g[stack.nodes[i]];
    region asked;
    for (const auto v : n.outputs)
      if (const auto found = all.held.find(v); found != all.held.end()) asked = hull(asked, found->second);
    if (asked.empty()) continue;
    auto r = detail::find_reach(g, n, asked);
    if (!r) return std::move(r).error();
    for (const auto v : n.outputs) all.held[v] = r->made();
    for (std::size_t k = 0; k < n.inputs.size(); ++k)
      if (r->reads[k] && !g[n.inputs[k]].is_constant) all.held[n.inputs[k]] = hull(all.held[n.inputs[k]], *r->reads[k]);
    all.nodes[i] = std::move(r).value();
  }
  for (std::size_t i = 0; i < stack.inputs.size(); ++i)
    if (const auto found = all.held.find(stack.inputs[i]); found != all.held.end()) all.reads[i] = found->second;
  return all;
}

/// A tile as a network of its own: any engine runs it.
struct tile {
  std::shared_ptr<const graph> network;    ///< inputs: parts of the stack's inputs, those that are needed, in its order
  region made;                             ///< of the stack's output
  std::vector<std::optional<region>> reads;   ///< per input of the stack
};

/// Builds the network of one tile: the stack's nodes with the borders that their part of the map has, and a slice where a
/// node needs less than what is there.
///
/// Names    tensors keep theirs; what a slice makes is called after its source and place. Weights are shared.
/// Bits     the output has those of the same region of the untiled output, where an engine sums in one order whatever the
///          extents (the reference executor does): each output adds the same products in the same order.
/// Errors   those of `find_reach`; bad_shape, limit_exceeded (a border beyond the limits of windows).
[[nodiscard]] result<tile> make_tile(const graph_slice& stack, const region& wanted);

namespace detail {

class tile_builder {
public:
  tile_builder(const graph_slice& stack, tile_reach reach) : stack_(stack), g_(*stack.whole), reach_(std::move(reach)), builder_(g_.name() + ", " + to_string(reach_.made)) {}

  result<tile> build()
  {
    for (std::size_t i = 0; i < stack_.inputs.size(); ++i) {
      if (!reach_.reads[i]) continue;
      const auto& v = g_[stack_.inputs[i]];
      auto dims = shape_of(v.dims, *reach_.reads[i]);
      if (!dims) return std::move(dims).error();
      auto id = builder_.input(v.name, *dims);
      if (!id) return std::move(id).error();
      moved_[stack_.inputs[i]] = *id;
    }
    for (std::size_t i = 0; i < stack_.nodes.size(); ++i)
      if (reach_.nodes[i]) NARROWS_TRY(add(g_[stack_.nodes[i]], *reach_.nodes[i]));
    // A bounding box may have made the output larger than what is wanted, where a node of the stack reads it too.
    auto out = part_of(stack_.outputs[0], reach_.made);
    if (!out) return std::move(out).error();
    auto network = builder_.finish({*out});
    if (!network) return std::move(network).error();
    return tile{std::move(network).value(), reach_.made, reach_.reads};
  }

private:
  result<void> add(const node& n, const node_reach& r)
  {
    node_description what{n.name, n.type, n.operation, {}, {}, {}, n.activation, n.fused};
    for (std::size_t k = 0; k < n.inputs.size(); ++k) {
      auto id = k == 0 && r.border_alone ? zeros(n, r) : r.reads[k] ? part_of(n.inputs[k], *r.reads[k]) : constant(n.inputs[k]);
      if (!id) return std::move(id).error();
      what.inputs.push_back(*id);
    }
    std::visit([&](auto& o) { localize(o, n, r); }, what.operation);
    for (const auto v : n.outputs) {
      auto dims = shape_of(g_[v].dims, r.made());
      if (!dims) return std::move(dims).error();
      what.outputs.push_back(g_[v].name);
      what.shapes.push_back(*dims);
    }
    auto made = builder_.add(std::move(what));
    if (!made) return std::move(made).error();
    for (std::size_t i = 0; i < n.outputs.size(); ++i) moved_[n.outputs[i]] = (*made)[i];
    return {};
  }

  template <class Op>
  static void localize(Op&, const node&, const node_reach&) {}
  static void localize(op::conv& o, const node&, const node_reach& r) { o.window.pads = borders(r); }
  static void localize(op::pool& o, const node&, const node_reach& r) { o.window.pads = borders(r); }
  static void localize(op::conv_transpose& o, const node&, const node_reach& r)
  {
    o.window.pads = borders(r);
    o.output_padding = {r.axes[0].output_padding, r.axes[1].output_padding};
  }
  static void localize(op::pad& o, const node&, const node_reach& r)
  {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      o.before[o.before.size() - 2 + axis] = r.axes[axis].before;
      o.after[o.after.size() - 2 + axis] = r.axes[axis].after;
    }
  }
  void localize(op::resize& o, const node& n, const node_reach& r) const
  {
    const auto &in = g_[n.inputs[0]].dims, &out = g_[n.outputs[0]].dims;
    if (o.parts.empty())
      for (std::size_t i = 0; i < in.rank(); ++i) o.parts.push_back({0, in[i], 0, out[i]});
    for (std::size_t axis = 0; axis < 2; ++axis) {
      auto& p = o.parts[in.rank() - 2 + axis];
      p.input_first += r.axes[axis].read.begin;
      p.output_first += r.axes[axis].made.begin;
    }
  }
  static void localize(op::slice& o, const node&, const node_reach& r)
  {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const auto at = o.starts.size() - 2 + axis;
      o.starts[at] = o.steps[at] > 0 ? 0 : r.axes[axis].read.size() - 1;
    }
  }
  static op::borders borders(const node_reach& r) { return {r.axes[0].before, r.axes[1].before, r.axes[0].after, r.axes[1].after}; }

  result<value_id> constant(value_id v)
  {
    if (const auto found = moved_.find(v); found != moved_.end()) return found->second;
    auto id = g_[v].constant ? builder_.constant(g_[v].name, g_[v].constant) : builder_.constant(g_[v].name, g_[v].dims);
    if (id) moved_[v] = *id;
    return id;
  }

  /// The windows see nothing but border: as many zeros as they cover.
  result<value_id> zeros(const node& n, const node_reach& r)
  {
    const auto* conv = std::get_if<op::conv>(&n.operation);
    if (conv == nullptr) return error(errc::internal, "node '" + n.name + "' reads nothing but border");
    const auto& in = g_[n.inputs[0]].dims;
    auto dims = shape::make(std::array{in[0], in[1], window_span(conv->window, 0, r.axes[0].made.size()), window_span(conv->window, 1, r.axes[1].made.size())});
    if (!dims) return error(dims.error(), "node '" + n.name + "'");
    return builder_.constant(fresh(n.name + "/border"), tensor(*dims));
  }

  /// A tensor of the stack, or the part of it that a node needs.
  result<value_id> part_of(value_id v, const region& wanted)
  {
    const bool weights = g_[v].is_constant;
    if (weights)
      if (auto id = constant(v); !id) return id;
    const auto source = moved_.at(v);
    const auto& dims = builder_.dims(source);
    const region held = weights ? region{{interval{0, reach_finder::extent(dims, 0)}, interval{0, reach_finder::extent(dims, 1)}}} : reach_.held.at(v);
    if (held == wanted) return source;
    if (const auto found = parts_.find({v, wanted}); found != parts_.end()) return found->second;
    op::slice cut{std::vector<std::int64_t>(dims.rank()), std::vector<std::int64_t>(dims.rank(), 1)};
    std::vector<std::int64_t> extents(dims.dims().begin(), dims.dims().end());
    for (std::size_t axis = 0; axis < 2; ++axis) {
      if (dims.rank() + axis < 2) continue;
      cut.starts[dims.rank() - 2 + axis] = wanted.axes[axis].begin - held.axes[axis].begin;
      extents[dims.rank() - 2 + axis] = wanted.axes[axis].size();
    }
    auto out = shape::make(extents);
    if (!out) return error(out.error(), "'" + g_[v].name + "'");
    node_description what{{}, {}, std::move(cut), {source}, {}, {*out}, {}, {}};
    what.outputs.push_back(fresh(g_[v].name + "/" + to_string(wanted)));
    auto made = builder_.add(std::move(what));
    if (!made) return std::move(made).error();
    parts_[{v, wanted}] = (*made)[0];
    return (*made)[0];
  }

  [[nodiscard]] std::string fresh(std::string name) const
  {
    const auto base = name;
    for (int i = 2; g_.find(name) || builder_.find(name); ++i) name = base + "." + std::to_string(i);
    return name;
  }

  struct by_place {
    using key = std::pair<value_id, region>;
    bool operator()(const key& a, const key& b) const { return places(a) < places(b); }
    static std::array<std::int64_t, 5> places(const key& k)
    {
      return {static_cast<std::int64_t>(index(k.first)), k.second.axes[0].begin, k.second.axes[0].end, k.second.axes[1].begin, k.second.axes[1].end};
    }
  };

  const graph_slice& stack_;
  const graph& g_;
  tile_reach reach_;
  graph_builder builder_;
  std::map<value_id, value_id> moved_;
  std::map<std::pair<value_id, region>, value_id, by_place> parts_;
};

}  // namespace detail

inline result<tile> make_tile(const graph_slice& stack, const region& wanted)
{
  auto reach = find_reach(stack, wanted);
  if (!reach) return std::move(reach).error();
  return detail::tile_builder(stack, std::move(reach).value()).build();
}

}  // namespace narrows
