// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/partition/region.hpp>
#include <narrows/partition/tile.hpp>
#include <narrows/partition/tile_plan.hpp>

namespace narrows {

/// Parts of the stack's inputs that a tile needs, copied out of the whole ones.
[[nodiscard]] inline std::vector<tensor> scatter(std::span<const tensor_view> inputs, std::span<const std::optional<region>> reads)
{
  std::vector<tensor> parts;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (!reads[i]) continue;
    parts.emplace_back(*shape_of(inputs[i].dims(), *reads[i]));
    copy_out(inputs[i], *reads[i], parts.back().view());
  }
  return parts;
}

/// Whether tensors are those that a stack reads. Errors: bad_input.
[[nodiscard]] inline result<void> check_inputs(const graph_slice& stack, std::span<const tensor_view> inputs)
{
  if (inputs.size() != stack.inputs.size())
    return error(errc::bad_input, "stack has " + std::to_string(stack.inputs.size()) + " inputs, " + std::to_string(inputs.size()) + " given");
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const auto& v = (*stack.whole)[stack.inputs[i]]; inputs[i].dims() != v.dims)
      return error(errc::bad_input, "'" + v.name + "' is " + to_string(inputs[i].dims()) + ", expected " + to_string(v.dims));
  return {};
}

/// Runs a loaded tile on its parts of the stack's inputs. Errors: those of the executor.
[[nodiscard]] inline result<tensor> run_tile(any_executor& executor, std::span<const std::optional<region>> reads, std::span<const tensor_view> inputs, const run_options& how)
{
  const auto parts = scatter(inputs, reads);
  std::vector<tensor_view> in;
  for (const auto& p : parts) in.push_back(p.view());
  tensor made(executor.outputs()[0].dims);
  const mutable_tensor_view out[] = {made.view()};
  NARROWS_TRY(executor.run(in, out, how));
  return made;
}

/// Runs the tiles of one stack on threads of this process. Each tile has its executor, loaded once; whichever thread is
/// free takes the next tile. One run at a time.
class tile_team {
public:
  /// Errors: those of `make_tile` and of the engine's `load`.
  [[nodiscard]] static result<tile_team> make(const any_engine& engine, const tiled_stack& how)
  {
    tile_team team;
    team.stack_ = how.stack;
    for (const auto& part : how.lines.regions()) {
      auto t = make_tile(how.stack, part);
      if (!t) return std::move(t).error();
      auto loaded = engine.load(whole_slice(t->network));
      if (!loaded) return std::move(loaded).error();
      team.tiles_.push_back({std::move(t).value(), std::move(loaded).value()});
    }
    return team;
  }

  /// Runs all tiles on `threads` threads, each tile on one, and puts the output together.
  /// Errors   bad_input (inputs are not those of the stack), those of the executors (the first), cancelled.
  [[nodiscard]] result<tensor> run(std::span<const tensor_view> inputs, int threads, const std::stop_token& stop = {})
  {
    NARROWS_TRY(check_inputs(stack_, inputs));
    tensor whole((*stack_.whole)[stack_.outputs[0]].dims);
    std::atomic<std::size_t> next{0};
    std::mutex guard;
    std::optional<error> failed;
    const auto work = [&] {
      for (std::size_t i = next++; i < tiles_.size(); i = next++) {
        auto made = run_tile(tiles_[i].executor, tiles_[i].what.reads, inputs, {.threads = 1, .stop = stop, .on_node = {}});
        const std::lock_guard lock(guard);
        if (made) copy_in(made->view(), tiles_[i].what.made, whole.view());
        else if (!failed) failed = std::move(made).error();
        if (failed) return;
      }
    };
    {
      std::vector<std::jthread> helpers;
      const auto most = std::min<std::size_t>(tiles_.size(), static_cast<std::size_t>(std::max(1, threads)));
      try {
        for (std::size_t i = 1; i < most; ++i) helpers.emplace_back(work);
      } catch (const std::system_error&) {
        // No more threads to be had: those that are there do all the work.
      }
      work();
    }
    if (failed) return *std::move(failed);
    return whole;
  }

private:
  struct loaded_tile {
    tile what;
    any_executor executor;
  };

  tile_team() = default;

  graph_slice stack_;
  std::vector<loaded_tile> tiles_;
};

}  // namespace narrows
