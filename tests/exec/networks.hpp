// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <narrows/exec/executor.hpp>
#include <narrows/exec/module.hpp>
#include <narrows/graph/builder.hpp>

/// Small networks with seeded weights, and ways to run them.
namespace narrows::test {

class random_values {
public:
  explicit random_values(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] float real(float low = -1, float high = 1) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  [[nodiscard]] std::int64_t whole(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(engine_); }
  [[nodiscard]] bool coin() { return whole(0, 1) == 1; }
  [[nodiscard]] tensor filled(const shape& dims, float low = -1, float high = 1)
  {
    tensor t(dims);
    for (float& x : t.values()) x = real(low, high);
    return t;
  }
  template <class T>
  [[nodiscard]] const T& one_of(const std::vector<T>& all) { return all[static_cast<std::size_t>(whole(0, static_cast<std::int64_t>(all.size()) - 1))]; }

private:
  std::mt19937_64 engine_;
};

/// graph_builder with short names and weights on demand. A mistake in a test throws.
class network {
public:
  explicit network(std::uint64_t seed) : random(seed), builder_(std::string("seed ").append(std::to_string(seed))) {}

  value_id input(const shape& dims) { return take(builder_.input(fresh("x"), dims)); }
  value_id weights(const shape& dims, float low = -1, float high = 1) { return take(builder_.constant(fresh("w"), random.filled(dims, low, high))); }
  std::vector<value_id> add_all(any_op operation, std::vector<value_id> in, std::size_t outputs, std::vector<shape> stated = {}, op::unary activation = {})
  {
    node_description d;
    d.operation = std::move(operation);
    d.inputs = std::move(in);
    for (std::size_t i = 0; i < outputs; ++i) d.outputs.push_back(fresh("t"));
    d.shapes = std::move(stated);
    d.activation = activation;
    return take(builder_.add(std::move(d)));
  }
  value_id add(any_op operation, std::vector<value_id> in, op::unary activation = {}, std::vector<shape> stated = {})
  {
    return add_all(std::move(operation), std::move(in), 1, std::move(stated), activation)[0];
  }
  [[nodiscard]] const shape& dims(value_id v) const { return builder_.dims(v); }
  std::shared_ptr<const graph> finish(std::vector<value_id> outputs) { return take(builder_.finish(outputs)); }

  random_values random;

private:
  template <class T>
  static T take(result<T> r)
  {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(r).value();
  }
  std::string fresh(const char* stem) { return std::string(stem).append(std::to_string(count_++)); }
  graph_builder builder_;
  int count_ = 0;
};

[[nodiscard]] inline std::vector<tensor> inputs_for(const graph_slice& slice, std::uint64_t seed)
{
  random_values random(seed);
  std::vector<tensor> all;
  for (const auto v : slice.inputs) all.push_back(random.filled((*slice.whole)[v].dims));
  return all;
}

/// Outputs of one run; throws where the executor fails.
template <executor E>
[[nodiscard]] std::vector<tensor> run(E& e, std::span<const tensor> in, const run_options& how = {})
{
  std::vector<tensor_view> from;
  for (const auto& t : in) from.push_back(t.view());
  std::vector<tensor> out;
  std::vector<mutable_tensor_view> to;
  for (const auto& info : e.outputs()) out.emplace_back(info.dims);
  for (auto& t : out) {
    for (float& x : t.values()) x = 12345;  // nothing may be left unwritten
    to.push_back(t.view());
  }
  if (const auto done = e.run(from, to, how); !done) throw std::runtime_error(done.error().text());
  return out;
}

template <engine Engine>
[[nodiscard]] std::vector<tensor> load_and_run(const Engine& engine, const graph_slice& slice, std::span<const tensor> in, const run_options& how = {})
{
  auto loaded = engine.load(slice);
  if (!loaded) throw std::runtime_error(loaded.error().text());
  return run(*loaded, in, how);
}

/// An executor level that this build has and this CPU runs.
struct level_engine {
  std::string name;
  any_engine engine;
};
[[nodiscard]] inline const std::vector<level_engine>& all_levels()
{
  static const auto all = [] {
    std::vector<level_engine> found;
    for (const auto name : detail::module_levels())
      if (auto e = load_engine(name)) found.push_back({std::string(name), *e});
    if (found.empty()) throw std::runtime_error(load_engine().error().text());
    return found;
  }();
  return all;
}

/// Index of the first value whose bits differ; none if there is none.
[[nodiscard]] inline std::optional<std::size_t> first_difference(std::span<const float> a, std::span<const float> b)
{
  if (a.size() != b.size()) return 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return i;
  return std::nullopt;
}

}  // namespace narrows::test
