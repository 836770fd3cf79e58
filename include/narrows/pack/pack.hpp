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
void pack_with(const kernel_set& with, std::span<const Code> codes, int bits, std::uint8_t* out) noexcept
{
  if constexpr (sizeof(Code) == 1)
    with.pack_u8[static_cast<std::size_t>(bits - 1)](codes.data(), codes.size(), out);
  else
    with.pack_u16[static_cast<std::size_t>(bits - 9)](codes.data(), codes.size(), out);
}

template <code_unit Code>
void pack_blocks(const kernel_set& with, const Code* codes, std::size_t blocks, int bits, std::uint8_t* out) noexcept
{
  pack_with(with, std::span(codes, blocks * block_values), bits, out);
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
