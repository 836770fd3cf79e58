// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/estimator.hpp>

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

constexpr double message_bytes = 50'000;

/// Seconds of a message over a link.
double crossing(double rate, double rtt_s, double bytes = message_bytes) { return rtt_s + bytes * 8 / rate; }

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
  for (int i = 0; i < 60; ++i) e.saw(200, i < 3 ? 0.020 : 0.050);
  EXPECT_NEAR(e.now().rtt_s, 0.050, 1e-3);
  EXPECT_EQ(e.now().bandwidth, bit_rate::mbit(100));   // a short message says nothing about it
}

TEST(LinkEstimator, LearnsTheRateOfMessagesThatHardlyTakeMoreThanARoundTrip)
{
  for (const double believed : {10e6, 100e6, 1e9}) {
    link_estimator e(link_state{{believed}, 0.100});
    for (int i = 0; i < 40; ++i) e.saw(20'000, crossing(100e6, 0.100, 20'000));
    EXPECT_NEAR(e.now().bandwidth.bits_per_second, 100e6, 2e6) << believed;
    EXPECT_NEAR(e.now().rtt_s, 0.100, 1e-6);
  }
}

TEST(LinkEstimator, TakesTheFirstShortMessageForTheRoundTripAndLaterOnesByTheirWeight)
{
  link_estimator e({bit_rate::mbit(50), 0.010});
  EXPECT_FALSE(e.knows_round_trip());
  e.saw(message_bytes, crossing(50e6, 0.1));
  EXPECT_FALSE(e.knows_round_trip());
  e.saw(64, crossing(50e6, 0.1, 64));
  EXPECT_TRUE(e.knows_round_trip());
  EXPECT_NEAR(e.now().rtt_s, 0.1, 1e-4);
  e.saw(64, 0.2);
  EXPECT_NEAR(e.now().rtt_s, 0.125, 1e-4);
}

TEST(LinkEstimator, LowersARoundTripThatAMessageHasUndercut)
{
  link_estimator e({bit_rate::mbit(10), 0.100});
  e.saw(message_bytes, crossing(10e6, 0.010));
  EXPECT_NEAR(e.now().rtt_s, 0.010, 1e-9);
  EXPECT_NEAR(e.now().bandwidth.bits_per_second, 10e6, 1);
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


TEST(LinkEstimator, FollowsAStepAtTheSecondMessage)
{
  for (const double to : {1e6, 4e6, 25e6, 60e6}) {
    link_estimator e({bit_rate::mbit(10), 0.010});
    for (int i = 0; i < 20; ++i) e.saw(message_bytes, crossing(10e6, 0.010));
    EXPECT_EQ(e.steps(), 0U);
    e.saw(message_bytes, crossing(to, 0.010));
    EXPECT_NEAR(e.now().bandwidth.bits_per_second, 10e6, 1e3) << to;   // it may have been a hiccup
    e.saw(message_bytes, crossing(to, 0.010));
    EXPECT_NEAR(e.now().bandwidth.bits_per_second, to, 0.01 * to);
    EXPECT_EQ(e.steps(), 1U) << to;
  }
}

TEST(LinkEstimator, LeavesASingleOutlierOut)
{
  link_estimator e({bit_rate::mbit(10), 0.010});
  for (int i = 0; i < 50; ++i) e.saw(message_bytes, i % 7 == 3 ? 1.5 : crossing(10e6, 0.010));
  EXPECT_NEAR(e.now().bandwidth.bits_per_second, 10e6, 1e3);
  EXPECT_EQ(e.steps(), 0U);
}

TEST(LinkEstimator, KnowsHowFarNoiseMayLeadItAstray)
{
  test::random_source source;
  link_estimator e({bit_rate::mbit(10), 0.010});
  EXPECT_EQ(e.uncertainty(), 0);
  int astray = 0, counted = 0;
  for (int i = 0; i < 3000; ++i) {
    e.saw(message_bytes, crossing(10e6 * static_cast<double>(source.uniform(0.8F, 1.2F)), 0.010));
    if (i < 50) continue;
    ++counted;
    astray += std::abs(e.now().bandwidth.bits_per_second / 10e6 - 1) > e.uncertainty() ? 1 : 0;
    ASSERT_LT(e.uncertainty(), 0.35);
  }
  EXPECT_EQ(e.steps(), 0U);
  EXPECT_LT(astray, counted / 50);
  EXPECT_GT(e.uncertainty(), 0.05);
}

TEST(LinkEstimator, CountsGoingAndComingBack)
{
  link_estimator e({bit_rate::mbit(10), 0.010});
  e.lost();
  e.lost();
  EXPECT_EQ(e.steps(), 1U);
  EXPECT_EQ(e.now().bandwidth.bits_per_second, 0);
  e.saw(message_bytes, crossing(5e6, 0.010));
  EXPECT_EQ(e.steps(), 2U);
}

TEST(LoadEstimator, LearnsHowMuchSlowerThanProfiledEachSideIs)
{
  load_estimator e;
  EXPECT_EQ(e.now(), load_factors{});
  for (int i = 0; i < 30; ++i) e.saw_device(0.010, 0.013);
  EXPECT_NEAR(e.now().device, 1.3, 1e-3);
  EXPECT_EQ(e.now().server, 1);
  EXPECT_EQ(e.steps(), 0U);
  e.saw_server(0.002, 0.020);
  e.saw_server(0.002, 0.020);
  EXPECT_EQ(e.now().server, 10);
  EXPECT_EQ(e.steps(), 1U);
}

TEST(LoadEstimator, IgnoresWhatSaysNothing)
{
  load_estimator e;
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, nan, inf})
    for (int i = 0; i < 3; ++i) {
      e.saw_device(0.010, bad);
      e.saw_server(bad == inf ? nan : bad, 0.010);
    }
  e.saw_device(1e-9, 1.0);   // too short to tell
  EXPECT_EQ(e.now(), load_factors{});
  for (int i = 0; i < 3; ++i) e.saw_device(1e-3, 1e5);
  EXPECT_EQ(e.now().device, load_estimator::most);
}

}  // namespace
}  // namespace narrows
