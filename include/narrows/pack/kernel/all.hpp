// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstddef>
#include <span>

#include <narrows/pack/kernel/avx2.hpp>
#include <narrows/pack/kernel/avx512.hpp>
#include <narrows/pack/kernel/avx512_vbmi.hpp>
#include <narrows/pack/kernel/generic.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/neon64.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/sse4_1.hpp>
#include <narrows/pack/kernel/target.hpp>

#if defined(__x86_64__)
#  include <cpuid.h>
#endif

namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

#if defined(__x86_64__)
/// Conversions of float16. clang 14 does not know the name for __builtin_cpu_supports.
[[nodiscard]] inline bool has_f16c() noexcept
{
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

/// The kernel sets of this build that this CPU can run, slowest first.
[[nodiscard]] inline std::span<const kernel_set* const> usable_sets() noexcept
{
  struct list {
    const kernel_set* sets[8]{};
    std::size_t size = 0;
    list() noexcept
    {
      sets[size++] = &scalar::set;
      if constexpr (std::endian::native != std::endian::little) return;
#if defined(NARROWS_HAS_GENERIC_KERNELS)
      sets[size++] = &generic::set;
#endif
#if defined(__x86_64__)
      __builtin_cpu_init();  // the first caller may run before the run-time library's own call
      if (__builtin_cpu_supports("sse4.1")) sets[size++] = &sse4_1::set;
      if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("popcnt") || !has_f16c()) return;
      sets[size++] = &avx2::set;
      if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return;
      sets[size++] = &avx512::set;
      if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2")) sets[size++] = &avx512_vbmi::set;
#elif defined(__AARCH64EL__)
      sets[size++] = &neon64::set;
#endif
    }
  };
  static const list all;
  return {all.sets, all.size};
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
