// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/policies/joint.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/scheduler.hpp>
#include <narrows/schedule/simulate.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

/// Cuts of a network in miniature: the later the cut, the more the device works and the less crosses; at 8, 4 and 2 bits.
std::vector<candidate> some_candidates()
{
  std::vector<candidate> all;
  const double device_ms[] = {0, 3, 7, 14, 25, 40}, kilobytes[] = {150, 100, 60, 30, 12, 0};
  for (std::size_t cut = 0; cut < std::size(device_ms); ++cut)
    for (const int bits : {8, 4, 2}) {
      candidate c;
      c.cost.device_s = device_ms[cut] * 1e-3;
      c.cost.server_s = (40 - device_ms[cut]) * 1e-4;
      c.cost.bytes = kilobytes[cut] * 1000 * bits / 8;
      c.cost.return_bytes = c.cost.bytes > 0 ? 200 : 0;
      c.cost.agreement = cut == 5 ? 1.0 : bits == 8 ? 0.997 : bits == 4 ? 0.96 : 0.8;
      c.where = cut == 5 ? placement::device : cut == 0 ? placement::cloud : placement::split;
      all.push_back(c);
    }
  return all;
}

objective goal_within(double agreement, metric m = metric::latency)
{
  objective goal(m);
  EXPECT_TRUE(goal.require(metric::agreement, agreement));
  return goal;
}

TEST(Joint, IsNeverFurtherFromTheBestThanItsLeastGainWhereNothingIsUncertain)
{
  const auto all = some_candidates();
  test::random_source source;
  for (const metric m : {metric::latency, metric::throughput, metric::server, metric::bytes}) {
    const objective goal = goal_within(0.95, m);
    joint policy(goal);
    double rate = 10e6;
    for (int i = 0; i < 5000; ++i) {
      rate = std::clamp(rate * (1 + 0.1 * static_cast<double>(source.uniform(-1, 1))), 1e5, 1e9);
      const observation seen{{{rate}, 0.010}, {}, 0, 0, 20.0 * i};
      const decision d = policy.choose(all, seen);
      ASSERT_TRUE(d.feasible);
      const ranked best = choose_best(all, goal, seen);
      ASSERT_LE(goal.gain(evaluate(all[d.index], seen.link), best.cost), 0.01) << to_string(m);
      ASSERT_EQ(goal.missed(evaluate(all[d.index], seen.link)), 0);
    }
  }
}

TEST(Joint, LeavesAPlanThatMissesALimitAtOnce)
{
  const auto all = some_candidates();
  objective goal = goal_within(0.95, metric::server);
  ASSERT_TRUE(goal.require(metric::latency, 0.060));
  joint policy(goal);
  const auto fast = policy.choose(all, {{bit_rate::mbit(100), 0.01}, {}, 0, 0, 0});
  const auto slow = policy.choose(all, {{bit_rate::mbit(1), 0.01}, {}, 0.9, 0, 0.01});
  EXPECT_TRUE(fast.feasible && slow.feasible);
  for (const auto& [d, rate] : {std::pair{fast, 100.0}, std::pair{slow, 1.0}})
    EXPECT_EQ(goal.missed(evaluate(all[d.index], {bit_rate::mbit(rate), 0.01})), 0);
}

TEST(Joint, SaysInfeasibleWithThePlanThatMissesLeast)
{
  const auto all = some_candidates();
  objective goal = goal_within(0.999);
  ASSERT_TRUE(goal.require(metric::latency, 0.001));
  joint policy(goal);
  for (const double rate : {1.0, 10.0, 0.0}) {
    const observation seen{{bit_rate::mbit(rate), 0.01}, {}, 0, 0, 0};
    const decision d = policy.choose(all, seen);
    EXPECT_FALSE(d.feasible);
    EXPECT_TRUE(d.reason.starts_with("infeasible")) << d.reason;
    EXPECT_EQ(goal.missed(evaluate(all[d.index], seen.link)), choose_best(all, goal, seen).missed);
  }
}

TEST(Joint, DoesNotGoBackAndForthInNoise)
{
  const objective goal = goal_within(0.95);
  simulate_options how;
  how.every_s = 1.0 / 30;
  how.noise = 0.2;
  for (double rate = 1e6; rate < 200e6; rate *= 1.17) {   // some of them where two plans are as good
    SCOPED_TRACE(rate);
    const link_state link{{rate}, 0.010};
    const auto r = simulate(some_candidates(), joint(goal), goal, traces::constant(link), link, how);
    EXPECT_LE(r->switches, 6U);   // one in 10 s
    EXPECT_LE(r->mean_regret(), 0.005);
    EXPECT_LE(r->regret_below(1), 0.05);
    EXPECT_GE(simulate(some_candidates(), best_candidate(goal), goal, traces::constant(link), link, how)->switches, r->switches);
  }
}

TEST(Joint, IsRightAgainTwoRequestsAfterAStep)
{
  const objective goal = goal_within(0.95);
  for (const double noise : {0.0, 0.2})
    for (const auto& [before, after] : {std::pair{40e6, 4e6}, std::pair{20e6, 6e6}, std::pair{12e6, 60e6}, std::pair{15e6, 40e6}}) {
      SCOPED_TRACE(std::to_string(before) + " to " + std::to_string(after) + " noise " + std::to_string(noise));
      auto s = *scheduler::make(some_candidates(), joint(goal), {{before}, 0.010});
      test::random_source source;
      double at = 0;
      bool all_cross = true;   // or nothing is learnt
      const auto request = [&](double rate) {
        (void)s.next(at);
        const cost_terms cost =
          evaluate(s.chosen(), link_state{{rate * (1 + noise * static_cast<double>(source.uniform(-1, 1)))}, 0.010});
        all_cross = all_cross && cost.bytes > 0;
        s.saw(cost.bytes + cost.return_bytes, cost.link_s);
        at += cost.latency();
      };
      for (int i = 0; i < 50; ++i) request(before);
      request(after);
      request(after);
      ASSERT_TRUE(all_cross);
      (void)s.next(at);
      const std::vector<candidate> all(s.candidates().begin(), s.candidates().end());
      const link_state now{{after}, 0.010};
      const double best = choose_best(all, goal, {now}).cost.latency();
      EXPECT_LE(evaluate(s.chosen(), now).latency(), best * (noise > 0 ? 1.15 : 1.05));
    }
}

TEST(Joint, FollowsARampClosely)
{
  const objective goal = goal_within(0.95);
  const link_state fast{bit_rate::mbit(50), 0.010}, slow{bit_rate::mbit(1), 0.010};
  simulate_options how;
  how.seconds = 120;
  how.every_s = 1.0 / 30;
  const auto r = simulate(some_candidates(), joint(goal), goal, traces::ramp(fast, slow, 120), fast, how);
  EXPECT_LE(r->mean_regret(), 0.005);
  EXPECT_LE(r->regret_below(1), 0.02);
  EXPECT_GE(r->switches, 2U);
}

TEST(Joint, LosesLessOnALinkThatWandersThanWithoutPatienceToEnd)
{
  const objective goal = goal_within(0.95);
  simulate_options how;
  how.seconds = 120;
  how.every_s = 1.0 / 15;
  how.noise = 0.2;
  how.probe_every_s = 0.8;   // or nothing is learnt while all stays on the device
  switching_rule endless;
  endless.patience = 1e9;
  double lost = 0, lost_endless = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const link_state around{bit_rate::mbit(20), 0.010};
    const auto over = traces::lte_like(around, how.seconds, seed);
    lost += simulate(some_candidates(), joint(goal), goal, over, around, how)->mean_regret() / 20;
    lost_endless += simulate(some_candidates(), joint(goal, endless), goal, over, around, how)->mean_regret() / 20;
  }
  EXPECT_LT(lost, 0.95 * lost_endless);
}

TEST(Joint, ComesBackToALinkThatRecoveredWhileProbesCross)
{
  const objective goal = goal_within(0.95);
  const link_state poor{bit_rate::mbit(0.5), 0.010}, good{bit_rate::mbit(50), 0.010};
  simulate_options how;
  how.seconds = 40;
  how.probe_every_s = 0.8;
  const auto r = simulate(some_candidates(), joint(goal), goal, traces::step(poor, good, 20), poor, how);
  double right_s = 0;
  for (const auto& each : r->requests)
    if (each.at_s >= 20 && each.regret > 0.05) right_s = each.at_s - 20;
  EXPECT_LE(right_s, 2);
  EXPECT_GT(right_s, 0);
  EXPECT_LE(r->probe_seconds, 4);
}

TEST(Joint, BeginsAnewWithOtherCandidates)
{
  auto all = some_candidates();
  joint policy(goal_within(0.95));
  (void)policy.choose(all, {{bit_rate::mbit(50), 0.01}});
  all.erase(all.begin() + 4, all.end());
  const decision d = policy.choose(all, {{bit_rate::mbit(0.1), 0.01}});
  EXPECT_LT(d.index, all.size());
}

}  // namespace
}  // namespace narrows
