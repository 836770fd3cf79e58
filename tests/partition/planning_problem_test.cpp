// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/problem_from_graph.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>
#include <narrows/partition/candidate_of.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/graph/zoo/squeezenet.hpp>
#include <narrows/partition/min_cut.hpp>

#include "graph/graphs.hpp"
#include "partition/brute_force.hpp"
#include "profile/small_network.hpp"

namespace narrows {
namespace {

using test::infinite, test::nan;

planning_problem two_nodes()
{
  planning_problem p;
  p.nodes = {{"a", {1, 1}, 0}, {"b", {1, 1}, 0}};
  p.tensors = {{"in", {}, {0}, {{}}}, {"t", 0, {1}, {{}}}};
  return p;
}

/// The error of a problem after `change`.
template <class Change>
error refused(const Change& change)
{
  auto p = two_nodes();
  change(p);
  const auto made = priced_problem::make(p);
  EXPECT_FALSE(made);
  return made ? error(errc::ok) : made.error();
}

TEST(PricedProblem, RefusesWhatIsNoProblem)
{
  using problem = planning_problem;
  ASSERT_TRUE(priced_problem::make(two_nodes()));
  EXPECT_EQ(refused([](problem& p) { p.nodes.clear(); }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p = {}; }).text(), "plan: there are no nodes: input does not fit");
  EXPECT_EQ(refused([](problem& p) { p.tiers = 1; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tiers = 4; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tiers = 3; }).text(), "plan: 1 links between 3 tiers: input does not fit");
  EXPECT_EQ(refused([](problem& p) { p.links.clear(); }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.nodes[1].seconds.pop_back(); }).text(),
    "plan: node 'b' has 1 times for 2 tiers: input does not fit");
  EXPECT_EQ(refused([](problem& p) { p.nodes[0].seconds[1] = nan; }).text(),
    "plan: node 'a': a time is negative or not a number: input does not fit");
  EXPECT_EQ(refused([](problem& p) { p.nodes[0].seconds[1] = -1e-9; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.nodes[0].return_bytes = nan; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.links[0].seconds_per_byte = nan; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.links[0].message_s = -1; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.links[0].message_bytes = -1; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options[0].bytes = nan; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options[0].bytes = infinite; }).code, errc::limit_exceeded);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options[0].encode_s[0] = -1; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options[0].decode_s[1] = nan; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options[0].link_s[0] = nan; }).code, errc::bad_input);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].options.clear(); }).text(),
    "plan: tensor 't' has no way to travel: input does not fit");
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].consumers = {2}; }).code, errc::bad_graph);
  EXPECT_EQ(refused([](problem& p) { p.tensors[1].producer = 2; }).code, errc::bad_graph);
  EXPECT_EQ(refused([](problem& p) { p.tensors.pop_back(); }).text(), "plan: node 'b' reads nothing: graph is not well formed");
  EXPECT_EQ(refused([](problem& p) {
    p.tensors[1].consumers = {0, 1};
  }).text(),
    "plan: node 'a' lies on or behind a cycle: graph is not well formed");
  EXPECT_EQ(refused([](problem& p) { p.tensors.push_back({"back", 1, {0}, {{}}}); }).code, errc::bad_graph);
  EXPECT_EQ(refused([](problem& p) { p.nodes[0].seconds[0] = 1e10; }).code, errc::limit_exceeded);
  EXPECT_EQ(refused([](problem& p) {
    p.nodes.assign(3, {"x", {0.9e9, 0.9e9}, 0});
    p.tensors[0].consumers = {0, 1, 2};
  }).code,
    errc::limit_exceeded);
}

TEST(PricedProblem, RoundsToNanosecondsAndKeepsOrder)
{
  planning_problem p;
  p.links[0] = {2e-9, 3e-9, 5};
  p.nodes = {{"late", {1.4e-9, infinite}, 0}, {"early", {1.6e-9, 2e-9}, 7}, {"aside", {0, 0}, 0}};
  transfer_option small, quick;
  small.bytes = 10;
  small.encode_s[0] = 4e-9;
  quick.bytes = 11;
  p.tensors = {{"in", {}, {1, 2, 1}, {small, quick}}, {"t", 1, {0}, {small}}};
  const auto made = priced_problem::make(p);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->order(), (std::vector<std::size_t>{1, 0, 2}));
  EXPECT_EQ(made->nodes()[0].layer, 2U);
  EXPECT_EQ(made->nodes()[1].layer, 1U);
  EXPECT_EQ(made->nodes()[0].compute_ns[0], 1);
  EXPECT_EQ(made->nodes()[0].compute_ns[1], never_ns);
  EXPECT_EQ(made->nodes()[1].total_ns[1], 2 + 14);
  EXPECT_EQ(made->tensors()[0].consumers, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(made->tensors()[0].best[0], 1U);
  EXPECT_EQ(made->tensors()[0].best_ns[0], 22);
  EXPECT_EQ(made->tensors()[0].best_ns[1], never_ns);
  EXPECT_EQ(made->links()[0].message_ns, 3 + 10 + 10);

  const auto plan = plan_of(*made, {0, 0, 1});
  EXPECT_EQ(plan.cost.latency_ns, 1 + 2 + 22 + 23);
  EXPECT_EQ(plan.cost.tier_ns, (std::array<std::int64_t, 3>{3, 0, 0}));
  EXPECT_EQ(plan.cost.link_ns[0], 32);
  EXPECT_EQ(plan.cost.back_ns[0], 10);
  EXPECT_EQ(plan.cost.bytes[0], 16);
  EXPECT_EQ(plan.cost.period_ns(), 32);
  EXPECT_FALSE(plan_of(*made, {1, 1, 1}).cost.is_possible());
}

TEST(PlanOf, DeliversAtTheLeastCostOfAllRoutesAndOptions)
{
  test::random_source random(11);
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(round);
    const auto problem = test::random_problem(random, {3, 4, 2, round % 2 == 0, false});
    const auto priced = priced_problem::make(problem);
    ASSERT_TRUE(priced);
    test::brute_force brute(problem);
    brute.for_each_placement([&](const std::vector<std::size_t>& tiers) {
      std::int64_t best = test::brute_force::never;
      brute.for_each_delivery(
        tiers, [&](const test::loads& sum, unsigned used) { best = std::min(best, brute.latency(sum, used)); });
      EXPECT_EQ(plan_of(*priced, {tiers.begin(), tiers.end()}).cost.latency_ns, best);
    });
    ASSERT_FALSE(HasFailure());
  }
}

/// picture -> a -> (b, c -> d) -> join e; two outputs, d and e.
std::shared_ptr<const graph> branching()
{
  test::sure_builder b;
  const auto x = b.input("picture", shape{1, 3, 32, 32});
  const auto a = b.relu("a", x);
  const auto left = b.relu("b", a);
  const auto right = b.relu("c", a);
  const auto d = b.add("d", op::unary{op::unary::kind::neg}, {right});
  const auto e = b.add("e", op::concat{1}, {left, d});
  return b.finish({d, e});
}

TEST(ProblemFromGraph, PricesPlansAsCandidatesAreCosted)
{
  // The last has weights of which only the shape is known.
  for (const auto& g : {test::small_network(), branching(), *zoo::squeezenet1_1(64)}) {
    machine_profile device, server;
    device.layers = assumed_node_times(*g, 1e8, 30e-6);
    server.layers = assumed_node_times(*g, 1e10, 7e-6);
    device.codecs.entries = {{codec::dense, 4, 1e-6, 1e-9, 2e-6, 2e-9}, {codec::raw, 0, 3e-6, 0, 4e-6, 0}};
    server.codecs.entries = {{codec::dense, 4, 5e-6, 5e-9, 7e-6, 7e-9}, {codec::runs, 3, 1e-6, 1e-9, 2e-6, 3e-9}};
    const auto cuts = enumerate_cuts(*g, 3, 1000);
    ASSERT_TRUE(cuts);
    for (const tensor_coding code : {tensor_coding{codec::raw, 0}, {codec::dense, 4}, {codec::runs, 3}})
      for (const double mbit : {0.1, 1.0, 10.0, 100.0, 1000.0}) {
        SCOPED_TRACE(testing::Message() << g->name() << " " << to_string(code.coded_as) << " at " << mbit);
        enumerate_options how;
        how.codecs = {code.coded_as};
        how.widths = {code.width == 0 ? 8 : code.width};
        const auto candidates = enumerate_candidates(*g, *cuts, {&device, &server, nullptr}, how);
        ASSERT_TRUE(candidates);
        const link_state link{bit_rate::mbit(mbit), 0.0001};
        const std::array profiles{&std::as_const(device), &std::as_const(server)};
        const auto problem = problem_from_graph(*g, profiles, {&link, 1}, {{code}, how.envelope_bytes});
        ASSERT_TRUE(problem) << problem.error().text();
        const auto priced = priced_problem::make(*problem);
        ASSERT_TRUE(priced);
        double best = infinite;
        const double tolerance = 20e-9 + 2 * link.busy_s(1);  // whole bytes and nanoseconds
        for (const auto& c : *candidates) {
          const auto costed = evaluate(c, link);
          std::vector<std::uint8_t> tiers;
          for (const bool head : c.what.at.head) tiers.push_back(head ? 0 : 1);
          const auto plan = plan_of(*priced, tiers);
          EXPECT_NEAR(plan.cost.latency_s(), costed.latency(), tolerance);
          EXPECT_NEAR(static_cast<double>(plan.cost.period_ns()) * 1e-9, costed.period(), tolerance);
          EXPECT_EQ(cut_of(*g, plan)->tensors, c.what.at.tensors);
          best = std::min(best, costed.latency());
          const auto again = candidate_of(*g, *priced, plan, {&code, 1});
          ASSERT_TRUE(again) << again.error().text();
          EXPECT_EQ(again->where, c.where);
          EXPECT_EQ(again->what.at, c.what.at);
          ASSERT_EQ(again->what.codings.size(), c.what.codings.size());
          EXPECT_EQ(again->cost.agreement.has_value(), c.cost.agreement.has_value());
          EXPECT_NEAR(evaluate(*again, link).latency(), costed.latency(), tolerance);
          EXPECT_NEAR(evaluate(*again, link).period(), costed.period(), tolerance);
          EXPECT_NEAR(again->cost.bytes, c.cost.bytes, 2);
        }
        const auto plan = min_cut_plan(*priced);
        ASSERT_TRUE(plan);
        EXPECT_NEAR(plan->cost.latency_s(), best, tolerance);
      }
  }
}

TEST(CandidateOf, GivesEachTensorItsOwnCoding)
{
  const auto g = branching();
  machine_profile device, server;
  device.layers = assumed_node_times(*g, 1e8, 1);
  server.layers = assumed_node_times(*g, 1e8, 1e-3);
  device.layers.nodes[0].seconds.median_s = device.layers.nodes[1].seconds.median_s = 1e-3;  // a and b stay
  server.layers.nodes[0].seconds.median_s = server.layers.nodes[1].seconds.median_s = 10;
  server.layers.nodes[2].seconds.median_s = 1e-3;
  const std::array profiles{&std::as_const(device), &std::as_const(server)};
  const link_state link{bit_rate::mbit(1), 0.001};
  const std::vector<tensor_coding> codings{{codec::raw, 0}, {codec::dense, 4}};
  auto problem = problem_from_graph(*g, profiles, {&link, 1}, {codings, 160});
  ASSERT_TRUE(problem);
  for (auto& t : problem->tensors)
    if (t.name == "b") t.options[1].encode_s[0] = 5;  // dear to pack, so it travels raw
  const auto priced = priced_problem::make(*problem);
  const auto plan = min_cut_plan(*priced);
  ASSERT_TRUE(plan);
  const auto made = candidate_of(*g, *priced, *plan, codings);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(name_of(*g, made->what.at), "a,b");
  EXPECT_EQ(made->what.codings[0].coded_as, codec::dense);
  EXPECT_EQ(made->what.codings[0].width, 4);
  EXPECT_EQ(made->what.codings[1].coded_as, codec::raw);
  EXPECT_FALSE(made->cost.agreement);
  EXPECT_NEAR(evaluate(*made, link).latency(), plan->cost.latency_s(), 20e-9);
  EXPECT_EQ(candidate_of(*g, *priced, *plan, {codings.data(), 1}).error().code, errc::bad_input);
  EXPECT_EQ(candidate_of(*test::small_network(), *priced, *plan, codings).error().code, errc::bad_input);
}

TEST(ProblemFromGraph, GivesEachTensorTheCodingsThatSuitIt)
{
  const auto g = test::small_network();
  machine_profile one;
  one.layers = assumed_node_times(*g, 1e8);
  const std::array profiles{&std::as_const(one), &std::as_const(one), &std::as_const(one)};
  const std::array links{link_state{}, link_state{}};
  const auto p = problem_from_graph(*g, profiles, links, {{{codec::pixels, 0}, {codec::dense, 1}, {codec::dense, 8}}, 160});
  ASSERT_TRUE(p) << p.error().text();
  const auto tags = [&](const std::string& name) {
    std::vector<std::uint32_t> all;
    for (const auto& t : p->tensors)
      if (t.name == name)
        for (const auto& o : t.options) all.push_back(o.tag);
    return all;
  };
  EXPECT_EQ(tags("picture"), (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(tags("pooled"), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(tags("narrow"), (std::vector<std::uint32_t>{2}));  // signed
  EXPECT_EQ(p->nodes.size(), g->nodes().size());
  EXPECT_EQ(p->nodes.back().return_bytes, 40);
}

TEST(ProblemFromGraph, RefusesWhatDoesNotFit)
{
  const auto g = test::small_network();
  machine_profile one, other;
  one.layers = assumed_node_times(*g, 1e8);
  other.layers = assumed_node_times(*branching(), 1e8);
  const std::array good{&std::as_const(one), &std::as_const(one)}, bad{&std::as_const(one), &std::as_const(other)};
  const std::array<const machine_profile*, 2> none{};
  const link_state link;
  ASSERT_TRUE(problem_from_graph(*g, good, {&link, 1}));
  EXPECT_EQ(problem_from_graph(*g, bad, {&link, 1}).error().code, errc::model_mismatch);
  EXPECT_EQ(problem_from_graph(*g, none, {&link, 1}).error().code, errc::bad_input);
  EXPECT_EQ(problem_from_graph(*g, {good.data(), 1}, {&link, 1}).error().code, errc::bad_input);
  EXPECT_EQ(problem_from_graph(*g, good, {}).error().code, errc::bad_input);
  EXPECT_EQ(problem_from_graph(*g, good, {&link, 1}, {{}, 160}).error().code, errc::bad_input);
  EXPECT_EQ(problem_from_graph(*g, good, {&link, 1}, {{{codec::image, 0}}, 160}).error().code, errc::bad_input);
  EXPECT_EQ(problem_from_graph(*g, good, {&link, 1}, {{{codec::dense, 17}}, 160}).error().code, errc::bad_width);
  one.layers.nodes[2].seconds.median_s = nan;
  EXPECT_EQ(problem_from_graph(*g, good, {&link, 1}).error().code, errc::bad_input);
  const auto priced = priced_problem::make(two_nodes());
  EXPECT_EQ(cut_of(*g, plan_of(*priced, {0, 0})).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
