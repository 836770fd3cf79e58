// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include <narrows/pack/kernel/target.hpp>

/// Asking memory for floats before they are read.
namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

/// How far ahead, in values: 4 KiB.
inline constexpr std::size_t fetch_ahead = 1024;

/// Whether it pays. It costs nothing in the caches and saves 5 to 10 % in memory on Intel's CPUs; on AMD's, which find a stream by
/// themselves and lose it among such requests, 256 MiB take 1.3 to 1.7 times as long (docs/decisions/0004).
[[nodiscard]] inline bool fetching_ahead_pays() noexcept
{
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") == 0;   // known from __builtin_cpu_init on, which whoever chose these kernels has called
#else
  return true;
#endif
}

/// The cache lines that N floats at x will be followed by, that far on.
template <std::size_t N>
[[gnu::always_inline]] inline void fetch_lines_ahead(const float* x) noexcept
{
  for (std::size_t line = 0; line < N; line += 16) __builtin_prefetch(x + line + fetch_ahead);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
