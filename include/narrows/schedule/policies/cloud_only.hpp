// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Everything on the server: the input crosses as the file it came in, as 8-bit pixels, or as floats, in whichever of these
/// forms is best by an objective over the link as it is: by default the soonest answered. Not as `predicted`: what stands for
/// sending the input as everyone can stays what it was.
class cloud_only {
public:
  static constexpr std::string_view name = "cloud-only";

  cloud_only() = default;
  explicit cloud_only(const objective& goal) : goal_(goal) {}

  /// Infeasible where no candidate sends the input (the one with the least device time stands in), none that does keeps the
  /// limits, or the link is down.
  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) const noexcept
  {
    if (std::none_of(from.begin(), from.end(), sends_input_whole)) {
      const auto least = std::min_element(from.begin(), from.end(),
        [](const candidate& a, const candidate& b) { return a.cost.device_load() < b.cost.device_load(); });
      return {static_cast<std::size_t>(least - from.begin()), false, "infeasible: no plan sends the input; this one uses the device least"};
    }
    const ranked best = choose_best(from, goal_, seen, sends_input_whole);
    if (!seen.link.is_up()) return {best.index, false, "infeasible: the link is down"};
    return best.missed > 0 ? decision_of(best, goal_) : decision{best.index, true, "everything runs on the server"};
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  [[nodiscard]] static bool sends_input_whole(const candidate& c) noexcept
  {
    return c.where == placement::cloud && std::all_of(c.what.codings.begin(), c.what.codings.end(), [](const coding& how) {
      return how.coded_as == codec::raw || how.coded_as == codec::pixels || how.coded_as == codec::image;
    });
  }

  objective goal_;
};
static_assert(scheduling_policy<cloud_only>);

}  // namespace narrows
