// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/net/clock.hpp>
#include <narrows/wire/message.hpp>

namespace narrows::detail {

/// A request on its way through a cloud.
struct job {
  std::string peer;                          ///< the ROUTER's name for it
  wire::request asked;
  std::optional<wire::tile_request> tile;    ///< what is asked for in place of a tail; `asked` then has its id alone
  std::vector<zmq::message_t> payloads;
  std::uint64_t bytes = 0;                   ///< of the payloads
  clock::time_point arrived;
  clock::time_point expires;
  std::stop_source stopper;
};

/// Stops once every one of some jobs has been told to: a run that serves them all must not end because one is not wanted.
class all_stopped {
public:
  explicit all_stopped(std::span<const std::shared_ptr<job>> jobs) : left_(jobs.size())
  {
    for (const auto& what : jobs)
      told_.emplace_back(what->stopper.get_token(), [this] {
        if (--left_ == 0) all_.request_stop();
      });
  }
  all_stopped(const all_stopped&) = delete;
  all_stopped& operator=(const all_stopped&) = delete;
  [[nodiscard]] std::stop_token token() const { return all_.get_token(); }

private:
  std::atomic<std::size_t> left_;
  std::stop_source all_;
  std::list<std::stop_callback<std::function<void()>>> told_;   // last: they use the others
};

/// What stands between a cloud's front and its workers: bounded in number and bytes, first come, first served.
class job_queue {
public:
  job_queue(std::size_t most, std::uint64_t most_bytes) : most_(most), most_bytes_(most_bytes) {}

  /// False when full. A request that the same peer already has in the queue or under way is taken as done: an edge that
  /// asks again gets the one answer.
  [[nodiscard]] bool push(std::shared_ptr<job> what)
  {
    {
      const std::lock_guard lock(mutex_);
      const auto same = [&](const auto& other) { return other->peer == what->peer && other->asked.id == what->asked.id; };
      if (std::any_of(waiting_.begin(), waiting_.end(), same) || std::any_of(running_.begin(), running_.end(), same)) return true;
      if (waiting_.size() >= most_ || bytes_ + what->bytes > most_bytes_) return false;
      bytes_ += what->bytes;
      waiting_.push_back(std::move(what));
    }
    added_.notify_one();
    return true;
  }

  /// The next job, or none once the queue is closed. Blocks.
  [[nodiscard]] std::shared_ptr<job> pop()
  {
    std::unique_lock lock(mutex_);
    added_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (closed_) return nullptr;
    auto what = std::move(waiting_.front());
    waiting_.pop_front();
    running_.push_back(what);
    return what;
  }

  /// The next job, and with it up to `most` - 1 others that wait for the same tail (model and tensors; codings may differ), in
  /// the order they came. None once the queue is closed. Blocks for the first alone. The first is always the one that has waited
  /// longest, so nobody is overtaken by more than one such group.
  [[nodiscard]] std::vector<std::shared_ptr<job>> pop_alike(std::size_t most)
  {
    std::vector<std::shared_ptr<job>> group;
    auto first = pop();
    if (!first) return group;
    group.push_back(std::move(first));
    if (most <= 1 || group[0]->tile) return group;
    const auto& asked = group[0]->asked;
    const auto alike = [&asked](const wire::request& other) {
      return other.model_hash == asked.model_hash && std::equal(other.tensors.begin(), other.tensors.end(), asked.tensors.begin(), asked.tensors.end(),
        [](const auto& a, const auto& b) { return a.name == b.name; });
    };
    const std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end() && group.size() < most;) {
      if ((*it)->tile || !alike((*it)->asked)) {
        ++it;
        continue;
      }
      running_.push_back(*it);
      group.push_back(std::move(*it));
      it = waiting_.erase(it);
    }
    return group;
  }

  void done(const std::shared_ptr<job>& what)
  {
    const std::lock_guard lock(mutex_);
    bytes_ -= what->bytes;
    std::erase(running_, what);
  }

  /// Drops a job that waits and stops one that runs.
  void cancel(const std::string& peer, std::uint64_t id)
  {
    const std::lock_guard lock(mutex_);
    const auto same = [&](const auto& other) { return other->peer == peer && other->asked.id == id; };
    if (const auto it = std::find_if(waiting_.begin(), waiting_.end(), same); it != waiting_.end()) {
      bytes_ -= (*it)->bytes;
      waiting_.erase(it);
    }
    for (const auto& what : running_)
      if (same(what)) what->stopper.request_stop();
  }

  void close()
  {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      for (const auto& what : running_) what->stopper.request_stop();
    }
    added_.notify_all();
  }

  [[nodiscard]] std::size_t size() const
  {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

private:
  std::size_t most_;
  std::uint64_t most_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::shared_ptr<job>> waiting_;
  std::vector<std::shared_ptr<job>> running_;
  std::uint64_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace narrows::detail
