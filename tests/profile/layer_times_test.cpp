// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/profile/layer_times.hpp>

#include <vector>

#include <gtest/gtest.h>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

TEST(Summarise, GivesTheMedianAndNearestRankPercentiles)
{
  std::vector<double> odd{5, 1, 3};
  EXPECT_EQ(summarise(odd), (timing{3, 1, 5}));
  std::vector<double> even{4, 1, 3, 2};
  EXPECT_EQ(summarise(even), (timing{2.5, 1, 4}));
  std::vector<double> hundred;
  for (int i = 100; i > 0; --i) hundred.push_back(i);
  EXPECT_EQ(summarise(hundred), (timing{50.5, 5, 95}));
  std::vector<double> none;
  EXPECT_EQ(summarise(none), timing{});
}

TEST(NodeTimes, OfAnotherModelAreRefused)
{
  model m{"small.onnx", std::string(64, 'a'), test::small_network()};
  auto times = assumed_node_times(*m.network, 1e9);
  times.model_hash = m.hash;
  EXPECT_TRUE(check(times, m));

  auto renamed = times;
  renamed.nodes[1].name.append("-other");
  ASSERT_FALSE(check(renamed, m));
  EXPECT_EQ(check(renamed, m).error().code, errc::model_mismatch);
  EXPECT_NE(check(renamed, m).error().what.find("-other'"), std::string::npos);

  auto shorter = times;
  shorter.nodes.pop_back();
  EXPECT_EQ(check(shorter, m).error().code, errc::model_mismatch);

  auto foreign = times;
  foreign.model_hash = std::string(64, 'b');
  EXPECT_EQ(check(foreign, m).error().code, errc::model_mismatch);
}

TEST(NodeTimes, AssumedOnesFollowTheMultiplyAdds)
{
  const auto g = test::small_network();
  const auto times = assumed_node_times(*g, 1e6, 0.5);
  ASSERT_EQ(times.nodes.size(), 7U);
  EXPECT_DOUBLE_EQ(times.nodes[0].seconds.median_s, 0.5 + 8 * 16 * 16 * 27 * 1e-6);   // conv: outputs x 3 x 3 x 3
  EXPECT_DOUBLE_EQ(times.nodes[1].seconds.median_s, 0.5);                             // pool: none
  EXPECT_DOUBLE_EQ(times.nodes[6].seconds.median_s, 0.5 + 160e-6);
  EXPECT_DOUBLE_EQ(times.sum_s(), times.whole.median_s);
  EXPECT_TRUE(times.adds_up());
}

TEST(NodeTimes, ThatDoNotExplainTheWholeAreTold)
{
  auto times = assumed_node_times(*test::small_network(), 1e6);
  times.whole.median_s = times.sum_s() * 1.04;
  EXPECT_TRUE(times.adds_up());
  times.whole.median_s = times.sum_s() * 1.06;
  EXPECT_FALSE(times.adds_up());
}

}  // namespace
}  // namespace narrows
