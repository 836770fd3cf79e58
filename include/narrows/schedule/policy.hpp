// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <narrows/partition/candidate.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/load.hpp>

namespace narrows {

/// What was last seen of the world outside.
struct observation {
  link_state link;
  load_factors load{};
  double link_uncertainty = 0;   ///< the rate may well be so much larger or smaller, as a share of it
  std::uint64_t steps = 0;       ///< grows when link or load turned out to be another one
  double at_s = 0;               ///< seconds since some fixed moment
};

/// The answer of a policy. `feasible` is false where no candidate meets what was asked; `index` then names the one that
/// misses it least. `reason` is one clause for people; its text must outlive the policy (a literal).
struct decision {
  std::size_t index = 0;
  bool feasible = false;
  std::string_view reason;
};

/// A rule that picks one candidate for the link as it is now (`evaluate` costs a candidate for it). It never blocks,
/// allocates or throws. `from` is not empty.
template <class P>
concept scheduling_policy = std::movable<P> && requires(P policy, std::span<const candidate> from, const observation& seen) {
  { policy.choose(from, seen) } noexcept -> std::same_as<decision>;
  { P::name } -> std::convertible_to<std::string_view>;   // as shown in logs and tables
};

}  // namespace narrows
