// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/undominated.hpp>

#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/schedule/choose_best.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

/// Few values of each term, so that ties and equals occur.
std::vector<candidate> random_candidates(test::random_source& source)
{
  std::vector<candidate> all(1 + source.below(60));
  for (auto& c : all) {
    const auto few = [&] { return static_cast<double>(source.below(6)); };
    c.cost.device_s = few() * 1e-3;
    c.cost.encode_s = few() * 1e-4;
    c.cost.decode_s = few() * 1e-4;
    c.cost.server_s = few() * 1e-3;
    c.cost.bytes = few() * 2000;
    c.cost.return_bytes = c.cost.bytes > 0 ? 100 + few() * 100 : 0;
    c.cost.memory_bytes = few() * 1e6;
    if (source.below(4) != 0) c.cost.agreement = 0.9 + few() * 0.02;
  }
  return all;
}

TEST(Undominated, KeepsExactlyWhatNoOtherIsNoWorseThanAndTheFirstOfEquals)
{
  test::random_source source;
  for (int round = 0; round < 1000; ++round) {
    const auto all = random_candidates(source);
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool beaten = false;
      for (std::size_t j = 0; j < all.size(); ++j) {
        const bool equal = is_no_worse(all[i].cost, all[j].cost) && is_no_worse(all[j].cost, all[i].cost);
        beaten = beaten || (j != i && is_no_worse(all[j].cost, all[i].cost) && (!equal || j < i));
      }
      if (!beaten) expected.push_back(i);
    }
    ASSERT_EQ(undominated(all), expected) << round;
  }
}

TEST(Undominated, LosesNoChoiceOverAnyLinkAndLoad)
{
  test::random_source source;
  for (int round = 0; round < 300; ++round) {
    const auto all = random_candidates(source);
    const auto kept = without_dominated(all);
    for (const metric m : all_metrics) {
      objective goal = m;
      ASSERT_TRUE(goal.require(metric::agreement, 0.94));
      ASSERT_TRUE(goal.require(metric::device, 0.004));
      for (const double rate : {0.0, 1e5, 1e6, 1e8}) {
        const observation seen{{{rate}, 0.005}, {0.5 + static_cast<double>(source.below(4)), 0.5 + static_cast<double>(source.below(4))}};
        const ranked of_all = choose_best(all, goal, seen), of_kept = choose_best(kept, goal, seen);
        ASSERT_EQ(of_all.missed, of_kept.missed);
        if (of_all.missed == 0) {
          ASSERT_EQ(goal.rank(of_all.cost), goal.rank(of_kept.cost));
        }
      }
    }
  }
}

TEST(Undominated, OfNothingIsNothing) { EXPECT_TRUE(undominated({}).empty()); }

}  // namespace
}  // namespace narrows
