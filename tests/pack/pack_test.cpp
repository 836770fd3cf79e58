// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/pack.hpp>
#include <narrows/pack/unpack.hpp>

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

template <class Body, int... Bits>
void for_each_width(Body body, std::integer_sequence<int, Bits...>)
{
  (body(width<Bits + 1>{}), ...);
}

TEST(Pack, CompileTimeAndRunTimeWidthsGiveTheSameBytes)
{
  test::random_source source;
  for_each_width([&]<int Bits>(width<Bits>) {
    for (const std::size_t n : {0U, 1U, 100U, 512U, 3136U}) {
      const auto codes = test::random_codes<code_t<Bits>>(n, Bits, source);
      std::vector<std::uint8_t> fixed(packed_bytes<Bits>(n));
      std::vector<std::uint8_t> dynamic(fixed.size());
      pack<Bits>(codes, fixed);
      ASSERT_EQ(pack(std::span<const code_t<Bits>>(codes), Bits, dynamic), errc::ok);
      EXPECT_EQ(fixed, dynamic);
      std::vector<code_t<Bits>> back(n);
      unpack<Bits>(fixed, back);
      EXPECT_EQ(back, codes);
      std::fill(back.begin(), back.end(), code_t<Bits>{0});
      ASSERT_EQ(unpack(std::span<const std::uint8_t>(fixed), Bits, std::span(back)), errc::ok);
      EXPECT_EQ(back, codes);
    }
  }, std::make_integer_sequence<int, 16>{});
}

TEST(Pack, EightAndSixteenBitsArePlainMemory)
{
  test::random_source source;
  const auto bytes = test::random_codes<std::uint8_t>(1024, 8, source);
  std::vector<std::uint8_t> packed(1024);
  pack<8>(bytes, packed);
  EXPECT_EQ(packed, bytes);
  const auto words = test::random_codes<std::uint16_t>(512, 16, source);
  pack<16>(words, packed);
  for (std::size_t i = 0; i < words.size(); ++i) ASSERT_EQ(packed[2 * i] | packed[2 * i + 1] << 8, words[i]);
}

TEST(Pack, RunTimeWidthsAreChecked)
{
  const std::vector<std::uint8_t> bytes(10);
  const std::vector<std::uint16_t> words(10);
  std::vector<std::uint8_t> out(40);
  for (const int bits : {-1, 0, 9, 16, 17, 1000})
    EXPECT_EQ(pack(std::span<const std::uint8_t>(bytes), bits, out), errc::bad_width) << bits;
  for (const int bits : {0, 8, 17}) EXPECT_EQ(pack(std::span<const std::uint16_t>(words), bits, out), errc::bad_width) << bits;
  EXPECT_EQ(pack(std::span<const std::uint8_t>(bytes), 5, std::span(out).first(9)), errc::short_buffer);
  EXPECT_EQ(pack(std::span<const std::uint8_t>(bytes), 5, std::span(out).first(10)), errc::ok);
  std::vector<std::uint8_t> codes(10);
  EXPECT_EQ(unpack(std::span<const std::uint8_t>(out).first(9), 5, std::span(codes)), errc::truncated);
  EXPECT_EQ(unpack(std::span<const std::uint8_t>(out), 12, std::span(codes)), errc::bad_width);
}

constexpr bool packed_at_compile_time()
{
  const std::uint8_t codes[] = {1, 2, 3, 4, 5};
  std::uint8_t bytes[packed_bytes<3>(5)]{};
  std::uint8_t back[5]{};
  pack<3>(codes, bytes);
  unpack<3>(bytes, back);
  return back[0] == 1 && back[4] == 5 && unpack(std::span<const std::uint8_t>(bytes), 3, std::span<std::uint8_t>(back)) == errc::ok;
}
static_assert(packed_at_compile_time());

}  // namespace
}  // namespace narrows
