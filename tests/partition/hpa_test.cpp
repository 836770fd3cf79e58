// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/hpa.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/partition/gap.hpp>

#include "partition/brute_force.hpp"

namespace narrows {
namespace {

transfer_option seconds(double s)
{
  transfer_option o;
  o.link_s.fill(s);
  return o;
}

/// METHODS 8.3: ten nodes that each gain 9 s in the cloud, and an upload of 50 s.
planning_problem short_sighted()
{
  planning_problem p;
  p.tensors = {{"t", {}, {0}, {seconds(50)}}};
  for (std::size_t i = 0; i < 10; ++i) {
    p.nodes.push_back({"n", {10, 1}, 0});
    p.tensors.push_back({"t", i, {}, {seconds(50)}});
    if (i > 0) p.tensors[i].consumers = {i};
  }
  return p;
}

TEST(HpaPlan, IsShortSightedAndTheGapSaysSo)
{
  const auto priced = priced_problem::make(short_sighted());
  const auto plan = hpa_plan(*priced);
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ(plan->cost.latency_s(), 100);
  const auto gap = gap_to_exact(*priced, *plan);
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->best_ns, 60'000'000'000);
  EXPECT_EQ(gap->ns(), 40'000'000'000);
  EXPECT_NEAR(gap->share(), 2.0 / 3, 1e-12);
}

/// Two nodes that read the input; the second is worth its upload of 10 s, the first is not, but gains once that is paid.
planning_problem siblings()
{
  planning_problem p;
  p.nodes = {{"w", {5, 1}, 0}, {"v", {100, 1}, 0}, {"after w", {3, 1}, 0}};
  p.tensors = {{"in", {}, {0, 1}, {seconds(10)}}, {"t", 0, {2}, {seconds(4)}}};
  return p;
}

TEST(HpaPlan, LetsSiblingsFollowToInputsThatAreThere)
{
  const auto priced = priced_problem::make(siblings());
  EXPECT_EQ(hpa_plan(*priced)->tiers, (std::vector<std::uint8_t>{1, 1, 1}));
  EXPECT_EQ(hpa_plan(*priced)->cost.latency_s(), 13);
  hpa_options alone;
  alone.siblings = false;
  EXPECT_EQ(hpa_plan(*priced, alone)->tiers, (std::vector<std::uint8_t>{0, 1, 0}));
}

TEST(HpaPlan, IsNeverFasterThanTheExactPlan)
{
  int plans = 0, optimal = 0, stuck = 0;
  double sum = 0, worst = 0;
  for (const test::problem_kind kind :
    {test::problem_kind{2, 10, 3, false, true}, {3, 10, 3, false, true}, {3, 8, 2, true, true}}) {
    test::random_source random(82 + kind.tiers + (kind.direct ? 10 : 0));
    for (int round = 0; round < 1000 && !HasFailure(); ++round) {
      SCOPED_TRACE(testing::Message() << kind.tiers << " tiers, round " << round);
      const auto priced = priced_problem::make(test::random_problem(random, kind));
      const auto plan = hpa_plan(*priced);
      if (!plan) {
        ++stuck;
        continue;
      }
      EXPECT_TRUE(flows_one_way(*priced, plan->tiers));
      const auto gap = gap_to_exact(*priced, *plan);
      ASSERT_TRUE(gap) << gap.error().text();
      EXPECT_GE(gap->ns(), 0);
      EXPECT_EQ(gap->plan_ns, plan->cost.latency_ns);
      ++plans;
      optimal += gap->ns() == 0;
      if (gap->best_ns == 0) continue;
      sum += gap->share();
      worst = std::max(worst, gap->share());
    }
  }
  RecordProperty("plans", plans);
  RecordProperty("optimal", optimal);
  RecordProperty("stuck", stuck);
  RecordProperty("mean_gap_percent", static_cast<int>(std::lround(100 * sum / plans)));
  RecordProperty("worst_gap_percent", static_cast<int>(std::lround(100 * worst)));
  EXPECT_GT(plans, 2700);
  EXPECT_GT(optimal, plans / 3);
  EXPECT_LT(optimal, plans);
}

TEST(UpdateHpa, LeavesAPlanAloneWithinItsBand)
{
  auto p = siblings();
  const auto planned = priced_problem::make(p);
  const auto plan = hpa_plan(*planned);
  p.nodes[2].seconds = {3.5, 0.9};
  const auto now = priced_problem::make(p);
  const auto update = update_hpa(*planned, *now, *plan);
  ASSERT_TRUE(update) << update.error().text();
  EXPECT_EQ(update->visited, 0U);
  EXPECT_FALSE(update->full_run);
  EXPECT_EQ(update->plan.tiers, plan->tiers);
  EXPECT_NEAR(update->plan.cost.latency_s(), 12.9, 1e-9);
}

TEST(UpdateHpa, FollowsAChangeOnlyAsFarAsItGoes)
{
  auto p = short_sighted();
  for (std::size_t i = 1; i < 10; ++i) p.tensors[i].options[0].link_s[0] = i == 8 ? 2 : 50;  // a cheap cut before the ninth
  const auto planned = priced_problem::make(p);
  const auto plan = hpa_plan(*planned);
  ASSERT_EQ(plan->tiers, (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  p.nodes[8].seconds[1] = 30;  // the cloud became slow for it
  const auto now = priced_problem::make(p);
  const auto update = update_hpa(*planned, *now, *plan);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->plan.tiers, std::vector<std::uint8_t>(10, 0));
  EXPECT_EQ(update->visited, 2U);  // it and its successor
  EXPECT_EQ(update->changed, 2U);
  EXPECT_FALSE(update->full_run);
  hpa_options careful;
  careful.full_run_share = 0.1;
  EXPECT_TRUE(update_hpa(*planned, *now, *plan, careful)->full_run);
}

TEST(UpdateHpa, PlansAnewWhenALinkThatNobodyUsesGetsBetter)
{
  auto p = short_sighted();
  const auto planned = priced_problem::make(p);
  const auto plan = hpa_plan(*planned);
  for (auto& t : p.tensors) t.options[0] = seconds(1);
  const auto now = priced_problem::make(p);
  const auto update = update_hpa(*planned, *now, *plan);
  ASSERT_TRUE(update);
  EXPECT_TRUE(update->full_run);
  EXPECT_EQ(update->plan.tiers, std::vector<std::uint8_t>(10, 1));
}

TEST(UpdateHpa, GivesPlansThatFlowOneWayWhateverChanges)
{
  test::random_source random(87);
  int local = 0, full = 0, changed = 0;
  for (int round = 0; round < 1500 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    auto problem = test::random_problem(random, {2 + random.below(2), 10, 2, false, false});
    const auto planned = priced_problem::make(problem);
    const auto plan = hpa_plan(*planned);
    ASSERT_TRUE(plan);
    for (int change = 0; change < 2; ++change)
      problem.nodes[random.below(problem.nodes.size())].seconds[random.below(problem.tiers)] = test::ns(random.below(60));
    if (random.below(4) == 0) problem.links[0].seconds_per_byte = test::ns(random.below(5));
    const auto now = priced_problem::make(problem);
    const auto update = update_hpa(*planned, *now, *plan);
    ASSERT_TRUE(update) << update.error().text();
    EXPECT_TRUE(flows_one_way(*now, update->plan.tiers));
    const auto gap = gap_to_exact(*now, update->plan);
    ASSERT_TRUE(gap);
    EXPECT_GE(gap->ns(), 0);
    EXPECT_TRUE(!update->full_run || update->plan == *hpa_plan(*now));
    ++(update->full_run ? full : local);
    changed += !update->full_run && update->changed > 0;
  }
  RecordProperty("local", local);
  RecordProperty("full", full);
  EXPECT_GT(local, 200);
  EXPECT_GT(full, 100);
  EXPECT_GT(changed, 50);
}

TEST(UpdateHpa, RefusesAnotherProblem)
{
  const auto one = priced_problem::make(short_sighted()), other = priced_problem::make(siblings());
  const auto plan = hpa_plan(*one);
  EXPECT_EQ(update_hpa(*one, *other, *plan).error().code, errc::bad_input);
  EXPECT_EQ(update_hpa(*other, *other, *plan).error().code, errc::bad_input);
  EXPECT_EQ(gap_to_exact(*other, *plan).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
