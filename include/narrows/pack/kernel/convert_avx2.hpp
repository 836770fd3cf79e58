// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>

#define NARROWS_TARGET [[gnu::target("avx2,fma,popcnt,f16c")]]
#define NARROWS_OP [[gnu::target("avx2,fma,popcnt,f16c"), gnu::always_inline]] inline

/// F16C, which every CPU with AVX2 has: its conversions heed neither DAZ nor FTZ where the format of 16 bits has denormals.
namespace narrows::kernel::convert_avx2 {
inline namespace NARROWS_FLAGS {

inline constexpr std::size_t step = 8;
NARROWS_OP __m256 load_floats(const float* x) { return _mm256_loadu_ps(x); }
NARROWS_OP void store_floats(float* to, __m256 v) { _mm256_storeu_ps(to, v); }
NARROWS_OP __m128i load_halves(const std::uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
NARROWS_OP void store_halves(std::uint8_t* to, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
NARROWS_OP __m256 from_half(__m128i v) { return _mm256_cvtph_ps(v); }
NARROWS_OP __m128i to_half(__m256 v) { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT); }
NARROWS_OP __m256 from_bfloat(__m128i v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16)); }
/// Integers throughout, unlike VCVTNEPS2BF16, which takes denormals for zeros.
NARROWS_OP __m128i to_bfloat(__m256 v)
{
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i upper = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
  const __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F800000));
  const __m256i words = _mm256_blendv_epi8(rounded, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), is_nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}
#include <narrows/pack/kernel/convert_body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::convert_avx2

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
