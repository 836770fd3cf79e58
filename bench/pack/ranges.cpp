// SPDX-License-Identifier: BSD-3-Clause
// Rows range_u4/<rule>/<working set>. Their limit is that of packing at one bit, which reads the same and writes 3 % beside it.
#include <benchmark/benchmark.h>

#include <narrows/pack/histogram.hpp>
#include <narrows/pack/range.hpp>

#include "contender.hpp"

namespace narrows::bench {

std::vector<timed> range_rows(const float* x, std::size_t most)
{
  struct working_set {
    const char* name;
    std::size_t values;
  };
  std::vector<timed> rows;
  for (const auto& [name, n] : {working_set{"L2", std::size_t{1} << 18}, working_set{"DRAM", most}}) {
    const std::span<const float> values(x, n);
    const auto add = [&](const std::string& rule, auto run) { rows.push_back({"range_u4/" + rule + "/" + name, n, run}); };
    add("min_max", [=] { benchmark::DoNotOptimize(fit_min_max(values, 4)); });
    add("laplace", [=] { benchmark::DoNotOptimize(fit_laplace(values, 4)); });
    add("histogram", [=] {
      histogram counts;
      benchmark::DoNotOptimize(counts.add(values));
    });
  }
  return rows;
}

}  // namespace narrows::bench
