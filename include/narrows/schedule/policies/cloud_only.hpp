// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/partition/cost.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Everything on the server: the input crosses without loss (as the file it came in, as 8-bit pixels, or as floats),
/// in whichever of these forms is soonest answered over the link as it is.
class cloud_only {
public:
  static constexpr std::string_view name = "cloud-only";

  /// Infeasible where no candidate sends the input, or the link is down; the one with the least device time stands in.
  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) const noexcept
  {
    std::size_t best = from.size(), least = 0;
    double soonest = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i].cost.device_load() < from[least].cost.device_load()) least = i;
      if (from[i].where != placement::cloud || !sends_input_whole(from[i])) continue;
      const double latency = evaluate(from[i], seen.link).latency();
      if (best == from.size() || latency < soonest) {
        best = i;
        soonest = latency;
      }
    }
    if (best == from.size()) return {least, false, "infeasible: no plan sends the input; this one uses the device least"};
    if (!seen.link.is_up()) return {best, false, "infeasible: the link is down"};
    return {best, true, "everything runs on the server"};
  }

private:
  [[nodiscard]] static bool sends_input_whole(const candidate& c) noexcept
  {
    for (const auto& how : c.what.codings)
      if (how.coded_as != codec::raw && how.coded_as != codec::pixels && how.coded_as != codec::image) return false;
    return true;
  }
};
static_assert(scheduling_policy<cloud_only>);

}  // namespace narrows
