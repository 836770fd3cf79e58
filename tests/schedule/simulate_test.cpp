// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/simulate.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/policies/device_only.hpp>

namespace narrows {
namespace {

std::vector<candidate> two_candidates()
{
  std::vector<candidate> all(2);
  all[0].cost.device_s = 0.010;
  all[0].cost.server_s = 0.005;
  all[0].cost.bytes = 12'500;   // 100 kbit
  all[1].cost.device_s = 0.100;
  all[1].where = placement::device;
  return all;
}
link_state mbit(double rate) { return {bit_rate::mbit(rate), 0.020}; }

TEST(Trace, HoldsEachPointUntilTheNext)
{
  const auto t = *trace::make({{0, mbit(1)}, {2, mbit(4), {3, 2}}, {5, mbit(0)}});
  EXPECT_EQ(t.at(0).link, mbit(1));
  EXPECT_EQ(t.at(1.999).link, mbit(1));
  EXPECT_EQ(t.at(2).link, mbit(4));
  EXPECT_EQ(t.at(2).load, (load_factors{3, 2}));
  EXPECT_FALSE(t.at(1e9).link.is_up());
}

TEST(Trace, SendsAcrossItsPoints)
{
  const auto t = *trace::make({{0, mbit(1)}, {2, mbit(0)}, {3, mbit(4)}});
  EXPECT_NEAR(t.seconds_to_send(125'000, 0), 1, 1e-12);
  // Half of it by 2 s, nothing for a second, the rest at four times the rate.
  EXPECT_NEAR(t.seconds_to_send(125'000, 1.5), 0.5 + 1 + 0.125, 1e-12);
  EXPECT_NEAR(t.seconds_to_send(125'000, 2.5), 0.5 + 0.25, 1e-12);
  EXPECT_NEAR(t.seconds_to_send(125'000, 100), 0.25, 1e-12);
  EXPECT_EQ(traces::constant(mbit(0)).seconds_to_send(1, 0), std::numeric_limits<double>::infinity());
}

TEST(Trace, RefusesWhatIsNone)
{
  const double nan = std::nan("");
  EXPECT_FALSE(trace::make({}));
  EXPECT_FALSE(trace::make({{1, mbit(1)}}));
  EXPECT_FALSE(trace::make({{0, mbit(1)}, {0, mbit(1)}}));
  EXPECT_FALSE(trace::make({{0, mbit(-1)}}));
  EXPECT_FALSE(trace::make({{0, mbit(nan)}}));
  EXPECT_FALSE(trace::make({{0, {bit_rate::mbit(1), nan}}}));
  EXPECT_FALSE(trace::make({{0, mbit(1), {0, 1}}}));
  EXPECT_NE(trace::make({{0, mbit(1)}, {1, mbit(-1)}}).error().text().find("point 1"), std::string::npos);
}

TEST(Traces, AreWhatTheyAreCalled)
{
  const auto ramp = traces::ramp(mbit(100), mbit(1), 10);
  EXPECT_NEAR(ramp.at(0).link.bandwidth.bits_per_second, 100e6, 1);
  EXPECT_NEAR(ramp.at(5).link.bandwidth.bits_per_second, 10e6, 1);
  EXPECT_NEAR(ramp.at(11).link.bandwidth.bits_per_second, 1e6, 1);
  const auto phone = traces::lte_like(mbit(20), 300, 7), again = traces::lte_like(mbit(20), 300, 7);
  double sum = 0, squares = 0;
  int faded = 0;
  ASSERT_EQ(phone.points().size(), 3000U);
  for (std::size_t i = 0; i < phone.points().size(); ++i) {
    const double rate = phone.points()[i].link.bandwidth.bits_per_second;
    EXPECT_EQ(rate, again.points()[i].link.bandwidth.bits_per_second);
    const double log_rate = std::log(rate / 20e6);
    faded += log_rate < -1.8 ? 1 : 0;
    sum += log_rate;
    squares += log_rate * log_rate;
  }
  EXPECT_NEAR(sum / 3000, 0, 0.4);
  EXPECT_NEAR(std::sqrt(squares / 3000), 0.6, 0.3);
  EXPECT_GT(faded, 10);
  EXPECT_LT(faded, 600);
}

TEST(Simulate, PaysWhatTheTraceMakesOfAPlan)
{
  // The link halves its rate while the second request is on its way.
  const auto world = *trace::make({{0, mbit(10)}, {0.060, mbit(5)}});
  simulate_options how;
  how.seconds = 0.1;
  const auto r = simulate(two_candidates(), best_candidate(metric::latency), metric::latency, world, mbit(10), how);
  ASSERT_TRUE(r);
  ASSERT_EQ(r->requests.size(), 3U);
  EXPECT_NEAR(r->requests[0].latency_s, 0.010 + 0.020 + 0.010 + 0.005, 1e-12);
  EXPECT_NEAR(r->requests[1].at_s, 0.045, 1e-12);
  // Sent from 55 ms on: 5 ms, half of it, at 10 Mbit/s, the rest at 5.
  EXPECT_NEAR(r->requests[1].latency_s, 0.010 + 0.020 + 0.005 + 0.010 + 0.005, 1e-12);
  EXPECT_EQ(r->switches, 0U);
  EXPECT_EQ(r->mean_regret(), 0);
}

TEST(Simulate, RegretIsTheShareLostToTheOracle)
{
  simulate_options how;
  how.seconds = 1;
  const auto r =
    simulate(two_candidates(), device_only{}, metric::latency, traces::constant(mbit(10), {2, 1}), mbit(10), how);
  ASSERT_EQ(r->requests.size(), 5U);   // of 200 ms: the device takes twice as long
  // The best: 20 ms, 20 and 10 on the link, 5.
  for (const auto& each : r->requests) EXPECT_NEAR(each.regret, 1 - 0.055 / 0.200, 1e-12);
  EXPECT_NEAR(r->regret_below(1), 1 - 0.055 / 0.200, 1e-12);
  EXPECT_EQ(r->regret_below(0), r->regret_below(1));
}

TEST(Simulate, CountsAPlanThatMissesALimitAsLost)
{
  objective goal(metric::bytes);
  ASSERT_TRUE(goal.require(metric::latency, 0.050));
  const auto r = simulate(two_candidates(), device_only{}, goal, traces::constant(mbit(10)), mbit(10));
  for (const auto& each : r->requests) {
    EXPECT_FALSE(each.feasible);
    EXPECT_EQ(each.regret, 1);
  }
}

TEST(Simulate, ALostLinkSendsEverybodyHome)
{
  const auto world = traces::step(mbit(10), mbit(0), 1);
  simulate_options how;
  how.seconds = 5;
  const auto r = simulate(two_candidates(), best_candidate(metric::latency), metric::latency, world, mbit(10), how);
  int never = 0;
  for (const auto& each : r->requests) never += std::isinf(each.latency_s) ? 1 : 0;
  EXPECT_EQ(never, 1);
  EXPECT_EQ(r->requests.back().candidate, 1U);
  EXPECT_EQ(r->switches, 1U);
}

TEST(Simulate, RefusesNothingToDo)
{
  EXPECT_EQ(simulate({}, device_only{}, metric::latency, traces::constant(mbit(1)), mbit(1)).error().code, errc::bad_input);
  simulate_options how;
  how.seconds = 0;
  EXPECT_EQ(
    simulate(two_candidates(), device_only{}, metric::latency, traces::constant(mbit(1)), mbit(1), how).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
