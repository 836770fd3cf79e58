// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/cost.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

TEST(Evaluate, AddsTheRoundTripAndBothTransfers)
{
  cost_terms c;
  c.device_s = 0.010;
  c.encode_s = 0.001;
  c.decode_s = 0.002;
  c.server_s = 0.003;
  c.bytes = 25'000;
  c.return_bytes = 4'000;
  const auto now = evaluate(c, {bit_rate::mbit(8), 0.020});   // 1 byte per microsecond
  EXPECT_NEAR(now.link_s, 0.020 + 0.029, 1e-12);
  EXPECT_NEAR(now.link_busy_s, 0.025, 1e-12);                 // the way up; the round trip occupies nothing
  EXPECT_NEAR(now.latency(), 0.065, 1e-12);
  EXPECT_NEAR(now.throughput(), 1 / 0.025, 1e-9);
  EXPECT_NEAR(evaluate(c, {bit_rate::mbit(80), 0.020}).throughput(), 1 / 0.011, 1e-9);   // now the device is the busiest
}

TEST(Evaluate, ChargesNothingToAPlanThatStaysOnTheDevice)
{
  cost_terms c;
  c.device_s = 0.5;
  for (const double mbit : {0.0, 1e-3, 10.0}) {
    const auto now = evaluate(c, {bit_rate::mbit(mbit), 1});
    EXPECT_EQ(now.latency(), 0.5);
    EXPECT_EQ(now.throughput(), 2);
  }
}

TEST(Evaluate, SaysThatNothingCrossesALinkThatIsDown)
{
  cost_terms c;
  c.bytes = 1;
  const auto now = evaluate(c, {bit_rate{0}, 0});
  EXPECT_EQ(now.latency(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(now.throughput(), 0);
}

/// Finish time of the last of `frames` through stages in series, each serving one frame at a time in order, with
/// unbounded room between them; `delay[s]` passes after stage s without occupying it.
double simulate(const std::array<double, 3>& stage, const std::array<double, 3>& delay, int frames)
{
  std::array<double, 3> free_at{};
  double done = 0;
  for (int f = 0; f < frames; ++f) {
    double t = 0;
    for (std::size_t s = 0; s < 3; ++s) {
      t = std::max(t, free_at[s]) + stage[s];
      free_at[s] = t;
      t += delay[s];
    }
    done = t;
  }
  return done;
}

TEST(CostTerms, PredictTheThroughputOfADeterministicPipeline)
{
  for (unsigned seed = 0; seed < 1000; ++seed) {
    std::mt19937 random(seed);
    const auto ms = [&] { return static_cast<double>(random() % 1000 + 1) * 1e-5; };
    cost_terms c;
    c.device_s = ms();
    c.encode_s = ms();
    c.decode_s = ms();
    c.server_s = ms();
    c.bytes = static_cast<double>(random() % 20000 + 1);
    const link_state link{bit_rate::mbit(8), ms() * 10};
    const auto now = evaluate(c, link);
    const std::array stages{c.device_s + c.encode_s, c.bytes * 1e-6, c.decode_s + c.server_s};
    const std::array delays{0.0, link.rtt_s, 0.0};
    EXPECT_NEAR(simulate(stages, delays, 1), now.latency(), 1e-9) << "seed " << seed;
    const double pace = (simulate(stages, delays, 300) - simulate(stages, delays, 100)) / 200;
    EXPECT_NEAR(pace * now.throughput(), 1, 1e-6) << "seed " << seed;
  }
  // METHODS 14.7: stages of 2, 5, 3 ms make K frames in 10 + 5 (K - 1) ms.
  EXPECT_NEAR(simulate({2, 5, 3}, {0, 0, 0}, 40), 10 + 5 * 39, 1e-9);
}

TEST(HeadAndTail, ShareTheNodesBetweenThem)
{
  const auto g = test::small_network();
  node_times times = assumed_node_times(*g, 1e9);
  for (std::size_t i = 0; i < times.nodes.size(); ++i) times.nodes[i].seconds.median_s = static_cast<double>(1 << i);
  const std::vector<std::string> name{"narrow"};
  const auto at = find_cut(*g, name);
  ASSERT_TRUE(at);
  EXPECT_EQ(head_seconds(times, *at), 1 + 2 + 4);
  EXPECT_EQ(tail_seconds(times, *at), 8 + 16 + 32 + 64);
  EXPECT_EQ(head_seconds(times, input_cut(*g)), 0);
  EXPECT_EQ(tail_seconds(times, end_cut(*g)), 0);
  EXPECT_EQ(returned_bytes(*g, *at), 40);
  EXPECT_EQ(returned_bytes(*g, end_cut(*g)), 0);
}

TEST(HeadMemory, IsTheWeightsAndTheLargestSumOfTensorsAtOneNode)
{
  const auto g = test::small_network();
  const std::vector<std::string> pooled{"pooled"}, narrow{"narrow"};
  constexpr double picture = 3 * 256, first = 8 * 256;   // at the first node both are there, and nowhere more
  EXPECT_EQ(head_memory_bytes(*g, input_cut(*g)), 4 * picture);
  EXPECT_EQ(head_memory_bytes(*g, *find_cut(*g, pooled)), 4 * (picture + first + 8 * 3 * 9));
  EXPECT_EQ(head_memory_bytes(*g, *find_cut(*g, narrow)), 4 * (picture + first + 8 * 3 * 9 + 4 * 8 * 9));
  EXPECT_EQ(head_memory_bytes(*g, end_cut(*g)), 4 * (picture + first + 8 * 3 * 9 + 4 * 8 * 9 + 16 * 4 * 9 + 10 * 16));
}

TEST(HeadMemory, KeepsWhatCrossesAndWhatIsReadLater)
{
  // x -> a -> b -> c -> sum, 100 values each; sum reads x too: x, the tensor made and the one it is made of are there at once.
  graph_builder b("again");
  const auto unary = [&](value_id v, const std::string& name) {
    node_description n;
    n.operation = op::unary{op::unary::kind::relu};
    n.inputs = {v};
    n.outputs = {name};
    return (*b.add(std::move(n)))[0];
  };
  const auto x = *b.input("x", shape{1, 100});
  const auto c = unary(unary(unary(x, "a"), "b"), "c");
  node_description sum;
  sum.operation = op::elementwise{};
  sum.inputs = {c, x};
  sum.outputs = {"sum"};
  const auto last = (*b.add(std::move(sum)))[0];
  const auto g = *b.finish({last});
  EXPECT_EQ(head_memory_bytes(*g, end_cut(*g)), 4 * 300) << "x is kept for the sum";
  const std::vector<std::string> both{"a", "x"};
  const auto at = find_cut(*g, both);
  ASSERT_TRUE(at);
  EXPECT_EQ(head_memory_bytes(*g, *at), 4 * 200);
}

TEST(PayloadBytes, AreThoseOfTheFormat)
{
  // METHODS 1.4: resnet18 behind layer3.
  EXPECT_EQ(payload_bytes(50176, codec::raw, 0), 200704);
  EXPECT_EQ(payload_bytes(50176, codec::dense, 8), 50176);
  EXPECT_EQ(payload_bytes(50176, codec::dense, 4), 25088);
  EXPECT_EQ(payload_bytes(50176, codec::sparse, 4, 0.5), 50176 / 8 + 25088 / 2);
  EXPECT_EQ(payload_bytes(50176, codec::sparse, 4, 0), 25088 + 64);   // never larger
  EXPECT_DOUBLE_EQ(payload_bytes(50176, codec::runs, 4, 0.5), 0.72 * (50176 / 8 + 25088 / 2));
  EXPECT_EQ(payload_bytes(50176, codec::lz4, 8, 0), 50176 + 64);
  EXPECT_LT(payload_bytes(50176, codec::huffman, 4, 0.5), payload_bytes(50176, codec::sparse, 4, 0.5));
  EXPECT_GT(payload_bytes(50176, codec::huffman, 4, 0.5), payload_bytes(50176, codec::rans, 4, 0.5)) << "which knows the code before";
  EXPECT_EQ(payload_bytes(150528, codec::pixels, 0), 150528);
  EXPECT_EQ(payload_bytes(1000, codec::predicted, 0), 440);
  EXPECT_EQ(payload_bytes(0, codec::dense, 3), 0);
}

TEST(SignsOf, FollowsZerosFromTheReluToWhatSelectsFromIt)
{
  const auto g = test::small_network();
  const auto signs = signs_of(*g);
  const auto sign = [&](const char* name) { return signs[index(*g->find(name))]; };
  EXPECT_EQ(sign("picture"), value_sign::either);
  EXPECT_EQ(sign("first"), value_sign::rectified);
  EXPECT_EQ(sign("pooled"), value_sign::rectified);
  EXPECT_EQ(sign("narrow"), value_sign::either);
  EXPECT_EQ(sign("wide"), value_sign::rectified);
  EXPECT_EQ(sign("average"), value_sign::not_negative);
  EXPECT_EQ(sign("flat"), value_sign::not_negative);
  EXPECT_EQ(sign("scores"), value_sign::either);
}

}  // namespace
}  // namespace narrows
