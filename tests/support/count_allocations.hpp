// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For programs that are built with count_allocations.cpp, which replaces the global operator new by one that counts.

#include <atomic>
#include <cstddef>

namespace narrows::test {

/// What went through operator new on any thread; `large` counts requests of at least `large_bytes`.
struct allocations {
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t large = 0;
};
inline constexpr std::size_t large_bytes = 4096;
inline std::atomic<std::size_t> allocation_count{0}, allocation_bytes{0}, allocation_large{0};

[[nodiscard]] inline allocations allocations_so_far() noexcept { return {allocation_count, allocation_bytes, allocation_large}; }

/// What `work` allocated, and other threads meanwhile.
template <class Work>
[[nodiscard]] allocations allocations_of(Work work)
{
  const auto before = allocations_so_far();
  work();
  const auto after = allocations_so_far();
  return {after.count - before.count, after.bytes - before.bytes, after.large - before.large};
}

}  // namespace narrows::test
