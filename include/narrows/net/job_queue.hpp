// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
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
