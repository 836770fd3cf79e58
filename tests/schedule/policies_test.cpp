// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/policies/cloud_only.hpp>
#include <narrows/schedule/policies/device_only.hpp>

#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace narrows {
namespace {

static_assert(scheduling_policy<device_only> && scheduling_policy<cloud_only> && scheduling_policy<best_candidate>);

struct allocates_or_throws {
  [[maybe_unused]] static constexpr std::string_view name = "no";
  decision choose(std::span<const candidate>, const observation&) { return {}; }   // not noexcept
};
struct nameless {
  decision choose(std::span<const candidate>, const observation&) noexcept { return {}; }
};
static_assert(!scheduling_policy<allocates_or_throws> && !scheduling_policy<nameless>);

std::vector<candidate> random_candidates(std::mt19937& random)
{
  const auto ms = [&] { return static_cast<double>(random() % 8) * 1e-3; };   // few values, so that ties occur
  std::vector<candidate> all(1 + random() % 40);
  for (auto& c : all) {
    c.where = static_cast<placement>(random() % 3);
    c.cost.device_s = ms();
    c.cost.encode_s = ms();
    c.cost.decode_s = ms();
    c.cost.server_s = ms();
    if (c.where != placement::device) {
      c.cost.bytes = static_cast<double>(1 + random() % 8) * 1000;
      c.cost.return_bytes = 100;
    }
    c.cost.memory_bytes = static_cast<double>(1 + random() % 8) * 1e6;
    if (random() % 3 != 0) c.cost.agreement = static_cast<double>(90 + random() % 11) / 100;
  }
  return all;
}

/// The candidate's figure in plain arithmetic, written again from METHODS 1.2 and not through `evaluate`.
double plainly(metric m, const candidate& c, const link_state& link)
{
  const double rate = link.bandwidth.bits_per_second / 8, never = std::numeric_limits<double>::infinity();
  const bool crosses = c.cost.bytes > 0;
  const double transfer = !crosses ? 0 : rate > 0 ? link.rtt_s + (c.cost.bytes + c.cost.return_bytes) / rate : never;
  const double busy = !crosses ? 0 : rate > 0 ? std::max(c.cost.bytes, c.cost.return_bytes) / rate : never;
  const double device = c.cost.device_s + c.cost.encode_s, server = c.cost.decode_s + c.cost.server_s;
  switch (m) {
  case metric::latency: return device + transfer + server;
  case metric::throughput: return 1 / std::max(device, std::max(busy, server));
  case metric::device: return device;
  case metric::server: return server;
  case metric::bytes: return c.cost.bytes;
  case metric::memory: return c.cost.memory_bytes;
  case metric::agreement: return c.cost.agreement ? *c.cost.agreement : 0;
  }
  return 0;
}

bool keeps(const candidate& c, const link_state& link, const std::vector<limit>& limits)
{
  if (plainly(metric::latency, c, link) == std::numeric_limits<double>::infinity()) return false;
  for (const auto& l : limits) {
    const double x = plainly(l.of, c, link);
    const bool gain = l.of == metric::throughput || l.of == metric::agreement;
    if (gain ? x < l.bound - 1e-12 * l.bound : x > l.bound + 1e-12 * l.bound) return false;
  }
  return true;
}

TEST(BestCandidate, EqualsAnExhaustiveScanForEveryObjectiveAndLimit)
{
  int infeasible = 0;
  for (unsigned seed = 0; seed < 6000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto from = random_candidates(random);
    const link_state link{bit_rate::mbit(random() % 10 == 0 ? 0.0 : 0.5 * static_cast<double>(1 + random() % 100)),
                          static_cast<double>(random() % 5) * 1e-3};
    objective goal(all_metrics[random() % all_metrics.size()]);
    std::vector<limit> limits;
    for (auto n = random() % 4; n > 0; --n) {
      limit l{all_metrics[random() % all_metrics.size()], 0};
      // A bound that some candidate just meets, or one between two values; offset so that no rounding decides.
      const double bound = plainly(l.of, from[random() % from.size()], link);
      if (!(bound < std::numeric_limits<double>::infinity())) continue;
      l.bound = is_gain(l.of) ? bound * (1 - 1e-6) : bound * (1 + 1e-6);
      limits.push_back(l);
      ASSERT_TRUE(goal.require(l.of, l.bound));
    }

    const decision d = best_candidate(goal).choose(from, {link});
    ASSERT_LT(d.index, from.size());
    bool any = false;
    for (const auto& c : from) any = any || keeps(c, link, limits);
    ASSERT_EQ(d.feasible, any);
    EXPECT_EQ(d.reason.starts_with("infeasible"), !any);
    if (!any) {
      ++infeasible;
      const double missed = goal.missed(evaluate(from[d.index], link));
      for (const auto& c : from) ASSERT_LE(missed, goal.missed(evaluate(c, link)));
      continue;
    }
    ASSERT_TRUE(keeps(from[d.index], link, limits));
    const double chosen = plainly(goal.of, from[d.index], link);
    for (const auto& c : from) {
      if (!keeps(c, link, limits)) continue;
      const double other = plainly(goal.of, c, link);
      if (chosen == other) continue;
      const bool other_wins = is_gain(goal.of) ? other > chosen * (1 + 1e-12) : other < chosen * (1 - 1e-12);
      ASSERT_FALSE(other_wins) << to_string(goal.of) << ": " << other << " beats " << chosen;
    }
  }
  EXPECT_GT(infeasible, 100);   // both answers were exercised
}

TEST(BestCandidate, GivesTiesToTheLowerLatencyThenToTheFirst)
{
  std::vector<candidate> from(3);
  for (auto& c : from) c.cost.bytes = 100;
  from[0].cost.device_s = 2;
  from[1].cost.device_s = from[2].cost.device_s = 1;
  EXPECT_EQ(best_candidate(metric::bytes).choose(from, {}).index, 1U);
}

TEST(BestCandidate, TakesTheLeastViolatingPlanWhereNothingIsFeasible)
{
  std::vector<candidate> from(3);
  from[0].cost.device_s = 0.4;
  from[1].cost.device_s = 0.2;
  from[2].cost.device_s = 0.3;
  objective goal(metric::bytes);
  goal.require(metric::latency, 0.1);
  const auto d = best_candidate(goal).choose(from, {});
  EXPECT_EQ(d.index, 1U);
  EXPECT_FALSE(d.feasible);
}

TEST(BestCandidate, NeverPrefersALinkThatIsDown)
{
  std::vector<candidate> from(2);
  from[0].cost.bytes = 10;
  from[0].cost.server_s = 1e-6;
  from[1].cost.device_s = 100;
  for (const metric m : all_metrics) {
    const auto d = best_candidate(m).choose(from, {{bit_rate{0}, 0}});
    EXPECT_EQ(d.index, 1U) << to_string(m);
    EXPECT_TRUE(d.feasible) << to_string(m);
  }
}

TEST(Limit, IsMissedByAShare)
{
  cost_terms c;
  c.device_s = 0.2;
  EXPECT_EQ(missed_by({metric::latency, 0.2}, c), 0);
  EXPECT_EQ(missed_by({metric::latency, 0.1}, c), 0.5);
  EXPECT_EQ(missed_by({metric::latency, 0}, c), 1);
  EXPECT_EQ(missed_by({metric::throughput, 5}, c), 0);
  EXPECT_EQ(missed_by({metric::throughput, 20}, c), 0.75);
  EXPECT_EQ(missed_by({metric::agreement, 0.5}, c), 1);   // unknown agreement meets no floor
  EXPECT_EQ(missed_by({metric::bytes, 0}, c), 0);
}

TEST(Objective, HoldsSoManyLimitsAndNoMore)
{
  objective goal;
  for (std::size_t i = 0; i < objective::max_limits; ++i) EXPECT_TRUE(goal.require(metric::bytes, 1));
  EXPECT_FALSE(goal.require(metric::bytes, 1));
}

TEST(Metric, IsReadByTheNameThatIsWritten)
{
  for (const metric m : all_metrics) EXPECT_EQ(parse_metric(to_string(m)), m);
  EXPECT_EQ(parse_metric("fps"), std::nullopt);
}

TEST(DeviceOnly, TakesTheEndCutWhateverTheLink)
{
  std::vector<candidate> from(3);
  from[0].where = placement::cloud;
  from[0].cost.server_s = 3;
  from[1].where = placement::split;
  from[1].cost.server_s = 1;
  from[2].where = placement::device;
  const auto d = device_only{}.choose(from, {{bit_rate{0}, 0}});
  EXPECT_EQ(d.index, 2U);
  EXPECT_TRUE(d.feasible);
  const auto without = device_only{}.choose(std::span(from).first(2), {});
  EXPECT_EQ(without.index, 1U);
  EXPECT_FALSE(without.feasible);
}

TEST(CloudOnly, TakesTheSoonestInputThatLosesNothing)
{
  std::vector<candidate> from(6);
  const auto input = [&](std::size_t i, codec coded_as, int width, double bytes, double decode_s) {
    from[i].where = placement::cloud;
    from[i].cost.bytes = bytes;
    from[i].cost.decode_s = decode_s;
    coding how;
    how.coded_as = coded_as;
    how.width = width;
    from[i].what.codings = {how};
  };
  from[0].where = placement::device;
  from[0].cost.device_s = 1;
  input(1, codec::dense, 2, 10, 0);           // small, but not the input any more
  input(2, codec::raw, 0, 4000, 0);
  input(3, codec::pixels, 0, 1000, 0);
  input(4, codec::image, 0, 100, 0.01);
  input(5, codec::predicted, 0, 10, 0);       // not what this baseline stands for
  EXPECT_EQ(cloud_only{}.choose(from, {{bit_rate::mbit(0.01), 0}}).index, 4U);
  EXPECT_EQ(cloud_only{}.choose(from, {{bit_rate::mbit(100), 0}}).index, 3U);
  EXPECT_TRUE(cloud_only{}.choose(from, {{bit_rate::mbit(100), 0}}).feasible);
  EXPECT_FALSE(cloud_only{}.choose(from, {{bit_rate{0}, 0}}).feasible);
  const auto none = cloud_only{}.choose(std::span(from).first(2), {});
  EXPECT_EQ(none.index, 1U);
  EXPECT_FALSE(none.feasible);
}

TEST(AnyPolicy, ChoosesLikeWhatItHolds)
{
  std::vector<candidate> from(4);
  from[3].where = placement::device;
  any_policy policy = device_only{};
  EXPECT_EQ(policy.name(), "device-only");
  EXPECT_EQ(policy.choose(from, {}).index, 3U);
  policy = best_candidate(metric::latency);
  EXPECT_EQ(policy.name(), "best-candidate");
}

TEST(Policies, SurviveAnEmptyList)
{
  EXPECT_FALSE(best_candidate{}.choose({}, {}).feasible);
  EXPECT_FALSE(device_only{}.choose({}, {}).feasible);
  EXPECT_FALSE(cloud_only{}.choose({}, {}).feasible);
}

}  // namespace
}  // namespace narrows
