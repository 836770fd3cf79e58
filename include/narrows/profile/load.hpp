// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace narrows {

/// How many times as long work takes now as the profile of its machine says: other processes, heat, a slower clock.
struct load_factors {
  double device = 1;
  double server = 1;
  friend constexpr bool operator==(const load_factors&, const load_factors&) = default;
};

}  // namespace narrows
