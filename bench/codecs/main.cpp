// SPDX-License-Identifier: BSD-3-Clause
// Rows are named encode_u<bits>/<contender>/<working set> and decode_... A working set is L2 or DRAM, pieces of all tensors,
// or L2:<network>.<tensor>, one cut alone, whose rows have the tensor's own name as label and its zeros as counter. Before
// anything is timed, each contender must give back the values of plain quantising and dequantising. Run with
// --benchmark_enable_random_interleaving and repetitions, and compare within one run. --sizes prints sizes instead.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
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
constexpr int every_width[] = {1, 2, 3, 4, 5, 6, 7, 8};
/// Timed on every cut: what gains from zeros, and what it is compared with.
constexpr std::string_view cut_contenders[] = {"alone", "sparse", "runs", "rans"};
constexpr int cut_widths[] = {4};

using memory = std::unique_ptr<float[], decltype(&std::free)>;

/// Memory in huge pages, where the system has them.
memory pages(std::size_t count)
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
void fill(std::span<float> x, std::span<const activation> from)
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

void check(std::span<const contender> all, std::span<const float> x, std::span<const int> widths)
{
  std::vector<std::uint8_t> codes(x.size());
  std::vector<float> expected(x.size()), got(x.size());
  for (const int bits : widths) {
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

/// What rows are timed on.
struct timed {
  std::string name;  ///< third part of the rows' names
  std::span<const float> x;
  std::string cut{};  ///< network and tensor, as they are called; empty for pieces of many
  double zeros = 0;   ///< their share of x, for a cut
};

void add_rows(const contender& c, const timed& on, int bits, std::span<float> back)
{
  const auto s = std::make_shared<lazy_session>();
  const auto x = on.x;
  s->begin = [&c, bits, n = x.size()] { return c.begin(n, levels_of(bits), bits); };
  const auto name = [&](const char* operation) {
    return std::string(operation) + "_u" + std::to_string(bits) + "/" + c.name + "/" + on.name;
  };
  const auto count = [on](benchmark::State& state) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(on.x.size()));
    if (on.cut.empty()) return;
    state.SetLabel(on.cut);
    state.counters["zeros"] = on.zeros;
  };
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

/// Rows for every tensor by itself, of its first photograph, as many values of it as `back` has. Data are kept in `data`.
void add_cut_rows(
  std::span<const contender> all, std::span<const activation> tensors, std::vector<memory>& data, std::span<float> back)
{
  std::set<std::string> seen;
  for (const auto& a : tensors) {
    timed on{"L2:" + a.network + "." + a.tensor, {}, a.network + " " + a.tensor};
    std::replace(on.name.begin(), on.name.end(), '/', ':');  // which divides the names of rows
    if (!seen.insert(on.name).second) continue;
    const std::span<float> x{data.emplace_back(pages(back.size())).get(), back.size()};
    fill(x, {&a, 1});
    on.x = x;
    on.zeros = static_cast<double>(std::count(x.begin(), x.end(), 0.0F)) / static_cast<double>(x.size());
    for (const auto& c : all) {
      if (std::find(std::begin(cut_contenders), std::end(cut_contenders), c.name) == std::end(cut_contenders)) continue;
      check({&c, 1}, x, cut_widths);
      for (const int bits : cut_widths) add_rows(c, on, bits, back);
    }
  }
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
  std::vector<memory> data;
  for (const auto& set : sets) {
    data.push_back(pages(set.values));
    fill({data.back().get(), set.values}, tensors);
  }
  check(all, {data.front().get(), sets[0].values}, every_width);
  for (std::size_t i = 0; i < std::size(sets); ++i)
    for (const int bits : sets[i].widths)
      for (const auto& c : all) add_rows(c, {sets[i].name, {data[i].get(), sets[i].values}}, bits, {back.get(), sets[i].values});
  if (tensors.front().network != "synthetic") add_cut_rows(all, tensors, data, {back.get(), sets[0].values});
  benchmark::RunSpecifiedBenchmarks();
}
