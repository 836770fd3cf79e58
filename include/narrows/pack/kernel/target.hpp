// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Kernels are inline code, and the same inline function compiled in two translation units with different -m flags is
// one symbol, of which the linker keeps either body. This name, an inline namespace around every kernel, keeps the
// bodies apart: each unit calls what its own flags made.
#if defined(__AVX512BW__)
#  define NARROWS_FLAGS flags_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#  define NARROWS_FLAGS flags_fma
#elif defined(__AVX2__)
#  define NARROWS_FLAGS flags_avx2
#elif defined(__AVX__)
#  define NARROWS_FLAGS flags_avx
#elif defined(__SSE4_1__)
#  define NARROWS_FLAGS flags_sse4
#elif defined(__ARM_FEATURE_SVE)
#  define NARROWS_FLAGS flags_sve
#else
#  define NARROWS_FLAGS flags_base
#endif

namespace narrows::kernel {

/// A width that is known at run time only, where a template asks for one.
inline constexpr int any_width = 0;

}  // namespace narrows::kernel
