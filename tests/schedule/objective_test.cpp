// SPDX-License-Identifier: BSD-3-Clause
// Objectives of several metrics against exhaustive scans written another way.
#include <narrows/schedule/choose_best.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

std::vector<candidate> draw(std::size_t n, test::random_source& source)
{
  std::vector<candidate> all(n);
  for (auto& c : all) {
    c.cost.device_s = static_cast<double>(1 + source.below(8)) * 1e-3;
    c.cost.server_s = static_cast<double>(source.below(8)) * 1e-3;
    c.cost.bytes = static_cast<double>(source.below(8)) * 1000;
    c.cost.agreement = static_cast<double>(90 + source.below(11)) / 100;
  }
  return all;
}

TEST(Lexicographic, KeepsWhatIsNearTheBestOfEachMetricInTurn)
{
  test::random_source source;
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE("round " + std::to_string(round) + " seed " + std::to_string(test::seed));
    const auto from = draw(1 + source.below(40), source);
    const observation seen{{bit_rate::mbit(static_cast<double>(1 + source.below(50))), 0.002}};
    objective goal(all_metrics[source.below(all_metrics.size())]);
    std::vector<std::pair<metric, double>> order{{goal.of, 0}};
    for (auto n = source.below(3); n > 0; --n) {
      const double within = static_cast<double>(source.below(4)) * 0.1;
      const metric next = all_metrics[source.below(all_metrics.size())];
      order.back().second = within;
      order.push_back({next, 0});
      ASSERT_TRUE(goal.then(next, within));
    }
    std::vector<std::size_t> left(from.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    const auto value = [&](metric m, std::size_t i) { return value_of(m, evaluate(from[i], seen.link)); };
    for (const auto& [m, within] : order) {
      double best = value(m, left[0]);
      for (const auto i : left) best = is_gain(m) ? std::max(best, value(m, i)) : std::min(best, value(m, i));
      std::erase_if(left, [&, m = m, within = within](std::size_t i) {
        return is_gain(m) ? value(m, i) < best - within * best : value(m, i) > best + within * best;
      });
    }
    const ranked found = choose_best(from, goal, seen);
    EXPECT_EQ(found.missed, 0);
    EXPECT_TRUE(std::find(left.begin(), left.end(), found.index) != left.end());
    // Nobody betters it, by the objective's own measure.
    for (const auto i : left) ASSERT_EQ(goal.gain(found.cost, evaluate(from[i], seen.link)), 0);
  }
}

TEST(Weighted, IsTheLeastSumOfShares)
{
  test::random_source source;
  for (int round = 0; round < 2000; ++round) {
    const auto from = draw(1 + source.below(40), source);
    const observation seen{{bit_rate::mbit(10), 0.002}};
    objective goal;
    ASSERT_TRUE(goal.weigh(metric::latency, 2, 0.010));
    ASSERT_TRUE(goal.weigh(metric::bytes, 1, 4000));
    ASSERT_TRUE(goal.weigh(metric::agreement, 3, 1));
    const auto sum = [&](std::size_t i) {
      const cost_terms c = evaluate(from[i], seen.link);
      return 2 * c.latency() / 0.010 + c.bytes / 4000 + 3 / *c.agreement;
    };
    const ranked found = choose_best(from, goal, seen);
    for (std::size_t i = 0; i < from.size(); ++i) ASSERT_LE(sum(found.index), sum(i) * (1 + 1e-12));
  }
}

TEST(Objective, GainIsTheShareByWhichAPlanIsBetter)
{
  cost_terms slow, fast;
  slow.device_s = 0.010;
  fast.device_s = 0.008;
  fast.bytes = 10;
  slow.bytes = 5;
  EXPECT_NEAR(objective(metric::latency).gain(slow, fast), 0.2, 1e-12);
  EXPECT_EQ(objective(metric::latency).gain(fast, slow), 0);
  EXPECT_EQ(objective(metric::latency).gain(slow, slow), 0);
  EXPECT_NEAR(objective(metric::throughput).gain(slow, fast), 0.2, 1e-12);
  objective both(metric::latency);
  ASSERT_TRUE(both.then(metric::bytes, 0.5));   // latencies count as equal
  EXPECT_EQ(both.gain(slow, fast), 0);
  EXPECT_NEAR(both.gain(fast, slow), 0.5, 1e-12);
  cost_terms never;
  never.link_s = std::numeric_limits<double>::infinity();
  EXPECT_EQ(objective(metric::latency).gain(never, fast), 1);
}

TEST(Objective, RefusesMoreMetricsThanThereAreAndSharesThatAreNone)
{
  objective goal;
  EXPECT_FALSE(goal.then(metric::bytes, -0.1));
  EXPECT_FALSE(goal.then(metric::bytes, std::nan("")));
  EXPECT_FALSE(goal.weigh(metric::bytes, 0, 1));
  EXPECT_FALSE(goal.weigh(metric::bytes, 1, 0));
  for (std::size_t i = 1; i < objective::max_metrics; ++i) EXPECT_TRUE(goal.then(metric::bytes, 0));
  EXPECT_FALSE(goal.then(metric::bytes, 0));
  for (std::size_t i = 0; i < objective::max_metrics; ++i) EXPECT_TRUE(goal.weigh(metric::bytes, 1, 1));
  EXPECT_FALSE(goal.weigh(metric::bytes, 1, 1));
}

}  // namespace
}  // namespace narrows
