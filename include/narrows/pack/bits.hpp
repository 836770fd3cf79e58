// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include <narrows/pack/kernel/target.hpp>

namespace narrows {

/// Narrowest and widest code, in bits.
inline constexpr int min_width = 1;
inline constexpr int max_width = 16;

/// Widths that the format has: 1..16 bits per code.
template <int Bits>
concept packable_width = Bits >= min_width && Bits <= max_width;

/// A width as a type, to choose an overload: `width<4>{}`.
template <int Bits>
  requires packable_width<Bits>
struct width {
  static constexpr int bits = Bits;
};

inline namespace NARROWS_FLAGS {

[[nodiscard]] constexpr bool is_packable_width(int bits) noexcept { return bits >= min_width && bits <= max_width; }

/// Largest code of a width, 2^bits - 1.
[[nodiscard]] constexpr std::uint32_t max_code(int bits) noexcept { return (std::uint32_t{1} << bits) - 1; }

/// Bytes that one unpacked code takes in memory: 1 up to 8 bits, else 2.
[[nodiscard]] constexpr int code_bytes(int bits) noexcept { return bits <= 8 ? 1 : 2; }

}  // namespace NARROWS_FLAGS
}  // namespace narrows
