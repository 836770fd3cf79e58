// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <narrows/pack/kernel/compress_table.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>

namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

/// Eight codes at a time by table, without a branch on the data; what is written beyond the count lies within the n codes.
template <code_unit Code>
std::size_t compress(const Code* codes, std::size_t n, std::uint8_t* mask, Code* nonzero) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    unsigned bits = 0;
    for (unsigned k = 0; k < 8; ++k) bits |= (codes[i + k] != 0 ? 1U : 0U) << k;
    mask[i / 8] = static_cast<std::uint8_t>(bits);
    const auto& order = gather_nonzero[bits];
    for (std::size_t k = 0; k < 8; ++k) nonzero[count + k] = codes[i + (order[k] & 7U)];
    count += static_cast<std::size_t>(std::popcount(bits));
  }
  if (i == n) return count;
  unsigned bits = 0;
  for (std::size_t k = 0; i + k < n; ++k) {
    if (codes[i + k] == 0) continue;
    nonzero[count++] = codes[i + k];
    bits |= 1U << k;
  }
  mask[i / 8] = static_cast<std::uint8_t>(bits);
  return count;
}

template <code_unit Code>
std::size_t expand(const std::uint8_t* mask, std::size_t n, const Code* nonzero, Code* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const unsigned bits = mask[i / 8];
    const auto& order = scatter_nonzero[bits];
    for (std::size_t k = 0; k < 8; ++k) {
      const Code found = nonzero[count + (order[k] & 7U)];
      codes[i + k] = static_cast<Code>(order[k] < 8 ? found : Code{0});
    }
    count += static_cast<std::size_t>(std::popcount(bits));
  }
  for (std::size_t k = 0; i + k < n; ++k) {
    const bool set = ((mask[i / 8] >> k) & 1) != 0;
    codes[i + k] = set ? nonzero[count] : Code{0};
    count += set ? 1 : 0;
  }
  return count;
}

inline std::size_t count_ones(const std::uint8_t* bytes, std::size_t n) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    count += static_cast<std::size_t>(std::popcount(word));
  }
  for (; i < n; ++i) count += static_cast<std::size_t>(std::popcount(bytes[i]));
  return count;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
