// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/policies/planned_once.hpp>
#include <narrows/schedule/policies/published.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

coding as(codec coded_as, int width = 8) { return {coded_as, width}; }
coding fitted(codec coded_as, int width)
{
  coding how = as(coded_as, width);
  how.rule = range_rule::calibrated;
  how.scales = std::make_shared<const std::vector<affine>>(1);
  return how;
}
coding per_channel(int width)
{
  coding how = as(codec::dense, width);
  how.group.axis = 1;
  return how;
}

candidate with(std::vector<coding> codings)
{
  candidate c;
  c.what.codings = std::move(codings);
  c.cost.bytes = c.what.codings.empty() ? 0 : 1000;
  return c;
}

TEST(Published, EachSystemSendsWhatItsPaperSends)
{
  struct row {
    candidate what;
    bool floats, spinn, jalad, jalad_runs, as_file;
  };
  const row rows[] = {
    {with({}), true, true, true, true, false},
    {with({as(codec::pixels, 0)}), true, true, true, true, false},
    {with({as(codec::image, 0)}), false, false, false, false, true},
    {with({as(codec::predicted, 0)}), false, false, false, false, false},
    {with({as(codec::raw, 0)}), true, false, false, false, false},
    {with({as(codec::raw, 0), as(codec::raw, 0)}), true, false, false, false, false},
    {with({as(codec::raw, 0), as(codec::dense, 8)}), false, false, false, false, false},
    {with({as(codec::dense, 8)}), false, true, true, true, false},
    {with({as(codec::lz4, 8)}), false, true, false, false, false},
    {with({as(codec::dense, 4)}), false, false, true, true, false},
    {with({as(codec::runs, 3)}), false, false, false, true, false},
    {with({as(codec::huffman, 3)}), false, false, true, false, false},
    {with({as(codec::huffman, 3), as(codec::runs, 3)}), false, false, false, false, false},
    {with({as(codec::rans, 4)}), false, false, false, false, false},
    {with({fitted(codec::dense, 8)}), false, false, false, false, false},
    {with({per_channel(8)}), false, false, false, false, false},
  };
  for (const bool files : {false, true})
    for (std::size_t i = 0; i < std::size(rows); ++i) {
      const row& r = rows[i];
      const bool file = files && r.as_file;
      EXPECT_EQ(admits(published::neurosurgeon, files, r.what), r.floats || file) << i;
      EXPECT_EQ(admits(published::dads, files, r.what), r.floats || file) << i;
      EXPECT_EQ(admits(published::spinn, files, r.what), r.spinn || file) << i;
      EXPECT_EQ(admits(published::jalad, files, r.what), r.jalad || file) << i;
      EXPECT_EQ(admits(published::jalad_runs, files, r.what), r.jalad_runs || file) << i;
    }
}

TEST(Published, MinimisesWhatThePaperMinimisesUnderTheLimitsAskedFor)
{
  objective asked = metric::throughput;
  ASSERT_TRUE(asked.require(metric::agreement, 0.98));
  EXPECT_EQ(objective_of(published::dads, asked).of, metric::throughput);
  EXPECT_EQ(objective_of(published::spinn, asked).of, metric::throughput);
  EXPECT_EQ(objective_of(published::neurosurgeon, asked).of, metric::latency);
  EXPECT_EQ(objective_of(published::jalad, asked).of, metric::latency);
  EXPECT_EQ(objective_of(published::jalad_runs, asked).of, metric::latency);
  EXPECT_EQ(objective_of(published::dads, metric::bytes).of, metric::latency);
  for (const auto which : {published::neurosurgeon, published::dads, published::spinn, published::jalad, published::jalad_runs}) {
    const objective own = objective_of(which, asked);
    ASSERT_EQ(own.limit_count, 1U);
    EXPECT_EQ(own.limits[0].of, metric::agreement);
    EXPECT_EQ(own.limits[0].bound, 0.98);
  }
}

std::vector<candidate> random_candidates(test::random_source& source)
{
  const coding forms[] = {as(codec::raw, 0), as(codec::dense, 8), as(codec::runs, 4), as(codec::huffman, 4), as(codec::rans, 4), as(codec::image, 0),
    as(codec::pixels, 0)};
  std::vector<candidate> all;
  for (std::size_t i = 0; i < 1 + source.below(30); ++i) {
    const std::size_t form = source.below(std::size(forms) + 1);
    candidate c = with(form < std::size(forms) ? std::vector{forms[form]} : std::vector<coding>{});
    const auto ms = [&] { return static_cast<double>(source.below(20)) * 1e-3; };
    c.cost.device_s = ms();
    c.cost.server_s = ms();
    if (c.cost.bytes > 0) c.cost.bytes = 1000 * static_cast<double>(1 + source.below(100));
    c.cost.agreement = 0.9 + 0.01 * static_cast<double>(source.below(11));
    all.push_back(std::move(c));
  }
  return all;
}

template <published Which, bool WithFiles>
void takes_the_best_it_admits()
{
  test::random_source source;
  int none = 0;
  for (int round = 0; round < 500; ++round) {
    const auto all = random_candidates(source);
    objective goal = round % 2 == 0 ? metric::latency : metric::throughput;
    ASSERT_TRUE(goal.require(metric::agreement, 0.95));
    const observation seen{{{1e5 * static_cast<double>(1 + source.below(1000))}, 0.01}};
    const decision d = published_policy<Which, WithFiles>(goal).choose(all, seen);
    const candidate* best = nullptr;
    for (const auto& c : all) {
      if (!admits(Which, WithFiles, c) || *c.cost.agreement < 0.95) continue;
      if (!best || goal.rank(evaluate(c, seen.link)) < goal.rank(evaluate(*best, seen.link))) best = &c;
    }
    ASSERT_EQ(d.feasible, best != nullptr);
    none += best ? 0 : 1;
    if (!best) continue;
    ASSERT_TRUE(admits(Which, WithFiles, all[d.index]));
    ASSERT_EQ(goal.rank(evaluate(all[d.index], seen.link)), goal.rank(evaluate(*best, seen.link)));
  }
  EXPECT_GT(none, 0);
  EXPECT_LT(none, 400);
}
TEST(Published, TakesTheBestOfWhatItAdmitsOrSaysThatThereIsNone)
{
  takes_the_best_it_admits<published::neurosurgeon, false>();
  takes_the_best_it_admits<published::dads, true>();
  takes_the_best_it_admits<published::spinn, false>();
  takes_the_best_it_admits<published::jalad, true>();
  takes_the_best_it_admits<published::jalad_runs, false>();
}

TEST(Published, ThoseWithFilesAndThoseWithOurCodecHaveNamesOfTheirOwn)
{
  EXPECT_EQ((published_policy<published::jalad>::name), "jalad");
  EXPECT_EQ((published_policy<published::jalad, true>::name), "jalad+file");
  EXPECT_EQ((published_policy<published::jalad_runs>::name), "jalad+runs");
  EXPECT_EQ((published_policy<published::jalad_runs, true>::name), "jalad+runs+file");
}

TEST(PlannedOnce, KeepsThePlanOfTheAssumedLinkAndSaysWhenItMissesALimit)
{
  test::random_source source;
  for (int round = 0; round < 200; ++round) {
    const auto all = random_candidates(source);
    const link_state assumed{bit_rate::mbit(10), 0.01};
    objective goal = metric::latency;
    ASSERT_TRUE(goal.require(metric::latency, 0.05));
    planned_once policy(goal, assumed);
    const std::size_t expected = choose_best(all, goal, {assumed}).index;
    for (const double rate : {10e6, 1e5, 1e8}) {
      const decision d = policy.choose(all, {{{rate}, 0.01}});
      ASSERT_EQ(d.index, expected);
      ASSERT_EQ(d.feasible, evaluate(all[expected], {{rate}, 0.01}).latency() <= 0.05);
    }
  }
}

}  // namespace
}  // namespace narrows
