// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/core/tensor.hpp>

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Tensor, StartsAtZeroOnACacheLine)
{
  const tensor t(shape{1, 3, 5, 7});
  ASSERT_EQ(t.size(), 105U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.values().data()) % 64, 0U);
  for (const float x : t.values()) EXPECT_EQ(x, 0.0F);
}

TEST(Tensor, ViewsShareItsValues)
{
  tensor t(shape{2, 2}, std::vector<float>{1, 2, 3, 4});
  t.view().values()[3] = 9;
  const tensor_view seen = t.view();
  EXPECT_EQ(seen.values()[3], 9.0F);
  EXPECT_EQ(seen.dims(), (shape{2, 2}));
}

TEST(Tensor, MayBeEmpty)
{
  EXPECT_EQ(tensor(shape{0, 4}).size(), 0U);
  EXPECT_EQ(tensor().size(), 0U);
  EXPECT_EQ(tensor_view().size(), 0U);
}

}  // namespace
}  // namespace narrows
