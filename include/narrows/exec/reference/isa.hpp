// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// Everything of the reference executor whose machine code depends on the instruction set lives in
/// `narrows::exec::<NARROWS_EXEC_ISA>` (an inline namespace), so translation units compiled with different flags may
/// meet in one program without the linker taking one's body for the other's.
#if defined(__FAST_MATH__)
#  error "narrows: the reference executor promises the same bits everywhere; compile it without -ffast-math"
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__)
#  define NARROWS_EXEC_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#  define NARROWS_EXEC_ISA avx2_fma
#elif defined(__AVX2__)
#  define NARROWS_EXEC_ISA avx2
#elif defined(__AVX__) && defined(__FMA__)
#  define NARROWS_EXEC_ISA avx_fma
#elif defined(__AVX__)
#  define NARROWS_EXEC_ISA avx
#elif defined(__SSE4_2__) && defined(__FMA__)
#  define NARROWS_EXEC_ISA sse4_2_fma
#elif defined(__SSE4_2__)
#  define NARROWS_EXEC_ISA sse4_2
#elif defined(__SSE2__)
#  define NARROWS_EXEC_ISA sse2
#elif defined(__aarch64__)
#  define NARROWS_EXEC_ISA neon64
#else
#  error "narrows: the reference executor needs SSE2 or 64-bit NEON"
#endif

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Whether one step of a sum rounds once (fused multiply-add) or twice. It is all that decides the bits of an answer.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
