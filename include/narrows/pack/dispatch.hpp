// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>

#include <narrows/pack/kernel/avx2.hpp>
#include <narrows/pack/kernel/avx512.hpp>
#include <narrows/pack/kernel/avx512_vbmi.hpp>
#include <narrows/pack/kernel/generic.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/neon64.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/sse4_1.hpp>
#include <narrows/pack/kernel/target.hpp>

namespace narrows {
inline namespace NARROWS_FLAGS {

/// The kernel sets that this CPU can run, slowest first; never empty, since "scalar" is always there.
/// The rest: "generic" (xsimd, with the flags of this translation unit), and by CPU, whatever the flags, "sse4_1",
/// "avx2", "avx512", "avx512_vbmi"; "neon64".
[[nodiscard]] inline std::span<const kernel_set* const> available_kernels() noexcept
{
  struct list {
    const kernel_set* sets[8]{};
    std::size_t size = 0;
    list() noexcept
    {
      sets[size++] = &kernel::scalar::set;
      if constexpr (std::endian::native != std::endian::little) return;
#if defined(NARROWS_HAS_GENERIC_KERNELS)
      sets[size++] = &kernel::generic::set;
#endif
#if defined(__x86_64__)
      __builtin_cpu_init();  // the first caller may run before the run-time library's own call
      if (__builtin_cpu_supports("sse4.1")) sets[size++] = &kernel::sse4_1::set;
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt"))
        sets[size++] = &kernel::avx2::set;
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        sets[size++] = &kernel::avx512::set;
        if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt"))
          sets[size++] = &kernel::avx512_vbmi::set;
      }
#elif defined(__AARCH64EL__)
      sets[size++] = &kernel::neon64::set;
#endif
    }
  };
  static const list all;
  return {all.sets, all.size};
}

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

}  // namespace NARROWS_FLAGS
}  // namespace narrows
