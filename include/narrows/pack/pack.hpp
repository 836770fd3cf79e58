// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/reference.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

template <code_unit Code>
void pack_blocks(const kernel_set& with, const Code* codes, std::size_t blocks, int bits, std::uint8_t* out) noexcept
{
  if constexpr (sizeof(Code) == 1) with.pack_u8[static_cast<std::size_t>(bits - 1)](codes, blocks, out);
  else with.pack_u16[static_cast<std::size_t>(bits - 9)](codes, blocks, out);
}

/// The narrower last block of 1..511 codes: lanes are independent of each other, so its rows, spread to the pitch of a
/// full block, go through the full block's kernel, and the first lanes of each word row are the answer.
template <code_unit Code>
void pack_tail(const kernel_set& with, const Code* codes, std::size_t n, int bits, std::uint8_t* out) noexcept
{
  const std::size_t lanes = lanes_of(n, bits);
  Code spread[block_values]{};
  std::uint8_t words[block_bytes(max_width)];
  for (std::size_t first = 0, row = 0; first < n; first += lanes, ++row)
    std::memcpy(spread + row * block_lanes(bits), codes + first, std::min(lanes, n - first) * sizeof(Code));
  pack_blocks(with, spread, 1, bits, words);
  for (std::size_t word = 0; word < static_cast<std::size_t>(bits); ++word)
    std::memcpy(out + word * lanes * sizeof(Code), words + word * 64, lanes * sizeof(Code));
}

template <code_unit Code>
void pack_with(const kernel_set& with, std::span<const Code> codes, int bits, std::uint8_t* out) noexcept
{
  const std::size_t blocks = codes.size() / block_values;
  if (blocks > 0) pack_blocks(with, codes.data(), blocks, bits, out);
  const auto tail = codes.subspan(blocks * block_values);
  if (!tail.empty()) pack_tail(with, tail.data(), tail.size(), bits, out + blocks * block_bytes(bits));
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Packs `codes` into `out`, `Bits` bits each, as blocks of 512.
///
/// Shapes   codes: n codes, a byte each up to 8 bits, else two.   out: at least packed_bytes<Bits>(n) bytes, no overlap.
/// Units    a code is a level in [0, 2^Bits); what a level means is affine.hpp's business.
/// Tail     the last block is narrower (docs/format.md); the caller keeps n.
/// Errors   none at run time. A short `out` or a code too large breaks the contract.
/// Cost     one pass, nothing allocated.
/// Source   docs/format.md for the bytes, docs/decisions/0001-block-layout.md for the reason.
template <int Bits>
  requires packable_width<Bits>
constexpr void pack(std::span<const code_t<Bits>> codes, std::span<std::uint8_t> out) noexcept
{
  NARROWS_EXPECTS(out.size() >= packed_bytes<Bits>(codes.size()));
  if (std::is_constant_evaluated()) reference::pack(codes, Bits, out);
  else detail::pack_with(best_kernels(), codes, Bits, out.data());
}

/// The same with a width known at run time. Errors: bad_width (outside 1..8 for bytes, 9..16 for two-byte codes),
/// short_buffer.
template <code_unit Code>
[[nodiscard]] constexpr errc pack(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  if (out.size() < packed_bytes(codes.size(), bits)) return errc::short_buffer;
  if (std::is_constant_evaluated()) reference::pack(codes, bits, out);
  else detail::pack_with(best_kernels(), codes, bits, out.data());
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
