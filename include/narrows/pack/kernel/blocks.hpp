// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/isa.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/kernel_use.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

// Where an ISA has kernels of its own, xsimd's headers would take a third of the time that a call of pack<4> takes to compile.
#if defined(__x86_64__)
#  include <narrows/pack/kernel/avx2.hpp>
#  include <narrows/pack/kernel/scales_avx512.hpp>
#  include <narrows/pack/kernel/sse4_1.hpp>
#elif defined(__AARCH64EL__)
#  include <narrows/pack/kernel/neon64.hpp>
#else
#  include <narrows/pack/kernel/generic.hpp>
#endif

namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

/// What an ISA has of `Use`. (AVX-512 with VBMI2 has more for codecs only; and `generic` is scalar where it is not included.)
template <kernel_use Use>
[[nodiscard]] const kernel_set& block_kernels(isa which) noexcept
{
  switch (which) {
#if defined(__x86_64__)
  case isa::sse4_1: return set_of<isa::sse4_1, Use, sse4_1::kernels>;
  case isa::avx2: return set_of<isa::avx2, Use, avx2::kernels>;
  case isa::avx512:
  case isa::avx512_vbmi: return set_of<isa::avx512, Use, avx512::kernels_of_scales>;
#elif defined(__AARCH64EL__)
  case isa::neon64: return set_of<isa::neon64, Use, neon64::kernels>;
#elif defined(NARROWS_HAS_GENERIC_KERNELS)
  case isa::generic: return set_of<isa::generic, Use, generic::kernels>;
#endif
  default: return set_of<isa::scalar, Use, scalar::kernels>;
  }
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
