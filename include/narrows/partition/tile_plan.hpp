// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/detail/alive_tensors.hpp>
#include <narrows/partition/region.hpp>
#include <narrows/partition/tile.hpp>

/// What tiles cost, and where the lines between them should run.
namespace narrows {

struct tile_grid {
  int rows = 1, columns = 1;
  friend bool operator==(const tile_grid&, const tile_grid&) = default;
};

/// Lines that cut the rows and the columns of a map: 0 first, the extent last, rising.
struct tile_lines {
  std::vector<std::int64_t> rows, columns;

  [[nodiscard]] tile_grid grid() const { return {static_cast<int>(rows.size()) - 1, static_cast<int>(columns.size()) - 1}; }
  /// Row by row.
  [[nodiscard]] std::vector<region> regions() const
  {
    std::vector<region> all;
    for (std::size_t r = 0; r + 1 < rows.size(); ++r)
      for (std::size_t c = 0; c + 1 < columns.size(); ++c) all.push_back({{interval{rows[r], rows[r + 1]}, interval{columns[c], columns[c + 1]}}});
    return all;
  }
  friend bool operator==(const tile_lines&, const tile_lines&) = default;
};

/// What one tile costs. Values are float32.
struct tile_cost {
  region made;
  std::uint64_t macs = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;   ///< parts that travel to the tile's node, and back
  std::uint64_t peak_bytes = 0;                ///< largest sum of the tensors alive at one node; an engine's own buffers come on top
  std::uint64_t weight_bytes = 0;              ///< of all that its nodes read
};

/// A stack of layers and its tiles, row by row.
struct tiled_stack {
  graph_slice stack;
  tile_lines lines;
  std::vector<tile_cost> tiles;
  std::uint64_t macs = 0;                      ///< untiled

  [[nodiscard]] std::uint64_t macs_of_tiles() const
  {
    std::uint64_t sum = 0;
    for (const auto& t : tiles) sum = detail::saturating_add(sum, t.macs);
    return sum;
  }
  [[nodiscard]] std::uint64_t macs_of_largest() const
  {
    std::uint64_t most = 0;
    for (const auto& t : tiles) most = std::max(most, t.macs);
    return most;
  }
  /// Multiply-adds of all tiles as a multiple of the untiled ones: what the halos cost. 1 where there are none.
  [[nodiscard]] double work_factor() const { return macs == 0 ? 1 : static_cast<double>(macs_of_tiles()) / static_cast<double>(macs); }
  /// What equal nodes would gain if nothing had to travel.
  [[nodiscard]] double ideal_speed_up() const { return macs == 0 ? 1 : static_cast<double>(macs) / static_cast<double>(macs_of_largest()); }
};

namespace detail {

/// Multiply-adds fall with the area that a node makes (reads, for a transposed convolution).
inline std::uint64_t multiply_adds_of_part(const graph& g, node_id id, const node_reach& r)
{
  const auto all = multiply_adds(g, id);
  if (all == 0) return 0;
  const bool reads = std::holds_alternative<op::conv_transpose>(g[id].operation);
  const auto whole = whole_region(g[reads ? g[id].inputs[0] : g[id].outputs[0]].dims).area();
  const auto part = reads ? r.reads[0]->area() : r.made().area();
  return saturating_multiply(all / static_cast<std::uint64_t>(whole), static_cast<std::uint64_t>(part));
}

inline std::uint64_t bytes_of_part(const shape& dims, const region& part)
{
  return std::uint64_t{4} * static_cast<std::uint64_t>(dims.product(0, dims.rank() - 2)) * static_cast<std::uint64_t>(part.area());
}

}  // namespace detail

/// What the tile of that reach costs.
[[nodiscard]] inline tile_cost cost_of(const graph_slice& stack, const tile_reach& reach)
{
  const graph& g = *stack.whole;
  tile_cost c;
  c.made = reach.made;
  c.bytes_out = detail::bytes_of_part(g[stack.outputs[0]].dims, reach.made);
  detail::alive_tensors alive;
  for (std::size_t i = 0; i < stack.nodes.size(); ++i)
    if (reach.nodes[i])
      for (const auto v : g[stack.nodes[i]].inputs) alive.needs(v, i);
  alive.needs(stack.outputs[0], stack.nodes.size());
  const auto born = [&](value_id v) {
    if (alive.is_needed(v)) alive.made(v, detail::bytes_of_part(g[v].dims, reach.held.at(v)));
  };
  for (std::size_t i = 0; i < stack.inputs.size(); ++i)
    if (reach.reads[i]) {
      c.bytes_in += detail::bytes_of_part(g[stack.inputs[i]].dims, *reach.reads[i]);
      born(stack.inputs[i]);
    }
  std::set<value_id> weights;
  for (std::size_t i = 0; i < stack.nodes.size(); ++i) {
    if (!reach.nodes[i]) continue;
    const auto& n = g[stack.nodes[i]];
    const auto& r = *reach.nodes[i];
    c.macs = detail::saturating_add(c.macs, detail::multiply_adds_of_part(g, stack.nodes[i], r));
    for (const auto v : n.outputs) born(v);
    std::uint64_t sliced = 0;
    for (std::size_t k = 0; k < n.inputs.size(); ++k) {
      const auto v = n.inputs[k];
      if (g[v].is_constant) {
        if (weights.insert(v).second) c.weight_bytes += float_bytes(g, v);
      } else if (r.reads[k] && *r.reads[k] != reach.held.at(v)) {
        sliced += detail::bytes_of_part(g[v].dims, *r.reads[k]);
      }
    }
    c.peak_bytes = std::max(c.peak_bytes, alive.now() + sliced);
    alive.finish(i);
  }
  return c;
}

/// Shares as equal as whole rows allow. Errors: bad_input (more parts than rows, or none).
[[nodiscard]] inline result<std::vector<std::int64_t>> equal_lines(std::int64_t extent, int parts)
{
  if (parts < 1 || parts > extent) return error(errc::bad_input, std::to_string(extent) + " rows or columns in " + std::to_string(parts) + " parts");
  std::vector<std::int64_t> lines;
  for (std::int64_t i = 0; i <= parts; ++i) lines.push_back(extent / parts * i + extent % parts * i / parts);
  return lines;
}
[[nodiscard]] inline result<tile_lines> equal_lines(const graph_slice& stack, tile_grid grid)
{
  if (stack.outputs.size() != 1 || (*stack.whole)[stack.outputs[0]].dims.rank() < 2) return error(errc::bad_cut, "a stack of tiles has one output with rows and columns");
  const auto whole = whole_region((*stack.whole)[stack.outputs[0]].dims);
  auto rows = equal_lines(whole.rows().size(), grid.rows), columns = equal_lines(whole.columns().size(), grid.columns);
  if (!rows) return std::move(rows).error();
  if (!columns) return std::move(columns).error();
  return tile_lines{std::move(rows).value(), std::move(columns).value()};
}

/// The tiles between those lines. Errors: those of `find_reach`.
[[nodiscard]] inline result<tiled_stack> tile_stack(const graph_slice& stack, tile_lines lines)
{
  tiled_stack t{stack, std::move(lines), {}, 0};
  for (const auto n : stack.nodes) t.macs = detail::saturating_add(t.macs, multiply_adds(*stack.whole, n));
  for (const auto& part : t.lines.regions()) {
    auto reach = find_reach(stack, part);
    if (!reach) return std::move(reach).error();
    t.tiles.push_back(cost_of(stack, *reach));
  }
  return t;
}

/// A stack that stays whole, barriers or not.
[[nodiscard]] inline tiled_stack in_one_piece(const graph_slice& stack)
{
  const graph& g = *stack.whole;
  tiled_stack t{stack, {{0, 1}, {0, 1}}, std::vector<tile_cost>(1), 0};
  for (const auto n : stack.nodes) t.macs = detail::saturating_add(t.macs, multiply_adds(g, n));
  t.tiles[0].macs = t.macs;
  if (const auto& dims = g[stack.outputs[0]].dims; dims.rank() >= 2) {
    t.tiles[0].made = whole_region(dims);
    t.lines = {{0, t.tiles[0].made.rows().end}, {0, t.tiles[0].made.columns().end}};
  }
  for (const auto v : stack.inputs) t.tiles[0].bytes_in += float_bytes(g, v);
  for (const auto v : stack.outputs) t.tiles[0].bytes_out += float_bytes(g, v);
  return t;
}

/// A node that runs tiles.
struct tile_node {
  double macs_per_s = 1;
  double bytes_per_s = std::numeric_limits<double>::infinity();    ///< of the link to it, either way
  double memory_bytes = std::numeric_limits<double>::infinity();   ///< for one tile's tensors and weights
};

/// Who there is. Tile k runs on worker k modulo their number; a stack in one piece runs at home, where the data is.
struct tile_nodes {
  double home_macs_per_s = 1;
  std::vector<tile_node> workers;
  double source_bytes_per_s = std::numeric_limits<double>::infinity();   ///< of home's own interface, which all parts leave by
};

/// How long a stack takes: the slowest worker's parts in, work and parts out, after all parts have left home one by one.
/// Infinite where a tile does not fit its node's memory, or there is no worker. Source: METHODS 10.6.
[[nodiscard]] inline double seconds_of(const tiled_stack& t, const tile_nodes& nodes)
{
  if (t.tiles.size() == 1) return static_cast<double>(t.macs) / nodes.home_macs_per_s;
  constexpr double never = std::numeric_limits<double>::infinity();
  if (nodes.workers.empty()) return never;
  std::vector<double> busy(nodes.workers.size());
  double leaving = 0;
  for (std::size_t i = 0; i < t.tiles.size(); ++i) {
    const auto& c = t.tiles[i];
    const auto& n = nodes.workers[i % busy.size()];
    if (static_cast<double>(c.peak_bytes) + static_cast<double>(c.weight_bytes) > n.memory_bytes) return never;
    busy[i % busy.size()] += static_cast<double>(c.macs) / n.macs_per_s + (static_cast<double>(c.bytes_in) + static_cast<double>(c.bytes_out)) / n.bytes_per_s;
    leaving += static_cast<double>(c.bytes_in) / nodes.source_bytes_per_s;
  }
  return leaving + *std::max_element(busy.begin(), busy.end());
}

namespace detail {

/// Lines with shares in proportion to weights, at least one row each.
inline std::vector<std::int64_t> proportional_lines(std::int64_t extent, std::span<const double> weights)
{
  double total = 0, sum = 0;
  for (const double w : weights) total += w;
  std::vector<std::int64_t> lines{0};
  const auto parts = static_cast<std::int64_t>(weights.size());
  for (std::int64_t i = 1; i < parts; ++i) {
    sum += weights[static_cast<std::size_t>(i - 1)];
    const auto at = static_cast<std::int64_t>(static_cast<double>(extent) * (sum / total) + 0.5);
    lines.push_back(std::clamp(at, lines.back() + 1, extent - (parts - i)));
  }
  lines.push_back(extent);
  return lines;
}

}  // namespace detail

/// Equal shares, or shares in proportion to the nodes' speeds, whichever is quicker.
/// Errors   those of `equal_lines` and `tile_stack`.
/// Source   proportional shares: MoDNN, CoEdge.
[[nodiscard]] inline result<tiled_stack> share(const graph_slice& stack, tile_grid grid, const tile_nodes& nodes)
{
  auto lines = equal_lines(stack, grid);
  if (!lines) return std::move(lines).error();
  auto equal = tile_stack(stack, *lines);
  if (!equal || nodes.workers.empty()) return equal;
  std::vector<double> by_row(static_cast<std::size_t>(grid.rows)), by_column(static_cast<std::size_t>(grid.columns));
  for (std::size_t i = 0; i < equal->tiles.size(); ++i) {
    const double speed = nodes.workers[i % nodes.workers.size()].macs_per_s;
    by_row[i / by_column.size()] += speed;
    by_column[i % by_column.size()] += speed;
  }
  tile_lines weighed{detail::proportional_lines(lines->rows.back(), by_row), detail::proportional_lines(lines->columns.back(), by_column)};
  if (weighed == *lines) return equal;
  auto shared = tile_stack(stack, std::move(weighed));
  if (!shared) return shared;
  return seconds_of(*shared, nodes) < seconds_of(*equal, nodes) ? std::move(shared) : std::move(equal);
}

/// Lines for nodes that differ: from `share`, single lines move while the time falls.
///
/// Result   no slower than equal or proportional shares; a local optimum: no line moved alone by 1, 2 or 4 rows makes it
///          quicker. (Borders of a strided layer move by its stride: a single row may change nothing.)
/// Cost     a few dozen times that of `tile_stack`.
/// Errors   those of `share`.
/// Source   METHODS 10.6.
[[nodiscard]] inline result<tiled_stack> balance(const graph_slice& stack, tile_grid grid, const tile_nodes& nodes)
{
  auto best = share(stack, grid, nodes);
  if (!best) return best;
  double quickest = seconds_of(*best, nodes);
  for (bool moved = true; moved;) {
    moved = false;
    for (auto side : {&tile_lines::rows, &tile_lines::columns})
      for (std::size_t i = 1; i + 1 < (best->lines.*side).size(); ++i)
        for (const std::int64_t step : {-4, -2, -1, 1, 2, 4}) {
          auto how = best->lines;
          auto& at = (how.*side)[i];
          at += step;
          if (at <= (how.*side)[i - 1] || at >= (how.*side)[i + 1]) continue;
          auto t = tile_stack(stack, std::move(how));
          if (!t) return t;
          const double s = seconds_of(*t, nodes);
          if (!(s < quickest)) continue;
          quickest = s;
          best = std::move(t);
          moved = true;
        }
  }
  return best;
}

}  // namespace narrows
