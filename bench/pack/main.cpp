// SPDX-License-Identifier: BSD-3-Clause
// Rows are named quantize_pack_u<bits>/<contender>/<working set>, beside them shape_... and range_... (contender.hpp). Before anything is timed, each contender's answers are
// compared with the reference. Run with --benchmark_enable_random_interleaving and repetitions, and compare within one run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <narrows/pack/layout.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/reference.hpp>

#include "contender.hpp"

namespace narrows::bench {

namespace {

struct working_set {
  const char* name;
  std::size_t values;
};
constexpr working_set sets[] = {{"L1", 4096}, {"L2", std::size_t{1} << 18}, {"L3", std::size_t{1} << 21}, {"DRAM", std::size_t{1} << 26}};

/// Memory in huge pages, where the system has them.
template <class T>
std::unique_ptr<T[], decltype(&std::free)> pages(std::size_t count)
{
  constexpr std::size_t huge = std::size_t{2} << 20;
  const std::size_t bytes = (count * sizeof(T) + huge - 1) / huge * huge;
  void* const at = std::aligned_alloc(huge, bytes);
  if (at == nullptr) std::exit(1);
  madvise(at, bytes, MADV_HUGEPAGE);
  std::memset(at, 1, bytes);
  return {static_cast<T*>(at), &std::free};
}

[[noreturn]] void wrong(const std::string& op, int bits, const std::string& name)
{
  std::fprintf(stderr, "%s_u%d of %s: not the answer of the reference\n", op.c_str(), bits, name.c_str());
  std::exit(1);
}

/// Ties may be rounded by other rules and products by another order: peers get one level, kernels none.
bool near(const std::uint8_t* a, const std::uint8_t* b, std::size_t n, int most)
{
  return std::equal(a, a + n, b, [most](int x, int y) { return std::abs(x - y) <= most; });
}

void check(const contenders& all, const float* x)
{
  constexpr std::size_t n = 4096;
  const auto packed = pages<std::uint8_t>(2 * n), expected = pages<std::uint8_t>(2 * n);
  const auto values = pages<float>(n);
  std::vector<float> expected_values(n);
  for (const auto& c : all.pack) {
    if (c.gives == promise::nothing) continue;
    const auto levels = c.levels;
    std::span<std::uint8_t> to(expected.get(), packed_bytes(n, c.bits));
    reference::quantize_pack({x, n}, levels, c.bits, to);
    std::vector<std::uint8_t> linear;
    if (c.gives == promise::linear_layout) {
      linear.resize(linear_bytes(n, c.bits));
      if (to_linear(to, n, c.bits, linear) != errc::ok) wrong("quantize_pack", c.bits, c.name);
      to = linear;
    }
    c.run(x, n, packed.get());
    const bool peer = c.name == "xnnpack" || c.name == "onednn";
    if (!near(packed.get(), to.data(), to.size(), peer ? 1 : 0)) wrong("quantize_pack", c.bits, c.name);
  }
  for (const auto& c : all.unpack) {
    if (c.takes == promise::nothing) continue;
    const auto levels = c.levels;
    std::span<std::uint8_t> from(packed.get(), packed_bytes(n, c.bits));
    reference::quantize_pack({x, n}, levels, c.bits, from);
    reference::unpack_dequantize(from, levels, c.bits, expected_values);
    std::vector<std::uint8_t> linear;
    if (c.takes == promise::linear_layout) {
      linear.resize(linear_bytes(n, c.bits));
      if (to_linear(from, n, c.bits, linear) != errc::ok) wrong("unpack_dequantize", c.bits, c.name);
      std::copy(linear.begin(), linear.end(), packed.get());
    }
    c.run(packed.get(), n, values.get());
    if (!std::equal(expected_values.begin(), expected_values.end(), values.get(), [&](float a, float b) { return std::abs(a - b) <= levels.scale / 1024; }))
      wrong("unpack_dequantize", c.bits, c.name);
  }
}

void row(const timed& what)
{
  benchmark::RegisterBenchmark(what.name.c_str(), [what](benchmark::State& state) {
    for (auto _ : state) {
      what.run();
      benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * what.values));
  });
}

}  // namespace

}  // namespace narrows::bench

int main(int argc, char** argv)
{
  using namespace narrows::bench;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;

  const std::size_t most = sets[std::size(sets) - 1].values;
  const auto x = pages<float>(most), back = pages<float>(most);
  const auto packed = pages<std::uint8_t>(2 * most);
  std::mt19937 random(1);
  for (std::size_t i = 0; i < most; ++i)
    x[i] = i < (std::size_t{1} << 20) ? std::clamp(static_cast<float>(random()) * 0x1p-31F - 1.0F, -1.0F, 1.0F) : x[i & ((std::size_t{1} << 20) - 1)];

  // Unpacking has codes of its own: of those that a packer left, a 1-bit tensor is all zeros by turns, and lines of zeros are written faster.
  const auto codes = pages<std::uint8_t>(2 * most);
  constexpr std::size_t period = std::size_t{1} << 20;
  for (std::size_t i = 0; i < 2 * most; ++i) codes[i] = i < period ? static_cast<std::uint8_t>(random()) : codes[i - period];

  contenders all;
  add_limit(all);
  add_narrows(all);
  add_plain_loop(all);
  add_scalar_loop(all);
#if defined(NARROWS_BENCH_XNNPACK)
  add_xnnpack(all);
#endif
#if defined(NARROWS_BENCH_ONEDNN)
  add_onednn(all);
#endif
  check(all, x.get());
  const auto named = [](const char* op, int bits, const std::string& who, const working_set& set) {
    return std::string(op) + "_u" + std::to_string(bits) + "/" + who + "/" + set.name;
  };
  for (const auto& set : sets) {
    for (const auto& c : all.pack)
      row({named("quantize_pack", c.bits, c.name, set), set.values, [&x, &packed, &c, &set] { c.run(x.get(), set.values, packed.get()); }});
    for (const auto& c : all.unpack)
      row({named("unpack_dequantize", c.bits, c.name, set), set.values, [&back, &codes, &c, &set] { c.run(codes.get(), set.values, back.get()); }});
  }
  for (const auto& what : shape_rows(x.get(), packed.get(), back.get())) row(what);
  for (const auto& what : range_rows(x.get(), most)) row(what);
  benchmark::RunSpecifiedBenchmarks();
}
