// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace narrows::detail {

/// Lets any thread (or a stop callback) wake a thread that polls sockets: a pipe whose read end is polled with them.
class wakeup {
public:
  wakeup()
  {
    if (::pipe(ends_) != 0) ends_[0] = ends_[1] = -1;
    for (const int end : ends_)
      if (end >= 0) {
        ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
      }
  }
  ~wakeup()
  {
    for (const int end : ends_)
      if (end >= 0) ::close(end);
  }
  wakeup(const wakeup&) = delete;
  wakeup& operator=(const wakeup&) = delete;

  [[nodiscard]] bool works() const noexcept { return ends_[0] >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return ends_[0]; }

  void wake() const noexcept
  {
    const char byte = 0;
    const int kept = errno;
    // A full pipe means that a wake-up is already on its way.
    [[maybe_unused]] const auto written = ::write(ends_[1], &byte, 1);
    errno = kept;
  }
  void drain() const noexcept
  {
    char bytes[256];
    while (::read(ends_[0], bytes, sizeof bytes) > 0) {}
  }

private:
  int ends_[2] = {-1, -1};
};

}  // namespace narrows::detail
