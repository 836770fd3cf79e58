// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/sparse.hpp>

#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

TEST(Sparse, HoldsTheMaskThenTheOtherCodes)
{
  const std::vector<std::uint8_t> codes{0, 3, 0, 0, 7, 1, 0, 0, 0, 5};
  std::vector<std::uint8_t> out(100, 0xFF);
  const auto size = pack_sparse(std::span<const std::uint8_t>(codes), 4, std::span(out));
  ASSERT_TRUE(size);
  ASSERT_EQ(*size, 2 + packed_bytes(4, 4));
  EXPECT_EQ(out[0], 0x32);
  EXPECT_EQ(out[1], 0x02);
  std::vector<std::uint8_t> back(10);
  ASSERT_EQ(unpack_sparse(std::span<const std::uint8_t>(out).first(*size), 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, codes);
}

TEST(Sparse, StreamsFromOutsideAreChecked)
{
  test::random_source source;
  auto codes = test::random_codes<std::uint8_t>(5003, 5, source);
  for (auto& c : codes)
    if (source.below(2) == 0) c = 0;
  std::vector<std::uint8_t> out(mask_bytes(5003) + packed_bytes(5003, 5));
  EXPECT_EQ(pack_sparse(std::span<const std::uint8_t>(codes), 5, std::span(out).first(600)).error(), errc::short_buffer);
  EXPECT_EQ(pack_sparse(std::span<const std::uint8_t>(codes), 5, std::span(out).first(1500)).error(), errc::short_buffer);
  EXPECT_EQ(pack_sparse(std::span<const std::uint8_t>(codes), 9, std::span(out)).error(), errc::bad_width);
  const auto size = pack_sparse(std::span<const std::uint8_t>(codes), 5, std::span(out));
  ASSERT_TRUE(size);
  const std::span<const std::uint8_t> stream(out.data(), *size);
  std::vector<std::uint8_t> back(5003);
  for (std::size_t cut = 0; cut < *size; ++cut) ASSERT_EQ(unpack_sparse(stream.first(cut), 5, std::span(back)), errc::truncated) << cut;
  EXPECT_EQ(unpack_sparse(std::span<const std::uint8_t>(out.data(), *size + 1), 5, std::span(back)), errc::corrupt);
  out[mask_bytes(5003) - 1] |= 0x80;  // padding of the mask
  EXPECT_EQ(unpack_sparse(stream, 5, std::span(back)), errc::corrupt);
}

}  // namespace
}  // namespace narrows
