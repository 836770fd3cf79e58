// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_avx2.hpp>
#include <narrows/pack/kernel/fetch_ahead.hpp>
#include <narrows/pack/kernel/from_memory.hpp>
#include <narrows/pack/kernel/invalid_flag.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <bit>
#include <cstdint>
#include <cstring>

#define NARROWS_TARGET [[gnu::target("avx2,fma,popcnt")]]
#define NARROWS_OP [[gnu::target("avx2,fma,popcnt"), gnu::always_inline]] inline

/// AVX2 with FMA: a row of a block is two registers.
namespace narrows::kernel::avx2 {
inline namespace NARROWS_FLAGS {

using vec = __m256i;
using vecf = __m256;
inline constexpr std::size_t floats = 8;   // in a register
inline constexpr std::size_t vec_bytes = 32;

NARROWS_OP vec zero() { return _mm256_setzero_si256(); }
NARROWS_OP vec load(const std::uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const vec*>(from)); }
NARROWS_OP void store(std::uint8_t* to, vec v) { _mm256_storeu_si256(reinterpret_cast<vec*>(to), v); }
NARROWS_OP void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t n) { std::memcpy(to, from, n); }
NARROWS_OP vec all_bytes(char c) { return _mm256_set1_epi8(c); }
NARROWS_OP vec all_words(short s) { return _mm256_set1_epi16(s); }
NARROWS_OP vec both(vec a, vec b) { return _mm256_and_si256(a, b); }
NARROWS_OP vec either(vec a, vec b) { return _mm256_or_si256(a, b); }
NARROWS_OP vec either_masked(vec a, vec b, vec mask) { return either(a, both(b, mask)); }
NARROWS_OP vec selected(vec mask, vec a, vec b) { return either(both(a, mask), _mm256_andnot_si256(mask, b)); }
template <int S>
NARROWS_OP vec shift_left(vec v)
{
  return _mm256_slli_epi16(v, S);
}
template <int S>
NARROWS_OP vec shift_right(vec v)
{
  return _mm256_srli_epi16(v, S);
}
#include <narrows/pack/kernel/x86_fields.hpp>

NARROWS_OP vecf load_float(const float* x) { return _mm256_loadu_ps(x); }
NARROWS_OP void store_float(float* to, vecf v) { _mm256_storeu_ps(to, v); }
NARROWS_OP vecf no_float() { return _mm256_setzero_ps(); }
NARROWS_OP vecf smaller(vecf a, vecf b) { return _mm256_min_ps(a, b); }
NARROWS_OP vecf larger(vecf a, vecf b) { return _mm256_max_ps(a, b); }
// Finite x adds 0; NaN and infinity times 0 are NaN, and stay.
NARROWS_OP void note(vecf& seen, vecf x) { seen = _mm256_fmadd_ps(x, _mm256_setzero_ps(), seen); }

NARROWS_OP vecf all_floats(float f) { return _mm256_set1_ps(f); }
NARROWS_OP vec all_ints(int i) { return _mm256_set1_epi32(i); }
NARROWS_OP vecf product(vecf a, vecf b) { return _mm256_mul_ps(a, b); }
NARROWS_OP vec rounded(vecf v) { return _mm256_cvtps_epi32(v); }
NARROWS_OP vec sum(vec a, vec b) { return _mm256_add_epi32(a, b); }
NARROWS_OP vec saturated_sum(vec a, vec b) { return _mm256_adds_epi16(a, b); }
NARROWS_OP vec narrow(vec a, vec b) { return _mm256_packs_epi32(a, b); }
NARROWS_OP vec narrow_to_unsigned(vec a, vec b) { return _mm256_packus_epi32(a, b); }
NARROWS_OP vec narrow_to_bytes(vec a, vec b) { return _mm256_packus_epi16(a, b); }
NARROWS_OP vec smaller_bytes(vec a, vec b) { return _mm256_min_epu8(a, b); }
NARROWS_OP vec smaller_unsigned(vec a, vec b) { return _mm256_min_epu16(a, b); }
NARROWS_OP vec smaller_ints(vec a, vec b) { return _mm256_min_epi32(a, b); }
NARROWS_OP vec smaller_words(vec a, vec b) { return _mm256_min_epi16(a, b); }
NARROWS_OP vec larger_words(vec a, vec b) { return _mm256_max_epi16(a, b); }
NARROWS_OP bool all_ordered(vecf v) { return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_ORD_Q)) == 0xFF; }
#include <narrows/pack/kernel/x86_quantize.hpp>
NARROWS_OP vecf difference(vecf a, vecf b) { return _mm256_sub_ps(a, b); }
NARROWS_OP vecf as_floats(vec bits) { return _mm256_castsi256_ps(bits); }
NARROWS_OP vec lanes_from(int k) { return _mm256_cmpgt_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), all_ints(k - 1)); }
NARROWS_OP vecf chosen(vec mask, vecf a, vecf b) { return _mm256_blendv_ps(a, b, _mm256_castsi256_ps(mask)); }
NARROWS_OP vec chosen(vec mask, vec a, vec b) { return _mm256_blendv_epi8(a, b, mask); }
#include <narrows/pack/kernel/x86_groups.hpp>

NARROWS_OP vec in_order8(vec v) { return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); }
NARROWS_OP vec in_order16(vec v) { return _mm256_permute4x64_epi64(v, 0xD8); }

NARROWS_OP void stream_float(float* to, vecf v) { _mm256_stream_ps(to, v); }
NARROWS_OP vec unpack_low(vec a, vec b) { return _mm256_unpacklo_epi16(a, b); }
NARROWS_OP vec unpack_high(vec a, vec b) { return _mm256_unpackhi_epi16(a, b); }
#include <narrows/pack/kernel/x86_dequantize.hpp>

/// In each half, the even bytes are the first lanes and the odd ones those 16 on.
NARROWS_OP vec load8(const std::uint8_t* from)
{
  const vec pieces = _mm256_permutevar8x32_epi32(load(from), _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7));
  const vec bytes = _mm256_setr_epi32(0x05010400, 0x07030602, 0x0D090C08, 0x0F0B0E0A,
                                      0x05010400, 0x07030602, 0x0D090C08, 0x0F0B0E0A);
  return _mm256_shuffle_epi8(pieces, bytes);
}
NARROWS_OP vec load16(const std::uint8_t* from) { return _mm256_permute4x64_epi64(load(from), 0xD8); }
template <int Bits, class Values>
NARROWS_OP void dequantize8(vec codes, const Values& by, float* to)
{
  dequantize_words<0>(both(codes, all_words(0xFF)), by, to);
  dequantize_words<2>(shift_right<8>(codes), by, to);
}

inline constexpr bool masks_fields = false;
inline constexpr bool has_streams = true;
using convert_avx2::conversions;
#include <narrows/pack/kernel/body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx2

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
