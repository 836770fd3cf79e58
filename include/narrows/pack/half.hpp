// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>

#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/kernel/target.hpp>

/// The 16-bit floats of inference engines, as plain code: IEEE 754 binary16 (float16) and the upper half of a binary32
/// (bfloat16), each as its bits. The oracle of the kernels that convert.
///
/// NaNs stay NaNs: sign and upper payload bits are kept, and signalling ones become quiet ones where the format changes its
/// payload (not from bfloat16, whose values are binary32 values bit for bit). Denormals of both formats are kept, also where
/// flush-to-zero modes are on. Rounding is to nearest, halves to even; the default rounding mode is a precondition of all of pack.
namespace narrows {

inline namespace NARROWS_FLAGS {

/// Value of a float16, exactly.
[[nodiscard]] constexpr float float_of_half(std::uint16_t half) noexcept
{
  constexpr std::uint32_t rebias = std::uint32_t{127 - 15} << 23;
  const std::uint32_t sign = (half & std::uint32_t{0x8000}) << 16;
  const std::uint32_t magnitude = half & std::uint32_t{0x7FFF};
  std::uint32_t bits = (magnitude << 13) + rebias;
  bits += magnitude >= 0x7C00 ? rebias : 0;
  bits |= magnitude > 0x7C00 ? 0x400000U : 0U;
  // Denormals: a small integer times 2^-24, which no mode that flushes denormal floats can meet.
  const float small = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F;
  return std::bit_cast<float>(sign | (magnitude < 0x400 ? std::bit_cast<std::uint32_t>(small) : bits));
}

/// Nearest float16; from 65520 on infinity.
[[nodiscard]] constexpr std::uint16_t half_of_float(float x) noexcept
{
  constexpr std::uint32_t rebias = std::uint32_t{127 - 15} << 23;
  constexpr std::uint32_t least_normal = 0x38800000, overflow = 0x477FF000, infinity = 0x7F800000;   // 2^-14, 65520
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  const std::uint32_t normal = (magnitude - rebias + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // Beside 0.5 the last bit of a float is 2^-24, that of denormal halves: the addition rounds.
  const float small = std::bit_cast<float>(magnitude < least_normal ? magnitude : 0U) + 0.5F;
  std::uint32_t half = magnitude < least_normal ? std::bit_cast<std::uint32_t>(small) - std::bit_cast<std::uint32_t>(0.5F) : normal;
  half = magnitude >= overflow ? 0x7C00 : half;
  half = magnitude > infinity ? 0x7E00 | ((magnitude >> 13) & 0x3FF) : half;
  return static_cast<std::uint16_t>(sign | half);
}

/// Value of a bfloat16, exactly.
[[nodiscard]] constexpr float float_of_bfloat(std::uint16_t bfloat) noexcept
{
  return std::bit_cast<float>(static_cast<std::uint32_t>(bfloat) << 16);
}

/// Nearest bfloat16; what rounds beyond the largest is infinity.
[[nodiscard]] constexpr std::uint16_t bfloat_of_float(float x) noexcept
{
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? (bits >> 16) | 0x40 : rounded);
}

static_assert(float_of_half(0x3C00) == 1 && float_of_half(0x0001) == 0x1p-24F && float_of_half(0xFBFF) == -65504);
static_assert(half_of_float(65519.99F) == 0x7BFF && half_of_float(65520) == 0x7C00 && half_of_float(0x1p-25F) == 0);
static_assert(bfloat_of_float(1.00390625F) == 0x3F80 && bfloat_of_float(1.01171875F) == 0x3F82);   // ties

}  // namespace NARROWS_FLAGS

}  // namespace narrows
