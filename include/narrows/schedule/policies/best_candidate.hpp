// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Takes what choose_best finds, anew each time: the choice with no regret, and no regard for what a change costs.
class best_candidate {
public:
  static constexpr std::string_view name = "best-candidate";

  best_candidate() = default;
  explicit best_candidate(const objective& goal) : goal_(goal) {}

  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) const noexcept
  {
    return decision_of(choose_best(from, goal_, seen), goal_);
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  objective goal_;
};
static_assert(scheduling_policy<best_candidate>);

}  // namespace narrows
