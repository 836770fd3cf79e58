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
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernels_for.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/reference.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

template <code_unit Code>
void pack_blocks(const kernel_set& with, const Code* codes, std::size_t blocks, int bits, std::uint8_t* out) noexcept
{
  if constexpr (sizeof(Code) == 1)
    with.pack_u8[static_cast<std::size_t>(bits - 1)](codes, blocks, out);
  else
    with.pack_u16[static_cast<std::size_t>(bits - 9)](codes, blocks, out);
}

/// Copies a row of at most 64 bytes, and whole lines where `there` says that both sides have them: a copy of fixed size is no
/// call. What is too much lies where the next row comes.
inline void copy_row(std::uint8_t* to, const std::uint8_t* from, std::size_t bytes, std::size_t there) noexcept
{
  if (there >= 64)
    std::memcpy(to, from, 64);
  else
    std::memcpy(to, from, std::min(bytes, there));
}

/// A block's codes with room for what is read or written beyond them, a row at most.
template <code_unit Code>
struct block_codes {
  alignas(64) Code at[block_values + 64];
  /// Zeros after the first n codes, to the end of the block's last row.
  void end_at(std::size_t n) noexcept { std::fill(at + n, at + block_values + 64, Code{0}); }
};

/// The narrower last block of 1..511 codes, zeros behind them: lanes are independent of each other, so its rows, spread to
/// the pitch of a full block, go through the full block's kernel, and the first lanes of each word row are the answer.
template <code_unit Code>
void pack_tail(const kernel_set& with, const block_codes<Code>& codes, std::size_t n, int bits, std::uint8_t* out) noexcept
{
  const std::size_t lanes = lanes_of(n, bits), row_bytes = lanes * sizeof(Code);
  Code spread[block_values];
  std::uint8_t words[block_bytes(max_width)];
  const auto* const from = reinterpret_cast<const std::uint8_t*>(codes.at);
  for (std::size_t row = 0; row < static_cast<std::size_t>(lane_bits(bits)); ++row)
    std::memcpy(spread + row * block_lanes(bits), from + row * row_bytes, 64);
  pack_blocks(with, spread, 1, bits, words);
  const std::size_t bytes = static_cast<std::size_t>(bits) * row_bytes;
  for (std::size_t at = 0, word = 0; at < bytes; at += row_bytes, ++word)
    copy_row(out + at, words + word * 64, row_bytes, bytes - at);
}

template <code_unit Code>
void pack_with(const kernel_set& with, std::span<const Code> codes, int bits, std::uint8_t* out) noexcept
{
  const std::size_t blocks = codes.size() / block_values;
  if (blocks > 0) pack_blocks(with, codes.data(), blocks, bits, out);
  const auto tail = codes.subspan(blocks * block_values);
  if (tail.empty()) return;
  block_codes<Code> copy;
  std::copy(tail.begin(), tail.end(), copy.at);
  copy.end_at(tail.size());
  pack_tail(with, copy, tail.size(), bits, out + blocks * block_bytes(bits));
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
  if (std::is_constant_evaluated())
    reference::pack(codes, Bits, out);
  else
    detail::pack_with(detail::kernels_for<kernel::kernel_use{kernel::uses::pack, Bits, Bits}>(), codes, Bits, out.data());
}

/// The same with a width known at run time. Errors: bad_width (outside 1..8 for bytes, 9..16 for two-byte codes),
/// short_buffer.
template <code_unit Code>
[[nodiscard]] constexpr errc pack(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  if (out.size() < packed_bytes(codes.size(), bits)) return errc::short_buffer;
  if (std::is_constant_evaluated())
    reference::pack(codes, bits, out);
  else
    detail::pack_with(detail::kernels_for<kernel::use_for<Code>(kernel::uses::pack)>(), codes, bits, out.data());
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
