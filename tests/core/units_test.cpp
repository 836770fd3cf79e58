// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/core/units.hpp>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(BitRate, GivesSecondsForBytes) { EXPECT_DOUBLE_EQ(bit_rate::mbit(8).seconds_for_bytes(2e6), 2); }

TEST(BitRate, PrintsThreeDigitsAndTheUnitThatNeedsNoExponent)
{
  EXPECT_EQ(to_string(bit_rate{0}), "0 bit/s");
  EXPECT_EQ(to_string(bit_rate{999.4}), "999 bit/s");
  EXPECT_EQ(to_string(bit_rate{999.6}), "1 kbit/s");
  EXPECT_EQ(to_string(bit_rate{800e3}), "800 kbit/s");
  EXPECT_EQ(to_string(bit_rate::mbit(5)), "5 Mbit/s");
  EXPECT_EQ(to_string(bit_rate::mbit(12.345)), "12.3 Mbit/s");
  EXPECT_EQ(to_string(bit_rate::mbit(5000)), "5 Gbit/s");
  EXPECT_EQ(to_string(bit_rate{2e12}), "2 Tbit/s");
}

}  // namespace
}  // namespace narrows
