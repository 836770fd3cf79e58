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
#include <narrows/pack/pack.hpp>
#include <narrows/pack/reference.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

template <code_unit Code>
void unpack_with(const kernel_set& with, const std::uint8_t* packed, int bits, std::span<Code> codes) noexcept
{
  if constexpr (sizeof(Code) == 1)
    with.unpack_u8[static_cast<std::size_t>(bits - 1)](packed, codes.size(), codes.data());
  else
    with.unpack_u16[static_cast<std::size_t>(bits - 9)](packed, codes.size(), codes.data());
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Inverse of `pack<Bits>`.
///
/// Shapes   packed: at least packed_bytes<Bits>(n) bytes.   codes: n, every one is written.   No overlap.
/// Errors   none: any bytes unpack to codes below 2^Bits. A short `packed` breaks the contract.
/// Source   docs/format.md.
template <int Bits>
  requires packable_width<Bits>
constexpr void unpack(std::span<const std::uint8_t> packed, std::span<code_t<Bits>> codes) noexcept
{
  NARROWS_EXPECTS(packed.size() >= packed_bytes<Bits>(codes.size()));
  if (std::is_constant_evaluated())
    reference::unpack(packed, Bits, codes);
  else
    detail::unpack_with(detail::kernels_for<kernel::kernel_use{kernel::uses::unpack, Bits, Bits}>(), packed.data(), Bits, codes);
}

/// The same with a width known at run time. Errors: bad_width (outside 1..8 for bytes, 9..16 for two-byte codes),
/// truncated.
template <code_unit Code>
[[nodiscard]] constexpr errc unpack(std::span<const std::uint8_t> packed, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  if (packed.size() < packed_bytes(codes.size(), bits)) return errc::truncated;
  if (std::is_constant_evaluated())
    reference::unpack(packed, bits, codes);
  else
    detail::unpack_with(detail::kernels_for<kernel::use_for<Code>(kernel::uses::unpack)>(), packed.data(), bits, codes);
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
