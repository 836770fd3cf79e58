// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <narrows/pack/kernel/compress_scalar.hpp>
#include <narrows/pack/kernel/runs_block.hpp>

#define NARROWS_TARGET
#define NARROWS_OP [[gnu::always_inline]] inline

/// The codec `runs` for any machine: eight values of a byte in a word.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

/// Low byte first. (Not as a loop over bytes, which compilers leave one at -O2.)
[[nodiscard]] inline std::uint64_t little_endian(std::uint64_t word) noexcept
{
  if constexpr (std::endian::native == std::endian::little)
    return word;
  else
    return __builtin_bswap64(word);
}
[[nodiscard]] inline std::uint64_t load_word(const std::uint8_t* from) noexcept
{
  std::uint64_t word;
  std::memcpy(&word, from, 8);
  return little_endian(word);
}
inline void store_word(std::uint8_t* to, std::uint64_t word) noexcept
{
  word = little_endian(word);
  std::memcpy(to, &word, 8);
}

namespace runs {

inline constexpr auto compress_u8 = scalar::compress<std::uint8_t>;
inline constexpr auto expand_u8 = scalar::expand<std::uint8_t>;

inline constexpr std::uint64_t lowest_bits = 0x0101010101010101U;

NARROWS_OP std::size_t count(std::uint64_t word) { return static_cast<std::size_t>(std::popcount(word)); }

/// Bits 0, 8, 16, ... to bits 0, 1, 2, ...
NARROWS_OP std::uint64_t gather(std::uint64_t bits) { return (bits * 0x0102040810204080U) >> 56; }

NARROWS_OP std::uint64_t nonzero_of_64(const std::uint8_t* bytes)
{
  constexpr std::uint64_t seven = 0x7F * lowest_bits;
  std::uint64_t all = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint64_t word = load_word(bytes + 8 * i);
    all |= gather(((((word & seven) + seven) | word) >> 7) & lowest_bits) << (8 * i);
  }
  return all;
}
NARROWS_OP std::uint64_t plane_of_64(const std::uint8_t* bytes, int t)
{
  std::uint64_t all = 0;
  for (unsigned i = 0; i < 8; ++i) all |= gather((load_word(bytes + 8 * i) >> t) & lowest_bits) << (8 * i);
  return all;
}
NARROWS_OP void add_plane_64(std::uint8_t* bytes, std::uint64_t bits, int t)
{
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint64_t own = (((bits >> (8 * i)) & 0xFF) * lowest_bits) & 0x8040201008040201U;  // bit k in byte k alone
    const std::uint64_t spread = ((own + 0x7F * lowest_bits) >> 7) & lowest_bits;
    store_word(bytes + 8 * i, load_word(bytes + 8 * i) | spread << t);
  }
}

#include <narrows/pack/kernel/runs_body.hpp>

}  // namespace runs

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar

#undef NARROWS_TARGET
#undef NARROWS_OP
