// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <span>
#include <string_view>

#include <narrows/pack/kernel/kernel_set.hpp>

// Every kernel of every ISA takes a compiler half a minute. A program of many translation units may define
// NARROWS_SEPARATE_KERNELS for all of them and have one more that includes kernel/separate.hpp: the tables are then
// compiled there alone. Without it everything is inline, and there is nothing to link.
#if defined(NARROWS_SEPARATE_KERNELS)
#  define NARROWS_DISPATCH separate_kernels
#else
#  include <narrows/pack/kernel/all.hpp>
#  define NARROWS_DISPATCH NARROWS_FLAGS
#endif

namespace narrows {
inline namespace NARROWS_DISPATCH {

/// The kernel sets that this CPU can run, slowest first; never empty, since "scalar" is always there.
/// The rest: "generic" (xsimd, as far as the flags of its translation unit reach), and by CPU, whatever the flags,
/// "sse4_1", "avx2", "avx512", "avx512_vbmi"; "neon64".
#if defined(NARROWS_SEPARATE_KERNELS)
[[nodiscard]] std::span<const kernel_set* const> available_kernels() noexcept;
#else
[[nodiscard]] inline std::span<const kernel_set* const> available_kernels() noexcept { return kernel::usable_sets(); }
#endif

/// The set of that name, or null where this CPU or build has none.
[[nodiscard]] inline const kernel_set* find_kernels(std::string_view name) noexcept
{
  for (const auto* set : available_kernels())
    if (set->name == name) return set;
  return nullptr;
}

/// The set in use, chosen at the first call and kept: the one that the environment variable NARROWS_ISA names, or the
/// fastest. A name that this CPU has no set for changes nothing; a program that wants to complain asks find_kernels.
[[nodiscard]] inline const kernel_set& best_kernels() noexcept
{
  static const kernel_set* const chosen = [] {
    const char* const wanted = std::getenv("NARROWS_ISA");
    const kernel_set* const forced = wanted != nullptr ? find_kernels(wanted) : nullptr;
    return forced != nullptr ? forced : available_kernels().back();
  }();
  return *chosen;
}

}  // namespace NARROWS_DISPATCH
}  // namespace narrows
