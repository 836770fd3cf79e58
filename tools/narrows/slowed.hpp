// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <narrows/exec/executor.hpp>
#include <narrows/profile/layer_times.hpp>

#include "session.hpp"

namespace narrows::tool {

/// Networks whose runs are timed by a profile.
using paces = std::map<std::shared_ptr<const graph>, node_times>;

/// An engine whose runs take so many times as long, by waiting after each: what a slower machine would do, without the jitter that a quota of
/// processor time brings. Of a network with a profile: as long as that says of its nodes, so a busy machine is no slower than it may be.
/// Of others: by what the fastest run so far took, so that chance is not multiplied too. A run told to stop stops waiting.
class slowed_engine {
public:
  slowed_engine(any_engine engine, double times, paces known) : engine_(std::move(engine)), times_(times), known_(std::move(known)) {}

  class slowed_executor {
  public:
    using duration = std::chrono::duration<double>;
    /// `stated`: what one run takes on a machine that is not slowed; 0 if nobody says.
    slowed_executor(any_executor executor, double times, duration stated) : executor_(std::move(executor)), times_(times), stated_(stated) {}
    [[nodiscard]] std::span<const tensor_info> inputs() const { return executor_.inputs(); }
    [[nodiscard]] std::span<const tensor_info> outputs() const { return executor_.outputs(); }
    result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
    {
      const auto began = std::chrono::steady_clock::now();
      NARROWS_TRY(executor_.run(in, out, how));
      const duration took = std::chrono::steady_clock::now() - began;
      fastest_ = std::min(fastest_, took);
      const duration whole = stated_.count() > 0 ? times_ * stated_ : took + (times_ - 1) * fastest_;
      const auto end = began + std::chrono::duration_cast<std::chrono::steady_clock::duration>(whole);
      for (auto left = end - std::chrono::steady_clock::now(); left.count() > 0; left = end - std::chrono::steady_clock::now()) {
        if (how.stop.stop_requested()) return error(errc::cancelled, "the run was told to stop");
        std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(20)));
      }
      return {};
    }

  private:
    any_executor executor_;
    double times_;
    duration stated_;
    duration fastest_ = duration::max();
  };

  [[nodiscard]] std::string_view level() const { return engine_.level(); }
  [[nodiscard]] result<slowed_executor> load(const graph_slice& slice) const
  {
    auto loaded = engine_.load(slice);
    if (!loaded) return unexpected(std::move(loaded).error());
    slowed_executor::duration stated{0};
    if (const auto known = known_.find(slice.whole); known != known_.end())
      for (const auto n : slice.nodes) stated += slowed_executor::duration(known->second.nodes[index(n)].seconds.median_s);
    return slowed_executor(std::move(loaded).value(), times_, stated);
  }

private:
  any_engine engine_;
  double times_;
  paces known_;
};

/// `engine` slowed, with each profile's times for the model that it is of. Errors: model_mismatch (of none of them), and reading.
[[nodiscard]] result<any_engine> slowed(any_engine engine, double times, std::span<const std::string> profiles, std::span<const model> models);

}  // namespace narrows::tool
