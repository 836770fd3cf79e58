// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/invalid_flag.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstring>

#define NARROWS_TARGET [[gnu::target("sse4.1")]]
#define NARROWS_OP [[gnu::target("sse4.1"), gnu::always_inline]] inline

/// SSE4.1, which the oldest servers have: a row of a block is four registers.
namespace narrows::kernel::sse4_1 {
inline namespace NARROWS_FLAGS {

using vec = __m128i;
using vecf = __m128;
inline constexpr std::size_t vec_bytes = 16;

NARROWS_OP vec zero() { return _mm_setzero_si128(); }
NARROWS_OP vec load(const std::uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const vec*>(from)); }
NARROWS_OP void store(std::uint8_t* to, vec v) { _mm_storeu_si128(reinterpret_cast<vec*>(to), v); }
NARROWS_OP vec all_bytes(char c) { return _mm_set1_epi8(c); }
NARROWS_OP vec all_words(short s) { return _mm_set1_epi16(s); }
NARROWS_OP vec both(vec a, vec b) { return _mm_and_si128(a, b); }
NARROWS_OP vec either(vec a, vec b) { return _mm_or_si128(a, b); }
NARROWS_OP vec either_masked(vec a, vec b, vec mask) { return either(a, both(b, mask)); }
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

struct levels {
  vecf inverse, low, high, seen[4];
  vec zero16, zero32, largest8;

  NARROWS_OP explicit levels(const quantizer& q)
    : inverse(_mm_set1_ps(q.inverse)), low(_mm_set1_ps(q.low)), high(_mm_set1_ps(q.high)),
      seen{no_float(), no_float(), no_float(), no_float()}, zero16(_mm_set1_epi16(static_cast<short>(q.zero))),
      zero32(_mm_set1_epi32(q.zero)), largest8(_mm_set1_epi8(static_cast<char>(q.largest)))
  {
  }
  NARROWS_OP bool all_finite() const
  {
    const vecf sum = _mm_add_ps(_mm_add_ps(seen[0], seen[1]), _mm_add_ps(seen[2], seen[3]));
    return _mm_movemask_ps(_mm_cmpord_ps(sum, sum)) == 0xF;
  }
  /// Rounded product, for 8-bit codes. The convert turns what an int cannot hold into INT_MIN, as it should be for
  /// NaN and for -infinity; min, which hands a NaN on as its second operand, keeps large values away from it.
  template <int Part>
  NARROWS_OP vec round(const float* x)
  {
    const vecf value = _mm_loadu_ps(x + 4 * Part);
    note(seen[Part], value);
    return _mm_cvtps_epi32(_mm_min_ps(_mm_set1_ps(0x1p30F), _mm_mul_ps(value, inverse)));
  }
  /// Rounded, clamped, zero added; max answers NaN with its second operand.
  template <int Part>
  NARROWS_OP vec clamp(const float* x)
  {
    const vecf value = _mm_loadu_ps(x + 4 * Part);
    note(seen[Part], value);
    const vecf held = _mm_min_ps(_mm_max_ps(_mm_mul_ps(value, inverse), low), high);
    return _mm_add_epi32(_mm_cvtps_epi32(held), zero32);
  }
};

/// For codes of up to 15 bits, a zero from 0 to 32767 where they have more than 8, and values whose products fit an int32;
/// the convert says in MXCSR if one does not.
struct quick_levels {
  vecf inverse;
  vec zero16, largest8, largest16;

  NARROWS_OP explicit quick_levels(const quantizer& q)
    : inverse(_mm_set1_ps(q.inverse)), zero16(_mm_set1_epi16(static_cast<short>(q.zero))),
      largest8(_mm_set1_epi8(static_cast<char>(q.largest))), largest16(_mm_set1_epi16(static_cast<short>(q.largest)))
  {
  }
  template <int Part>
  NARROWS_OP vec round(const float* x) const
  {
    return _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(x + 4 * Part), inverse));
  }
};

/// The saturating narrowings clamp: |zero| <= 32000 leaves 16-bit sums enough room on both sides.
template <int Bits, class Levels>
NARROWS_OP vec quantize8(const float* x, Levels& by)
{
  const vec first = _mm_adds_epi16(_mm_packs_epi32(by.template round<0>(x), by.template round<1>(x)), by.zero16);
  const vec second = _mm_adds_epi16(_mm_packs_epi32(by.template round<2>(x), by.template round<3>(x)), by.zero16);
  const vec bytes = _mm_packus_epi16(first, second);
  if constexpr (Bits == 8) return bytes;
  else return _mm_min_epu8(bytes, by.largest8);
}
NARROWS_OP vec quantize16(const float* x, levels& by) { return _mm_packus_epi32(by.clamp<0>(x), by.clamp<1>(x)); }
/// What saturates to 16 bits lies beyond the levels before and after a zero that is not negative is added.
NARROWS_OP vec quantize16(const float* x, const quick_levels& by)
{
  const vec sums = _mm_adds_epi16(_mm_packs_epi32(by.round<0>(x), by.round<1>(x)), by.zero16);
  return _mm_min_epi16(_mm_max_epi16(sums, zero()), by.largest16);
}

NARROWS_OP void store8(std::uint8_t* to, vec v) { store(to, v); }
NARROWS_OP void store16(std::uint8_t* to, vec v) { store(to, v); }

template <bool Stream>
struct values {
  vecf scale;
  vec zero;
  NARROWS_OP explicit values(const affine& a) : scale(_mm_set1_ps(a.scale)), zero(_mm_set1_epi32(a.zero)) {}
  NARROWS_OP void put(float* to, vec codes) const
  {
    _mm_storeu_ps(to, _mm_mul_ps(_mm_cvtepi32_ps(_mm_sub_epi32(codes, zero)), scale));
  }
  NARROWS_OP void end() const {}
};

/// Byte q of 32-bit element j is lane 4 q + j, so that shifts and masks yield lanes in order.
NARROWS_OP vec load8(const std::uint8_t* from)
{
  return _mm_shuffle_epi8(load(from), _mm_setr_epi32(0x0C080400, 0x0D090501, 0x0E0A0602, 0x0F0B0703));
}
NARROWS_OP vec load16(const std::uint8_t* from) { return load(from); }
NARROWS_OP void dequantize8(vec codes, const values<false>& by, float* to)
{
  const vec low = _mm_set1_epi32(0xFF);
  by.put(to, both(codes, low));
  by.put(to + 4, both(_mm_srli_epi32(codes, 8), low));
  by.put(to + 8, both(_mm_srli_epi32(codes, 16), low));
  by.put(to + 12, _mm_srli_epi32(codes, 24));
}
NARROWS_OP void dequantize16(vec codes, const values<false>& by, float* to)
{
  by.put(to, _mm_unpacklo_epi16(codes, zero()));
  by.put(to + 4, _mm_unpackhi_epi16(codes, zero()));
}

inline constexpr bool has_quick_levels = true;
inline constexpr bool has_streams = false;   // its rows of 16-bit codes are half a cache line
#include <narrows/pack/kernel/body.hpp>

inline constexpr kernel_set set = table("sse4_1");

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::sse4_1

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
