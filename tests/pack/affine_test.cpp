// SPDX-License-Identifier: BSD-3-Clause
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <narrows/pack/arithmetic.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

TEST(Affine, LimitsOfScaleAndZeroAreKept)
{
  EXPECT_EQ(check(affine{1, 0}, 0), errc::bad_width);
  EXPECT_EQ(check(affine{1, 0}, 17), errc::bad_width);
  for (const float scale : {0.0F, -1.0F, 0x1p-126F, 0x1.000002p109F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::denorm_min()})
    EXPECT_EQ(check(affine{scale, 0}, 8), errc::bad_scale) << scale;
  EXPECT_EQ(check(affine{min_scale, 32000}, 8), errc::ok);
  EXPECT_EQ(check(affine{max_scale, -32001}, 8), errc::bad_scale);
  EXPECT_EQ(check(affine{1, 131072}, 9), errc::ok);
  EXPECT_EQ(check(affine{1, std::numeric_limits<std::int32_t>::min()}, 9), errc::bad_scale);
}

TEST(Affine, LimitsHoldForAnyBits)
{
  test::random_source source;
  for (int i = 0; i < 300000; ++i) {
    // Half of them near a limit, where most pairs of random bits are not.
    affine a{std::bit_cast<float>(static_cast<std::uint32_t>(source.below(std::uint64_t{1} << 32))),
             static_cast<std::int32_t>(static_cast<std::uint32_t>(source.below(std::uint64_t{1} << 32)))};
    const auto off = static_cast<std::int32_t>(source.below(9)) - 4;
    const int bits = source.below(2) == 0 ? 8 : 9;
    if (source.below(2) == 0) a.scale = std::bit_cast<float>(std::bit_cast<std::int32_t>(source.below(2) == 0 ? min_scale : max_scale) + off);
    if (source.below(2) == 0) a.zero = (source.below(2) == 0 ? 1 : -1) * max_zero(bits) + off;
    const bool good = a.scale >= min_scale && a.scale <= max_scale && a.zero <= max_zero(bits) && a.zero >= -max_zero(bits);
    ASSERT_EQ(check(a, bits), good ? errc::ok : errc::bad_scale) << a.scale << " " << a.zero << " bits " << bits;
  }
}

TEST(Affine, RoundsHalvesToEvenAsTheHardwareDoes)
{
  test::random_source source;
  for (int i = -5000; i <= 5000; ++i)
    for (const float y : {static_cast<float>(i), static_cast<float>(i) + 0.5F, std::nextafter(static_cast<float>(i) + 0.5F, -1e9F),
                          std::nextafter(static_cast<float>(i) + 0.5F, 1e9F), source.uniform(-200000, 200000)})
      ASSERT_EQ(round_half_even(y), static_cast<std::int32_t>(std::nearbyint(y))) << y;
}

TEST(Affine, CodesFollowTheFormulaOfTheFormat)
{
  test::random_source source;
  for (int i = 0; i < 20000; ++i) {
    const int bits = static_cast<int>(source.below(16)) + 1;
    const affine a{source.uniform(0.01F, 2), static_cast<std::int32_t>(source.below(2001)) - 1000};
    const float x = source.uniform(-300, 300);
    const float inverse = 1.0F / a.scale;
    volatile float product = x * inverse;  // a rounded product, whatever the compiler may fuse
    const double code = std::nearbyint(static_cast<double>(product)) + a.zero;
    const double expected = std::fmin(std::fmax(code, 0), max_code(bits));
    ASSERT_EQ(static_cast<double>(quantizer(a, bits)(x)), expected) << "x " << x << " scale " << a.scale << " zero " << a.zero;
    const auto back = static_cast<double>(value_of(static_cast<std::uint32_t>(expected), a));
    ASSERT_EQ(back, static_cast<double>(static_cast<float>((expected - a.zero) * static_cast<double>(a.scale))));
  }
}

static_assert(round_half_even(0.5F) == 0 && round_half_even(1.5F) == 2 && round_half_even(-0.5F) == 0);
static_assert(round_half_even(-1.5F) == -2 && round_half_even(2.4999998F) == 2 && round_half_even(-7.0F) == -7);
static_assert(quantizer({0.5F, 3}, 4)(1.25F) == 5 && quantizer({0.5F, 3}, 4)(-100) == 0 && quantizer({0.5F, 3}, 4)(100) == 15);
static_assert(quantizer({1, 7}, 4)(std::numeric_limits<float>::quiet_NaN()) == 0);
static_assert(quantizer({1, 0}, 4)(std::numeric_limits<float>::infinity()) == 15);
static_assert(value_of(5, {0.5F, 3}) == 1.0F && value_of(0, {0.5F, 3}) == -1.5F);

}  // namespace
}  // namespace narrows
