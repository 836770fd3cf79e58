// SPDX-License-Identifier: BSD-3-Clause
// Planning on the networks of the zoo. Node times are assumed, not measured: multiply-adds over a rate for each tier, and a
// constant for each node; how long planning takes hardly depends on them.
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <narrows/graph/fuse.hpp>
#include <narrows/graph/zoo/zoo.hpp>
#include <narrows/partition/candidate_of.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/partition/envelope.hpp>
#include <narrows/partition/frontier.hpp>
#include <narrows/partition/gap.hpp>
#include <narrows/partition/hpa.hpp>
#include <narrows/partition/min_cut.hpp>
#include <narrows/partition/three_tier.hpp>
#include <narrows/partition/undominated.hpp>
#include <narrows/schedule/policies/joint.hpp>

namespace narrows {
namespace {

template <class T>
T must(result<T> r)
{
  if (r) return std::move(r).value();
  std::fprintf(stderr, "narrows_bench_planning: %s\n", r.error().text().c_str());
  std::exit(1);
}

machine_profile assumed(const graph& g, double macs_per_s)
{
  machine_profile p;
  p.layers = assumed_node_times(g, macs_per_s, 20e-6);
  for (const codec c : {codec::raw, codec::dense, codec::sparse, codec::runs, codec::rans})
    for (const int b : {2, 3, 4, 5, 6, 8}) p.codecs.entries.push_back({c, has_codes(c) ? b : 0, 2e-6, 2e9 / macs_per_s * 1e-9, 2e-6, 2e9 / macs_per_s * 1e-9});
  return p;
}

struct subject {
  std::shared_ptr<const graph> network;
  machine_profile device, edge, cloud;
};

subject subject_of(const zoo::known_network& which)
{
  auto g = must(fuse(*must(which.make(which.side))));
  auto device = assumed(*g, 2e9), edge = assumed(*g, 2e10), cloud = assumed(*g, 2e11);
  return {std::move(g), std::move(device), std::move(edge), std::move(cloud)};
}

const std::array<tensor_coding, 4> codings{{{codec::raw, 0}, {codec::pixels, 0}, {codec::runs, 4}, {codec::runs, 8}}};

priced_problem two_tiers(const subject& s)
{
  const machine_profile* tiers[] = {&s.device, &s.cloud};
  const link_state link{bit_rate::mbit(10), 0.02};
  problem_options how;
  how.codings.assign(codings.begin(), codings.end());
  return must(priced_problem::make(must(problem_from_graph(*s.network, tiers, std::span(&link, 1), how))));
}

/// A device, an edge near it and a cloud behind that, as D3 has them.
priced_problem three_tiers(const subject& s)
{
  const machine_profile* tiers[] = {&s.device, &s.edge, &s.cloud};
  const link_state links[] = {{bit_rate::mbit(50), 0.002}, {bit_rate::mbit(10), 0.03}};
  problem_options how;
  how.codings.assign(codings.begin(), codings.begin() + 2);   // D3 sends floats
  return must(priced_problem::make(must(problem_from_graph(*s.network, tiers, links, how))));
}

std::vector<candidate> candidates(const subject& s)
{
  enumerate_options how;
  how.codecs = {codec::raw, codec::dense, codec::sparse, codec::runs, codec::rans};
  how.pixels = true;
  return without_dominated(must(enumerate_candidates(*s.network, single_tensor_cuts(*s.network), {&s.device, &s.cloud, nullptr}, how)));
}

void MinCut(benchmark::State& state, const zoo::known_network& which)
{
  const auto s = subject_of(which);
  const auto p = two_tiers(s);
  for (auto _ : state) benchmark::DoNotOptimize(min_cut_plan(p));
  state.counters["nodes"] = static_cast<double>(p.nodes().size());
}

void ThreeTiers(benchmark::State& state, const zoo::known_network& which)
{
  const auto s = subject_of(which);
  const auto p = three_tiers(s);
  for (auto _ : state) benchmark::DoNotOptimize(three_tier_plan(p));
}

void Hpa(benchmark::State& state, const zoo::known_network& which)
{
  const auto s = subject_of(which);
  const auto p = three_tiers(s);
  for (auto _ : state) benchmark::DoNotOptimize(hpa_plan(p));
  const auto gap = must(gap_to_exact(p, must(hpa_plan(p))));
  state.counters["gap_percent"] = 100 * gap.share();
  hpa_options alone;
  alone.siblings = false;
  state.counters["gap_without_siblings_percent"] = 100 * must(gap_to_exact(p, must(hpa_plan(p, alone)))).share();
}

void EnvelopeLookup(benchmark::State& state, const zoo::known_network& which)
{
  const auto s = subject_of(which);
  const auto e = must(latency_envelope::make(two_tiers(s)));
  double rate = 1e5;
  for (auto _ : state) {
    benchmark::DoNotOptimize(e.find({rate}));
    rate = rate < 1e9 ? rate * 1.37 : 1e5;
  }
  state.counters["pieces"] = static_cast<double>(e.pieces().size());
}

void JointReplan(benchmark::State& state, const zoo::known_network& which)
{
  const auto s = subject_of(which);
  const auto kept = candidates(s);
  objective goal = metric::latency;
  goal.require(metric::server, 1);
  joint policy(goal);
  observation seen{{bit_rate::mbit(1), 0.02}};
  for (auto _ : state) {
    seen.link.bandwidth.bits_per_second = seen.link.bandwidth.bits_per_second < 1e9 ? seen.link.bandwidth.bits_per_second * 1.37 : 1e5;
    benchmark::DoNotOptimize(policy.choose(kept, seen));
  }
  state.counters["candidates"] = static_cast<double>(kept.size());
}

}  // namespace
}  // namespace narrows

int main(int argc, char** argv)
{
  using namespace narrows;
  for (const auto& n : zoo::networks) {
    const std::string name(n.name);
    benchmark::RegisterBenchmark(("min_cut/" + name).c_str(), MinCut, n)->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("three_tiers/" + name).c_str(), ThreeTiers, n)->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("hpa/" + name).c_str(), Hpa, n)->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("envelope/" + name).c_str(), EnvelopeLookup, n)->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("replan/" + name).c_str(), JointReplan, n)->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
