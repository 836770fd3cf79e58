// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/envelope.hpp>

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "partition/brute_force.hpp"

namespace narrows {
namespace {

/// The rate of `x` nanoseconds per byte.
bit_rate rate_of(double x) { return {x > 0 ? 8e9 / x : std::numeric_limits<double>::infinity()}; }

void compare(std::size_t tiers, int rounds, std::uint64_t seed, std::size_t most_nodes)
{
  test::random_source random(seed);
  std::size_t most_pieces = 0, pieces = 0;
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
    auto problem = test::random_problem(random, {tiers, most_nodes, 3, false, true});
    // Four times the bytes, so that quarters of a nanosecond per byte give whole nanoseconds, as brute force rounds.
    for (auto& n : problem.nodes) n.return_bytes *= 4;
    for (auto& t : problem.tensors)
      for (auto& o : t.options) o.bytes *= 4;
    for (auto& l : problem.links) l.message_bytes *= 4;
    const std::size_t link = random.below(problem.links.size());
    const auto priced = priced_problem::make(problem);
    ASSERT_TRUE(priced);
    const auto envelope = latency_envelope::make(*priced, link);
    problem.links[link].seconds_per_byte = 0;
    ASSERT_EQ(envelope.has_value(), test::brute_force(problem).best_latency() < test::brute_force::never);
    if (!envelope) continue;
    EXPECT_LE(envelope->cuts(), 2 * envelope->pieces().size() + 1);
    pieces += envelope->pieces().size();
    most_pieces = std::max(most_pieces, envelope->pieces().size());
    for (std::size_t i = 0; i + 1 < envelope->pieces().size(); ++i) {
      const auto &one = envelope->pieces()[i], &next = envelope->pieces()[i + 1];
      EXPECT_LT(i == 0 ? 0 : envelope->pieces()[i - 1].up_to_ns, one.up_to_ns);
      EXPECT_GT(one.bytes, next.bytes);
      EXPECT_LT(one.fixed_ns, next.fixed_ns);
    }
    for (const double x :
      {0.0, 0.25, 0.5, 1.0, 1.25, 1.75, 2.5, 4.0, 7.0, 20.0, 300.0, std::numeric_limits<double>::infinity()}) {
      SCOPED_TRACE(testing::Message() << x << " ns per byte of link " << link);
      problem.links[link].seconds_per_byte = x * 1e-9;
      const auto best = test::brute_force(problem).best_latency();
      const auto& found = envelope->at(x > 1e9 ? bit_rate{0} : rate_of(x));
      if (best >= test::brute_force::never)
        EXPECT_EQ(found.latency_s(bit_rate{0}), std::numeric_limits<double>::infinity());
      else
        EXPECT_NEAR(found.latency_s(rate_of(x)), static_cast<double>(best) * 1e-9, 1e-12);
      // The plan itself, costed at that rate.
      const auto now = priced_problem::make(problem);
      const auto cost = cost_of(*now, found.plan.tiers, found.plan.routes);
      EXPECT_EQ(cost.is_possible() ? cost.latency_ns : test::brute_force::never, best);
    }
  }
  testing::Test::RecordProperty("pieces", static_cast<int>(pieces));
  testing::Test::RecordProperty("most_pieces", static_cast<int>(most_pieces));
  EXPECT_GE(most_pieces, 4U);
}

TEST(LatencyEnvelope, EqualsBruteForceAtEveryBandwidthOfTwoTiers) { compare(2, 1500, 95, 10); }
TEST(LatencyEnvelope, EqualsBruteForceAtEveryBandwidthOfEitherLinkOfThreeTiers) { compare(3, 700, 96, 8); }

/// One node; 10 s on the device or 1 s in the cloud; the input is 9 bytes at once or 3 bytes after 2 s of encoding.
planning_problem by_hand()
{
  planning_problem p;
  p.nodes = {{"all", {10, 1}, 0}};
  transfer_option plain, packed;
  plain.bytes = 9;
  packed.bytes = 3;
  packed.encode_s[0] = 2;
  p.tensors = {{"in", {}, {0}, {plain, packed}}};
  return p;
}

TEST(LatencyEnvelope, HasThePiecesOfAnExampleByHand)
{
  const auto priced = priced_problem::make(by_hand());
  const auto e = latency_envelope::make(*priced);
  ASSERT_TRUE(e) << e.error().text();
  ASSERT_EQ(e->pieces().size(), 3U);  // 1 + 9 x, 3 + 3 x, 10
  EXPECT_NEAR(e->pieces()[0].up_to_ns, 1e9 / 3, 1e-3);
  EXPECT_NEAR(e->pieces()[1].up_to_ns, 7e9 / 3, 1e-3);
  EXPECT_EQ(e->cuts(), 5U);
  EXPECT_EQ(e->find(rate_of(0)), 0U);
  EXPECT_EQ(e->find(rate_of(1e9)), 1U);
  EXPECT_EQ(e->at(rate_of(1e9)).plan.routes[0].option[0], 1);
  EXPECT_EQ(e->at(rate_of(1e9)).latency_s(rate_of(1e9)), 6);
  EXPECT_EQ(e->find(rate_of(3e9)), 2U);
  EXPECT_EQ(e->find(bit_rate{0}), 2U);
  EXPECT_EQ(e->find(bit_rate{std::numeric_limits<double>::quiet_NaN()}), 2U);
  EXPECT_NEAR(e->band(1).first.bits_per_second, 8 / (7.0 / 3), 1e-9);
  EXPECT_NEAR(e->band(1).second.bits_per_second, 24, 1e-9);
  EXPECT_EQ(e->band(2).first.bits_per_second, 0);
  EXPECT_EQ(e->band(0).second.bits_per_second, std::numeric_limits<double>::infinity());
}

TEST(LatencyEnvelope, RefusesWhatItCannotWeigh)
{
  auto p = by_hand();
  EXPECT_EQ(latency_envelope::make(*priced_problem::make(p), 1).error().code, errc::bad_input);
  p.nodes[0].seconds = {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  EXPECT_EQ(latency_envelope::make(*priced_problem::make(p)).error().code, errc::bad_input);
  p.tiers = 3;
  p.nodes[0].seconds = {1, 1, 1};
  p.links.resize(3);
  EXPECT_EQ(latency_envelope::make(*priced_problem::make(p)).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
