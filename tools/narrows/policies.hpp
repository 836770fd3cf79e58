// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <narrows/profile/link.hpp>
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/objective.hpp>

namespace narrows::tool {

/// Whose wish the systems of papers follow: their own (`objective_of(published, ...)`), or the one that all are judged by.
enum class published_goal : bool { own, asked };

/// Names that `policy_named` knows, in the order of tables.
[[nodiscard]] const std::vector<std::string>& policy_names();

/// Whether a policy looks at costs alone, so that it never takes a candidate that another one dominates.
[[nodiscard]] inline bool looks_at_costs_alone(std::string_view policy) { return policy == "joint" || policy == "best" || policy == "planned-once"; }

/// `name` must be one of policy_names(). `assumed`: the link that `planned-once` is planned for.
[[nodiscard]] any_policy policy_named(
  std::string_view name, const objective& goal, const link_state& assumed, published_goal of_papers = published_goal::own);

}  // namespace narrows::tool
