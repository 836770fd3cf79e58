// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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

#define NARROWS_TARGET [[gnu::target("sse4.1")]]
#define NARROWS_OP [[gnu::target("sse4.1"), gnu::always_inline]] inline

/// SSE4.1, which the oldest servers have: a row of a block is four registers.
namespace narrows::kernel::sse4_1 {
inline namespace NARROWS_FLAGS {

using vec = __m128i;
using vecf = __m128;
inline constexpr std::size_t floats = 4;   // in a register
inline constexpr std::size_t vec_bytes = 16;

NARROWS_OP vec zero() { return _mm_setzero_si128(); }
NARROWS_OP vec load(const std::uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const vec*>(from)); }
NARROWS_OP void store(std::uint8_t* to, vec v) { _mm_storeu_si128(reinterpret_cast<vec*>(to), v); }
NARROWS_OP void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t n) { std::memcpy(to, from, n); }
NARROWS_OP vec all_bytes(char c) { return _mm_set1_epi8(c); }
NARROWS_OP vec all_words(short s) { return _mm_set1_epi16(s); }
NARROWS_OP vec both(vec a, vec b) { return _mm_and_si128(a, b); }
NARROWS_OP vec either(vec a, vec b) { return _mm_or_si128(a, b); }
NARROWS_OP vec either_masked(vec a, vec b, vec mask) { return either(a, both(b, mask)); }
NARROWS_OP vec selected(vec mask, vec a, vec b) { return either(both(a, mask), _mm_andnot_si128(mask, b)); }
template <int S>
NARROWS_OP vec shift_left(vec v)
{
  return _mm_slli_epi16(v, S);
}
template <int S>
NARROWS_OP vec shift_right(vec v)
{
  return _mm_srli_epi16(v, S);
}
#include <narrows/pack/kernel/x86_fields.hpp>

NARROWS_OP vecf load_float(const float* x) { return _mm_loadu_ps(x); }
NARROWS_OP void store_float(float* to, vecf v) { _mm_storeu_ps(to, v); }
NARROWS_OP vecf no_float() { return _mm_setzero_ps(); }
NARROWS_OP vecf smaller(vecf a, vecf b) { return _mm_min_ps(a, b); }
NARROWS_OP vecf larger(vecf a, vecf b) { return _mm_max_ps(a, b); }
// Finite x adds 0; NaN and infinity times 0 are NaN, and stay.
NARROWS_OP void note(vecf& seen, vecf x) { seen = _mm_add_ps(seen, _mm_mul_ps(x, _mm_setzero_ps())); }

NARROWS_OP vecf all_floats(float f) { return _mm_set1_ps(f); }
NARROWS_OP vec all_ints(int i) { return _mm_set1_epi32(i); }
NARROWS_OP vecf product(vecf a, vecf b) { return _mm_mul_ps(a, b); }
NARROWS_OP vec rounded(vecf v) { return _mm_cvtps_epi32(v); }
NARROWS_OP vec sum(vec a, vec b) { return _mm_add_epi32(a, b); }
NARROWS_OP vec saturated_sum(vec a, vec b) { return _mm_adds_epi16(a, b); }
NARROWS_OP vec narrow(vec a, vec b) { return _mm_packs_epi32(a, b); }
NARROWS_OP vec narrow_to_unsigned(vec a, vec b) { return _mm_packus_epi32(a, b); }
NARROWS_OP vec narrow_to_bytes(vec a, vec b) { return _mm_packus_epi16(a, b); }
NARROWS_OP vec smaller_bytes(vec a, vec b) { return _mm_min_epu8(a, b); }
NARROWS_OP vec smaller_unsigned(vec a, vec b) { return _mm_min_epu16(a, b); }
NARROWS_OP vec smaller_ints(vec a, vec b) { return _mm_min_epi32(a, b); }
NARROWS_OP vec smaller_words(vec a, vec b) { return _mm_min_epi16(a, b); }
NARROWS_OP vec larger_words(vec a, vec b) { return _mm_max_epi16(a, b); }
NARROWS_OP bool all_ordered(vecf v) { return _mm_movemask_ps(_mm_cmpord_ps(v, v)) == 0xF; }
#include <narrows/pack/kernel/x86_quantize.hpp>
NARROWS_OP vecf difference(vecf a, vecf b) { return _mm_sub_ps(a, b); }
NARROWS_OP vecf as_floats(vec bits) { return _mm_castsi128_ps(bits); }
NARROWS_OP vec lanes_from(int k) { return _mm_cmpgt_epi32(_mm_setr_epi32(0, 1, 2, 3), all_ints(k - 1)); }
NARROWS_OP vecf chosen(vec mask, vecf a, vecf b) { return _mm_blendv_ps(a, b, _mm_castsi128_ps(mask)); }
NARROWS_OP vec chosen(vec mask, vec a, vec b) { return _mm_blendv_epi8(a, b, mask); }
#include <narrows/pack/kernel/x86_groups.hpp>

NARROWS_OP vec in_order8(vec v) { return v; }
NARROWS_OP vec in_order16(vec v) { return v; }

NARROWS_OP void stream_float(float* to, vecf v) { _mm_stream_ps(to, v); }
NARROWS_OP vec unpack_low(vec a, vec b) { return _mm_unpacklo_epi16(a, b); }
NARROWS_OP vec unpack_high(vec a, vec b) { return _mm_unpackhi_epi16(a, b); }
#include <narrows/pack/kernel/x86_dequantize.hpp>

/// The even bytes are the first 8 lanes, the odd ones the others.
NARROWS_OP vec load8(const std::uint8_t* from)
{
  const vec v = load(from);
  return _mm_unpacklo_epi8(v, _mm_unpackhi_epi64(v, v));
}
NARROWS_OP vec load16(const std::uint8_t* from) { return load(from); }
template <int Bits, class Values>
NARROWS_OP void dequantize8(vec codes, const Values& by, float* to)
{
  dequantize_words<0>(both(codes, all_words(0xFF)), by, to);
  dequantize_words<2>(shift_right<8>(codes), by, to);
}

inline constexpr bool masks_fields = false;
inline constexpr bool has_streams = false;   // its rows of 16-bit codes are half a cache line
using scalar::conversions;
#include <narrows/pack/kernel/body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::sse4_1

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
