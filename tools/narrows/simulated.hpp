// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <narrows/onnx/import.hpp>
#include <narrows/schedule/simulate.hpp>

#include "planner.hpp"
#include "policies.hpp"

namespace narrows::tool {

struct simulate_command {
  std::string model;
  planning_options choice;
  engine_options engine;
  std::vector<int> bits;
  std::vector<std::string> codecs;
  std::vector<std::string> policies;                 ///< empty: all
  published_goal of_papers = published_goal::own;
  bool pixels = false;
  double file_bytes = 0;
  std::string trace = "lte";
  std::optional<bit_rate> to;
  int steps = 13;
  std::chrono::duration<double> length{60};
  std::size_t requests = 0;
  std::chrono::duration<double> every{0};
  std::chrono::duration<double> probe{0.8};
  double noise = 0.1;
  double slow_down = 1;
  bit_rate planned_for = bit_rate::mbit(10);
  std::uint64_t seed = 1;
  output_format format = output_format::table;
};

/// What one policy came to.
struct outcome_of_policy {
  std::string name;
  simulation did;
  double mean_latency_s = 0;        ///< of the requests that were answered
  double throughput = 0;            ///< of a pipeline, by the true costs of the plans that were chosen
  double bytes = 0;                 ///< per request
  std::optional<double> agreement;  ///< mean over the requests, where it is known
  std::size_t unanswered = 0, missed = 0;
  candidate most;                   ///< the plan that most requests had
};

/// Every policy that was asked for, over one trace. Those that look at costs alone are given what no other candidate dominates.
[[nodiscard]] result<std::vector<outcome_of_policy>> run_policies(
  const std::vector<candidate>& all, const objective& goal, const trace& world, const simulate_command& how);

/// `--trace sweep`: a constant link at each of a series of rates.
[[nodiscard]] exit_code sweep(const model& m, const planning& made, const simulate_command& how);

}  // namespace narrows::tool
