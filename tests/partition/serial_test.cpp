// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/serial_cuts.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/partition/chain.hpp>
#include <narrows/partition/jalad.hpp>
#include <narrows/partition/min_cut.hpp>
#include <narrows/partition/neurosurgeon.hpp>
#include <narrows/partition/problem_from_graph.hpp>
#include <narrows/partition/spinn.hpp>

#include "partition/brute_force.hpp"
#include "profile/small_network.hpp"

namespace narrows {
namespace {

using test::infinite, test::nan;
constexpr auto any_tensor = [](std::size_t) { return true; };

TEST(SerialCuts, CostWhatTheirPlansCost)
{
  test::random_source random(41);
  std::size_t cuts = 0;
  for (int round = 0; round < 1000 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const auto priced = priced_problem::make(test::random_problem(random, {2, 10, 3, false, true}));
    for (std::uint32_t tag = 0; tag < 3; ++tag) {
      std::size_t next = 0;
      const auto done = for_each_serial_cut(*priced, tag, any_tensor, [&](const serial_cut& cut) {
        EXPECT_GE(cut.position, next);
        next = cut.position + 1;
        const auto plan = plan_of(*priced, cut);
        EXPECT_EQ(plan.cost.is_possible(), cut.cost.is_possible());
        if (cut.cost.is_possible()) {
          EXPECT_EQ(plan.cost, cut.cost);
        }
        ++cuts;
      });
      ASSERT_TRUE(done);
      EXPECT_EQ(next, priced->nodes().size() + 1);  // the last, where nothing crosses, is always there
    }
  }
  EXPECT_GT(cuts, 5000U);
}

/// A chain of three: device 3, 3, 3 s, cloud 1, 1, 4 s; bytes 8, 2, 6 at one second each; two codings, the second of half
/// the size.
planning_problem three_in_a_row()
{
  planning_problem p;
  p.links[0].seconds_per_byte = 1;
  p.nodes = {{"a", {3, 1}, 0}, {"b", {3, 1}, 0}, {"c", {3, 4}, 0}};
  const double bytes[] = {8, 2, 6};
  for (std::size_t i = 0; i < 3; ++i) {
    planning_tensor t{"t", {}, {i}, {}};
    if (i > 0) t.producer = i - 1;
    for (std::uint32_t tag = 0; tag < 2; ++tag) {
      transfer_option o;
      o.tag = tag;
      o.bytes = bytes[i] / (1 + tag);
      t.options.push_back(o);
    }
    p.tensors.push_back(t);
  }
  return p;
}

TEST(NeurosurgeonPlan, ChoosesByHand)
{
  auto p = three_in_a_row();
  const auto priced = priced_problem::make(p);
  const auto plan = neurosurgeon_plan(*priced);  // 14, 10, 16, 9
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ(plan->position, 3U);
  EXPECT_EQ(plan->value, 9);
  EXPECT_EQ(plan->plan.cost.bytes[0], 0);
  neurosurgeon_options how;
  how.server_load = 0.5;  // 11, 7.5, 14, 9
  EXPECT_EQ(neurosurgeon_plan(*priced, how)->position, 1U);
  EXPECT_NEAR(neurosurgeon_plan(*priced, how)->value, 7.5, 1e-12);
  how = {};
  how.device_energy = true;
  how.compute_w = 2;
  how.transmit_w = 1;  // 8, 8, 18, 18: more on the device
  EXPECT_EQ(neurosurgeon_plan(*priced, how)->position, 1U);
  EXPECT_EQ(neurosurgeon_plan(*priced, how)->value, 8);
}

TEST(NeurosurgeonPlan, IsExactOnChainsAndNeverBelowTheMinimumCut)
{
  test::random_source random(42);
  int chains = 0, above = 0;
  for (int round = 0; round < 2000 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const test::problem_kind kind{2, 10, 1, false, true};
    const auto priced =
      priced_problem::make(round % 2 == 0 ? test::random_chain(random, kind) : test::random_problem(random, kind));
    const auto exact = min_cut_plan(*priced);
    const auto plan = neurosurgeon_plan(*priced);
    if (!exact) {
      EXPECT_FALSE(plan);
      continue;
    }
    if (is_chain(*priced)) {
      ++chains;
      ASSERT_TRUE(plan);
      EXPECT_EQ(plan->plan.cost.latency_ns, exact->cost.latency_ns);
    }
    if (!plan) continue;
    EXPECT_GE(plan->plan.cost.latency_ns, exact->cost.latency_ns);
    above += plan->plan.cost.latency_ns > exact->cost.latency_ns;
  }
  RecordProperty("chains", chains);
  RecordProperty("above", above);
  EXPECT_GT(chains, 900);
  EXPECT_GT(above, 50);
}

TEST(JaladPlan, KeepsTheLimitOnTheLoss)
{
  const auto priced = priced_problem::make(three_in_a_row());
  const std::array<std::uint32_t, 2> tags{0, 1};
  const auto loss = [](std::size_t position, std::uint32_t tag) { return tag == 0 ? 0.0 : position == 1 ? 0.02 : 0.01; };
  // Latencies: 14, 10, 16, 9 and 10, 9, 13, 9.
  const auto free = jalad_plan(*priced, tags, loss, 0.05);
  ASSERT_TRUE(free);
  EXPECT_EQ(free->value, 9);
  EXPECT_EQ(free->position, 3U);
  auto p = three_in_a_row();
  p.nodes[2].seconds[0] = 7;  // all on the device: 13
  const auto slow = priced_problem::make(p);
  EXPECT_EQ(jalad_plan(*slow, tags, loss, 0.05)->position, 1U);
  EXPECT_EQ(jalad_plan(*slow, tags, loss, 0.05)->tag, 1U);
  EXPECT_EQ(jalad_plan(*slow, tags, loss, 0.01)->value, 10);  // tag 0 after a; the input at half its size is as fast
  EXPECT_EQ(jalad_plan(*slow, tags, loss, 0.01)->tag, 0U);
  EXPECT_EQ(jalad_plan(
              *slow, tags, [](std::size_t, std::uint32_t) { return nan; }, 1)
              ->position,
    3U);
  EXPECT_EQ(jalad_plan(*slow, {}, loss, 1).error().code, errc::bad_input);
  EXPECT_EQ(jalad_plan(*slow, tags, loss, nan).error().code, errc::bad_input);
  p.nodes[0].seconds[0] = infinite;
  EXPECT_EQ(jalad_plan(*priced_problem::make(p), tags, loss, -1).error().code, errc::bad_input);
}

TEST(JaladPlan, EqualsTryingEveryPositionAndWidth)
{
  test::random_source random(43);
  for (int round = 0; round < 500 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const auto problem = test::random_problem(random, {2, 8, 3, false, false});
    const auto priced = priced_problem::make(problem);
    const auto& order = priced->order();
    std::vector<double> losses(3 * (order.size() + 1));
    for (auto& l : losses) l = static_cast<double>(random.below(10));
    const std::array<std::uint32_t, 3> tags{0, 1, 2};
    const auto loss = [&](std::size_t position, std::uint32_t tag) { return losses[3 * position + tag]; };
    std::int64_t best = test::brute_force::never;
    const test::brute_force brute(problem);
    for (std::size_t i = 0; i <= order.size(); ++i) {
      std::vector<std::size_t> tiers(order.size(), 1);
      for (std::size_t k = 0; k < i; ++k) tiers[order[k]] = 0;
      for (const auto tag : tags) {
        if (i < order.size() && loss(i, tag) > 4) continue;
        auto narrowed = problem;  // only this option
        bool complete = true;
        for (auto& t : narrowed.tensors) {
          const bool crosses = (!t.producer || tiers[*t.producer] == 0) &&
                               std::any_of(t.consumers.begin(), t.consumers.end(), [&](std::size_t n) { return tiers[n] == 1; });
          if (t.options.size() > tag)
            t.options = {t.options[tag]};
          else
            complete = complete && !crosses;
        }
        if (complete) best = std::min(best, test::brute_force(narrowed).quick_latency(tiers));
      }
    }
    const auto plan = jalad_plan(*priced, tags, loss, 4);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->plan.cost.latency_ns, best);
  }
}

TEST(SpinnPlan, SplitsOnlyBehindRectifiers)
{
  const auto g = test::small_network();
  machine_profile device, server;
  device.layers = assumed_node_times(*g, 1e6);
  server.layers = assumed_node_times(*g, 1e10);
  const std::array profiles{&std::as_const(device), &std::as_const(server)};
  const link_state link{bit_rate::mbit(1), 0.001};
  const auto problem = problem_from_graph(*g, profiles, {&link, 1}, {{{codec::raw, 0}, {codec::dense, 8}}, 160});
  ASSERT_TRUE(problem);
  const auto flags = rectified_tensors(*g, *problem);
  ASSERT_TRUE(flags);
  for (std::size_t t = 0; t < flags->size(); ++t) {
    const auto& name = problem->tensors[t].name;
    EXPECT_EQ((*flags)[t], name == "first" || name == "pooled" || name == "wide") << name;
  }
  const auto priced = priced_problem::make(*problem);
  for (const bool throughput : {false, true}) {
    const auto plan = spinn_plan(*priced, *flags, {1, throughput});
    ASSERT_TRUE(plan) << plan.error().text();
    double best = infinite;
    ASSERT_TRUE(for_each_serial_cut(*priced, 1, any_tensor, [&](const serial_cut& cut) {
      const auto& next = cut.position < priced->order().size() ? priced->nodes()[priced->order()[cut.position]].reads.front() : 0;
      const bool ends = cut.position == 0 || cut.position == priced->order().size();
      if (ends || (*flags)[next])
        best = std::min(best, static_cast<double>(throughput ? cut.cost.period_ns() : cut.cost.latency_ns) * 1e-9);
    }));
    EXPECT_EQ(plan->value, best);
  }
  EXPECT_EQ(spinn_plan(*priced, {}, {}).error().code, errc::bad_input);
  EXPECT_EQ(rectified_tensors(*g, three_in_a_row()).error().code, errc::bad_input);
}

TEST(SerialPlanners, RefuseWhatDoesNotFit)
{
  auto p = three_in_a_row();
  neurosurgeon_options how;
  how.server_load = nan;
  EXPECT_EQ(neurosurgeon_plan(*priced_problem::make(p), how).error().code, errc::bad_input);
  how.server_load = -1;
  EXPECT_EQ(neurosurgeon_plan(*priced_problem::make(p), how).error().code, errc::bad_input);
  p.nodes[0].seconds[0] = infinite;
  how = {};
  how.tag = 7;  // nothing can travel so
  EXPECT_EQ(neurosurgeon_plan(*priced_problem::make(p), how).error().code, errc::bad_input);
  p.tiers = 3;
  p.links.resize(2);
  for (auto& n : p.nodes) n.seconds.push_back(1);
  EXPECT_EQ(neurosurgeon_plan(*priced_problem::make(p)).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
