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

/// A head of so many seconds and a short tail, or 30 ms here.
scheduler split_or_alone(double head_s, double encode_s)
{
  std::vector<candidate> all(2);
  all[0].cost.device_s = head_s;
  all[0].cost.encode_s = encode_s;
  all[0].cost.server_s = 0.002;
  all[0].cost.bytes = 1000;
  all[1].cost.device_s = 0.030;
  all[1].where = placement::device;
  return *scheduler::make(all, best_candidate(metric::latency), {bit_rate::mbit(100), 0});
}

TEST(SchedulerLoad, ScalesAllPlansByTheWorkThatOneShows)
{
  auto s = split_or_alone(0.010, 0);
  const auto first = s.next().epoch;
  ASSERT_EQ(s.chosen().where, placement::split);
  s.saw_work(0, 1, 1);           // no plan has this epoch
  s.saw_work(first + 5, 1, 1);   // nor this one
  EXPECT_EQ(s.load(), load_factors{});
  for (int i = 0; i < 2; ++i) s.saw_work(first, 0.010, 0.040);
  EXPECT_EQ(s.load().server, 20);
  EXPECT_NEAR(s.predicted().server_load(), 0.040, 1e-12);
  (void)s.next();
  EXPECT_EQ(s.chosen().where, placement::device);   // better off alone now
}

TEST(SchedulerLoad, LearnsOfAMachineOnlyByAPartThatSpeaksForIt)
{
  auto s = split_or_alone(0.0005, 0.004);
  const auto first = s.next().epoch;
  for (int i = 0; i < 9; ++i) s.saw_work(first, 0.0001, 0.004);
  EXPECT_EQ(s.load().device, 1);
  EXPECT_EQ(s.load().server, 2);
}

TEST(SchedulerLink, TakesAWaitBehindAnotherMessageForNoneOfTheLinks)
{
  std::vector<candidate> one(1);
  one[0].cost.bytes = 100'000;
  const link_state start{bit_rate::mbit(8), 0.01};   // 100 ms each
  auto alone = *scheduler::make(one, best_candidate(metric::latency), start);
  auto behind = *scheduler::make(one, best_candidate(metric::latency), start);
  (void)alone.next();
  (void)behind.next();
  for (int i = 0; i < 20; ++i) {
    alone.saw(100'000, 0.11);
    behind.saw(100'000, 0.4, 0.1);   // waited for three others
  }
  EXPECT_NEAR(alone.link().bandwidth.bits_per_second, 8e6, 1);
  EXPECT_NEAR(behind.link().bandwidth.bits_per_second, 8e6, 1);
  behind.saw(100'000, 0.11, 5);        // long after the last one: all of it is the link's
  EXPECT_NEAR(behind.link().bandwidth.bits_per_second, 8e6, 1);
}

TEST(SchedulerLink, ProbesAgainAtOnceWhereTheLastProbeLeftADoubt)
{
  std::vector<candidate> local(1);
  local[0].cost.device_s = 0.010;
  local[0].where = placement::device;
  auto s = *scheduler::make(local, best_candidate(metric::latency), {bit_rate::mbit(1), 0.02});
  (void)s.next(100);
  s.saw(16384, 0.02 + 16384 * 8 / 1e6);
  EXPECT_FALSE(s.wants_probe(100.1));
  EXPECT_TRUE(s.wants_probe(101));
  const double fast = 0.02 + 16384 * 8 / 20e6;
  s.saw(16384, fast);
  EXPECT_TRUE(s.link_in_doubt());
  EXPECT_TRUE(s.wants_probe(100.1));
  EXPECT_NEAR(s.link().bandwidth.bits_per_second, 1e6, 1);   // it may have been a hiccup
  s.saw(16384, fast);
  EXPECT_FALSE(s.wants_probe(100.1));
  EXPECT_NEAR(s.link().bandwidth.bits_per_second, 20e6, 20e3);
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
