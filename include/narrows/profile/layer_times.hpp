// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/model.hpp>

namespace narrows {

/// Middle and spread of repeated measurements, in seconds.
struct timing {
  double median_s = 0;
  double p5_s = 0;
  double p95_s = 0;
  friend bool operator==(const timing&, const timing&) = default;
};

/// Median (mean of the two middle ones for an even count) and nearest-rank percentiles; reorders `seconds`. All zero
/// for no samples.
[[nodiscard]] inline timing summarise(std::vector<double>& seconds)
{
  if (seconds.empty()) return {};
  std::sort(seconds.begin(), seconds.end());
  const std::size_t n = seconds.size();
  const auto rank = [&](double share) {
    const auto r = static_cast<std::size_t>(std::ceil(share * static_cast<double>(n)));
    return seconds[std::clamp<std::size_t>(r, 1, n) - 1];
  };
  return {(seconds[(n - 1) / 2] + seconds[n / 2]) / 2, rank(0.05), rank(0.95)};
}

struct node_time {
  std::string name;
  timing seconds;
  friend bool operator==(const node_time&, const node_time&) = default;
};

/// How long each node of one model takes on one machine, nodes in the graph's order, and the whole beside it.
struct node_times {
  std::string model_hash;   ///< hash of the model that was measured; empty if it has none (built in memory)
  std::string machine;      ///< processor, for people
  std::string level;        ///< level of the engine that ran
  int threads = 1;
  int repeats = 0;          ///< timed runs behind each figure; 0: not measured but assumed
  std::vector<node_time> nodes;
  timing whole;             ///< one run from input to output, measured in the same runs

  /// Sum of the nodes' medians, seconds.
  [[nodiscard]] double sum_s() const noexcept
  {
    double sum = 0;
    for (const auto& n : nodes) sum += n.seconds.median_s;
    return sum;
  }
  /// Whether the nodes' times explain the whole run: METHODS 13 rejects a profile whose sum is off by more than 5 %.
  [[nodiscard]] bool adds_up(double tolerance = 0.05) const noexcept
  {
    return std::abs(sum_s() - whole.median_s) <= tolerance * whole.median_s;
  }
  friend bool operator==(const node_times&, const node_times&) = default;
};

/// Whether the times are those of this graph's nodes, in its order.
/// Errors: model_mismatch (another count or other names).
[[nodiscard]] inline result<void> check(const node_times& times, const graph& g)
{
  if (times.nodes.size() != g.nodes().size())
    return error(errc::model_mismatch, "profile: it has " + std::to_string(times.nodes.size()) + " nodes, the model has " +
                                         std::to_string(g.nodes().size()));
  for (std::size_t i = 0; i < times.nodes.size(); ++i)
    if (times.nodes[i].name != g.nodes()[i].name)
      return error(errc::model_mismatch, "profile: node " + std::to_string(i) + " is '" + times.nodes[i].name +
                                           "', in the model it is '" + g.nodes()[i].name + "'");
  return {};
}

/// As above, and by hash: a profile of another model file is refused even where its nodes have the same names.
[[nodiscard]] inline result<void> check(const node_times& times, const model& m)
{
  if (times.model_hash != m.hash)
    return error(errc::model_mismatch, "profile: measured on a model with hash " + times.model_hash.substr(0, 12) +
                                         ", '" + m.name + "' has " + m.hash.substr(0, 12));
  return check(times, *m.network);
}

/// Times that a machine would need at a constant rate of multiply-adds per second, plus `per_node_s` for each node:
/// for planning without the machine at hand. `repeats` is 0 to tell them from measured ones.
[[nodiscard]] inline node_times assumed_node_times(const graph& g, double multiply_adds_per_s, double per_node_s = 2e-6)
{
  node_times times;
  times.machine = "assumed";
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const double s = static_cast<double>(multiply_adds(g, static_cast<node_id>(i))) / multiply_adds_per_s + per_node_s;
    times.nodes.push_back({g.nodes()[i].name, {s, s, s}});
    times.whole.median_s += s;
  }
  times.whole.p5_s = times.whole.p95_s = times.whole.median_s;
  return times;
}

}  // namespace narrows
