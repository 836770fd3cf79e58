// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>

#define NARROWS_TARGET [[gnu::target("avx512f,avx512bw")]]
#define NARROWS_OP [[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline

namespace narrows::kernel::convert_avx512 {
inline namespace NARROWS_FLAGS {

inline constexpr std::size_t step = 16;
inline constexpr __mmask16 every = 0xFFFF;   // as in avx512.hpp
NARROWS_OP __m512 load_floats(const float* x) { return _mm512_loadu_ps(x); }
NARROWS_OP void store_floats(float* to, __m512 v) { _mm512_storeu_ps(to, v); }
NARROWS_OP __m256i load_halves(const std::uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
NARROWS_OP void store_halves(std::uint8_t* to, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
NARROWS_OP __m512 from_half(__m256i v) { return _mm512_maskz_cvtph_ps(every, v); }
NARROWS_OP __m256i to_half(__m512 v) { return _mm512_maskz_cvtps_ph(every, v, _MM_FROUND_TO_NEAREST_INT); }
NARROWS_OP __m512 from_bfloat(__m256i v) { return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(every, _mm512_maskz_cvtepu16_epi32(every, v), 16)); }
/// Integers throughout, unlike VCVTNEPS2BF16, which takes denormals for zeros.
NARROWS_OP __m256i to_bfloat(__m512 v)
{
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i upper = _mm512_maskz_srli_epi32(every, bits, 16);
  const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_maskz_srli_epi32(every, _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_maskz_cvtepi32_epi16(every, _mm512_mask_or_epi32(rounded, is_nan, upper, _mm512_set1_epi32(0x40)));
}
#include <narrows/pack/kernel/convert_body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::convert_avx512

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
