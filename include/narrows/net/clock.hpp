// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace narrows {

/// Where an edge and a cloud read the time. Theirs is `steady_time()`; a test that must not wait gives a `manual_clock`.
class clock {
public:
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;

  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const = 0;
  /// How long a thread may sleep in real time before it should look at this clock again, if `until` is what it waits for.
  [[nodiscard]] virtual std::chrono::milliseconds sleep_for(time_point until) const = 0;
  /// Calls `wake` whenever time jumps, until `forget` is called with the number returned.
  [[nodiscard]] virtual int on_jump(std::function<void()>) { return 0; }
  virtual void forget(int) {}
};

/// The steady clock of the system.
[[nodiscard]] inline std::shared_ptr<clock> steady_time()
{
  class steady final : public clock {
  public:
    [[nodiscard]] time_point now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::chrono::milliseconds sleep_for(time_point until) const override
    {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
      return std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(60'000));
    }
  };
  return std::make_shared<steady>();
}

/// Time that moves only when told to.
class manual_clock final : public clock {
public:
  [[nodiscard]] time_point now() const override
  {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  [[nodiscard]] std::chrono::milliseconds sleep_for(time_point until) const override
  {
    return std::chrono::milliseconds(until <= now() ? 0 : 60'000);
  }
  [[nodiscard]] int on_jump(std::function<void()> wake) override
  {
    const std::lock_guard lock(mutex_);
    wakes_.emplace(++last_, std::move(wake));
    return last_;
  }
  void forget(int which) override
  {
    const std::lock_guard lock(mutex_);
    wakes_.erase(which);
  }
  void advance(duration by)
  {
    const std::lock_guard lock(mutex_);
    now_ += by;
    for (const auto& [number, wake] : wakes_) wake();
  }

private:
  mutable std::mutex mutex_;
  time_point now_{std::chrono::hours(1)};
  std::map<int, std::function<void()>> wakes_;
  int last_ = 0;
};

}  // namespace narrows
