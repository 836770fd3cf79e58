// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/range.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

double mean_squared_error(std::span<const float> x, const affine& a, int bits)
{
  const quantizer q(a, bits);
  double sum = 0;
  for (const float v : x) sum += std::pow(static_cast<double>(v) - static_cast<double>(value_of(q(v), a)), 2);
  return sum / static_cast<double>(x.size());
}

/// Laplace-distributed, beta = 1.
std::vector<float> laplace(std::size_t n, bool one_sided, test::random_source& source)
{
  std::vector<float> x(n);
  for (auto& v : x) {
    v = -std::log(1 - source.uniform(0, 1));
    if (!one_sided && source.below(2) == 0) v = -v;
  }
  return x;
}

TEST(Range, EndsOfTheRangeAreLevelsToWithinHalfAStep)
{
  test::random_source source;
  for (int i = 0; i < 20000; ++i) {
    const int bits = static_cast<int>(source.below(16)) + 1;
    const float width = std::ldexp(source.uniform(1, 2), static_cast<int>(source.below(100)) - 60);
    const float low = width * source.uniform(-60, 60);
    const float high = low + width;
    const auto a = affine_from_range(low, high, bits);
    ASSERT_TRUE(a) << low << " .. " << high;
    ASSERT_EQ(check(*a, bits), errc::ok) << a->scale << " " << a->zero;
    for (const float v : {low, high}) {
      const double error = std::abs(static_cast<double>(value_of(quantizer(*a, bits)(v), *a)) - static_cast<double>(v));
      ASSERT_LE(error, 0.502 * static_cast<double>(a->scale) + 1e-6 * std::abs(static_cast<double>(v)))
        << low << " .. " << high << " bits " << bits << " scale " << a->scale << " zero " << a->zero;
    }
  }
}

TEST(Range, ReluRangesHaveZeroPointZero)
{
  for (int bits = min_width; bits <= max_width; ++bits) EXPECT_EQ(affine_from_range(0, 3.7F, bits)->zero, 0);
}

TEST(Range, AConstantIsHeldExactly)
{
  for (const float v : {0.0F, -0.0F, 1.0F, -1.0F, 3.3e-7F, -12345.6F, 0x1p109F, -0x1p109F, 0x1p-125F})
    for (int bits = min_width; bits <= max_width; ++bits) {
      const auto a = affine_from_range(v, v, bits);
      ASSERT_TRUE(a);
      ASSERT_EQ(check(*a, bits), errc::ok);
      EXPECT_EQ(value_of(quantizer(*a, bits)(v), *a), v);
    }
  EXPECT_TRUE(affine_from_range(1e-40F, 1e-40F, 8));
}

TEST(Range, ImpossibleRangesAreErrors)
{
  EXPECT_EQ(affine_from_range(0, 1, 0).error(), errc::bad_width);
  EXPECT_EQ(affine_from_range(1, 0, 8).error(), errc::bad_range);
  for (const float bad : {nan, infinity, -infinity}) {
    EXPECT_EQ(affine_from_range(bad, 1, 8).error(), errc::bad_range);
    EXPECT_EQ(affine_from_range(-1, bad, 8).error(), errc::bad_range);
  }
  EXPECT_EQ(affine_from_range(-3e38F, 3e38F, 8).error(), errc::bad_range);
  EXPECT_EQ(affine_from_range(3e38F, 3e38F, 8).error(), errc::bad_range);
  EXPECT_EQ(fit_min_max({}, 8).error(), errc::bad_range);
}

TEST(Range, MinMaxFindsTheEndsAndRefusesWhatIsNotFinite)
{
  test::random_source source;
  auto x = test::random_floats(1000, -2, 3, source);
  x[999] = -5;
  x[0] = 7;
  EXPECT_EQ(*fit_min_max(x, 8), *affine_from_range(-5, 7, 8));
  for (const float bad : {nan, infinity, -infinity}) {
    x[500] = bad;
    EXPECT_EQ(fit_min_max(x, 8).error(), errc::not_finite);
    EXPECT_EQ(fit_laplace(x, 4).error(), errc::not_finite);
    histogram h;
    EXPECT_EQ(h.add(x), errc::not_finite);
    EXPECT_EQ(h.count(), 0U);
  }
}

TEST(Range, GroupsAreFittedEachByItself)
{
  test::random_source source;
  for (const std::size_t inner : {1U, 7U, 49U, 600U}) {
    const auto x = test::random_floats(2 * 5 * inner, -2, 3, source);
    std::vector<affine> scales(5);
    ASSERT_EQ(fit_min_max(x, inner, 8, scales), errc::ok);
    for (std::size_t g = 0; g < 5; ++g) {
      std::vector<float> own;
      for (std::size_t i = 0; i < x.size(); ++i)
        if (i / inner % 5 == g) own.push_back(x[i]);
      EXPECT_EQ(scales[g], *fit_min_max(own, 8)) << "group " << g << " inner " << inner;
    }
  }
}

TEST(Range, LaplaceClipIsThatOfTheLiterature)
{
  // METHODS: a / beta for 1..8 bits, both-sided; the one-sided value for b bits is that for b + 1.
  const double published[] = {1.863, 2.831, 3.897, 5.029, 6.205, 7.413, 8.646, 9.897, 11.163};
  for (int bits = 1; bits <= 8; ++bits) {
    EXPECT_NEAR(laplace_clip(bits, false), published[bits - 1], 6e-4);
    EXPECT_NEAR(laplace_clip(bits, true), published[bits], 6e-4);
  }
  for (const double z : {0.0, 1e-3, 1.0, 2.718281828, 100.0, 1e9}) EXPECT_NEAR(lambert_w(z) * std::exp(lambert_w(z)), z, 1e-9 * (1 + z));
}

TEST(Range, LaplaceFitIsTheFormulaAtAnyLength)
{
  test::random_source source;
  for (const bool one_sided : {true, false})
    for (const std::size_t n : {3U, 31U, 32U, 33U, 1023U, 1024U, 1025U, 4096U, 4097U, 20000U}) {
      auto x = laplace(n, one_sided, source);
      for (std::size_t i = 0; i < n; i += 3) x[i] = 0;
      x[n - 1] = one_sided ? 0.5F : -0.5F;
      double sum = 0;
      double distance = 0;
      std::size_t nonzero = 0;
      for (const float v : x) {
        sum += static_cast<double>(v);
        nonzero += v != 0 ? 1 : 0;
      }
      const double mean = sum / static_cast<double>(n);
      for (const float v : x) distance += std::abs(static_cast<double>(v) - mean);
      EXPECT_NEAR(detail::sum(x), sum, 1e-5 * (1 + std::abs(sum)));
      EXPECT_EQ(detail::count_nonzero(x), nonzero);
      EXPECT_NEAR(detail::sum_of_distances(x, static_cast<float>(mean)), distance, 1e-5 * (1 + distance));

      const auto [low, high] = std::minmax_element(x.begin(), x.end());
      const double centre = one_sided ? 0 : mean;
      const double beta = one_sided ? sum / static_cast<double>(nonzero) : distance / static_cast<double>(n);
      const double clip = laplace_clip(4, one_sided) * beta;
      const double bottom = one_sided ? 0 : std::max(centre - clip, static_cast<double>(*low));
      const double top = std::min(centre + clip, static_cast<double>(*high));
      const auto got = fit_laplace(x, 4);
      ASSERT_TRUE(got);
      EXPECT_NEAR(static_cast<double>(got->scale), std::max((top - bottom) / 15, std::abs(bottom) / (max_zero(4) - 1)), 1e-5 * beta) << n;
    }
  std::vector<float> wide(100, 1);
  wide[50] = 0x1p121F;
  EXPECT_EQ(fit_laplace(wide, 16).error(), errc::bad_range);
  wide[50] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(fit_laplace(wide, 16).error(), errc::not_finite);
}

TEST(Range, ClipsBeatMinMaxOnHeavyTails)
{
  test::random_source source;
  for (const bool one_sided : {true, false})
    for (const int bits : {2, 3, 4}) {
      const auto x = laplace(60000, one_sided, source);
      histogram data;
      ASSERT_EQ(data.add(x), errc::ok);
      const double widest = mean_squared_error(x, *fit_min_max(x, bits), bits);
      const double model = mean_squared_error(x, *fit_laplace(x, bits), bits);
      const double searched = mean_squared_error(x, *fit_mse(data, bits), bits);
      EXPECT_LT(model, 0.9 * widest);
      EXPECT_LT(searched, 1.005 * model);
    }
}

TEST(Range, HistogramFitIsNearlyTheBestOfAllRanges)
{
  test::random_source source;
  for (const bool one_sided : {true, false})
    for (const int bits : {1, 2, 3, 4}) {
      auto x = laplace(4000, one_sided, source);
      if (!one_sided)
        for (auto& v : x) v = v < 0 ? v * 0.3F : v;  // LeakyReLU-like
      histogram data;
      for (std::size_t i = 0; i < x.size(); i += 1000) ASSERT_EQ(data.add(std::span(x).subspan(i, 1000)), errc::ok);
      double best = 1e30;
      for (int hi = 1; hi <= 60; ++hi)
        for (int lo = one_sided ? 60 : 1; lo <= 60; ++lo) {
          const auto part = [](int step) { return static_cast<float>(step) / 60.0F; };
          const auto a = affine_from_range(one_sided ? 0 : data.min() * part(lo), data.max() * part(hi), bits);
          best = std::min(best, mean_squared_error(x, *a, bits));
        }
      EXPECT_LT(mean_squared_error(x, *fit_mse(data, bits), bits), 1.02 * best) << bits << (one_sided ? " one-sided" : " both sides");
    }
}

TEST(Range, HistogramKeepsCountsWhileItsRangeGrows)
{
  histogram data(64);
  ASSERT_EQ(data.add(std::vector<float>{0, 0, 0.001F, -0.0011F}), errc::ok);
  ASSERT_EQ(data.add(std::vector<float>{1000, -3}), errc::ok);
  EXPECT_EQ(data.count(), 6U);
  EXPECT_EQ(data.zeros(), 2U);
  EXPECT_EQ(data.min(), -3);
  EXPECT_EQ(data.max(), 1000);
  double total = 0;
  for (const auto& bin : data.filled()) total += bin.weight;
  EXPECT_EQ(total, 6);
  EXPECT_EQ(data.bin_width(), 16);
}

TEST(Range, ConstantsAndZerosAloneCanBeFitted)
{
  histogram zeros;
  EXPECT_EQ(fit_mse(zeros, 4).error(), errc::bad_range);
  ASSERT_EQ(zeros.add(std::vector<float>(10)), errc::ok);
  EXPECT_EQ(value_of(quantizer(*fit_mse(zeros, 4), 4)(0), *fit_mse(zeros, 4)), 0);
  EXPECT_EQ(*fit_laplace(std::vector<float>(10), 4), (affine{1, 0}));
  histogram constant;
  ASSERT_EQ(constant.add(std::vector<float>(10, -2.5F)), errc::ok);
  const auto a = fit_mse(constant, 1);
  ASSERT_TRUE(a);
  EXPECT_NEAR(value_of(quantizer(*a, 1)(-2.5F), *a), -2.5F, 0.05);
}

/// What fit_levels is to find, value by value.
std::vector<float> plain_levels(std::span<const float> x, const affine& a, int bits, double prior)
{
  std::vector<float> levels;
  for (std::uint32_t code = 0; code <= max_code(bits); ++code) {
    const double usual = static_cast<double>(value_of(code, a));
    double sum = 0, count = 0;
    for (const float v : x)
      if (quantizer(a, bits)(v) == code) sum += static_cast<double>(v), ++count;
    levels.push_back(static_cast<float>(count == 0 ? usual : (sum + prior * usual) / (count + prior)));
  }
  return levels;
}

TEST(Range, LevelsAreTheMeansOfWhatEachCodeGot)
{
  test::random_source source;
  std::vector<float> x(500), negated;   // zeros, and centres of the 64 bins for each sign up to 1, most of them near 0
  for (int i = 0; i < 3000; ++i) x.push_back((static_cast<float>(source.below(60) * source.below(61) / 60) - 11.5F) / 64);
  x.push_back(59.5F / 64);
  for (const float v : x) negated.push_back(-v);
  grouped_histogram data(2, x.size(), 64);
  std::vector<float> both(x);
  both.insert(both.end(), negated.begin(), negated.end());
  ASSERT_EQ(data.add(both), errc::ok);
  for (const affine& a : {affine{0.1F, 3}, affine{0.06F, 0}, affine{0.3F, 1}, affine{2, 0}})
    for (const int bits : {1, 2, 4, 8})
      for (const double prior : {20.0, 0.0}) {
        SCOPED_TRACE(std::to_string(a.scale) + " " + std::to_string(bits));
        EXPECT_EQ(*fit_levels(data.groups()[0], a, bits, prior), plain_levels(x, a, bits, prior));
        const std::vector<affine> scales{a, {0.15F, 2}};
        auto wanted = plain_levels(x, a, bits, prior);
        const auto second = plain_levels(negated, scales[1], bits, prior);
        wanted.insert(wanted.end(), second.begin(), second.end());
        EXPECT_EQ(*fit_levels(data, scales, bits, prior), wanted);
      }
  // Steps of one bin: where a value lies in its step is not known, but the mean of what is clipped is.
  const affine fine{1.0F / 64, 0};
  auto wanted = plain_levels(x, fine, 5, 20);
  for (std::uint32_t code = 1; code < 31; ++code) wanted[code] = value_of(code, fine);
  EXPECT_EQ(*fit_levels(data.groups()[0], fine, 5), wanted);
  EXPECT_EQ(fit_levels(data.groups()[0], fine, 9).error(), errc::bad_width);
  EXPECT_EQ(fit_levels(data.groups()[0], {0, 0}, 4).error(), errc::bad_scale);
  EXPECT_EQ(fit_levels(data, std::vector<affine>(3), 4).error(), errc::bad_descriptor);
  EXPECT_EQ(*fit_levels(histogram(), {0.5F, 1}, 2), (std::vector<float>{-0.5F, 0, 0.5F, 1})) << "nothing collected";
}

TEST(Range, GroupedHistogramsFitEachGroup)
{
  test::random_source source;
  grouped_histogram data(3, 50);
  std::vector<histogram> single(3, histogram(1024));
  for (int tensor = 0; tensor < 4; ++tensor) {
    const auto x = test::random_floats(300, -1, 2, source);
    ASSERT_EQ(data.add(x), errc::ok);
    for (std::size_t i = 0; i < 6; ++i) ASSERT_EQ(single[i % 3].add(std::span(x).subspan(i * 50, 50)), errc::ok);
  }
  const auto scales = fit_mse(data, 4);
  ASSERT_TRUE(scales);
  ASSERT_EQ(scales->size(), 3U);
  for (std::size_t g = 0; g < 3; ++g) EXPECT_EQ((*scales)[g], *fit_mse(single[g], 4));
}

TEST(Range, MergedHistogramsAreThoseOfAllTheData)
{
  test::random_source source;
  for (const float factor : {1.0F, 1e-3F, 700.0F}) {
    const auto a = test::random_floats(2000, -1, 3, source);
    auto b = test::random_floats(2000, -2, 1, source);
    for (auto& v : b) v *= factor;
    b.front() = 0;
    histogram one, other, both, empty, zeros;
    ASSERT_EQ(one.add(a), errc::ok);
    ASSERT_EQ(other.add(b), errc::ok);
    ASSERT_EQ(both.add(a), errc::ok);
    ASSERT_EQ(both.add(b), errc::ok);
    ASSERT_EQ(both.add(std::vector<float>(7)), errc::ok);
    ASSERT_EQ(zeros.add(std::vector<float>(7)), errc::ok);
    histogram merged;   // of zeros first, so that it has no bins of its own yet
    for (const auto* part : {&zeros, &empty, &one, &other}) merged.merge(*part);
    EXPECT_EQ(merged.count(), both.count());
    EXPECT_EQ(merged.zeros(), both.zeros());
    EXPECT_EQ(merged.min(), both.min());
    EXPECT_EQ(merged.max(), both.max());
    EXPECT_EQ(merged.bin_width(), both.bin_width());
    const auto have = merged.filled(), want = both.filled();
    ASSERT_EQ(have.size(), want.size());
    for (std::size_t i = 0; i < have.size(); ++i) {
      ASSERT_EQ(have[i].centre, want[i].centre);
      ASSERT_EQ(have[i].weight, want[i].weight);
    }
  }
}

TEST(Range, AStepIsThatOfTheNarrowFitWithRoomWhereItClipsLeast)
{
  test::random_source source;
  auto x = test::random_floats(4000, -1, 1, source);
  for (auto& v : x) v = v * v * v * 4;   // heavy tails on both sides
  x.push_back(9);
  histogram data;
  ASSERT_EQ(data.add(x), errc::ok);
  const auto narrow = *fit_mse(data, 2), fine = *fit_mse(data, 3);
  const auto step = fit_step(data, 5, 2);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->scale, narrow.scale);
  double best = 1e30;
  for (int zero = -10; zero < 60; ++zero) best = std::min(best, mean_squared_error(x, {narrow.scale, zero}, 5));
  EXPECT_LE(mean_squared_error(x, *step, 5), 1.01 * best);
  EXPECT_LT(mean_squared_error(x, *step, 5), mean_squared_error(x, narrow, 2));
  EXPECT_EQ(*fit_step(data, 2, 2), narrow) << "no room";
  EXPECT_FLOAT_EQ(fit_step(data, 5, 2.5)->scale, std::sqrt(narrow.scale * fine.scale));

  for (auto& v : x) v = std::max(v, 0.0F);
  histogram rectified;
  ASSERT_EQ(rectified.add(x), errc::ok);
  EXPECT_EQ(*fit_step(rectified, 8, 3), (affine{fit_mse(rectified, 3)->scale, 0})) << "all the room above";

  for (const double of : {0.0, 0.5, 5.5, 2.25}) EXPECT_EQ(fit_step(data, 5, of).error(), errc::bad_width) << of;
  EXPECT_EQ(fit_step(data, 17, 4).error(), errc::bad_width);
  EXPECT_EQ(fit_step(histogram(), 5, 4).error(), errc::bad_range);
}

}  // namespace
}  // namespace narrows
