// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <iterator>
#include <span>

#include <narrows/pack/kernel/blocks.hpp>
#include <narrows/pack/kernel/codecs_avx2.hpp>
#include <narrows/pack/kernel/codecs_avx512_vbmi.hpp>
#include <narrows/pack/kernel/codecs_neon64.hpp>
#include <narrows/pack/kernel/codecs_scalar.hpp>
#include <narrows/pack/kernel/generic.hpp>
#include <narrows/pack/kernel/isa.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/kernel_use.hpp>
#include <narrows/pack/kernel/target.hpp>

/// Sets with every entry. To name one is to compile its kernels of all widths.
namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

template <isa Isa, class Kernels>
inline constexpr kernel_set all_of = set_of<Isa, kernel_use{uses::all}, Kernels>;

inline constexpr kernel_set scalar_set = scalar::with_codecs(all_of<isa::scalar, scalar::kernels>);
#if defined(NARROWS_HAS_GENERIC_KERNELS)
inline constexpr kernel_set generic_set = scalar::with_codecs(all_of<isa::generic, generic::kernels>);
#endif
#if defined(__x86_64__)
inline constexpr kernel_set sse4_1_set = scalar::with_codecs(all_of<isa::sse4_1, sse4_1::kernels>);
inline constexpr kernel_set avx2_set = avx2::with_codecs(all_of<isa::avx2, avx2::kernels>);
// Any CPU with AVX-512 has AVX2's way with codecs; byte compress came later.
inline constexpr kernel_set avx512_set = avx2::with_codecs(all_of<isa::avx512, avx512::kernels_of_scales>);
inline constexpr kernel_set avx512_vbmi_set = avx512_vbmi::with_codecs(all_of<isa::avx512_vbmi, avx512::kernels_of_scales>);
#elif defined(__AARCH64EL__)
inline constexpr kernel_set neon64_set = neon64::with_codecs(all_of<isa::neon64, neon64::kernels>);
#endif

/// Null where this build has none.
[[nodiscard]] inline const kernel_set* full_set(isa which) noexcept
{
  switch (which) {
  case isa::scalar: return &scalar_set;
#if defined(NARROWS_HAS_GENERIC_KERNELS)
  case isa::generic: return &generic_set;
#endif
#if defined(__x86_64__)
  case isa::sse4_1: return &sse4_1_set;
  case isa::avx2: return &avx2_set;
  case isa::avx512: return &avx512_set;
  case isa::avx512_vbmi: return &avx512_vbmi_set;
#elif defined(__AARCH64EL__)
  case isa::neon64: return &neon64_set;
#endif
  default: return nullptr;
  }
}

/// The kernel sets of this build that this CPU can run, slowest first.
[[nodiscard]] inline std::span<const kernel_set* const> usable_sets() noexcept
{
  struct list {
    const kernel_set* sets[std::size(every_isa)]{};
    std::size_t size = 0;
    list() noexcept
    {
      for (const isa which : every_isa) {
        const kernel_set* const set = full_set(which);
        if (set != nullptr && runs_here(which)) sets[size++] = set;
      }
    }
  };
  static const list all;
  return {all.sets, all.size};
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
