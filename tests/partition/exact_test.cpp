// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/frontier.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/partition/chain.hpp>
#include <narrows/partition/min_cut.hpp>
#include <narrows/partition/three_tier.hpp>
#include <narrows/partition/throughput_cut.hpp>

#include "partition/brute_force.hpp"

namespace narrows {
namespace {

/// Calls `check(problem, priced)` for random problems until one fails.
template <class Check>
void for_problems(const test::problem_kind& kind, int rounds, std::uint64_t seed, const Check& check)
{
  test::random_source random(seed);
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
    const auto problem = test::random_problem(random, kind);
    const auto priced = priced_problem::make(problem);
    ASSERT_TRUE(priced) << priced.error().text();
    check(problem, *priced);
  }
}
/// A plan, if and only if one is possible; its cost is that of its tiers and routes.
template <class Answer>
void expect_plan(const priced_problem& p, const Answer& answer, bool possible)
{
  ASSERT_EQ(answer.has_value(), possible);
  if (!answer) return;
  EXPECT_TRUE(flows_one_way(p, answer->plan.tiers));
  EXPECT_EQ(answer->plan.cost, cost_of(p, answer->plan.tiers, answer->plan.routes));
}
constexpr auto never = test::brute_force::never;

TEST(FrontierPlan, EqualsBruteForceOverAnyLinks)
{
  for (const test::problem_kind kind : {test::problem_kind{2, 10, 3, false, true}, {3, 10, 3, false, true}})
    for_problems(kind, 1500, 93 + kind.tiers, [](const auto& problem, const auto& priced) {
      const auto best = test::brute_force(problem).best_latency();
      const auto found = frontier_plan(priced);
      expect_plan(priced, found, best < never);
      if (!found) return;
      EXPECT_EQ(found->plan.cost.latency_ns, best);
    });
  int direct = 0;  // plans that use the direct link
  for_problems({3, 7, 2, true, true}, 2500, 96, [&](const auto& problem, const auto& priced) {
    const auto best = test::brute_force(problem).best_latency();
    const auto found = frontier_plan(priced);
    expect_plan(priced, found, best < never);
    if (!found) return;
    EXPECT_EQ(found->plan.cost.latency_ns, best);
    direct += std::any_of(found->plan.routes.begin(), found->plan.routes.end(), [](const tensor_route& r) { return r.takes(2); });
  });
  EXPECT_GT(direct, 500);
}

TEST(FrontierThroughputPlan, EqualsBruteForce)
{
  const auto run = [](const test::problem_kind& kind, int rounds, std::uint64_t seed) {
    int searched = 0;
    for_problems(kind, rounds, seed, [&](const auto& problem, const auto& priced) {
      const auto best = test::brute_force(problem).best_period();
      const auto found = frontier_throughput_plan(priced);
      expect_plan(priced, found, best < never);
      if (!found) return;
      EXPECT_EQ(found->plan.cost.period_ns(), best);
      searched += found->labels > 0;
    });
    return searched;
  };
  EXPECT_GT(run({2, 10, 2, false, true}, 1000, 941), 300);
  EXPECT_GT(run({3, 6, 2, false, true}, 700, 942), 200);
  EXPECT_GT(run({3, 5, 2, true, true}, 700, 943), 500);
}

TEST(FrontierPlan, SaysWhenItGivesUp)
{
  planning_problem wide;  // one node reads the outputs of twelve
  wide.nodes.assign(13, {"n", {1, 1}, 0});
  transfer_option cheap, dear;
  dear.link_s[0] = 0.4;
  wide.tensors = {{"in", {}, {}, {cheap}}};
  for (std::size_t i = 0; i < 12; ++i) {
    wide.nodes[i].seconds = {1 + 0.01 * static_cast<double>(i), 1};
    wide.tensors[0].consumers.push_back(i);
    wide.tensors.push_back({"t", i, {12}, {dear}});
  }
  const auto priced = priced_problem::make(wide);
  ASSERT_TRUE(priced);
  EXPECT_EQ(frontier_throughput_plan(*priced, 100).error().code, errc::limit_exceeded);
  EXPECT_EQ(frontier_plan(*priced, 1).error().code, errc::limit_exceeded);
  const auto cut = throughput_cut_plan(*priced);
  ASSERT_TRUE(cut);
  EXPECT_GE(cut->gap_ns(), 0);
}

TEST(ThroughputCutPlan, IsNeverBelowItsBoundAndSeldomAboveTheBestPeriod)
{
  int plans = 0, best_ones = 0, proven = 0, by_latency = 0;
  for (const test::problem_kind kind : {test::problem_kind{2, 8, 2, false, true}, {3, 6, 2, false, true}})
    for_problems(kind, 1000, 531 + kind.tiers, [&](const auto& problem, const auto& priced) {
      const auto best = test::brute_force(problem).best_period();
      const auto cut = throughput_cut_plan(priced);
      expect_plan(priced, cut, best < never);
      if (!cut) return;
      EXPECT_LE(cut->bound_ns, best);
      EXPECT_GE(cut->plan.cost.period_ns(), best);
      ++plans;
      best_ones += cut->plan.cost.period_ns() == best;
      proven += cut->gap_ns() == 0;
      by_latency += detail::fastest_by_cut(priced)->cost.period_ns() == best;
    });
  RecordProperty("plans", plans);
  RecordProperty("optimal", best_ones);
  RecordProperty("proven", proven);
  RecordProperty("optimal_by_latency", by_latency);
  EXPECT_GT(best_ones, plans * 9 / 10);
  EXPECT_GT(proven, plans / 3);
}

TEST(ThroughputCutPlan, RefusesADirectLink)
{
  test::random_source random(3);
  const auto priced = priced_problem::make(test::random_problem(random, {3, 4, 1, true, false}));
  EXPECT_EQ(throughput_cut_plan(*priced).error().code, errc::bad_input);
}

TEST(BestOfChain, EqualsBruteForceForLatencyPeriodAndEnergyWithALimit)
{
  const auto energy = [](std::int64_t device, std::int64_t link, std::int64_t period) {
    return period > 40 ? std::numeric_limits<double>::quiet_NaN()
                       : 3 * static_cast<double>(device) + 2 * static_cast<double>(link);
  };
  test::random_source random(931);
  int rejected = 0, mixed = 0;
  for (int round = 0; round < 2400 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const test::problem_kind kind{2 + random.below(2), 10, 3, random.below(2) == 0, true};
    auto problem = test::random_chain(random, {kind.tiers, kind.tiers == 2 ? 10U : 7U, 3, kind.tiers == 3 && kind.direct, true});
    const auto priced = priced_problem::make(problem);
    ASSERT_TRUE(priced) << priced.error().text();
    ASSERT_TRUE(is_chain(*priced));
    std::int64_t latency = never, period = never;
    double joules = std::numeric_limits<double>::infinity();
    test::brute_force brute(problem);
    std::size_t plans = 0;
    brute.for_each_placement([&](const std::vector<std::size_t>& tiers) {
      brute.for_each_delivery(tiers, [&](const test::loads& sum, unsigned used) {
        const auto now = brute.latency(sum, used), busy = *std::max_element(sum.begin(), sum.end());
        if (now >= never) return;
        ++plans;
        latency = std::min(latency, now);
        period = std::min(period, busy);
        if (const double e = energy(sum[0], sum[3], busy); e < joules) joules = e;
      });
    });
    const auto fastest = best_of_chain(*priced, [](const plan_cost& c) { return static_cast<double>(c.latency_ns); });
    expect_plan(*priced, fastest, latency < never);
    if (!fastest) continue;
    EXPECT_EQ(fastest->plan.cost.latency_ns, latency);
    EXPECT_EQ(fastest->plans, plans);
    mixed += *std::max_element(fastest->plan.tiers.begin(), fastest->plan.tiers.end()) !=
             *std::min_element(fastest->plan.tiers.begin(), fastest->plan.tiers.end());
    const auto quickest = best_of_chain(*priced, [](const plan_cost& c) { return static_cast<double>(c.period_ns()); });
    expect_plan(*priced, quickest, true);
    EXPECT_EQ(quickest->plan.cost.period_ns(), period);
    const auto least =
      best_of_chain(*priced, [&](const plan_cost& c) { return energy(c.tier_ns[0], c.link_ns[0], c.period_ns()); });
    expect_plan(*priced, least, std::isfinite(joules));
    if (least)
      EXPECT_EQ(least->value, joules);
    else
      ++rejected;
  }
  RecordProperty("cut", mixed);
  EXPECT_GT(mixed, 400);
  EXPECT_GT(rejected, 50);
}

TEST(BestOfChain, PrefersTheDeviceAndRefusesWhatIsNoChain)
{
  planning_problem p;
  p.nodes = {{"a", {1, 1}, 0}, {"b", {1, 1}, 0}};
  p.tensors = {{"in", {}, {0}, {{}}}, {"t", 0, {1}, {{}}}};
  const auto same = [](const plan_cost&) { return 0.0; };
  EXPECT_EQ(best_of_chain(*priced_problem::make(p), same)->plan.tiers, (std::vector<std::uint8_t>{0, 0}));
  EXPECT_EQ(best_of_chain(*priced_problem::make(p), same)->plans, 3U);
  p.tensors[0].consumers = {0, 1};
  EXPECT_EQ(best_of_chain(*priced_problem::make(p), same).error().code, errc::bad_graph);
}

}  // namespace
}  // namespace narrows
