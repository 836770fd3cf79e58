// SPDX-License-Identifier: BSD-3-Clause
// float16 and bfloat16, in every kernel set that this CPU can run: all values of the narrow side, and floats that are hard to round.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/half.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

/// A binary format of 16 bits, as the standard defines it.
struct format {
  int exponent_bits;
  int fraction_bits;
  [[nodiscard]] int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};
constexpr format half{5, 10}, bfloat{8, 7};

/// The definition, in double: no bit of a float's representation is looked at.
double value_of_bits(std::uint32_t bits, format f)
{
  const double sign = (bits >> 15) != 0 ? -1 : 1;
  const int exponent = static_cast<int>(bits >> f.fraction_bits) & ((1 << f.exponent_bits) - 1);
  const double fraction = std::ldexp(static_cast<double>(bits & ((1U << f.fraction_bits) - 1)), -f.fraction_bits);
  if (exponent == (1 << f.exponent_bits) - 1)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - f.bias()) : std::ldexp(1 + fraction, exponent - f.bias()));
}

/// The nearest of all values, by search; of two equally near ones the even one.
std::uint16_t nearest(float x, format f)
{
  const std::uint32_t infinity = ((1U << f.exponent_bits) - 1) << f.fraction_bits;
  const double size = std::abs(static_cast<double>(x));
  std::uint32_t low = 0, high = infinity;   // magnitudes are in the order of their bits
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (value_of_bits(middle, f) <= size ? low : high) = middle;
  }
  // What infinity stands for when rounding: the value after the largest, were there one more exponent.
  const double upper = high == infinity ? std::ldexp(1.0, f.bias() + 1) : value_of_bits(high, f);
  const double down = size - value_of_bits(low, f), up = upper - size;
  const std::uint32_t chosen = down < up || (down == up && low % 2 == 0) ? low : high;
  return static_cast<std::uint16_t>(chosen | (std::signbit(x) ? 0x8000U : 0U));
}

/// Every value of the format, the middles between neighbours and what is next to them, powers of two, odd and random floats.
std::vector<float> hard_floats(format f)
{
  std::vector<float> list(std::begin(test::hostile_floats), std::end(test::hostile_floats));
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double value = value_of_bits(bits, f), next = value_of_bits(bits + 1, f);
    if (!std::isfinite(value)) continue;
    const auto here = static_cast<float>(value);
    const auto middle = static_cast<float>(std::isfinite(next) && bits != 0x7FFF ? (value + next) / 2 : value * (1 + std::ldexp(1.0, -2 - f.fraction_bits)));
    for (const float x : {here, middle})
      for (const float y : {x, std::nextafter(x, 0.0F), std::nextafter(x, 2 * x + 1)}) list.push_back(y);
  }
  for (int exponent = -149; exponent < 128; ++exponent) list.push_back(std::ldexp(1.0F, exponent));
  for (const float x : {65504.0F, 65519.996F, 65520.0F, 65536.0F, 3.3895314e38F, 3.3961775e38F, 3.4e38F}) list.insert(list.end(), {x, -x});
  test::random_source source;
  for (int i = 0; i < 100000; ++i) list.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(source.next())));
  for (std::uint32_t nan : {0x7F800001U, 0x7FBFFFFFU, 0x7FC00000U, 0x7FC02000U, 0xFF801FFFU, 0xFFFFFFFFU}) list.push_back(std::bit_cast<float>(nan));
  return list;
}

std::vector<std::uint8_t> all_bits()
{
  std::vector<std::uint8_t> bytes(2 * 0x10000);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto two = static_cast<std::uint16_t>(bits);
    std::memcpy(bytes.data() + std::size_t{2} * bits, &two, 2);
  }
  return bytes;
}

bool is_nan(std::uint32_t bits, format f) { return (bits & 0x7FFF) > (((1U << f.exponent_bits) - 1) << f.fraction_bits); }

TEST(Half, ValuesAreThoseOfTheDefinition)
{
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits)
    for (const format f : {half, bfloat}) {
      const float value = f.exponent_bits == 5 ? float_of_half(static_cast<std::uint16_t>(bits)) : float_of_bfloat(static_cast<std::uint16_t>(bits));
      if (is_nan(bits, f)) {
        ASSERT_TRUE(std::isnan(value)) << bits;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(value) >> 31, bits >> 15);
      } else {
        ASSERT_EQ(static_cast<double>(value), value_of_bits(bits, f)) << bits;
        ASSERT_EQ(std::signbit(value), bits >= 0x8000) << bits;
      }
    }
}

TEST(Half, FloatsRoundToTheNearestValue)
{
  for (const format f : {half, bfloat})
    for (const float x : hard_floats(f)) {
      const std::uint16_t made = f.exponent_bits == 5 ? half_of_float(x) : bfloat_of_float(x);
      if (std::isnan(x)) {
        ASSERT_TRUE(is_nan(made, f));
        ASSERT_EQ(made >> 15, std::bit_cast<std::uint32_t>(x) >> 31);
      } else {
        ASSERT_EQ(made, nearest(x, f)) << x << " in " << f.exponent_bits << " bits of exponent";
      }
    }
}

TEST(Half, EveryValueComesBackFromFloat)
{
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto two = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(half_of_float(float_of_half(two)), is_nan(bits, half) ? bits | 0x200 : bits);
    ASSERT_EQ(bfloat_of_float(float_of_bfloat(two)), is_nan(bits, bfloat) ? bits | 0x40 : bits);
  }
}

class Convert : public testing::TestWithParam<const kernel_set*> {
protected:
  const kernel_set& set = *GetParam();
};

TEST_P(Convert, WidensAllValuesLikeThePlainForm)
{
  const auto bytes = all_bits();
  std::vector<float> halves(0x10000), bfloats(0x10000);
  set.widen_half(bytes.data(), halves.size(), halves.data());
  set.widen_bfloat(bytes.data(), bfloats.size(), bfloats.data());
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto two = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(halves[bits]), std::bit_cast<std::uint32_t>(float_of_half(two))) << bits;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(bfloats[bits]), std::bit_cast<std::uint32_t>(float_of_bfloat(two))) << bits;
  }
}

TEST_P(Convert, NarrowsHardFloatsLikeThePlainForm)
{
  for (const format f : {half, bfloat}) {
    const auto x = hard_floats(f);
    std::vector<std::uint8_t> made(2 * x.size());
    (f.exponent_bits == 5 ? set.narrow_half : set.narrow_bfloat)(x.data(), x.size(), made.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, made.data() + 2 * i, 2);
      ASSERT_EQ(bits, f.exponent_bits == 5 ? half_of_float(x[i]) : bfloat_of_float(x[i])) << x[i];
    }
  }
}

TEST_P(Convert, TouchesNothingBesideItsValues)
{
  test::random_source source;
  for (const std::size_t n : {0U, 1U, 3U, 7U, 8U, 9U, 15U, 16U, 17U, 31U, 33U, 100U})
    for (const auto edge : {test::guarded<float>::edge::end, test::guarded<float>::edge::start}) {
      const test::guarded<float> x(n, edge), back(n, edge);
      for (auto& value : x.values()) value = float_of_half(static_cast<std::uint16_t>(source.below(0x7C00)));
      const test::guarded<std::uint8_t> made(2 * n, static_cast<test::guarded<std::uint8_t>::edge>(edge));
      set.narrow_half(x.data(), n, made.data());
      set.widen_half(made.data(), n, back.data());
      ASSERT_TRUE(std::equal(x.values().begin(), x.values().end(), back.data())) << n;
      for (auto& value : x.values()) value = float_of_bfloat(static_cast<std::uint16_t>(source.below(0x7F80)));
      set.narrow_bfloat(x.data(), n, made.data());
      set.widen_bfloat(made.data(), n, back.data());
      ASSERT_TRUE(std::equal(x.values().begin(), x.values().end(), back.data())) << n;
    }
}

#if defined(__x86_64__)
// A caller's flush-to-zero modes reach the kernels. No conversion heeds them.
TEST_P(Convert, FlushToZeroModesChangeNothing)
{
  const auto bytes = all_bits();
  const auto x = hard_floats(bfloat);
  const auto run = [&] {
    std::vector<std::uint32_t> seen(2 * 0x10000);
    set.widen_half(bytes.data(), 0x10000, reinterpret_cast<float*>(seen.data()));
    set.widen_bfloat(bytes.data(), 0x10000, reinterpret_cast<float*>(seen.data()) + 0x10000);
    std::vector<std::uint8_t> made(4 * x.size());
    set.narrow_half(x.data(), x.size(), made.data());
    set.narrow_bfloat(x.data(), x.size(), made.data() + 2 * x.size());
    return std::pair(seen, made);
  };
  const auto expected = run();
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);   // FTZ and DAZ
  const auto flushed = run();
  _mm_setcsr(before);
  EXPECT_EQ(flushed.first, expected.first);
  EXPECT_EQ(flushed.second, expected.second);
}
#endif

INSTANTIATE_TEST_SUITE_P(Every, Convert, testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const auto& which) { return std::string(which.param->name); });

}  // namespace
}  // namespace narrows
