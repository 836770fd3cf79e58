// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_avx512.hpp>
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

#define NARROWS_TARGET [[gnu::target("avx512f,avx512bw")]]
#define NARROWS_OP [[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline

/// AVX-512 F and BW: a row of a block is one register.
namespace narrows::kernel::avx512 {
inline namespace NARROWS_FLAGS {

using vec = __m512i;
using vecf = __m512;
inline constexpr std::size_t floats = 16;   // in a register
inline constexpr std::size_t vec_bytes = 64;
/// Full masks cost nothing. Where g++ 12 defines an intrinsic without one by a register of any content, it warns of that in users'
/// code (GCC bug 105593): such are called with a mask.
inline constexpr __mmask16 every = 0xFFFF;

NARROWS_OP vec zero() { return _mm512_setzero_si512(); }
NARROWS_OP vec load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
NARROWS_OP void store(std::uint8_t* to, vec v) { _mm512_storeu_si512(to, v); }
NARROWS_OP void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t n)   // n > 0
{
  for (; n > 64; n -= 64, to += 64, from += 64) store(to, load(from));
  const __mmask64 mask = ~std::uint64_t{0} >> (64 - n);
  _mm512_mask_storeu_epi8(to, mask, _mm512_maskz_loadu_epi8(mask, from));
}
NARROWS_OP vec all_bytes(char c) { return _mm512_set1_epi8(c); }
NARROWS_OP vec all_words(short s) { return _mm512_set1_epi16(s); }
NARROWS_OP vec both(vec a, vec b) { return _mm512_and_si512(a, b); }
NARROWS_OP vec either(vec a, vec b) { return _mm512_or_si512(a, b); }
NARROWS_OP vec either_masked(vec a, vec b, vec mask) { return _mm512_ternarylogic_epi32(a, b, mask, 0xF8); }
NARROWS_OP vec selected(vec mask, vec a, vec b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xCA); }
template <int S>
NARROWS_OP vec shift_left(vec v)
{
  return _mm512_slli_epi16(v, S);
}
template <int S>
NARROWS_OP vec shift_right(vec v)
{
  return _mm512_srli_epi16(v, S);
}
#include <narrows/pack/kernel/x86_fields.hpp>

NARROWS_OP vecf load_float(const float* x) { return _mm512_loadu_ps(x); }
NARROWS_OP void store_float(float* to, vecf v) { _mm512_storeu_ps(to, v); }
NARROWS_OP vecf no_float() { return _mm512_setzero_ps(); }
NARROWS_OP vecf smaller(vecf a, vecf b) { return _mm512_maskz_min_ps(every, a, b); }
NARROWS_OP vecf larger(vecf a, vecf b) { return _mm512_maskz_max_ps(every, a, b); }
// Finite x adds 0; NaN and infinity times 0 are NaN, and stay.
NARROWS_OP void note(vecf& seen, vecf x) { seen = _mm512_fmadd_ps(x, _mm512_setzero_ps(), seen); }

NARROWS_OP vecf all_floats(float f) { return _mm512_set1_ps(f); }
NARROWS_OP vec all_ints(int i) { return _mm512_set1_epi32(i); }
NARROWS_OP vecf product(vecf a, vecf b) { return _mm512_mul_ps(a, b); }
NARROWS_OP vec rounded(vecf v) { return _mm512_maskz_cvtps_epi32(every, v); }
NARROWS_OP vec sum(vec a, vec b) { return _mm512_add_epi32(a, b); }
NARROWS_OP vec saturated_sum(vec a, vec b) { return _mm512_adds_epi16(a, b); }
NARROWS_OP vec narrow(vec a, vec b) { return _mm512_packs_epi32(a, b); }
NARROWS_OP vec narrow_to_unsigned(vec a, vec b) { return _mm512_packus_epi32(a, b); }
NARROWS_OP vec narrow_to_bytes(vec a, vec b) { return _mm512_packus_epi16(a, b); }
NARROWS_OP vec smaller_bytes(vec a, vec b) { return _mm512_min_epu8(a, b); }
NARROWS_OP vec smaller_unsigned(vec a, vec b) { return _mm512_min_epu16(a, b); }
NARROWS_OP vec smaller_ints(vec a, vec b) { return _mm512_maskz_min_epi32(every, a, b); }
NARROWS_OP vec smaller_words(vec a, vec b) { return _mm512_min_epi16(a, b); }
NARROWS_OP vec larger_words(vec a, vec b) { return _mm512_max_epi16(a, b); }
NARROWS_OP bool all_ordered(vecf v) { return _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q) == 0xFFFF; }
#include <narrows/pack/kernel/x86_quantize.hpp>
NARROWS_OP vecf difference(vecf a, vecf b) { return _mm512_sub_ps(a, b); }
NARROWS_OP vecf as_floats(vec bits) { return _mm512_castsi512_ps(bits); }
NARROWS_OP __mmask16 lanes_from(int k) { return static_cast<__mmask16>(0xFFFFU << k); }
NARROWS_OP vecf chosen(__mmask16 mask, vecf a, vecf b) { return _mm512_mask_mov_ps(a, mask, b); }
NARROWS_OP vec chosen(__mmask16 mask, vec a, vec b) { return _mm512_mask_mov_epi32(a, mask, b); }
#include <narrows/pack/kernel/x86_groups.hpp>

NARROWS_OP vec transpose_pieces(vec v)
{
  return _mm512_maskz_permutexvar_epi32(every, _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
}
NARROWS_OP vec in_order8(vec v) { return transpose_pieces(v); }
NARROWS_OP vec in_order16(vec v) { return _mm512_maskz_permutexvar_epi64(0xFF, _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v); }

NARROWS_OP void stream_float(float* to, vecf v) { _mm512_stream_ps(to, v); }
NARROWS_OP vec unpack_low(vec a, vec b) { return _mm512_unpacklo_epi16(a, b); }
NARROWS_OP vec unpack_high(vec a, vec b) { return _mm512_unpackhi_epi16(a, b); }
#include <narrows/pack/kernel/x86_dequantize.hpp>

/// Byte q of 32-bit element j is lane 16 q + j, so that shifts and masks yield lanes in order.
NARROWS_OP vec in_lanes8(vec codes)
{
  const vec bytes = _mm512_set4_epi32(0x0F0B0703, 0x0E0A0602, 0x0D090501, 0x0C080400);
  return _mm512_shuffle_epi8(transpose_pieces(codes), bytes);
}
NARROWS_OP vec load8(const std::uint8_t* from) { return in_lanes8(load(from)); }
NARROWS_OP vec load16(const std::uint8_t* from)
{
  return _mm512_maskz_permutexvar_epi64(0xFF, _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), load(from));
}
/// What lies in the 8 bits at bit S of each 32, raised; of it the low `Bits`.
template <int S, int Bits>
NARROWS_OP vecf raised_bytes(vec codes)
{
  constexpr std::int32_t mask = ((1 << Bits) - 1) << S;
  return as_floats(_mm512_ternarylogic_epi32(codes, all_ints(mask), all_ints(std::bit_cast<std::int32_t>(raise<S>)), 0xEA));
}
/// Of each byte the low `Bits`, whatever is above them.
template <int Bits, class Values>
NARROWS_OP void dequantize8(vec codes, const Values& by, float* to)
{
  constexpr int s = Values::second_byte;
  const vec upper = _mm512_maskz_srli_epi32(every, codes, 16);
  by.template put<0, 0>(to, raised_bytes<0, Bits>(codes));
  by.template put<1, s>(to, raised_bytes<s, Bits>(s == 8 ? codes : _mm512_maskz_srli_epi32(every, codes, 8)));
  by.template put<2, 0>(to, raised_bytes<0, Bits>(upper));
  by.template put<3, s>(to, raised_bytes<s, Bits>(s == 8 ? upper : _mm512_maskz_srli_epi32(every, codes, 24)));
}

inline constexpr bool masks_fields = true;
inline constexpr bool has_streams = true;
using convert_avx512::conversions;
#include <narrows/pack/kernel/body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
