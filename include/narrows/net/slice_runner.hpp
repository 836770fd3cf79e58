// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/net/spare_buffers.hpp>

namespace narrows {

enum class cut_side : bool { head, tail };

/// Runs heads, middles and tails of cuts, from any number of threads at once. Executors are loaded when first needed and kept
/// for later runs of the same cut: at most `keep` idle ones, the longest unused are let go.
class slice_runner {
public:
  /// Tensors by the value of the graph that they are.
  using views = std::map<value_id, tensor_view>;
  using tensors = std::map<value_id, tensor>;

  explicit slice_runner(any_engine engine, std::size_t keep = 8) : engine_(std::move(engine)), keep_(keep) {}

  [[nodiscard]] const any_engine& engine() const noexcept { return engine_; }
  /// Where outputs are taken from; those who are done with them may give them back.
  [[nodiscard]] const std::shared_ptr<spare_buffers>& spare() const noexcept { return spare_; }

  /// Runs one side of `at` on `given`, which must hold every input of that side; returns its outputs.
  /// Errors: those of the engine's `load` and of the executor's `run`; bad_input: an input is missing.
  [[nodiscard]] result<tensors> run(const std::shared_ptr<const graph>& network, const cut& at, cut_side side, const views& given, const run_options& how)
  {
    const auto which = key_of(network, at, side);
    return run_on(take(which, [&] { return slice_of(network, at, side); }), which, network, given, how);
  }

  /// Runs what lies between two cuts, `to` behind `from` (contract). Errors: as above.
  [[nodiscard]] result<tensors> run_between(const std::shared_ptr<const graph>& network, const cut& from, const cut& to, const views& given, const run_options& how)
  {
    const key which{network.get(), from.head, to.head};
    return run_on(take(which, [&] { return middle_slice(network, from, to); }), which, network, given, how);
  }

  /// Loads an executor of one side ahead of need, if none is idle.
  result<void> prepare(const std::shared_ptr<const graph>& network, const cut& at, cut_side side)
  {
    const auto which = key_of(network, at, side);
    auto taken = take(which, [&] { return slice_of(network, at, side); });
    if (!taken) return std::move(taken).error();
    give_back(which, std::move(*taken));
    return {};
  }

private:
  /// A part of a network by the heads of the cuts at its two ends; empty where it begins or ends with the network.
  struct key {
    const graph* network;
    std::vector<bool> from;
    std::vector<bool> to;
    friend bool operator==(const key&, const key&) = default;
  };

  [[nodiscard]] static key key_of(const std::shared_ptr<const graph>& network, const cut& at, cut_side side)
  {
    return side == cut_side::head ? key{network.get(), {}, at.head} : key{network.get(), at.head, {}};
  }
  [[nodiscard]] static graph_slice slice_of(const std::shared_ptr<const graph>& network, const cut& at, cut_side side)
  {
    return side == cut_side::head ? head_slice(network, at) : tail_slice(network, at);
  }

  [[nodiscard]] result<tensors> run_on(result<any_executor> taken, const key& which, const std::shared_ptr<const graph>& network, const views& given, const run_options& how)
  {
    if (!taken) return std::move(taken).error();
    auto& engine = *taken;

    std::vector<tensor_view> in;
    for (const auto& info : engine.inputs()) {
      const auto v = network->find(info.name);
      const auto found = v ? given.find(*v) : given.end();
      if (found == given.end()) return error(errc::bad_input, "tensor '" + info.name + "' is missing");
      in.push_back(found->second);
    }
    tensors made;
    std::vector<mutable_tensor_view> out;
    for (const auto& info : engine.outputs()) {
      const auto v = network->find(info.name);
      if (!v) return error(errc::internal, "executor makes unknown tensor '" + info.name + "'");
      out.push_back(made.insert_or_assign(*v, spare_->take(info.dims)).first->second.view());
    }
    auto done = engine.run(in, out, how);
    give_back(which, std::move(engine));
    if (!done) return std::move(done).error();
    return made;
  }

  template <class MakeSlice>
  result<any_executor> take(const key& which, MakeSlice&& slice)
  {
    {
      const std::lock_guard lock(mutex_);
      for (auto it = idle_.begin(); it != idle_.end(); ++it)
        if (it->first == which) {
          auto found = std::move(it->second);
          idle_.erase(it);
          return found;
        }
    }
    return engine_.load(slice());
  }

  void give_back(const key& which, any_executor used)
  {
    std::list<std::pair<key, any_executor>> gone;   // destroyed after the lock is let go
    const std::lock_guard lock(mutex_);
    idle_.emplace_front(which, std::move(used));
    if (idle_.size() > keep_) gone.splice(gone.begin(), idle_, std::prev(idle_.end()));
  }

  any_engine engine_;
  std::size_t keep_;
  std::shared_ptr<spare_buffers> spare_ = spare_buffers::make();
  std::mutex mutex_;
  std::list<std::pair<key, any_executor>> idle_;   // latest used first
};

}  // namespace narrows
