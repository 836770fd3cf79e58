// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <narrows/core/contract.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/pack/kernel/target.hpp>

// The block, drawn for 3 bits (lane width W = 8, L = 64 lanes, 8 rows of codes):
//
//   codes, in memory order                      words, in memory order: 3 rows of 64 bytes
//          lane 0   lane 1  ...  lane 63               lane 0        ...  lane 63
//   row 0    c0       c1    ...    c63          word 0  r2 r2 r1 r1 r1 r0 r0 r0   (bit 7 ... bit 0)
//   row 1    c64      c65   ...    c127         word 1  r5 r4 r4 r4 r3 r3 r3 r2
//   ...                                         word 2  r7 r7 r7 r6 r6 r6 r5 r5
//   row 7    c448     c449  ...    c511
//
// Each lane is a small little-endian bit stream of its own column: bit t of the code in row r stands at p = r * b + t,
// that is in word p div W, bit p mod W. All lanes do the same at the same time, so registers of any size pack them with
// shifts and ORs alone. From 9 bits on, W = 16: 16 rows of 32 lanes, words of two bytes, low byte first.
//
// Tail: the last t = n mod 512 values, if any, form a narrower block of ceil(t / W) lanes by the same rule; rows and
// lanes past the last value hold 0. Normative text: docs/format.md; reasons: docs/decisions/0001-block-layout.md.

namespace narrows {

inline constexpr std::size_t block_values = 512;

/// What holds one unpacked code of a compile-time width: a byte up to 8 bits, else two.
template <int Bits>
  requires packable_width<Bits>
using code_t = std::conditional_t<(Bits <= 8), std::uint8_t, std::uint16_t>;

template <class T>
concept code_unit = std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::uint16_t>;

inline namespace NARROWS_FLAGS {

/// Bits in a word of a lane (W): 8 up to 8 bits per code, else 16. Also the number of rows.
[[nodiscard]] constexpr int lane_bits(int bits) noexcept { return 8 * code_bytes(bits); }

/// Lanes of a full block (L): 64 or 32; a row is always 64 bytes.
[[nodiscard]] constexpr std::size_t block_lanes(int bits) noexcept
{
  return block_values / static_cast<std::size_t>(lane_bits(bits));
}

/// Bytes of a full block: one cache line per bit.
[[nodiscard]] constexpr std::size_t block_bytes(int bits) noexcept { return 64 * static_cast<std::size_t>(bits); }

/// Lanes of a block that holds only `values` codes, 0 < values <= 512.
[[nodiscard]] constexpr std::size_t lanes_of(std::size_t values, int bits) noexcept
{
  const auto w = static_cast<std::size_t>(lane_bits(bits));
  return (values + w - 1) / w;
}

/// Bytes of `values` packed codes: ceil(values * bits / 8) to within one group of W values. A size that does not fit
/// saturates at the largest std::size_t, so that a comparison with any real buffer fails.
[[nodiscard]] constexpr std::size_t packed_bytes(std::size_t values, int bits) noexcept
{
  NARROWS_EXPECTS(is_packable_width(bits));
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  const std::size_t blocks = values / block_values;
  const std::size_t tail = lanes_of(values % block_values, bits) * static_cast<std::size_t>(bits * code_bytes(bits));
  if (blocks > (most - tail) / block_bytes(bits)) return most;
  return blocks * block_bytes(bits) + tail;
}

template <int Bits>
  requires packable_width<Bits>
[[nodiscard]] constexpr std::size_t packed_bytes(std::size_t values) noexcept
{
  return packed_bytes(values, Bits);
}

/// Where block k of a dense stream starts, in bytes: each stands for itself, so that any run of them can be packed, unpacked or
/// sent alone. Saturates as packed_bytes does.
[[nodiscard]] constexpr std::size_t block_offset(std::size_t block, int bits) noexcept
{
  NARROWS_EXPECTS(is_packable_width(bits));
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  return block > most / block_bytes(bits) ? most : block * block_bytes(bits);
}

/// Blocks of `values` values, a narrower last one included.
[[nodiscard]] constexpr std::size_t block_count(std::size_t values) noexcept
{
  return values / block_values + (values % block_values != 0 ? 1 : 0);
}

static_assert(packed_bytes(512, 3) == 192 && packed_bytes(3136, 8) == 3136 && packed_bytes(9, 4) == 8);
static_assert(packed_bytes(std::numeric_limits<std::size_t>::max(), 16) == std::numeric_limits<std::size_t>::max());

}  // namespace NARROWS_FLAGS
}  // namespace narrows
