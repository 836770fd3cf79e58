// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <narrows/exec/reference/math.hpp>

#include "exec/networks.hpp"
#include "support/naive_engine.hpp"

namespace narrows {
namespace {

TEST(ReferenceMath, FunctionsKeepRelativePrecisionNearZeroAndSaturateFar)
{
  using k = enum op::unary::kind;
  const float huge = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min(), inf = std::numeric_limits<float>::infinity();
  const auto value = [](op::unary u, float x) {
    float y = 0;
    exec::apply(u, &x, &y, 1);
    return y;
  };
  for (const auto kind : {k::tanh, k::erf, k::exp, k::log, k::softplus, k::sigmoid}) {
    for (const float x : {1e-30F, -1e-6F, 1e-3F, 0.499F, 0.501F, -0.99F, 1.01F, 5.0F, 50.0F, -50.0F, 88.0F, -87.0F, -95.0F, -103.0F}) {
      if (kind == k::log && x <= 0) continue;
      const double y = test::naive_unary(op::unary{kind}, static_cast<double>(x)), got = static_cast<double>(value({kind}, x));
      EXPECT_NEAR(got, y, std::max(4e-7 * std::abs(y), 3e-45)) << static_cast<int>(kind) << " of " << x;
    }
  }
  EXPECT_EQ(value({k::exp}, 100), inf);
  EXPECT_EQ(value({k::exp}, -huge), 0);
  EXPECT_EQ(value({k::sigmoid}, -huge), 0);
  EXPECT_EQ(value({k::sigmoid}, huge), 1);
  EXPECT_EQ(value({k::tanh}, -inf), -1);
  EXPECT_EQ(value({k::log}, 0), -inf);
  EXPECT_TRUE(std::isnan(value({k::log}, -1)));
  EXPECT_NEAR(value({k::log}, tiny), -103.2789F, 1e-4F);
  for (const auto kind : {k::relu, k::exp, k::tanh, k::sigmoid, k::log, k::clip}) EXPECT_TRUE(std::isnan(value({kind, -1, 1}, std::nanf("")))) << static_cast<int>(kind);
}

TEST(ReferenceMath, PowerMatchesTheLibrary)
{
  test::random_values random(7);
  for (int i = 0; i < 20000; ++i) {
    const float x = random.real(0, 30), y = random.real(-12, 12);
    const double expected = std::pow(static_cast<double>(x), static_cast<double>(y));
    ASSERT_NEAR(static_cast<double>(exec::power(x, y)), expected, expected * 6.1e-8) << x << "^" << y;
  }
  EXPECT_EQ(exec::power(-2, 3), -8);
  EXPECT_EQ(exec::power(-2, 4), 16);
  EXPECT_EQ(exec::power(0, 0), 1);
  EXPECT_EQ(exec::power(10, 60), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(exec::power(-2, 0.5F)));
}

}  // namespace
}  // namespace narrows
