// SPDX-License-Identifier: BSD-3-Clause
// Rows are named encode_u<bits>/<contender>/<working set> and decode_... Before anything is timed, each contender must give
// back the values of plain quantising and dequantising. Run with --benchmark_enable_random_interleaving and repetitions, and
// compare within one run. --sizes prints sizes instead.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <narrows/pack/quantize.hpp>

#include "activations.hpp"
#include "contender.hpp"
#include "sizes.hpp"

namespace narrows::bench {

void fail(std::string_view who, std::string_view why)
{
  std::fprintf(stderr, "narrows_bench_codecs: %.*s: %.*s\n", static_cast<int>(who.size()), who.data(),
    static_cast<int>(why.size()), why.data());
  std::exit(1);
}

namespace {

struct working_set {
  const char* name;
  std::size_t values;
  std::vector<int> widths;
};
const working_set sets[] = {{"L2", std::size_t{1} << 18, {2, 3, 4, 6, 8}}, {"DRAM", std::size_t{1} << 26, {4}}};
constexpr int size_widths[] = {2, 3, 4, 6, 8};

/// Memory in huge pages, where the system has them.
std::unique_ptr<float[], decltype(&std::free)> pages(std::size_t count)
{
  constexpr std::size_t huge = std::size_t{2} << 20;
  const std::size_t bytes = (count * sizeof(float) + huge - 1) / huge * huge;
  void* const at = std::aligned_alloc(huge, bytes);
  if (at == nullptr) fail("memory", "not enough");
  madvise(at, bytes, MADV_HUGEPAGE);
  std::memset(at, 0, bytes);
  return {static_cast<float*>(at), &std::free};
}

/// The same share of every tensor, from its middle, one after the other and all over again until n values are full. Each
/// tensor is divided by its range, so that one scale fits them all as its own would fit each.
void fill(std::span<float> x, const std::vector<activation>& from)
{
  std::vector<float> ranges;
  for (const auto& a : from) ranges.push_back(levels_for(a.values, 1).scale);
  const std::size_t share = (x.size() + from.size() - 1) / from.size();
  for (std::size_t at = 0, t = 0; at < x.size(); ++t) {
    const auto& values = from[t % from.size()].values;
    const std::size_t n = std::min({share, values.size(), x.size() - at});
    const std::size_t first = (values.size() - n) / 2;
    for (std::size_t i = 0; i < n; ++i) x[at + i] = values[first + i] / ranges[t % from.size()];
    at += n;
  }
}

affine levels_of(int bits) { return {1.0F / static_cast<float>((1 << bits) - 1), 0}; }

void check(const std::vector<contender>& all, std::span<const float> x)
{
  std::vector<std::uint8_t> codes(x.size());
  std::vector<float> expected(x.size()), got(x.size());
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8}) {
    if (quantize<std::uint8_t>(x, levels_of(bits), bits, codes) != errc::ok ||
        dequantize<std::uint8_t>(codes, levels_of(bits), expected) != errc::ok)
      fail("check", "quantise");
    for (const auto& c : all) {
      const auto s = c.begin(x.size(), levels_of(bits), bits);
      std::fill(got.begin(), got.end(), -1.0F);
      s.encode(x);
      s.decode(got);
      if (got != expected) fail(c.name, "not the values of plain quantising at " + std::to_string(bits) + " bits");
    }
  }
}

/// Begins when a row first asks for it and is kept for the others: a stream of 256 MiB of floats takes a second to make.
struct lazy_session {
  std::function<session()> begin;
  session made;
  bool encoded = false;

  session& get()
  {
    if (!made.encode) made = begin();
    return made;
  }
};

void add_rows(const contender& c, const working_set& set, int bits, std::span<const float> x, std::span<float> back)
{
  const auto s = std::make_shared<lazy_session>();
  s->begin = [&c, bits, n = x.size()] { return c.begin(n, levels_of(bits), bits); };
  const auto name = [&](const char* operation) {
    return std::string(operation) + "_u" + std::to_string(bits) + "/" + c.name + "/" + set.name;
  };
  const auto count = [n = x.size()](
                       benchmark::State& state) { state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n)); };
  benchmark::RegisterBenchmark(name("encode").c_str(), [=](benchmark::State& state) {
    auto& with = s->get();
    for (auto _ : state) benchmark::DoNotOptimize(with.encode(x));
    s->encoded = true;
    count(state);
  });
  benchmark::RegisterBenchmark(name("decode").c_str(), [=](benchmark::State& state) {
    auto& with = s->get();
    if (!std::exchange(s->encoded, true)) with.encode(x);
    for (auto _ : state) {
      with.decode(back);
      benchmark::ClobberMemory();
    }
    count(state);
  });
}

std::vector<activation> or_synthetic(result<std::vector<activation>> made)
{
  if (!made) {
    std::fprintf(stderr, "narrows_bench_codecs: %s: the synthetic tensor alone is measured\n", made.error().text().c_str());
    return {synthetic()};
  }
  return std::move(made).value();
}

}  // namespace

}  // namespace narrows::bench

int main(int argc, char** argv)
{
  using namespace narrows::bench;
  const bool sizes = argc > 1 && std::strcmp(argv[1], "--sizes") == 0;
  std::string shared = NARROWS_SHARED_DIR;
  if (sizes) {
    if (argc > 2) shared = argv[2];
  } else {
    benchmark::Initialize(&argc, argv);
    if (argc > 1) shared = argv[1];
  }
  if (argc > 3 || (!sizes && argc > 2)) {
    std::fprintf(stderr, "usage: narrows_bench_codecs [BENCHMARK OPTIONS | --sizes] [FOLDER OF MODELS AND IMAGES]\n");
    return 2;
  }

  std::vector<contender> all;
  add_alone(all);
  add_narrows(all);
  add_lz4(all);
  add_zstd(all);
#if defined(NARROWS_BENCH_BLOSC)
  add_blosc(all);
#endif
  if (sizes) {
    const std::string networks[] = {"resnet18", "squeezenet1_1", "mobilenet_v2_1.0_224", "tiny_darknet", "mcunet_144"};
    auto tensors = or_synthetic(activations_of(networks, shared, 2));
    if (tensors.front().network != "synthetic") tensors.push_back(synthetic());
    print_sizes(all, tensors, size_widths);
    return 0;
  }

  const std::string networks[] = {"resnet18", "squeezenet1_1"};
  const auto tensors = or_synthetic(activations_of(networks, shared, 2));
  const std::size_t most =
    std::max_element(std::begin(sets), std::end(sets), [](const auto& a, const auto& b) { return a.values < b.values; })->values;
  const auto back = pages(most);
  std::vector<std::unique_ptr<float[], decltype(&std::free)>> data;
  for (const auto& set : sets) {
    data.push_back(pages(set.values));
    fill({data.back().get(), set.values}, tensors);
  }
  check(all, {data.front().get(), sets[0].values});
  for (std::size_t i = 0; i < std::size(sets); ++i)
    for (const int bits : sets[i].widths)
      for (const auto& c : all) add_rows(c, sets[i], bits, {data[i].get(), sets[i].values}, {back.get(), sets[i].values});
  benchmark::RunSpecifiedBenchmarks();
}
