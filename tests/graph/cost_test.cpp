// SPDX-License-Identifier: BSD-3-Clause
#include <limits>

#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/cost.hpp>

namespace narrows {
namespace {

/// Counts by walking every output value and every weight it meets.
TEST(Cost, EqualsACountByLoops)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{1, 6, 9, 7});
  const auto conv = b.add("conv", op::conv{{{3, 2}, {2, 1}, {1, 1}, {1, 0, 1, 1}}, 2}, {x, b.constant("w", tensor(shape{8, 3, 3, 2})), b.constant("b", tensor(shape{8}))});
  const auto up = b.add("up", op::conv_transpose{{{2, 2}, {2, 2}}, {0, 0}, 4}, {conv, b.constant("u", tensor(shape{8, 3, 2, 2}))});
  const auto g = b.finish({b.relu("end", up)});
  const auto& y = (*g)[conv].dims;
  std::uint64_t macs = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.elements()); ++i)
    for (int c = 0; c < 3; ++c)
      for (int k = 0; k < 3 * 2; ++k) ++macs;
  EXPECT_EQ(multiply_adds(*g, node_id{0}), macs);
  // Transposed: every input value meets the weights of its group's output channels.
  EXPECT_EQ(multiply_adds(*g, node_id{1}), y.elements() * 3 * 2 * 2);
  EXPECT_EQ(multiply_adds(*g, node_id{2}), 0U);
  EXPECT_EQ(multiply_adds(*g), multiply_adds(*g, node_id{0}) + multiply_adds(*g, node_id{1}));
  EXPECT_EQ(parameters(*g), 8U * 3 * 3 * 2 + 8 + 8 * 3 * 2 * 2);
  EXPECT_EQ(float_bytes(*g, x), 4U * 6 * 9 * 7);
}

TEST(Cost, SaturatesInsteadOfWrapping)
{
  test::sure_builder b;
  const std::int64_t big = std::int64_t{1} << 22;
  const auto y = b.add("y", op::matmul{}, {b.input("p", shape{big, big}), b.input("q", shape{big, big})});
  auto z = b.add("z", op::matmul{}, {y, y});
  const auto g = b.finish({b.add("end", op::matmul{}, {z, y})});
  EXPECT_EQ(multiply_adds(*g, node_id{0}), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(multiply_adds(*g), std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace narrows
