// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/scheduler.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/schedule/policies/best_candidate.hpp>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

TEST(LinkEstimator, ConvergesToAStepInTheRate)
{
  link_estimator e({bit_rate::mbit(100), 0.010});
  for (int i = 0; i < 40; ++i) e.saw(50'000, 0.010 + 50'000 * 8 / 2e6);
  EXPECT_NEAR(e.now().bandwidth.bits_per_second, 2e6, 2e4);
  EXPECT_NEAR(e.now().rtt_s, 0.010, 1e-9);
  for (int i = 0; i < 40; ++i) e.saw(50'000, 0.010 + 50'000 * 8 / 50e6);
  EXPECT_NEAR(e.now().bandwidth.bits_per_second, 50e6, 5e6);
}

TEST(LinkEstimator, LearnsTheRoundTripFromShortMessages)
{
  link_estimator e({bit_rate::mbit(100), 0.020});
  for (int i = 0; i < 60; ++i) e.saw(200, 0.050);
  EXPECT_NEAR(e.now().rtt_s, 0.050, 1e-3);
  EXPECT_EQ(e.now().bandwidth, bit_rate::mbit(100));   // a short message says nothing about it
}

TEST(LinkEstimator, StaysFiniteAndPositiveWhateverItIsTold)
{
  link_estimator e({bit_rate::mbit(1), 0.5});
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double bytes : {-1.0, 0.0, 1.0, 1e3, 1e9, nan, inf})
    for (const double seconds : {-1.0, 0.0, 1e-9, 1.0, 1e5, nan, inf}) {
      e.saw(bytes, seconds);
      ASSERT_TRUE(std::isfinite(e.now().bandwidth.bits_per_second)) << bytes << ' ' << seconds;
      ASSERT_GT(e.now().bandwidth.bits_per_second, 0) << bytes << ' ' << seconds;
      ASSERT_TRUE(e.now().rtt_s >= 0 && std::isfinite(e.now().rtt_s)) << bytes << ' ' << seconds;
    }
}

TEST(LinkEstimator, ForgetsALostLinkWithTheFirstMessageThatCrosses)
{
  link_estimator e({bit_rate::mbit(10), 0.01});
  e.lost();
  EXPECT_FALSE(e.now().is_up());
  e.saw(10'000, 0.05);
  EXPECT_NEAR(e.now().bandwidth.bits_per_second, 10'000 * 8 / 0.04, 1);
}

/// Points beyond the candidates.
struct wild {
  static constexpr std::string_view name = "wild";
  decision choose(std::span<const candidate>, const observation&) noexcept { return {12345678, true, "no reason"}; }
};

struct Scheduler : testing::Test {
  Scheduler()
  {
    machine_profile device, server;
    device.layers = assumed_node_times(*g, 1e8);
    server.layers = assumed_node_times(*g, 1e12, 0);
    candidates = *enumerate_candidates(*g, single_tensor_cuts(*g), {&device, &server, nullptr});
  }
  scheduler make(objective goal, link_state link) { return *scheduler::make(candidates, best_candidate(goal), link); }

  std::shared_ptr<const graph> g = test::small_network();
  std::vector<candidate> candidates;
};

TEST_F(Scheduler, RaisesTheEpochWhenAndOnlyWhenTheChoiceChanges)
{
  auto s = make(metric::latency, {bit_rate::mbit(10'000), 0});
  const plan first = s.next();
  EXPECT_EQ(first.epoch, 1U);
  EXPECT_EQ(s.next().epoch, 1U);
  EXPECT_NE(s.chosen().where, placement::device);

  s.set_link({bit_rate::mbit(0.001), 0});
  const plan local = s.next();
  EXPECT_EQ(local.epoch, 2U);
  EXPECT_EQ(s.chosen().where, placement::device);
  EXPECT_EQ(s.next().epoch, 2U);

  s.set_link({bit_rate::mbit(10'000), 0});
  const plan back = s.next();
  EXPECT_EQ(back.epoch, 3U);          // an epoch is never used again, even for the same plan
  EXPECT_EQ(back.at, first.at);
  EXPECT_EQ(s.epoch(), 3U);
}

TEST_F(Scheduler, FollowsTheLinkThatItsAnswersShow)
{
  auto s = make(metric::latency, {bit_rate::mbit(10'000), 0});
  (void)s.next();
  ASSERT_NE(s.chosen().where, placement::device);
  for (int i = 0; i < 60; ++i) s.saw(1000, 10);
  (void)s.next();
  EXPECT_EQ(s.chosen().where, placement::device);

  auto t = make(metric::latency, {bit_rate::mbit(10'000), 0});
  t.lost();
  (void)t.next();
  EXPECT_EQ(t.chosen().where, placement::device);
  t.saw(1000, 1e-6);
  (void)t.next();
  EXPECT_NE(t.chosen().where, placement::device);
}

TEST_F(Scheduler, ExplainsItsChoiceInOneLine)
{
  auto s = make(metric::latency, {bit_rate::mbit(10'000), 0.001});
  (void)s.next();
  const auto line = s.explain(*g);
  EXPECT_NE(line.find("lowest latency within the limits"), std::string::npos) << line;
  EXPECT_NE(line.find("best-candidate"), std::string::npos) << line;
  EXPECT_NE(line.find(" ms = device "), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
  s.lost();
  (void)s.next();
  EXPECT_NE(s.explain(*g).find("all on the device"), std::string::npos) << s.explain(*g);
}

TEST_F(Scheduler, NeedsCandidatesAndSurvivesAPolicyThatPointsBeyondThem)
{
  EXPECT_EQ(scheduler::make({}, best_candidate{}, {}).error().code, errc::bad_input);
  auto s = *scheduler::make(candidates, wild{}, {});
  EXPECT_EQ(s.next().at, candidates[0].what.at);
}

}  // namespace
}  // namespace narrows
