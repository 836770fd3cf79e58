// SPDX-License-Identifier: BSD-3-Clause
// Tiles of random stacks: the answer has the untiled one's bits.
#include <cstdint>

#include <gtest/gtest.h>

#include "exec/tile_stacks.hpp"

namespace narrows {
namespace {

TEST(Tiles, OfRandomStacksHaveTheBitsOfTheWhole)
{
  const auto& engine = test::all_levels().front().engine;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto stack = whole_slice(test::stack_source(seed).make());
    const auto in = test::inputs_for(stack, seed);
    const auto expected = test::load_and_run(engine, stack, in);
    test::random_values random(seed);
    const auto& dims = expected[0].dims();
    const auto rows = test::random_lines(random, dims[2], random.whole(1, 3)), columns = test::random_lines(random, dims[3], random.whole(1, 3));
    const auto got = test::run_tiles(engine, stack, in, rows, columns);
    const auto at = test::first_difference(expected[0].values(), got.values());
    ASSERT_FALSE(at) << "value " << *at << " of " << to_string(dims) << ": " << expected[0].values()[*at] << " untiled, " << got.values()[*at] << " tiled";
  }
}

}  // namespace
}  // namespace narrows
