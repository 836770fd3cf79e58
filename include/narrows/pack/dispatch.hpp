// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <string_view>

#include <narrows/pack/kernel/isa.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>

// How a call finds its kernel:
//
//   kernel/isa.hpp         best_isa(): what this CPU runs, or NARROWS_ISA asks for; once per process.
//   kernel/<isa>.hpp       an ISA's functions, and `kernels`, which names them; codecs_<isa>.hpp: what only codecs need of it;
//                          scales_avx512.hpp: blocks of several scales.
//   kernel/kernel_use.hpp  a kernel_set (table of plain functions) from an ISA's `kernels` and what is used of them.
//   kernels_for.hpp        kernels_for<use>(): that table for best_isa(). pack<4> says that it packs 4 bits, and one function per
//                          ISA is compiled; all of them take a compiler forty seconds.
//   this file              every entry for every ISA: for codecs, and for who tests, compares or names kernels.
//
// A program of many translation units that use much of `pack` may define NARROWS_SEPARATE_KERNELS for all of them and have one
// more that includes kernel/separate.hpp: the full tables are then compiled there alone, and kernels_for answers with them.
// Without it everything is inline, and there is nothing to link.
#if !defined(NARROWS_SEPARATE_KERNELS)
#  include <narrows/pack/kernel/all.hpp>
#endif

namespace narrows {

/// The kernel sets that this CPU can run, slowest first; never empty, since "scalar" is always there.
/// The rest: "generic" (xsimd, as far as the flags of its translation unit reach), and by CPU, whatever the flags,
/// "sse4_1", "avx2", "avx512", "avx512_vbmi"; "neon64".
#if defined(NARROWS_SEPARATE_KERNELS)
inline namespace separate_kernels {
[[nodiscard]] std::span<const kernel_set* const> available_kernels() noexcept;
}
#else
inline namespace NARROWS_FLAGS {
[[nodiscard]] inline std::span<const kernel_set* const> available_kernels() noexcept { return kernel::usable_sets(); }
}
#endif

inline namespace NARROWS_FLAGS {

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
    const kernel_set* const best = find_kernels(kernel::name_of(kernel::best_isa()));
    return best != nullptr ? best : available_kernels().back();
  }();
  return *chosen;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
