// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/graph.hpp>

#include "support/naive_node.hpp"

/// The oracle of every executor: each operator as the plainest loop that its definition in op.hpp allows, in double
/// precision, one index tuple at a time. It is also the proof that `executor` and `engine` can be modelled by something
/// that shares no code with the reference executor.
namespace narrows::test {

class naive_executor {
public:
  explicit naive_executor(graph_slice slice) : slice_(std::move(slice))
  {
    for (const auto v : slice_.inputs) inputs_.push_back({(*slice_.whole)[v].name, (*slice_.whole)[v].dims});
    for (const auto v : slice_.outputs) outputs_.push_back({(*slice_.whole)[v].name, (*slice_.whole)[v].dims});
  }

  [[nodiscard]] std::span<const tensor_info> inputs() const { return inputs_; }
  [[nodiscard]] std::span<const tensor_info> outputs() const { return outputs_; }

  result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
  {
    const auto& g = *slice_.whole;
    if (in.size() != inputs_.size() || out.size() != outputs_.size()) return error(errc::bad_input, "wrong number of tensors");
    std::map<value_id, wide_tensor> held;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in[i].dims() != inputs_[i].dims) return error(errc::bad_input, inputs_[i].name + ": wrong shape");
      held.emplace(slice_.inputs[i], wide_tensor(in[i]));
    }
    const auto value = [&](value_id v) -> const wide_tensor& {
      if (!held.contains(v)) held.emplace(v, wide_tensor(g[v].constant->view()));
      return held.at(v);
    };
    for (const auto n : slice_.nodes) {
      if (how.stop.stop_requested()) return errc::cancelled;
      const auto start = std::chrono::steady_clock::now();
      std::vector<const wide_tensor*> from;
      for (const auto v : g[n].inputs) from.push_back(&value(v));
      std::vector<wide_tensor> to;
      for (const auto v : g[n].outputs) to.emplace_back(g[v].dims);
      std::visit(naive_node{from, to}, g[n].operation);
      for (auto& y : to.front().values) y = naive_unary(g[n].activation, y);
      for (std::size_t i = 0; i < to.size(); ++i) held.insert_or_assign(g[n].outputs[i], std::move(to[i]));
      if (how.on_node) how.on_node(n, std::chrono::steady_clock::now() - start);
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (out[i].dims() != outputs_[i].dims) return error(errc::bad_input, outputs_[i].name + ": wrong shape");
      const auto& from = value(slice_.outputs[i]).values;
      std::transform(from.begin(), from.end(), out[i].values().begin(), [](double x) { return static_cast<float>(x); });
    }
    return {};
  }

private:
  graph_slice slice_;
  std::vector<tensor_info> inputs_, outputs_;
};
static_assert(executor<naive_executor>);

struct naive_engine {
  [[nodiscard]] std::string_view level() const { return "naive-double"; }
  [[nodiscard]] result<naive_executor> load(const graph_slice& slice) const { return naive_executor(slice); }
};
static_assert(engine<naive_engine>);

}  // namespace narrows::test
