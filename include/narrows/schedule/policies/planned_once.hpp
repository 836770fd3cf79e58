// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/partition/cost.hpp>
#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// What a deployment without a scheduler does: the best plan for a link that was assumed beforehand, kept whatever the link is.
class planned_once {
public:
  static constexpr std::string_view name = "planned-once";

  planned_once(const objective& goal, const link_state& assumed) : goal_(goal), assumed_(assumed) {}

  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) noexcept
  {
    if (candidates_ != from.size()) {
      candidates_ = from.size();
      at_ = choose_best(from, goal_, {assumed_}).index;
    }
    const bool feasible = !(goal_.missed(evaluate(from[at_], seen.link, seen.load)) > 0);
    return {at_, feasible, feasible ? "planned beforehand" : "planned beforehand, and outside the limits now"};
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  objective goal_;
  link_state assumed_;
  std::size_t candidates_ = 0;
  std::size_t at_ = 0;
};
static_assert(scheduling_policy<planned_once>);

}  // namespace narrows
