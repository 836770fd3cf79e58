// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replaces the global operator new by one that counts: for exactly one translation unit of a test program.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

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

inline void* counted(std::size_t n, std::size_t alignment)
{
  ++allocation_count;
  allocation_bytes += n;
  if (n >= large_bytes) ++allocation_large;
  void* memory = nullptr;
  if (::posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<std::size_t>(n, 1)) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace narrows::test

void* operator new(std::size_t n) { return narrows::test::counted(n, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new[](std::size_t n) { return narrows::test::counted(n, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t n, std::align_val_t a) { return narrows::test::counted(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return narrows::test::counted(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
