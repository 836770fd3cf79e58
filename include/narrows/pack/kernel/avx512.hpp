// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/avx2.hpp>
#include <narrows/pack/kernel/convert_avx512.hpp>
#include <narrows/pack/kernel/invalid_flag.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstdint>
#include <cstring>

#define NARROWS_TARGET [[gnu::target("avx512f,avx512bw")]]
#define NARROWS_OP [[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline

/// AVX-512 F and BW: a row of a block is one register.
namespace narrows::kernel::avx512 {
inline namespace NARROWS_FLAGS {

using vec = __m512i;
using vecf = __m512;
inline constexpr std::size_t vec_bytes = 64;

NARROWS_OP vec zero() { return _mm512_setzero_si512(); }
NARROWS_OP vec load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
NARROWS_OP void store(std::uint8_t* to, vec v) { _mm512_storeu_si512(to, v); }
NARROWS_OP vec all_bytes(char c) { return _mm512_set1_epi8(c); }
NARROWS_OP vec all_words(short s) { return _mm512_set1_epi16(s); }
NARROWS_OP vec both(vec a, vec b) { return _mm512_and_si512(a, b); }
NARROWS_OP vec either(vec a, vec b) { return _mm512_or_si512(a, b); }
NARROWS_OP vec either_masked(vec a, vec b, vec mask) { return _mm512_ternarylogic_epi32(a, b, mask, 0xF8); }
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
NARROWS_OP vecf smaller(vecf a, vecf b) { return _mm512_min_ps(a, b); }
NARROWS_OP vecf larger(vecf a, vecf b) { return _mm512_max_ps(a, b); }
// Finite x adds 0; NaN and infinity times 0 are NaN, and stay.
NARROWS_OP void note(vecf& seen, vecf x) { seen = _mm512_fmadd_ps(x, _mm512_setzero_ps(), seen); }

struct levels {
  vecf inverse, low, high, seen[4];
  vec zero16, zero32, largest8;

  NARROWS_OP explicit levels(const quantizer& q)
    : inverse(_mm512_set1_ps(q.inverse)), low(_mm512_set1_ps(q.low)), high(_mm512_set1_ps(q.high)),
      seen{no_float(), no_float(), no_float(), no_float()}, zero16(_mm512_set1_epi16(static_cast<short>(q.zero))),
      zero32(_mm512_set1_epi32(q.zero)), largest8(_mm512_set1_epi8(static_cast<char>(q.largest)))
  {
  }
  NARROWS_OP bool all_finite() const
  {
    const vecf sum = _mm512_add_ps(_mm512_add_ps(seen[0], seen[1]), _mm512_add_ps(seen[2], seen[3]));
    return _mm512_cmp_ps_mask(sum, sum, _CMP_ORD_Q) == 0xFFFF;
  }
  /// Rounded product, for 8-bit codes. The convert turns what an int cannot hold into INT_MIN, as it should be for
  /// NaN and for -infinity; min, which hands a NaN on as its second operand, keeps large values away from it.
  template <int Part>
  NARROWS_OP vec round(const float* x)
  {
    const vecf value = _mm512_loadu_ps(x + 16 * Part);
    note(seen[Part], value);
    return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(0x1p30F), _mm512_mul_ps(value, inverse)));
  }
  /// Rounded, clamped, zero added; max answers NaN with its second operand.
  template <int Part>
  NARROWS_OP vec clamp(const float* x)
  {
    const vecf value = _mm512_loadu_ps(x + 16 * Part);
    note(seen[Part], value);
    const vecf held = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(value, inverse), low), high);
    return _mm512_add_epi32(_mm512_cvtps_epi32(held), zero32);
  }
};

/// For codes of up to 15 bits, a zero from 0 to 32767 where they have more than 8, and values whose products fit an int32;
/// the convert says in MXCSR if one does not.
struct quick_levels {
  vecf inverse;
  vec zero16, largest8, largest16;

  NARROWS_OP explicit quick_levels(const quantizer& q)
    : inverse(_mm512_set1_ps(q.inverse)), zero16(_mm512_set1_epi16(static_cast<short>(q.zero))),
      largest8(_mm512_set1_epi8(static_cast<char>(q.largest))), largest16(_mm512_set1_epi16(static_cast<short>(q.largest)))
  {
  }
  template <int Part>
  NARROWS_OP vec round(const float* x) const
  {
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * Part), inverse));
  }
};

/// The saturating narrowings clamp: |zero| <= 32000 leaves 16-bit sums enough room on both sides. The packs interleave
/// 128-bit lanes; store8 puts the 4-byte pieces right, on packed words, of which there are fewer than rows.
template <int Bits, class Levels>
NARROWS_OP vec quantize8(const float* x, Levels& by)
{
  const vec first = _mm512_adds_epi16(_mm512_packs_epi32(by.template round<0>(x), by.template round<1>(x)), by.zero16);
  const vec second = _mm512_adds_epi16(_mm512_packs_epi32(by.template round<2>(x), by.template round<3>(x)), by.zero16);
  const vec bytes = _mm512_packus_epi16(first, second);
  if constexpr (Bits == 8) return bytes;
  else return _mm512_min_epu8(bytes, by.largest8);
}
NARROWS_OP vec quantize16(const float* x, levels& by) { return _mm512_packus_epi32(by.clamp<0>(x), by.clamp<1>(x)); }
/// What saturates to 16 bits lies beyond the levels before and after a zero that is not negative is added.
NARROWS_OP vec quantize16(const float* x, const quick_levels& by)
{
  const vec sums = _mm512_adds_epi16(_mm512_packs_epi32(by.round<0>(x), by.round<1>(x)), by.zero16);
  return _mm512_min_epi16(_mm512_max_epi16(sums, zero()), by.largest16);
}

NARROWS_OP vec transpose_pieces(vec v)
{
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
}
NARROWS_OP void store8(std::uint8_t* to, vec v) { store(to, transpose_pieces(v)); }
NARROWS_OP void store16(std::uint8_t* to, vec v)
{
  store(to, _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v));
}

template <bool Stream>
struct values {
  vecf scale;
  vec zero;
  NARROWS_OP explicit values(const affine& a) : scale(_mm512_set1_ps(a.scale)), zero(_mm512_set1_epi32(a.zero)) {}
  NARROWS_OP void put(float* to, vec codes) const
  {
    const vecf value = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(codes, zero)), scale);
    if constexpr (Stream) _mm512_stream_ps(to, value);
    else _mm512_storeu_ps(to, value);
  }
  NARROWS_OP void end() const
  {
    if constexpr (Stream) _mm_sfence();
  }
};

/// Byte q of 32-bit element j is lane 16 q + j, so that shifts and masks yield lanes in order.
NARROWS_OP vec load8(const std::uint8_t* from)
{
  const vec bytes = _mm512_set4_epi32(0x0F0B0703, 0x0E0A0602, 0x0D090501, 0x0C080400);
  return _mm512_shuffle_epi8(transpose_pieces(load(from)), bytes);
}
NARROWS_OP vec load16(const std::uint8_t* from)
{
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), load(from));
}
template <class Values>
NARROWS_OP void dequantize8(vec codes, const Values& by, float* to)
{
  const vec low = _mm512_set1_epi32(0xFF);
  by.put(to, both(codes, low));
  by.put(to + 16, both(_mm512_srli_epi32(codes, 8), low));
  by.put(to + 32, both(_mm512_srli_epi32(codes, 16), low));
  by.put(to + 48, _mm512_srli_epi32(codes, 24));
}
template <class Values>
NARROWS_OP void dequantize16(vec codes, const Values& by, float* to)
{
  by.put(to, _mm512_unpacklo_epi16(codes, zero()));
  by.put(to + 16, _mm512_unpackhi_epi16(codes, zero()));
}

inline constexpr bool has_quick_levels = true;
inline constexpr bool has_streams = true;
#include <narrows/pack/kernel/body.hpp>

// Any CPU with AVX-512 has AVX2's way; byte compress came later (avx512_vbmi.hpp).
inline constexpr kernel_set set = convert_avx512::with_convert(avx2::with_compress(table("avx512")));

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
