// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#  define NARROWS_OP [[gnu::target("avx512f,avx512bw,avx512vbmi2"), gnu::always_inline]] inline

/// Compress and expand, zeros elsewhere. Their zeroing forms wait, on AMD's Zen 4, for whatever was in the destination before, with
/// a latency of 5 cycles: rounds of a loop that use one register run one after the other. Merging into zeros, which costs nothing,
/// does not wait, as long as the compiler does not see that they are zeros.
namespace narrows::kernel::avx512_vbmi {
inline namespace NARROWS_FLAGS {

NARROWS_OP __m512i unseen_zeros()
{
  __m512i zeros = _mm512_setzero_si512();
  __asm__("" : "+v"(zeros));
  return zeros;
}
NARROWS_OP __m512i compressed8(__mmask64 set, __m512i v) { return _mm512_mask_compress_epi8(unseen_zeros(), set, v); }
NARROWS_OP __m512i compressed16(__mmask32 set, __m512i v) { return _mm512_mask_compress_epi16(unseen_zeros(), set, v); }
NARROWS_OP __m512i expanded8(__mmask64 set, __m512i v) { return _mm512_mask_expand_epi8(unseen_zeros(), set, v); }
NARROWS_OP __m512i expanded16(__mmask32 set, __m512i v) { return _mm512_mask_expand_epi16(unseen_zeros(), set, v); }

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512_vbmi

#  undef NARROWS_OP
#endif
