// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/convert_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

#if defined(__AARCH64EL__)

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#define NARROWS_TARGET
#define NARROWS_OP [[gnu::always_inline]] inline

/// FCVT between half and single precision is in every AArch64 CPU. It heeds FPCR.FZ for denormal floats only, all of which round
/// to a half of 0; FPCR.AHP and DN are taken to be off, as they are by default.
namespace narrows::kernel::convert_neon64 {
inline namespace NARROWS_FLAGS {

inline constexpr std::size_t step = 4;
NARROWS_OP float32x4_t load_floats(const float* x) { return vld1q_f32(x); }
NARROWS_OP void store_floats(float* to, float32x4_t v) { vst1q_f32(to, v); }
NARROWS_OP uint16x4_t load_halves(const std::uint8_t* from) { return vreinterpret_u16_u8(vld1_u8(from)); }
NARROWS_OP void store_halves(std::uint8_t* to, uint16x4_t v) { vst1_u8(to, vreinterpret_u8_u16(v)); }
NARROWS_OP float32x4_t from_half(uint16x4_t v) { return vcvt_f32_f16(vreinterpret_f16_u16(v)); }
NARROWS_OP uint16x4_t to_half(float32x4_t v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }
NARROWS_OP float32x4_t from_bfloat(uint16x4_t v) { return vreinterpretq_f32_u32(vshll_n_u16(v, 16)); }
NARROWS_OP uint16x4_t to_bfloat(float32x4_t v)
{
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
  const uint32x4_t is_nan = vcgtq_u32(vandq_u32(bits, vdupq_n_u32(0x7FFFFFFF)), vdupq_n_u32(0x7F800000));
  return vshrn_n_u32(vbslq_u32(is_nan, vorrq_u32(bits, vdupq_n_u32(0x400000)), rounded), 16);
}
#include <narrows/pack/kernel/convert_body.hpp>

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::convert_neon64

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
