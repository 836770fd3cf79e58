// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/batched.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/net/slice_runner.hpp>

namespace narrows::detail {

/// Runs tails of one cut for several requests as one run of the network for so many. From any number of threads.
class batched_tails {
public:
  explicit batched_tails(slice_runner& runner) : runner_(runner) {}

  /// `given`: per request the tensors of the cut, at least two requests. Returns the outputs of each.
  /// Errors: bad_graph (the network cannot take several requests at once: known from the first time on); those of the runner.
  [[nodiscard]] result<std::vector<slice_runner::tensors>> run(
    const std::shared_ptr<const graph>& network, const cut& at, std::span<const slice_runner::views> given, const run_options& how)
  {
    const auto many = network_for(network, given.size());
    if (!many) return many.error();
    auto& spare = *runner_.spare();
    slice_runner::tensors joined;
    const returning all_back{spare, joined};
    slice_runner::views views;
    for (const auto v : at.tensors) {
      auto& whole = joined.emplace(v, spare.take((**many)[v].dims)).first->second;
      // A tensor that no input reaches is the same for all requests, but for what its codes made of it: not for us.
      if (whole.size() != given.size() * given[0].at(v).size()) return error(errc::bad_graph, "tensor '" + (**many)[v].name + "' has no entry per request");
      auto to = whole.values().begin();
      for (const auto& one : given) to = std::copy(one.at(v).values().begin(), one.at(v).values().end(), to);
      views.emplace(v, whole.view());
    }
    auto made = runner_.run(*many, at, cut_side::tail, views, how);
    if (!made) return std::move(made).error();
    std::vector<slice_runner::tensors> parts(given.size());
    for (auto& [v, whole] : *made) {
      auto from = std::as_const(whole).values().begin();
      const auto& dims = (*network)[v].dims;
      const bool apart = whole.size() == given.size() * dims.elements();
      for (auto& part : parts) {
        auto& one = part.emplace(v, spare.take(dims)).first->second;
        std::copy_n(from, one.size(), one.values().begin());
        if (apart) from += static_cast<std::ptrdiff_t>(one.size());
      }
      spare.give(std::move(whole));
    }
    return parts;
  }

private:
  struct returning {
    spare_buffers& home;
    slice_runner::tensors& held;
    ~returning()
    {
      for (auto& [value, values] : held) home.give(std::move(values));
    }
  };

  [[nodiscard]] result<std::shared_ptr<const graph>> network_for(const std::shared_ptr<const graph>& network, std::size_t requests)
  {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair(network.get(), requests);
    auto it = made_.find(key);
    if (it == made_.end()) it = made_.emplace(key, batched(*network, static_cast<std::int64_t>(requests))).first;
    return it->second;
  }

  slice_runner& runner_;
  std::mutex mutex_;
  std::map<std::pair<const graph*, std::size_t>, result<std::shared_ptr<const graph>>> made_;
};

}  // namespace narrows::detail
