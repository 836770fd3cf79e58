// SPDX-License-Identifier: BSD-3-Clause
// The reference itself against the formula of docs/format.md, bit by bit.
#include <narrows/pack/reference.hpp>

#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

/// Bit t of value i of a stream of n codes, straight from the text: nothing shared with the library.
bool stream_bit(const std::vector<std::uint8_t>& bytes, std::size_t n, int b, std::size_t i, int t)
{
  const std::size_t word_bits = b <= 8 ? 8 : 16;
  const std::size_t block = i / 512;
  const std::size_t left = n - block * 512;
  const std::size_t lanes = left >= 512 ? 512 / word_bits : (left + word_bits - 1) / word_bits;
  const std::size_t row = i % 512 / lanes;
  const std::size_t lane = i % 512 % lanes;
  const std::size_t p = row * static_cast<std::size_t>(b) + static_cast<std::size_t>(t);
  const std::size_t word = p / word_bits * lanes + lane;
  const std::size_t bit = block * 512 * static_cast<std::size_t>(b) + word * word_bits + p % word_bits;
  return ((bytes.at(bit / 8) >> (bit % 8)) & 1) != 0;
}

TEST(Reference, EveryBitStandsWhereTheFormatSays)
{
  test::random_source source;
  for (int bits = min_width; bits <= max_width; ++bits)
    for (const std::size_t n : {1U, 5U, 8U, 9U, 17U, 100U, 511U, 512U, 513U, 700U, 1100U}) {
      const auto codes = test::random_codes<std::uint16_t>(n, bits, source);
      std::vector<std::uint8_t> bytes(packed_bytes(n, bits), 0xAA);
      reference::pack(std::span<const std::uint16_t>(codes), bits, std::span(bytes));
      std::size_t ones = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (int t = 0; t < bits; ++t) {
          const bool set = ((codes[i] >> t) & 1) != 0;
          ASSERT_EQ(stream_bit(bytes, n, bits, i, t), set) << "bit " << t << " of value " << i << " of " << n << ", " << bits << " bits";
          ones += set ? 1 : 0;
        }
      for (const auto byte : bytes) ones -= static_cast<std::size_t>(std::popcount(byte));
      EXPECT_EQ(ones, 0U) << "padding is not 0";
    }
}

/// The worked example of docs/format.md.
constexpr bool worked_example()
{
  const std::uint8_t codes[] = {1, 2, 3, 4, 5, 6, 7, 0, 1, 2};
  std::uint8_t bytes[6]{};
  reference::pack(std::span<const std::uint8_t>(codes), 3, std::span<std::uint8_t>(bytes));
  const std::uint8_t expected[] = {0x59, 0xA2, 0x1F, 0x21, 0x00, 0x00};
  for (std::size_t i = 0; i < 6; ++i)
    if (bytes[i] != expected[i]) return false;
  std::uint8_t back[10]{};
  reference::unpack(std::span<const std::uint8_t>(bytes), 3, std::span<std::uint8_t>(back));
  for (std::size_t i = 0; i < 10; ++i)
    if (back[i] != codes[i]) return false;
  return true;
}

TEST(Reference, WorkedExampleOfTheFormatPage) { EXPECT_TRUE(worked_example()); }

template <int Bits>
constexpr bool round_trips()
{
  constexpr std::size_t n = 700;
  code_t<Bits> codes[n]{};
  code_t<Bits> back[n]{};
  std::uint8_t bytes[packed_bytes(n, Bits)]{};
  for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<code_t<Bits>>((i * 2654435761U >> 7) & max_code(Bits));
  reference::pack(std::span<const code_t<Bits>>(codes), Bits, std::span<std::uint8_t>(bytes));
  reference::unpack(std::span<const std::uint8_t>(bytes), Bits, std::span<code_t<Bits>>(back));
  return std::equal(codes, codes + n, back);
}
static_assert(round_trips<1>() && round_trips<3>() && round_trips<8>() && round_trips<11>() && round_trips<16>());

}  // namespace
}  // namespace narrows
