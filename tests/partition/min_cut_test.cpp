// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/min_cut.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/partition/max_flow.hpp>
#include <narrows/partition/three_tier.hpp>

#include "partition/brute_force.hpp"

namespace narrows {
namespace {

TEST(FlowNetwork, FindsTheLeastCutOfRandomNetworks)
{
  test::random_source random;
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE(round);
    const std::size_t n = 2 + random.below(7);
    std::vector<std::vector<std::int64_t>> room(n, std::vector<std::int64_t>(n));
    flow_network<std::int64_t> net(n);
    const std::size_t arcs = random.below(3 * n + 1);
    for (std::size_t a = 0; a < arcs; ++a) {
      const std::size_t from = random.below(n), to = random.below(n);
      const auto capacity = static_cast<std::int64_t>(random.below(6));
      room[from][to] += capacity;
      net.add_arc(from, to, capacity);
    }
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::uint64_t before = 0;  // all sides of cuts that are as small, together
    for (std::uint64_t side = 0; side < std::uint64_t{1} << n; ++side) {
      if ((side & 1U) == 0 || (side >> (n - 1) & 1U) != 0) continue;
      std::int64_t value = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          if ((side >> i & 1U) != 0 && (side >> j & 1U) == 0) value += room[i][j];
      if (value < least) least = value, before = 0;
      if (value == least) before |= side;
    }
    ASSERT_EQ(net.max_flow(0, n - 1), least);
    ASSERT_EQ(net.max_flow(0, n - 1), 0);
    const auto side = net.greatest_source_side(n - 1);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(side[i], (before >> i & 1U) != 0) << "node " << i;
  }
}

/// in -> a -> b of METHODS 5.4: seconds 100 and 1 on the device, 1 and 5 in the cloud; uploads of 1 and 50 seconds.
planning_problem counter_example()
{
  planning_problem p;
  p.nodes = {{"a", {100, 1}, 0}, {"b", {1, 5}, 0}};
  transfer_option one, fifty;
  one.link_s[0] = 1;
  fifty.link_s[0] = 50;
  p.tensors = {{"in", {}, {0}, {one}}, {"a", 0, {1}, {fifty}}};
  return p;
}

TEST(MinCutPlan, PaysSevenForTheCounterExampleOfDads)
{
  const auto priced = priced_problem::make(counter_example());
  ASSERT_TRUE(priced) << priced.error().text();
  const auto plan = min_cut_plan(*priced);
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ(plan->cost.latency_s(), 7);
  EXPECT_EQ(plan->tiers, (std::vector<std::uint8_t>{1, 1}));

  // DADS as published: no arc b -> a, so data flows back to the device for nothing.
  flow_network<std::int64_t> bare(4);  // source and input, a, b, sink
  bare.add_arc(0, 1, 1);               // a in the cloud
  bare.add_arc(1, 3, 100);             // a on the device
  bare.add_arc(0, 2, 5);
  bare.add_arc(2, 3, 1);
  bare.add_arc(0, 1, 1);   // upload of the input
  bare.add_arc(1, 2, 50);  // upload of a
  EXPECT_EQ(bare.max_flow(0, 3), 3);
}

TEST(MinCutPlan, PrefersTheDeviceAmongEqualPlans)
{
  auto p = counter_example();
  p.nodes[0].seconds = {2, 1};
  p.nodes[1].seconds = {5, 5};
  const auto plan = min_cut_plan(*priced_problem::make(p));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->cost.latency_s(), 7);
  EXPECT_EQ(plan->tiers, (std::vector<std::uint8_t>{0, 0}));
}

TEST(MinCutPlan, SaysWhenNoPlanIsPossible)
{
  auto p = counter_example();
  p.nodes[0].seconds[0] = p.links[0].seconds_per_byte = std::numeric_limits<double>::infinity();
  p.tensors[0].options[0].bytes = 1;
  const auto plan = min_cut_plan(*priced_problem::make(p));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, errc::bad_input);
  EXPECT_FALSE(three_tier_plan(*priced_problem::make(p)));
}

/// Random problems against brute force; gives how many had a possible plan how many cut, and how many with several tensors.
struct outcome {
  int possible = 0, mixed = 0, wide = 0;
};
template <class Planner>
outcome compare_latency(const test::problem_kind& kind, int rounds, std::uint64_t seed, const Planner& planner)
{
  test::random_source random(seed);
  outcome seen;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
    const auto problem = test::random_problem(random, kind);
    test::brute_force brute(problem);
    const auto best = brute.best_latency();
    const auto priced = priced_problem::make(problem);
    EXPECT_TRUE(priced) << priced.error().text();
    if (!priced) break;
    const auto plan = planner(*priced);
    EXPECT_EQ(plan.has_value(), best < test::brute_force::never);
    if (!plan) continue;
    EXPECT_EQ(plan->cost.latency_ns, best);
    EXPECT_TRUE(flows_one_way(*priced, plan->tiers));
    EXPECT_EQ(plan->cost, cost_of(*priced, plan->tiers, plan->routes));
    EXPECT_EQ(brute.quick_latency({plan->tiers.begin(), plan->tiers.end()}), best);
    ++seen.possible;
    seen.mixed +=
      *std::min_element(plan->tiers.begin(), plan->tiers.end()) != *std::max_element(plan->tiers.begin(), plan->tiers.end());
    const auto crosses = [](const tensor_route& r) { return r.takes(0); };
    seen.wide += std::count_if(plan->routes.begin(), plan->routes.end(), crosses) > 1;
    if (testing::Test::HasFailure()) break;
  }
  testing::Test::RecordProperty("possible", seen.possible);
  testing::Test::RecordProperty("cut", seen.mixed);
  testing::Test::RecordProperty("wide", seen.wide);
  return seen;
}

TEST(MinCutPlan, EqualsBruteForce)
{
  const auto seen = compare_latency({2, 10, 3, false, true}, 3000, 54, [](const auto& p) { return min_cut_plan(p); });
  EXPECT_GT(seen.possible, 2500);
  EXPECT_GT(seen.mixed, 700);
  EXPECT_GT(seen.wide, 300);
}

TEST(MinCutPlan, HasEachNodeOnTheDeviceThatAnyBestPlanHasThere)
{
  test::random_source random(55);
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(round);
    const auto problem = test::random_problem(random, {2, 7, 2, false, false});
    test::brute_force brute(problem);
    const auto best = brute.best_latency();
    std::vector<std::uint8_t> lowest(problem.nodes.size(), 1);
    brute.for_each_placement([&](const std::vector<std::size_t>& tiers) {
      if (brute.quick_latency(tiers) > best) return;
      for (std::size_t n = 0; n < tiers.size(); ++n) lowest[n] = std::min(lowest[n], static_cast<std::uint8_t>(tiers[n]));
    });
    ASSERT_EQ(min_cut_plan(*priced_problem::make(problem))->tiers, lowest);
  }
}

TEST(ThreeTierPlan, EqualsBruteForce)
{
  const auto seen = compare_latency({3, 10, 3, false, true}, 2500, 92, [](const auto& p) { return three_tier_plan(p); });
  EXPECT_GT(seen.possible, 2000);
  EXPECT_GT(seen.mixed, 500);
  EXPECT_GT(seen.wide, 300);
}

TEST(ThreeTierPlan, RefusesADirectLinkThatIsCheaperAndTakesOneThatIsNot)
{
  test::random_source random(93);
  int refused = 0, taken = 0;
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(round);
    auto problem = test::random_problem(random, {3, 5, 2, true, false});
    if (round % 2 == 0) problem.links[2].message_s += 1e-6, problem.links[2].seconds_per_byte += 1e-6;
    const auto priced = priced_problem::make(problem);
    ASSERT_TRUE(priced);
    const auto plan = three_tier_plan(*priced);
    ASSERT_EQ(plan.has_value(), edge_is_on_the_way(*priced));
    ++(plan ? taken : refused);
    if (plan) {
      ASSERT_EQ(plan->cost.latency_ns, test::brute_force(problem).best_latency());
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(taken, 50);
}

}  // namespace
}  // namespace narrows
