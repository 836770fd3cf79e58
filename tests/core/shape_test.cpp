// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/core/shape.hpp>

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Shape, CountsItsElements)
{
  static_assert(shape{1, 64, 56, 56}.elements() == 200704);
  static_assert(shape{}.elements() == 1);
  static_assert(shape{3, 0, 5}.elements() == 0);
  EXPECT_EQ((shape{2, 3, 4, 5}.product(1, 3)), 12);
}

TEST(Shape, RefusesExtentsWhoseProductCouldWrap)
{
  const auto huge = std::numeric_limits<std::int64_t>::max();
  for (const std::vector<std::int64_t>& extents : {
         std::vector<std::int64_t>{-1}, {huge}, {huge, huge}, {1 << 30, 1 << 30, 1 << 30}, {0, huge}, {1, 1, 1, 1, 1, 1, 1, 1, 1}}) {
    const auto made = shape::make(extents);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error(), errc::bad_shape);
  }
  EXPECT_TRUE(shape::make(std::vector<std::int64_t>{shape::max_elements}));
  EXPECT_FALSE(shape::make(std::vector<std::int64_t>{shape::max_elements, 2}));
}

TEST(Shape, PrintsAsPeopleWriteIt)
{
  EXPECT_EQ(to_string(shape{1, 3, 224, 224}), "1x3x224x224");
  EXPECT_EQ(to_string(shape{}), "scalar");
}

TEST(Shape, ComparesRankAndExtents)
{
  EXPECT_EQ((shape{1, 2}), (shape{1, 2}));
  EXPECT_NE((shape{1, 2}), (shape{1, 2, 1}));
  EXPECT_NE((shape{1, 2}), (shape{2, 1}));
}

}  // namespace
}  // namespace narrows
