// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace narrows::kernel {

using byte_order_table = std::array<std::array<std::uint8_t, 8>, 256>;

/// For a mask byte: which of eight codes comes first, second, ... among the non-zero ones; then 0x80, which byte
/// shuffles of x86 and ARM answer with 0.
inline constexpr byte_order_table gather_nonzero = [] {
  byte_order_table table{};
  for (std::size_t mask = 0; mask < 256; ++mask) {
    table[mask].fill(0x80);
    std::size_t count = 0;
    for (std::size_t i = 0; i < 8; ++i)
      if (((mask >> i) & 1) != 0) table[mask][count++] = static_cast<std::uint8_t>(i);
  }
  return table;
}();

/// The inverse: for each of eight places the index of its non-zero code, or 0x80.
inline constexpr byte_order_table scatter_nonzero = [] {
  byte_order_table table{};
  for (std::size_t mask = 0; mask < 256; ++mask) {
    std::uint8_t count = 0;
    for (std::size_t i = 0; i < 8; ++i) table[mask][i] = ((mask >> i) & 1) != 0 ? count++ : 0x80;
  }
  return table;
}();

}  // namespace narrows::kernel
