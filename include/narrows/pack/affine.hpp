// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>

#include <narrows/core/errc.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/pack/kernel/target.hpp>

namespace narrows {

/// What a code means: value = (code - zero) * scale, code = clamp(rne(value * (1 / scale)) + zero, 0, 2^bits - 1).
struct affine {
  float scale = 1;
  std::int32_t zero = 0;
  friend bool operator==(const affine&, const affine&) = default;
};

inline constexpr float min_scale = 0x1p-125F;
inline constexpr float max_scale = 0x1p109F;
inline namespace NARROWS_FLAGS {

/// Inside these limits float arithmetic is exact enough that flush-to-zero modes cannot change a code or a value.
[[nodiscard]] constexpr std::int32_t max_zero(int bits) noexcept { return bits <= 8 ? 32000 : 1 << 17; }

/// Its highest bit is set where scale or zero are beyond them; a NaN is. Several may be ORed: a tensor may have a scale for every few
/// values, and this takes no branch. (Positive floats are in the order of their bits, and what is in range has 31 bits.)
[[nodiscard]] constexpr std::uint32_t beyond_limits(const affine& a, int bits) noexcept
{
  constexpr auto least = std::bit_cast<std::uint32_t>(min_scale), most = std::bit_cast<std::uint32_t>(max_scale);
  const auto zero = static_cast<std::uint32_t>(max_zero(bits));
  const std::uint32_t scale_from_least = std::bit_cast<std::uint32_t>(a.scale) - least;
  const std::uint32_t zero_from_least = static_cast<std::uint32_t>(a.zero) + zero;
  return scale_from_least | (most - least - scale_from_least) | zero_from_least | (2 * zero - zero_from_least);
}

/// ok, bad_width or bad_scale.
[[nodiscard]] constexpr errc check(const affine& a, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  return beyond_limits(a, bits) >> 31 == 0 ? errc::ok : errc::bad_scale;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
