// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

#include <narrows/partition/candidate.hpp>

namespace narrows {

/// Whether `a` is at least as good as `b` for every objective and limit over every link, whatever the machines' loads.
/// An agreement that nobody measured counts as 0.
[[nodiscard]] constexpr bool is_no_worse(const cost_terms& a, const cost_terms& b) noexcept
{
  return a.device_load() <= b.device_load() && a.server_load() <= b.server_load() && a.bytes <= b.bytes &&
         a.return_bytes <= b.return_bytes && a.memory_bytes <= b.memory_bytes && a.agreement.value_or(0) >= b.agreement.value_or(0);
}

/// Indices, ascending, of the candidates that no other one is no worse than: what is left out can be dropped, and no choice that
/// looks at costs becomes worse by it. Of equals the first stays.
///
/// Cost     O(n log n + n * kept).
/// Source   METHODS 3.3, offline step 3.
[[nodiscard]] inline std::vector<std::size_t> undominated(std::span<const candidate> all)
{
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Nothing that comes later can dominate what came before: the loads never fall, nor at equal loads the bytes.
  const auto key = [&](std::size_t i) {
    const cost_terms& c = all[i].cost;
    return std::tuple(c.device_load(), c.server_load(), c.bytes, c.return_bytes, c.memory_bytes, -c.agreement.value_or(0));
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<std::size_t> kept;
  for (const auto i : order)
    if (std::none_of(kept.begin(), kept.end(), [&](std::size_t k) { return is_no_worse(all[k].cost, all[i].cost); })) kept.push_back(i);
  std::sort(kept.begin(), kept.end());
  return kept;
}

/// Those candidates themselves.
[[nodiscard]] inline std::vector<candidate> without_dominated(std::span<const candidate> all)
{
  std::vector<candidate> kept;
  for (const auto i : undominated(all)) kept.push_back(all[i]);
  return kept;
}

}  // namespace narrows
