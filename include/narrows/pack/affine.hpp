// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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

/// ok, bad_width or bad_scale (a NaN scale included).
[[nodiscard]] constexpr errc check(const affine& a, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (!(a.scale >= min_scale && a.scale <= max_scale)) return errc::bad_scale;
  if (a.zero > max_zero(bits) || a.zero < -max_zero(bits)) return errc::bad_scale;
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
