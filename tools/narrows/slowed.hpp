// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include <narrows/exec/executor.hpp>

namespace narrows::tool {

/// An engine whose runs take so many times as long: it waits after each, by what the fastest one so far took, so that chance is not
/// multiplied too. What a slower device would do, without the jitter that a quota of processor time brings. The wait ends early
/// where the run is told to stop.
class slowed_engine {
public:
  slowed_engine(any_engine engine, double times) : engine_(std::move(engine)), times_(times) {}

  class slowed_executor {
  public:
    slowed_executor(any_executor executor, double times) : executor_(std::move(executor)), times_(times) {}
    [[nodiscard]] std::span<const tensor_info> inputs() const { return executor_.inputs(); }
    [[nodiscard]] std::span<const tensor_info> outputs() const { return executor_.outputs(); }
    result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
    {
      const auto began = std::chrono::steady_clock::now();
      NARROWS_TRY(executor_.run(in, out, how));
      const auto took = std::chrono::steady_clock::now() - began;
      least_ = std::min<std::chrono::steady_clock::duration>(least_, took);
      const auto end = began + took + std::chrono::duration_cast<std::chrono::steady_clock::duration>((times_ - 1) * least_);
      for (auto left = end - std::chrono::steady_clock::now(); left.count() > 0; left = end - std::chrono::steady_clock::now()) {
        if (how.stop.stop_requested()) return error(errc::cancelled, "the run was told to stop");
        std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(20)));
      }
      return {};
    }

  private:
    any_executor executor_;
    double times_;
    std::chrono::steady_clock::duration least_ = std::chrono::steady_clock::duration::max();
  };

  [[nodiscard]] std::string_view level() const { return engine_.level(); }
  [[nodiscard]] result<slowed_executor> load(const graph_slice& slice) const
  {
    auto loaded = engine_.load(slice);
    if (!loaded) return unexpected(std::move(loaded).error());
    return slowed_executor(std::move(loaded).value(), times_);
  }

private:
  any_engine engine_;
  double times_;
};

}  // namespace narrows::tool
