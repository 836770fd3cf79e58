// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Everything on the device, whatever the link: the baseline without a network.
class device_only {
public:
  static constexpr std::string_view name = "device-only";

  /// Infeasible where no candidate is the end cut; the one with the least server time stands in.
  [[nodiscard]] decision choose(std::span<const candidate> from, const observation&) const noexcept
  {
    std::size_t least = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i].where == placement::device) return {i, true, "everything runs on the device"};
      if (from[i].cost.server_load() < from[least].cost.server_load()) least = i;
    }
    return {least, false, "infeasible: no plan runs wholly on the device; this one uses the server least"};
  }
};
static_assert(scheduling_policy<device_only>);

}  // namespace narrows
