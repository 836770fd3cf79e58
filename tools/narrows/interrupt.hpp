// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <csignal>
#include <stop_token>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace narrows::tool {

/// Turns SIGINT and SIGTERM into a stop token, so that work ends between two nodes or requests and not in the middle
/// of one. Make it before any other thread: threads inherit the blocked signals, and one thread waits for them. A
/// second signal ends the process at once.
class interrupt {
public:
  interrupt()
  {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    waiter_ = std::thread([this] {
      for (int which = 0; sigwait(&signals_, &which) == 0 && !done_.load();) {
        if (seen_.exchange(true)) ::_exit(130);
        source_.request_stop();
      }
    });
  }
  interrupt(const interrupt&) = delete;
  interrupt& operator=(const interrupt&) = delete;
  ~interrupt()
  {
    done_.store(true);
    pthread_kill(waiter_.native_handle(), SIGTERM);   // only wakes it: the thread waits for the signal, so nothing dies
    waiter_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] bool seen() const { return seen_.load(); }
  /// The same stop by another cause.
  void stop() { source_.request_stop(); }

private:
  sigset_t signals_{};
  sigset_t before_{};
  std::stop_source source_;
  std::atomic<bool> done_{false};
  std::atomic<bool> seen_{false};
  std::thread waiter_;
};

}  // namespace narrows::tool
