// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/profile/accuracy.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(WilsonInterval, EqualsThePublishedFigures)
{
  // ACCURACY.md section 1: of 100: 90 -> 83-95, 95 -> 89-98, 98 -> 93-99.4, 100 -> 96-100; of 200: 180 -> 85-93.
  const auto near = [](double share, double n, double low, double high) {
    const auto i = wilson_interval(share, n);
    EXPECT_NEAR(i.low * 100, low, 0.6) << share << " of " << n;
    EXPECT_NEAR(i.high * 100, high, 0.6) << share << " of " << n;
  };
  near(0.90, 100, 83, 95);
  near(0.95, 100, 89, 98);
  near(0.98, 100, 93, 99.4);
  near(1.00, 100, 96, 100);
  near(0.90, 200, 85, 93);
  EXPECT_EQ(wilson_interval(1, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 50).low, 0);
}

TEST(AccuracyTable, AnswersWithTheWidthBelowWhereOneWasNotMeasured)
{
  const accuracy_table t("", {{"pool", 8, 0.99, 100, {}}, {"pool", 4, 0.95, 100, 0.5}, {"fire", 8, 1, 100, {}}});
  EXPECT_EQ(t.agreement("pool", 4), 0.95);
  EXPECT_EQ(t.agreement("pool", 7), 0.95);
  EXPECT_EQ(t.agreement("pool", 16), 0.99);
  EXPECT_EQ(t.agreement("pool", 3), std::nullopt);
  EXPECT_EQ(t.agreement("other", 8), std::nullopt);
  EXPECT_EQ(t.zero_share("pool", 4), 0.5);
  EXPECT_EQ(t.zero_share("pool", 5), std::nullopt);   // another width has other zeros
  EXPECT_EQ(t.zero_share("pool", 8), std::nullopt);
}

TEST(AccuracyTable, PoolsWidthsThatContradictEachOther)
{
  const accuracy_table t("", {{"c", 2, 0.5, 100, {}}, {"c", 3, 0.9, 100, {}}, {"c", 4, 0.8, 300, {}}, {"c", 5, 1, 100, {}}});
  EXPECT_EQ(t.agreement("c", 2), 0.5);
  EXPECT_DOUBLE_EQ(*t.agreement("c", 3), 0.825);   // (0.9 * 100 + 0.8 * 300) / 400
  EXPECT_DOUBLE_EQ(*t.agreement("c", 4), 0.825);
  EXPECT_EQ(t.agreement("c", 5), 1.0);
  EXPECT_EQ(t.entries()[1].agreement, 0.9);        // what was measured stays
}

/// The min-max formula of isotonic regression (Barlow et al. 1972), quadratic and plain.
double isotonic(const std::vector<double>& y, const std::vector<double>& w, std::size_t at)
{
  double best = -1;
  for (std::size_t first = 0; first <= at; ++first) {
    double least = 2;
    for (std::size_t last = at; last < y.size(); ++last) {
      double sum = 0, weight = 0;
      for (std::size_t i = first; i <= last; ++i) {
        sum += y[i] * w[i];
        weight += w[i];
      }
      least = std::min(least, sum / weight);
    }
    best = std::max(best, least);
  }
  return best;
}

TEST(AccuracyTable, IsTheNearestNonDecreasingSequence)
{
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::vector<double> y, w;
    std::vector<accuracy_entry> entries;
    for (int b = 1; b <= 16; ++b) {
      const int inputs = 1 + static_cast<int>(random() % 200);
      y.push_back(static_cast<double>(random() % 101) / 100);
      w.push_back(inputs);
      entries.push_back({"c", b, y.back(), inputs, {}});
    }
    std::shuffle(entries.begin(), entries.end(), random);
    const accuracy_table t("", entries);
    for (int b = 1; b <= 16; ++b)
      ASSERT_NEAR(*t.agreement("c", b), isotonic(y, w, static_cast<std::size_t>(b - 1)), 1e-12) << "seed " << seed << ", width " << b;
  }
}

}  // namespace
}  // namespace narrows
