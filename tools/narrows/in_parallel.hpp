// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>

namespace narrows::tool {

/// Runs `work(state, index)` for the indices [first, last) on one thread per element of `states`. The first failure ends the rest.
template <class State, class Work>
result<void> in_parallel(std::vector<State>& states, std::size_t first, std::size_t last, Work work)
{
  std::atomic<std::size_t> next{first};
  std::mutex guard;
  std::optional<error> failed;
  const auto loop = [&](State& state) {
    for (std::size_t i = next++; i < last; i = next++)
      if (result<void> done = work(state, i); !done) {
        const std::scoped_lock lock(guard);
        if (!failed) failed = std::move(done).error();
        next = last;
      }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t j = 1; j < states.size(); ++j) others.emplace_back([&loop, &state = states[j]] { loop(state); });
    if (!states.empty()) loop(states[0]);
  }
  if (failed) return *failed;
  return {};
}

}  // namespace narrows::tool
