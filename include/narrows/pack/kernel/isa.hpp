// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdlib>
#include <string_view>

#include <narrows/pack/kernel/target.hpp>

#if defined(__x86_64__)
#  include <cpuid.h>
#endif

/// What this CPU can run. Names no kernel, so that asking compiles none.
namespace narrows::kernel {

/// Slowest first.
enum class isa { scalar, generic, sse4_1, avx2, avx512, avx512_vbmi, neon64 };

inline namespace NARROWS_FLAGS {

inline constexpr isa every_isa[] = {
  isa::scalar, isa::generic, isa::sse4_1, isa::avx2, isa::avx512, isa::avx512_vbmi, isa::neon64};

/// As in NARROWS_ISA.
[[nodiscard]] constexpr std::string_view name_of(isa which) noexcept
{
  switch (which) {
  case isa::generic: return "generic";
  case isa::sse4_1: return "sse4_1";
  case isa::avx2: return "avx2";
  case isa::avx512: return "avx512";
  case isa::avx512_vbmi: return "avx512_vbmi";
  case isa::neon64: return "neon64";
  default: return "scalar";
  }
}

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

[[nodiscard]] inline bool runs_here(isa which) noexcept
{
  if (which == isa::scalar) return true;
  if constexpr (std::endian::native != std::endian::little) return false;
  if (which == isa::generic) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();  // the first caller may run before the run-time library's own call
  if (which == isa::sse4_1) return __builtin_cpu_supports("sse4.1");
  if (which == isa::neon64) return false;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("popcnt") || !has_f16c())
    return false;
  if (which == isa::avx2) return true;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return false;
  return which == isa::avx512 || (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2"));
#elif defined(__AARCH64EL__)
  return which == isa::neon64;
#else
  return false;
#endif
}

/// The ISA in use, chosen at the first call and kept: the one that the environment variable NARROWS_ISA names, if this CPU
/// runs it, or the fastest.
[[nodiscard]] inline isa best_isa() noexcept
{
  static const isa chosen = [] {
    const char* const wanted = std::getenv("NARROWS_ISA");
    isa best = isa::scalar;
    for (const isa which : every_isa) {
      if (!runs_here(which)) continue;
      if (wanted != nullptr && name_of(which) == wanted) return which;
      best = which;
    }
    return best;
  }();
  return chosen;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
