// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/profile/layer_times.hpp>
#include <narrows/profile/machine.hpp>

namespace narrows {

struct measure_options {
  int repeats = 30;        ///< timed runs
  int warm_up = 3;         ///< runs before them, not counted: caches, page faults and clocks settle
  int threads = 1;
  std::stop_token stop;
};

namespace detail {

/// Values in [-1, 1): the time of a CNN does not depend on them, but denormals and NaN would slow some processors.
inline void fill_for_timing(std::span<float> values)
{
  std::uint32_t state = 0x9E3779B9U;
  for (auto& v : values) {
    state = state * 1664525U + 1013904223U;
    v = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
  }
}

}  // namespace detail

/// Runs the whole graph and notes how long each node takes, through run_options::on_node, so that nodes are timed in
/// their place (warm caches, fusion and all) and add up to the whole.
///
/// Errors  bad_input (repeats or threads below 1), internal (the engine tells no node times), and whatever loading or
///         running gives. `model_hash` stays empty; the overload for a model fills it.
/// Source  METHODS 13: warm-up, 30 repeats or more, median and spread.
[[nodiscard]] inline result<node_times> measure_node_times(const any_engine& with, std::shared_ptr<const graph> g, const measure_options& how)
{
  if (how.repeats < 1 || how.threads < 1 || how.warm_up < 0)
    return error(errc::bad_input, "profile: repeats and threads must be at least 1");
  auto loaded = with.load(whole_slice(g));
  if (!loaded) return unexpected(std::move(loaded).error());
  auto& runner = *loaded;

  std::vector<tensor> inputs, outputs;
  for (const auto& t : runner.inputs()) detail::fill_for_timing(inputs.emplace_back(t.dims).values());
  for (const auto& t : runner.outputs()) outputs.emplace_back(t.dims);
  std::vector<tensor_view> in;
  std::vector<mutable_tensor_view> out;
  for (const auto& t : inputs) in.push_back(t.view());
  for (auto& t : outputs) out.push_back(t.view());

  const auto repeats = static_cast<std::size_t>(how.repeats);
  std::vector<std::vector<double>> samples(g->nodes().size(), std::vector<double>(repeats, 0.0));
  std::vector<double> whole;
  std::size_t round = 0, told = 0;
  run_options options{how.threads, how.stop, {}};
  for (int i = 0; i < how.warm_up; ++i) NARROWS_TRY(runner.run(in, out, options));

  using timer = std::chrono::steady_clock;
  options.on_node = [&](node_id n, std::chrono::nanoseconds took) {
    if (index(n) >= samples.size()) return;
    samples[index(n)][round] += std::chrono::duration<double>(took).count();
    ++told;
  };
  for (; round < repeats; ++round) {
    const auto start = timer::now();
    NARROWS_TRY(runner.run(in, out, options));
    whole.push_back(std::chrono::duration<double>(timer::now() - start).count());
  }
  if (told == 0 && !samples.empty())
    return error(errc::internal, "profile: engine '" + std::string(with.level()) + "' does not tell the time of its nodes");

  node_times times;
  times.machine = machine_name();
  times.level = with.level();
  times.threads = how.threads;
  times.repeats = how.repeats;
  times.whole = summarise(whole);
  for (std::size_t i = 0; i < samples.size(); ++i) times.nodes.push_back({g->nodes()[i].name, summarise(samples[i])});
  return times;
}

[[nodiscard]] inline result<node_times> measure_node_times(const any_engine& with, std::shared_ptr<const graph> g, int repeats, int threads)
{
  measure_options how;
  how.repeats = repeats;
  how.threads = threads;
  return measure_node_times(with, std::move(g), how);
}

[[nodiscard]] inline result<node_times> measure_node_times(const any_engine& with, const model& m, const measure_options& how = {})
{
  auto times = measure_node_times(with, m.network, how);
  if (times) times->model_hash = m.hash;
  return times;
}

}  // namespace narrows
