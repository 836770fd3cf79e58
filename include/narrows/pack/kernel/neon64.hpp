// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_neon64.hpp>
#include <narrows/pack/kernel/fetch_ahead.hpp>
#include <narrows/pack/kernel/invalid_flag.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

#if defined(__AARCH64EL__)

#include <arm_neon.h>
#include <bit>
#include <cstdint>
#include <cstring>

// NEON is part of every AArch64 CPU: no target attribute is needed.
#define NARROWS_TARGET
#define NARROWS_OP [[gnu::always_inline]] inline

/// AArch64 NEON: a row of a block is four registers.
namespace narrows::kernel::neon64 {
inline namespace NARROWS_FLAGS {

using vec = uint8x16_t;
using vecf = float32x4_t;
using veci = int32x4_t;
using vecw = int16x8_t;
inline constexpr std::size_t floats = 4;   // in a register
inline constexpr std::size_t vec_bytes = 16;

NARROWS_OP vec zero() { return vdupq_n_u8(0); }
NARROWS_OP vec load(const std::uint8_t* from) { return vld1q_u8(from); }
NARROWS_OP void store(std::uint8_t* to, vec v) { vst1q_u8(to, v); }
NARROWS_OP void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t n) { std::memcpy(to, from, n); }

template <int W>
NARROWS_OP vec mask_of(unsigned bits)
{
  if constexpr (W == 8) return vdupq_n_u8(static_cast<std::uint8_t>(bits));
  else return vreinterpretq_u8_u16(vdupq_n_u16(static_cast<std::uint16_t>(bits)));
}
template <int W, int S>
NARROWS_OP vec shift_right(vec v)
{
  if constexpr (W == 8) return vshrq_n_u8(v, S);
  else return vreinterpretq_u8_u16(vshrq_n_u16(vreinterpretq_u16_u8(v), S));
}
/// SLI: keeps the low S bits of `word`, and puts `code` above them, in one instruction.
template <int W, int S, int Bits>
NARROWS_OP vec insert(vec word, vec code)
{
  if constexpr (W == 8) return vsliq_n_u8(word, code, S);
  else return vreinterpretq_u8_u16(vsliq_n_u16(vreinterpretq_u16_u8(word), vreinterpretq_u16_u8(code), S));
}
template <int W, int S, int Bits>
NARROWS_OP vec spill(vec code)
{
  return shift_right<W, W - S>(code);
}
template <int W, int S, int Bits, bool Masked>
NARROWS_OP vec extract(vec word)
{
  if constexpr (Bits == W) return word;
  else {
    vec moved = word;
    if constexpr (S > 0) moved = shift_right<W, S>(word);
    if constexpr (S + Bits == W) return moved;
    else return vandq_u8(moved, mask_of<W>((1U << Bits) - 1));
  }
}
template <int W, int S, int Bits, bool Masked>
NARROWS_OP vec join(vec word, vec following)
{
  return vandq_u8(insert<W, W - S, Bits>(shift_right<W, S>(word), following), mask_of<W>((1U << Bits) - 1));
}

NARROWS_OP vecf load_float(const float* x) { return vld1q_f32(x); }
NARROWS_OP void store_float(float* to, vecf v) { vst1q_f32(to, v); }
NARROWS_OP vecf no_float() { return vdupq_n_f32(0); }
NARROWS_OP vecf all_floats(float f) { return vdupq_n_f32(f); }
NARROWS_OP veci all_ints(int i) { return vdupq_n_s32(i); }
NARROWS_OP vecf as_floats(veci bits) { return vreinterpretq_f32_s32(bits); }
NARROWS_OP vecw words_of(veci a, veci b) { return vmovn_high_s32(vmovn_s32(a), b); }
NARROWS_OP uint32x4_t lanes_from(int k)
{
  constexpr std::int32_t numbers[4] = {0, 1, 2, 3};
  return vcgeq_s32(vld1q_s32(numbers), vdupq_n_s32(k));
}
NARROWS_OP vecf chosen(uint32x4_t mask, vecf a, vecf b) { return vbslq_f32(mask, b, a); }
NARROWS_OP veci chosen(uint32x4_t mask, veci a, veci b) { return vbslq_s32(mask, b, a); }
NARROWS_OP vecf smaller(vecf a, vecf b) { return vminq_f32(a, b); }
NARROWS_OP vecf larger(vecf a, vecf b) { return vmaxq_f32(a, b); }
// Finite x adds 0; NaN and infinity times 0 are NaN, and stay.
NARROWS_OP void note(vecf& seen, vecf x) { seen = vfmaq_f32(seen, x, vdupq_n_f32(0)); }

struct levels {
  vecf inverse, low, high, seen[4];
  int16x8_t zero16;
  int32x4_t zero32;
  uint8x16_t largest8;

  NARROWS_OP explicit levels(const quantizer& q)
    : inverse(vdupq_n_f32(q.inverse)), low(vdupq_n_f32(q.low)), high(vdupq_n_f32(q.high)),
      seen{no_float(), no_float(), no_float(), no_float()}, zero16(vdupq_n_s16(static_cast<std::int16_t>(q.zero))),
      zero32(vdupq_n_s32(q.zero)), largest8(vdupq_n_u8(static_cast<std::uint8_t>(q.largest)))
  {
  }
  NARROWS_OP bool all_finite() const
  {
    const vecf sum = vaddq_f32(vaddq_f32(seen[0], seen[1]), vaddq_f32(seen[2], seen[3]));
    return vminvq_u32(vceqq_f32(sum, sum)) != 0;
  }
  template <int Part>
  NARROWS_OP int16x8_t add_zero(int16x8_t words) const
  {
    return vqaddq_s16(words, zero16);
  }
  /// Rounded product. FMAXNM answers NaN with the other operand, the level of code 0 (the convert alone would make it
  /// 0 before the zero is added); the convert saturates.
  template <int Part>
  NARROWS_OP int32x4_t round(const float* x)
  {
    const vecf value = vld1q_f32(x + 4 * Part);
    note(seen[Part], value);
    return vcvtnq_s32_f32(vmaxnmq_f32(vmulq_f32(value, inverse), low));
  }
  template <int Part>
  NARROWS_OP int32x4_t clamp(const float* x)
  {
    const vecf value = vld1q_f32(x + 4 * Part);
    note(seen[Part], value);
    return vaddq_s32(vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(vmulq_f32(value, inverse), low), high)), zero32);
  }
};

/// For values that are finite: the convert says in FPSR if one is not, or is beyond an int, which it saturates to.
template <bool HasZero>
struct quick_levels {
  vecf inverse;
  int16x8_t zero16;
  int32x4_t zero32;
  uint8x16_t largest8;
  uint16x8_t largest16;

  NARROWS_OP explicit quick_levels(const quantizer& q)
    : inverse(vdupq_n_f32(q.inverse)), zero16(vdupq_n_s16(static_cast<std::int16_t>(q.zero))), zero32(vdupq_n_s32(q.zero)),
      largest8(vdupq_n_u8(static_cast<std::uint8_t>(q.largest))), largest16(vdupq_n_u16(static_cast<std::uint16_t>(q.largest)))
  {
  }
  template <int Part>
  NARROWS_OP int32x4_t round(const float* x) const
  {
    return vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + 4 * Part), inverse));
  }
  template <int Part>
  NARROWS_OP int32x4_t shifted(const float* x) const
  {
    if constexpr (HasZero) return vqaddq_s32(round<Part>(x), zero32);
    else return round<Part>(x);
  }
  template <int Part>
  NARROWS_OP int16x8_t add_zero(int16x8_t words) const
  {
    if constexpr (HasZero) return vqaddq_s16(words, zero16);
    else return words;
  }
};

/// As quick_levels, where each lane has its own (groups_body.hpp).
template <bool HasZero>
struct lane_levels {
  vecf scale[4];   // the inverse ones
  int32x4_t zero[4];
  int16x8_t zero16[2];
  uint8x16_t largest8;
  uint16x8_t largest16;

  NARROWS_OP explicit lane_levels(int bits)
    : largest8(vdupq_n_u8(static_cast<std::uint8_t>(max_code(bits)))), largest16(vdupq_n_u16(static_cast<std::uint16_t>(max_code(bits))))
  {
  }
  template <int Part>
  NARROWS_OP int32x4_t round(const float* x) const
  {
    return vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + 4 * Part), scale[Part]));
  }
  template <int Part>
  NARROWS_OP int32x4_t shifted(const float* x) const
  {
    if constexpr (HasZero) return vqaddq_s32(round<Part>(x), zero[Part]);
    else return round<Part>(x);
  }
  template <int Part>
  NARROWS_OP int16x8_t add_zero(int16x8_t words) const
  {
    if constexpr (HasZero) return vqaddq_s16(words, zero16[Part / 2]);
    else return words;
  }
};

/// The saturating narrowings clamp: |zero| <= 32000 leaves 16-bit sums enough room on both sides.
template <int Bits, class Levels>
NARROWS_OP vec quantize8(const float* x, Levels& by)
{
  const int16x8_t first = vqmovn_high_s32(vqmovn_s32(by.template round<0>(x)), by.template round<1>(x));
  const int16x8_t second = vqmovn_high_s32(vqmovn_s32(by.template round<2>(x)), by.template round<3>(x));
  const uint8x16_t bytes = vqmovun_high_s16(vqmovun_s16(by.template add_zero<0>(first)), by.template add_zero<2>(second));
  if constexpr (Bits == 8) return bytes;
  else return vminq_u8(bytes, by.largest8);
}
template <int Bits>
NARROWS_OP vec quantize16(const float* x, levels& by)
{
  return vreinterpretq_u8_u16(vqmovun_high_s32(vqmovun_s32(by.clamp<0>(x)), by.clamp<1>(x)));
}
template <int Bits, class Levels>
NARROWS_OP vec quantize16(const float* x, const Levels& by)
{
  const uint16x8_t words = vqmovun_high_s32(vqmovun_s32(by.template shifted<0>(x)), by.template shifted<1>(x));
  if constexpr (Bits == 16) return vreinterpretq_u8_u16(words);
  else return vreinterpretq_u8_u16(vminq_u16(words, by.largest16));
}
NARROWS_OP vec in_order8(vec v) { return v; }
NARROWS_OP vec in_order16(vec v) { return v; }

/// Code k in the low bits of the float 1.5 * 2^23 makes 1.5 * 2^23 + k, a raised code, from which a raised zero is taken away, both
/// exactly: a quarter of the time of a conversion, for which a Neoverse N1 has one of its two pipes, at half the rate.
inline constexpr float raise = 0x1.8p23F;
constexpr std::int32_t raised_zero(std::int32_t zero) { return std::bit_cast<std::int32_t>(raise) + zero; }

template <bool Stream>
struct values {
  vecf scale, zero;
  NARROWS_OP explicit values(const affine& a) : scale(vdupq_n_f32(a.scale)), zero(as_floats(all_ints(raised_zero(a.zero)))) {}
  template <int Part>
  NARROWS_OP void put(float* to, vecf raised) const
  {
    vst1q_f32(to + 4 * Part, vmulq_f32(vsubq_f32(raised, zero), scale));
  }
  NARROWS_OP void end() const {}
};

/// As values, where each lane has its own (groups_body.hpp).
template <bool HasZero>
struct lane_values {
  vecf scale[4];
  vecf zero[4];   // raised ones

  template <int Part>
  NARROWS_OP void put(float* to, vecf raised) const
  {
    vst1q_f32(to + 4 * Part, vmulq_f32(vsubq_f32(raised, HasZero ? zero[Part] : all_floats(raise)), scale[Part]));
  }
};

NARROWS_OP vec load8(const std::uint8_t* from) { return load(from); }
NARROWS_OP vec load16(const std::uint8_t* from) { return load(from); }
/// Interleaved with the upper halves of raised codes, words are widened and raised in one.
template <int First, class Values>
NARROWS_OP void dequantize_words(uint16x8_t words, const Values& by, float* to)
{
  const uint16x8_t upper = vdupq_n_u16(raised_zero(0) >> 16);
  by.template put<First>(to, vreinterpretq_f32_u16(vzip1q_u16(words, upper)));
  by.template put<First + 1>(to, vreinterpretq_f32_u16(vzip2q_u16(words, upper)));
}
template <class Values>
NARROWS_OP void dequantize16(vec codes, const Values& by, float* to)
{
  dequantize_words<0>(vreinterpretq_u16_u8(codes), by, to);
}
template <int Bits, class Values>
NARROWS_OP void dequantize8(vec codes, const Values& by, float* to)
{
  dequantize_words<0>(vreinterpretq_u16_u8(vzip1q_u8(codes, zero())), by, to);
  dequantize_words<2>(vreinterpretq_u16_u8(vzip2q_u8(codes, zero())), by, to);
}

inline constexpr bool masks_fields = false;
inline constexpr bool has_streams = false;
using convert_neon64::conversions;
#include <narrows/pack/kernel/body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::neon64

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
