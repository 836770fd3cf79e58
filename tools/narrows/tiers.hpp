// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <narrows/graph/model.hpp>

#include "planner.hpp"

namespace narrows::tool {

/// What `plan` takes for a third tier between device and cloud.
struct tier_options {
  std::string profile;                 ///< of the edge; empty: the device's, `speedup` times as fast
  std::optional<double> speedup;
  bit_rate backbone = bit_rate::mbit(50);
  std::chrono::duration<double> backbone_rtt{0.03};
  [[nodiscard]] bool asked_for() const noexcept { return !profile.empty() || speedup; }
};
void add_tiers(CLI::App& app, tier_options& how);

/// The exact plan over device, edge and cloud, beside those of fewer tiers and D3's heuristic.
[[nodiscard]] exit_code plan_tiers(const model& m, const planning& made, const planning_options& choice, const tier_options& how,
  const std::vector<int>& bits, const std::vector<std::string>& codecs, bool pixels, output_format format);

}  // namespace narrows::tool
