// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include <narrows/exec/reference/isa.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// The threads of one executor: started when first asked for, kept until the executor goes. Work is split over outputs
/// only, so how many there are never shows in an answer.
class team {
public:
  static constexpr int most = 256;

  team() = default;
  team(const team&) = delete;
  team& operator=(const team&) = delete;

  /// How many threads `split` may use from now on, the caller's own included. Errors: std::system_error.
  void resize(int threads)
  {
    size_ = std::clamp(threads, 1, most);
    while (static_cast<int>(helpers_.size()) + 1 < size_) {
      const int part = static_cast<int>(helpers_.size()) + 1;
      helpers_.emplace_back([this, part, seen = round_](const std::stop_token& stop) { serve(part, seen, stop); });
    }
  }
  [[nodiscard]] int size() const noexcept { return size_; }

  /// Calls work(begin, end, part) so that the ranges cover [0, count) once, each on a thread of its own; `part` tells
  /// the threads apart. `grain` items are the least worth a thread. `work` must not throw.
  template <class F>
  void split(std::size_t count, std::size_t grain, F&& work)
  {
    const auto parts = std::min<std::size_t>(static_cast<std::size_t>(size_), count / std::max<std::size_t>(grain, 1));
    if (parts <= 1) {
      if (count > 0) work(std::size_t{0}, count, 0);
      return;
    }
    const auto share = [&](std::size_t part) { work(count * part / parts, count * (part + 1) / parts, static_cast<int>(part)); };
    {
      const std::lock_guard lock(guard_);
      task_ = [&share](int part) { share(static_cast<std::size_t>(part)); };
      parts_ = static_cast<int>(parts);
      pending_ = parts_ - 1;
      ++round_;
    }
    wake_.notify_all();
    share(0);
    std::unique_lock lock(guard_);
    done_.wait(lock, [&] { return pending_ == 0; });
  }

private:
  void serve(int part, std::size_t seen, const std::stop_token& stop)
  {
    std::unique_lock lock(guard_);
    while (wake_.wait(lock, stop, [&] { return round_ != seen; })) {
      seen = round_;
      if (part >= parts_) continue;
      lock.unlock();
      task_(part);
      lock.lock();
      if (--pending_ == 0) done_.notify_one();
    }
  }

  std::mutex guard_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  std::function<void(int)> task_;
  std::size_t round_ = 0;
  int parts_ = 0;
  int pending_ = 0;
  int size_ = 1;
  std::vector<std::jthread> helpers_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
