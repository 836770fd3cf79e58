// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/detail/reach.hpp>
#include <narrows/partition/region.hpp>

namespace narrows::detail {

/// How one node makes a region of its outputs.
struct node_reach {
  std::array<reach, 2> axes;                     ///< rows, columns
  std::vector<std::optional<region>> reads;      ///< per input; none: all of it, as weights are
  bool border_alone = false;                     ///< every value that it would read lies in the border

  [[nodiscard]] region made() const noexcept { return {{axes[0].made, axes[1].made}}; }
};

/// One overload per operator of op.hpp. Errors name what is in the way; the caller adds the node.
struct reach_finder {
  const graph& g;
  const node& n;
  region wanted;                                 ///< of each output, not empty

  using found = result<node_reach>;

  found operator()(const op::conv& o) const { return window(o.window); }
  found operator()(const op::pool& o) const { return window(o.window); }
  found operator()(const op::conv_transpose& o) const
  {
    return by_axis([&](std::size_t axis) { return transpose_reach(o.window, axis, extent(in(0), axis), wanted.axes[axis]); });
  }
  found operator()(const op::resize& o) const
  {
    return by_axis([&](std::size_t axis) {
      const auto at = in(0).rank() - 2 + axis;
      return resize_reach(resize_map(o, at, in(0)[at], out()[at]), wanted.axes[axis]);
    });
  }
  found operator()(const op::pad& o) const
  {
    return by_axis([&](std::size_t axis) {
      const auto at = in(0).rank() - 2 + axis;
      return pad_reach(o.mode, o.before[at], in(0)[at], wanted.axes[axis]);
    });
  }
  found operator()(const op::slice& o) const
  {
    return by_axis([&](std::size_t axis) {
      const auto at = in(0).rank() - 2 + axis;
      return slice_reach(o.starts[at], o.steps[at], wanted.axes[axis]);
    });
  }
  found operator()(const op::unary&) const { return same(); }
  found operator()(const op::batch_norm&) const { return channels_apart() ? same() : barrier("mixes rows"); }
  found operator()(const op::lrn&) const { return channels_apart() ? same() : barrier("mixes rows"); }
  found operator()(const op::elementwise&) const
  {
    auto r = place();
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      region part;
      for (std::size_t axis = 0; axis < 2; ++axis) part.axes[axis] = extent(in(i), axis) == 1 ? interval{0, 1} : wanted.axes[axis];
      const bool weights = g[n.inputs[i]].is_constant && part == whole(in(i));
      if (!weights) r.reads[i] = part;
    }
    return r;
  }
  found operator()(const op::concat& o) const
  {
    if (o.axis + 2 >= out().rank()) return barrier("joins rows or columns");
    auto r = place();
    for (auto& part : r.reads) part = wanted;
    return r;
  }
  found operator()(const op::split& o) const { return o.axis + 2 < in(0).rank() ? same() : barrier("splits rows or columns"); }
  found operator()(const op::reshape&) const
  {
    for (std::size_t axis = 0; axis < 2; ++axis)
      if (extent(in(0), axis) != extent(out(), axis)) return barrier("moves values between rows or columns");
    return same();
  }
  found operator()(const op::transpose& o) const
  {
    const auto rank = o.permutation.size();
    return o.permutation[rank - 2] == rank - 2 && o.permutation[rank - 1] == rank - 1 ? same() : barrier("moves values between rows or columns");
  }
  found operator()(const op::softmax& o) const { return o.last + 2 <= in(0).rank() ? sums() : barrier("is normalised over rows or columns"); }
  found operator()(const op::reduce& o) const
  {
    return o.axes.empty() || o.axes.back() + 2 < in(0).rank() ? sums() : barrier("reduces rows or columns");
  }
  found operator()(const op::global_pool&) const { return barrier("needs the whole map"); }
  found operator()(const op::gemm&) const { return barrier("needs the whole map"); }
  found operator()(const op::matmul&) const { return barrier("needs the whole map"); }

  /// Rows or columns of a tensor; 1 where it has no such axis, as in broadcasting.
  [[nodiscard]] static std::int64_t extent(const shape& dims, std::size_t axis) { return dims.rank() + axis < 2 ? 1 : dims[dims.rank() - 2 + axis]; }

private:
  [[nodiscard]] const shape& in(std::size_t i) const { return g[n.inputs[i]].dims; }
  [[nodiscard]] const shape& out() const { return g[n.outputs[0]].dims; }
  [[nodiscard]] static region whole(const shape& dims) { return {{interval{0, extent(dims, 0)}, interval{0, extent(dims, 1)}}}; }
  [[nodiscard]] bool channels_apart() const { return in(0).rank() >= 4; }
  [[nodiscard]] static error barrier(const char* why) { return {errc::bad_cut, why}; }

  [[nodiscard]] node_reach place() const
  {
    node_reach r{{}, std::vector<std::optional<region>>(n.inputs.size())};
    for (std::size_t axis = 0; axis < 2; ++axis) r.axes[axis].made = wanted.axes[axis];
    return r;
  }
  found same() const
  {
    auto r = place();
    for (std::size_t axis = 0; axis < 2; ++axis) r.axes[axis].read = wanted.axes[axis];
    return checked(std::move(r));
  }
  /// Sums over channels. The values of a lone place are neighbours in memory, and a row of neighbours is summed in another
  /// order than many rows are: a tile of one place makes two, where the map has two.
  found sums() const
  {
    auto r = place();
    for (std::size_t axis = 0; axis < 2; ++axis) r.axes[axis].made = r.axes[axis].read = wanted.axes[axis];
    if (wanted.area() == 1)
      for (std::size_t axis = 0; axis < 2; ++axis) {
        if (extent(in(0), axis) < 2) continue;
        auto& both = r.axes[axis].made;
        if (both.begin > 0) --both.begin;
        else ++both.end;
        r.axes[axis].read = both;
        break;
      }
    return checked(std::move(r));
  }
  found window(const op::window& w) const
  {
    return by_axis([&](std::size_t axis) { return window_reach(w, axis, extent(in(0), axis), wanted.axes[axis]); });
  }
  template <class F>
  found by_axis(F&& of_axis) const
  {
    auto r = place();
    for (std::size_t axis = 0; axis < 2; ++axis) r.axes[axis] = of_axis(axis);
    return checked(std::move(r));
  }
  /// The first input is the map; what else the node reads must be weights.
  found checked(node_reach r) const
  {
    const region part{{r.axes[0].read, r.axes[1].read}};
    r.border_alone = part.empty();
    if (!r.border_alone) r.reads[0] = part;
    else for (auto& a : r.axes) a.before = a.after = 0;   // zeros stand for all of it
    for (std::size_t i = 1; i < n.inputs.size(); ++i)
      if (!g[n.inputs[i]].is_constant) return barrier("reads weights that another node makes");
    return r;
  }
};

/// What `n` needs to make `wanted` of its outputs.
/// Errors   bad_cut: a barrier (the node's output at one place needs all places, or values move between rows); the text
///          names the node.
[[nodiscard]] inline result<node_reach> find_reach(const graph& g, const node& n, const region& wanted)
{
  const auto fail = [&](const error& e) { return error(e.code, "node '" + n.name + "' (" + n.type + ") ends a stack of tiles: it " + e.what); };
  for (const auto& side : {n.inputs, n.outputs})
    for (const auto v : side)
      if (!g[v].is_constant && (g[v].dims.rank() < 2 || g[v].dims.elements() == 0)) return fail({errc::bad_cut, "has no rows and columns"});
  auto r = std::visit(reach_finder{g, n, wanted}, n.operation);
  if (!r) return fail(r.error());
  return r;
}

}  // namespace narrows::detail
