// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/core/split_mix.hpp>

#include <gtest/gtest.h>

namespace narrows {
namespace {

// The published vector: seed 1234567 (https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64).
TEST(SplitMix, GivesThePublishedNumbers)
{
  split_mix source(1234567);
  for (const std::uint64_t expected :
    {6457827717110365317U, 3203168211198807973U, 9817491932198370423U, 4593380528125082431U, 16408922859458223821U})
    EXPECT_EQ(source.next(), expected);
}

}  // namespace
}  // namespace narrows
