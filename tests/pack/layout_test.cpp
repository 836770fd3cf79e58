// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/layout.hpp>

#include <limits>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Layout, BytesAreTheExactBitsRoundedUpToAGroupOfLanes)
{
  for (int bits = min_width; bits <= max_width; ++bits)
    for (std::size_t n = 0; n < 2100; ++n) {
      const auto w = static_cast<std::size_t>(lane_bits(bits));
      const std::size_t groups = n / block_values * (block_values / w) + (n % block_values + w - 1) / w;
      ASSERT_EQ(packed_bytes(n, bits), groups * static_cast<std::size_t>(bits) * w / 8) << n << " values of " << bits << " bits";
    }
}

TEST(Layout, SizesThatDoNotFitSaturate)
{
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(packed_bytes(most, 9), most);
  EXPECT_EQ(packed_bytes(most, 16), most);
  EXPECT_LT(packed_bytes(most, 7), most);
  EXPECT_EQ(packed_bytes(most - 511, 8), most - 511);
  EXPECT_GT(packed_bytes(most / 2 - 600, 16), most - 1300);
}

static_assert(packed_bytes<8>(1000) == 1000 && packed_bytes<16>(1000) == 2016 && packed_bytes<1>(512) == 64);
static_assert(block_bytes(5) == 320 && block_lanes(5) == 64 && block_lanes(9) == 32);

}  // namespace
}  // namespace narrows
