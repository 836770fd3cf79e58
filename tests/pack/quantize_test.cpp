// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/quantize.hpp>

#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

std::vector<affine> some_scales(std::size_t count, test::random_source& source)
{
  std::vector<affine> scales(count);
  for (auto& a : scales) a = {source.uniform(0.01F, 0.3F), static_cast<std::int32_t>(source.below(9)) - 2};
  return scales;
}

/// One value at a time, group by the sentence of the format.
std::vector<std::uint16_t> naive_codes(std::span<const float> x, const scale_map& map, int bits)
{
  std::vector<std::uint16_t> codes(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    codes[i] = static_cast<std::uint16_t>(quantizer(map.scales[(i / map.inner) % map.scales.size()], bits)(x[i]));
  return codes;
}

TEST(Quantize, GroupsOfAnySizeShareOneStreamOfBlocks)
{
  test::random_source source;
  for (const int bits : {1, 4, 7, 8, 9, 13, 16})
    for (const std::size_t inner : {1U, 3U, 8U, 49U, 169U, 512U, 700U, 1536U, 1600U, 3136U})
      for (const std::size_t count : {1U, 2U, 5U}) {
        SCOPED_TRACE("bits " + std::to_string(bits) + " inner " + std::to_string(inner) + " groups " + std::to_string(count));
        const std::size_t n = 2 * count * inner + (inner > 1 ? inner / 2 : 0);  // ends within a group
        const auto x = test::random_floats(n, -3, 30, source);
        const auto scales = some_scales(count, source);
        const scale_map map{scales, inner};
        std::vector<std::uint8_t> expected(packed_bytes(n, bits));
        const auto codes = naive_codes(x, map, bits);
        reference::pack(std::span<const std::uint16_t>(codes), bits, std::span(expected));
        std::vector<std::uint8_t> bytes(expected.size());
        ASSERT_EQ(quantize_pack(x, map, bits, bytes), errc::ok);
        ASSERT_EQ(bytes, expected);
        std::vector<float> back(n);
        ASSERT_EQ(unpack_dequantize(bytes, map, bits, back), errc::ok);
        for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(back[i], value_of(codes[i], scales[(i / inner) % count])) << i;
      }
}

TEST(Quantize, SaysThatAValueWasNotFinite)
{
  for (const std::size_t n : {1U, 40U, 512U, 600U, 1536U})
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1})
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        std::vector<float> x(n, 1.5F);
        std::vector<std::uint8_t> out(packed_bytes(n, 4));
        const affine a{0.25F, 2};
        EXPECT_EQ(quantize_pack(x, {{&a, 1}, 1}, 4, out), errc::ok);
        EXPECT_TRUE(quantize_pack<4>(x, a, out));
        x[at] = bad;
        EXPECT_EQ(quantize_pack(x, {{&a, 1}, 1}, 4, out), errc::not_finite);
        EXPECT_FALSE(quantize_pack<4>(x, a, out));
        std::vector<std::uint8_t> codes(n);
        EXPECT_EQ(quantize(x, a, 4, std::span(codes)), errc::not_finite);
        EXPECT_EQ(codes[at], bad > 0 ? 15 : 0);
        unpack<4>(out, codes);
        EXPECT_EQ(codes[at], bad > 0 ? 15 : 0);
      }
}

TEST(Quantize, ArgumentsAreChecked)
{
  const std::vector<float> x(20);
  std::vector<std::uint8_t> out(100);
  const affine good;
  const affine bad{0, 0};
  EXPECT_EQ(quantize_pack(x, {{&good, 1}, 1}, 17, out), errc::bad_width);
  EXPECT_EQ(quantize_pack(x, {{&bad, 1}, 1}, 4, out), errc::bad_scale);
  EXPECT_EQ(quantize_pack(x, {{}, 1}, 4, out), errc::bad_scale);
  EXPECT_EQ(quantize_pack(x, {{&good, 1}, 0}, 4, out), errc::bad_descriptor);
  EXPECT_EQ(quantize_pack(x, {{&good, 1}, 1}, 4, std::span(out).first(11)), errc::short_buffer);
  std::vector<float> back(20);
  EXPECT_EQ(unpack_dequantize(std::span(out).first(11), {{&good, 1}, 1}, 4, back), errc::truncated);
  EXPECT_EQ(quantize(x, good, 9, std::span(out)), errc::bad_width);
  EXPECT_EQ(quantize(x, good, 8, std::span(out).first(19)), errc::short_buffer);
  EXPECT_EQ(dequantize(std::span<const std::uint8_t>(out), bad, std::span(back)), errc::bad_scale);
  EXPECT_EQ(dequantize(std::span<const std::uint8_t>(out), good, std::span(back)), errc::short_buffer);
}

constexpr bool quantised_at_compile_time()
{
  const float x[] = {0, 0.5F, 1.26F, -4, 9};
  std::uint8_t bytes[packed_bytes<4>(5)]{};
  float back[5]{};
  if (!quantize_pack<4>(x, {0.5F, 1}, bytes)) return false;
  unpack_dequantize<4>(bytes, {0.5F, 1}, back);
  return back[0] == 0 && back[1] == 0.5F && back[2] == 1.5F && back[3] == -0.5F && back[4] == 7;
}
static_assert(quantised_at_compile_time());

}  // namespace
}  // namespace narrows
