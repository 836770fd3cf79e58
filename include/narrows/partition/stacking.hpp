// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/tile.hpp>
#include <narrows/partition/tile_plan.hpp>

namespace narrows {

/// The tensors where a network of one input and one output may be gathered between two stacks: its input, every tensor that
/// crosses alone, its output. In order.
/// Errors   bad_cut: several inputs or outputs.
[[nodiscard]] inline result<std::vector<value_id>> stack_ends(const graph& g)
{
  if (g.inputs().size() != 1 || g.outputs().size() != 1)
    return error(errc::bad_cut, "'" + g.name() + "' has " + std::to_string(g.inputs().size()) + " inputs and " + std::to_string(g.outputs().size()) + " outputs; stacks need one of each");
  std::vector<value_id> all{g.inputs()[0]};
  for (const auto& c : single_tensor_cuts(g))
    if (c.tensors.size() == 1 && c.tensors[0] != all.back() && c.tensors[0] != g.outputs()[0]) all.push_back(c.tensors[0]);
  all.push_back(g.outputs()[0]);
  return all;
}

/// A network as stacks, one after the other.
struct stacking {
  std::vector<tiled_stack> stacks;
  double seconds = 0;                 ///< by the given nodes; 0 for a chain of one tensor
};

/// Where to gather and which grid to use in between: minimises the sum of the stacks' times.
///
/// Objective   sum over stacks of `seconds_of`; every stack has one of `grids`, or is one piece at home (always allowed; the
///             only way past a barrier such as a fully connected layer).
/// Method      best[j] = min over i < j of best[i] + min over grids of cost(i..j), with the lines of `share`; then `balance`
///             moves the lines of the stacks chosen.
/// Guarantee   before the lines move: optimal over all stackings of the chain and all of the grids; of equal ones the
///             deepest last stack, then the earlier grid. Moving lines only makes it quicker, but to a local optimum, and a
///             stacking that was not chosen might have gained more.
/// Cost        n^2 / 2 stacks times grids, a `share` each, for n ends.
/// Errors      none but those of a graph that cannot be a chain (`stack_between`).
/// Source      METHODS 10.6.
[[nodiscard]] inline result<stacking> choose_stacking(const std::shared_ptr<const graph>& g, std::span<const value_id> ends, std::span<const tile_grid> grids, const tile_nodes& nodes)
{
  struct step {
    double seconds = std::numeric_limits<double>::infinity();
    std::size_t from = 0;
    std::optional<tiled_stack> how;
  };
  std::vector<step> best(ends.size());
  if (ends.empty()) return stacking{};
  best[0].seconds = 0;
  for (std::size_t j = 1; j < ends.size(); ++j)
    for (std::size_t i = 0; i < j; ++i) {
      const value_id from[] = {ends[i]};
      auto stack = stack_between(g, from, ends[j]);
      if (!stack) return std::move(stack).error();
      const auto offer = [&](tiled_stack t) {
        const double s = best[i].seconds + seconds_of(t, nodes);
        if (s < best[j].seconds || !best[j].how) best[j] = {s, i, std::move(t)};
      };
      offer(in_one_piece(*stack));
      for (const auto grid : grids) {
        if (grid == tile_grid{}) continue;
        auto t = share(*stack, grid, nodes);
        if (t) offer(std::move(t).value());   // else a barrier, or a map with fewer rows than parts
      }
    }
  stacking all;
  for (std::size_t j = ends.size() - 1; j > 0; j = best[j].from) {
    auto& how = *best[j].how;
    if (how.tiles.size() > 1) {
      auto moved = balance(how.stack, how.lines.grid(), nodes);
      if (!moved) return std::move(moved).error();
      how = std::move(moved).value();
    }
    all.stacks.insert(all.stacks.begin(), std::move(how));
  }
  for (const auto& t : all.stacks) all.seconds += seconds_of(t, nodes);
  return all;
}

}  // namespace narrows
