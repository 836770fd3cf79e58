// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The format's bits rest on IEEE binary32 arithmetic: a NaN that stays a NaN, a product that is rounded once. These
// modes take that away, silently; `narrows selftest` catches what no macro tells.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
  defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#  error "narrows: compile without -ffast-math, -ffinite-math-only, -fassociative-math and -freciprocal-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#  error "narrows: float must be evaluated as float; on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif

#include <cstdint>
#include <limits>

#include <narrows/pack/affine.hpp>
#include <narrows/pack/kernel/target.hpp>

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<float>::digits == 24);

namespace narrows {

inline namespace NARROWS_FLAGS {

/// Nearest integer, halves to the even one; for |y| <= 2^22. Precondition of all of pack: the default rounding mode.
///
/// Compares and adjusts: no expression here can be fused with the product that made `y`, so that the answer does not
/// depend on -ffp-contract, as y - trunc(y) would.
[[nodiscard]] constexpr std::int32_t round_half_even(float y) noexcept
{
  auto below = static_cast<std::int32_t>(y);
  if (static_cast<float>(below) > y) --below;
  const float middle = static_cast<float>(below) + 0.5F;
  if (y > middle || (y == middle && below % 2 != 0)) ++below;
  return below;
}

}  // namespace NARROWS_FLAGS

/// An affine mapping made ready for one width: what every quantising kernel reads. (One type whatever the flags; its
/// functions are in line everywhere, so that no unit calls what another's flags made.)
struct quantizer {
  float inverse = 1;          ///< 1 / scale, rounded once
  float low = 0;              ///< -zero and largest - zero: the range of rounded products that are codes
  float high = 0;
  std::int32_t zero = 0;
  std::uint32_t largest = 0;  ///< 2^bits - 1

  constexpr quantizer() = default;
  [[gnu::always_inline]] constexpr quantizer(const affine& a, int bits) noexcept
    : inverse(1.0F / a.scale), low(static_cast<float>(-a.zero)),
      high(static_cast<float>(static_cast<std::int32_t>(max_code(bits)) - a.zero)), zero(a.zero), largest(max_code(bits))
  {
  }

  /// Code of one value; NaN gives 0.
  [[nodiscard, gnu::always_inline]] constexpr std::uint32_t operator()(float x) const noexcept
  {
    if (x != x) return 0;  // before any arithmetic: clang takes no NaN result in constant evaluation
    const float y = x * inverse;
    if (!(y > low)) return 0;
    if (!(y < high)) return largest;
    return static_cast<std::uint32_t>(round_half_even(y) + zero);
  }
};

inline namespace NARROWS_FLAGS {

/// Value of one code, rounded once.
[[nodiscard]] constexpr float value_of(std::uint32_t code, const affine& a) noexcept
{
  return static_cast<float>(static_cast<std::int32_t>(code) - a.zero) * a.scale;
}

/// False for NaN and both infinities.
[[nodiscard]] constexpr bool is_finite(float x) noexcept
{
  return x >= -std::numeric_limits<float>::max() && x <= std::numeric_limits<float>::max();
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
