// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/linear.hpp>

#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

TEST(Linear, StreamIsTheNaiveBitLoopAndConvertsBack)
{
  test::random_source source;
  for (int bits = min_width; bits <= max_width; ++bits)
    for (const std::size_t n : {0U, 1U, 7U, 8U, 31U, 511U, 512U, 513U, 1300U}) {
      SCOPED_TRACE(std::to_string(n) + " values of " + std::to_string(bits) + " bits");
      const auto codes = test::random_codes<std::uint16_t>(n, bits, source);
      std::vector<std::uint8_t> expected((n * static_cast<std::size_t>(bits) + 7) / 8);
      for (std::size_t i = 0; i < n; ++i)
        for (int t = 0; t < bits; ++t) {
          const std::size_t at = i * static_cast<std::size_t>(bits) + static_cast<std::size_t>(t);
          expected[at / 8] = static_cast<std::uint8_t>(expected[at / 8] | ((codes[i] >> t) & 1) << (at % 8));
        }
      ASSERT_EQ(linear_bytes(n, bits), expected.size());
      std::vector<std::uint8_t> packed(packed_bytes(n, bits));
      reference::pack(std::span<const std::uint16_t>(codes), bits, std::span(packed));
      std::vector<std::uint8_t> linear(expected.size(), 0xFF);
      ASSERT_EQ(to_linear(packed, n, bits, linear), errc::ok);
      EXPECT_EQ(linear, expected);
      std::vector<std::uint8_t> back(packed.size(), 0xFF);
      ASSERT_EQ(from_linear(linear, n, bits, back), errc::ok);
      EXPECT_EQ(back, packed);
    }
}

TEST(Linear, SizesAreChecked)
{
  std::vector<std::uint8_t> a(100);
  std::vector<std::uint8_t> b(100);
  EXPECT_EQ(to_linear(a, 20, 0, b), errc::bad_width);
  EXPECT_EQ(to_linear(std::span(a).first(11), 20, 4, b), errc::truncated);
  EXPECT_EQ(to_linear(a, 20, 4, std::span(b).first(9)), errc::short_buffer);
  EXPECT_EQ(from_linear(std::span(a).first(9), 20, 4, b), errc::truncated);
  EXPECT_EQ(from_linear(a, 20, 4, std::span(b).first(11)), errc::short_buffer);
  EXPECT_EQ(from_linear(a, SIZE_MAX, 16, b), errc::truncated);
}

}  // namespace
}  // namespace narrows
