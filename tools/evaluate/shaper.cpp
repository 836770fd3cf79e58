// SPDX-License-Identifier: BSD-3-Clause
// A link between two network namespaces: a TUN device in each, and this program between them, which passes packets on with a
// rate and a delay of each way. Debian's kernels without netem can do no such thing.
//
//   narrows_shaper NAMESPACE NAMESPACE BITS_PER_S DELAY_US
//
// Prints "ready" once both devices, nrw0, are there (to be given addresses and set up by the caller). A line "BITS_PER_S DELAY_US"
// on standard input changes both for what arrives from then on; its end ends the program. Needs root.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <ctime>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

[[noreturn]] void die(const std::string& what)
{
  std::fprintf(stderr, "narrows_shaper: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

std::int64_t now_ns()
{
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// A TUN device in a namespace; this process is back in its own when it returns.
int tun_in(const std::string& name, int home)
{
  const std::string path = "/var/run/netns/" + name;
  const int there = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) die(path);
  ::close(there);
  const int tun = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, "nrw0", IFNAMSIZ - 1);
  if (::ioctl(tun, TUNSETIFF, &request) != 0) die("nrw0 in " + name);
  if (::setns(home, CLONE_NEWNET) != 0) die("own namespace");
  return tun;
}

struct settings {
  double bits_per_s = 0;
  double delay_us = 0;
};
bool parse(const char* text, settings& to)
{
  settings s;
  if (std::sscanf(text, "%lf %lf", &s.bits_per_s, &s.delay_us) != 2 || !(s.bits_per_s > 0) || !(s.delay_us >= 0) || !std::isfinite(s.bits_per_s + s.delay_us))
    return false;
  to = s;
  return true;
}

/// One way over the link. A packet leaves when the ones before it have been sent, takes its bits' time and then the delay.
class one_way {
public:
  one_way(int from, int to) : from_(from), to_(to) {}

  void take_in(const settings& link)
  {
    for (;;) {
      std::array<char, 65536> room;
      const auto n = ::read(from_, room.data(), room.size());
      if (n <= 0) {
        if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EIO) die("read");
        return;
      }
      if (queued_ + static_cast<std::size_t>(n) > most_queued) continue;   // a full buffer drops, as a modem's does
      free_ns_ = std::max(free_ns_, now_ns()) + static_cast<std::int64_t>(static_cast<double>(n) * 8e9 / link.bits_per_s);
      queue_.push_back({free_ns_ + static_cast<std::int64_t>(link.delay_us * 1e3), {room.data(), room.data() + n}});
      queued_ += static_cast<std::size_t>(n);
    }
  }
  void give_out()
  {
    while (!queue_.empty() && queue_.front().due_ns <= now_ns()) {
      const auto& bytes = queue_.front().bytes;
      if (::write(to_, bytes.data(), bytes.size()) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL) die("write");
      queued_ -= bytes.size();
      queue_.pop_front();
    }
  }
  [[nodiscard]] std::int64_t due_ns() const { return queue_.empty() ? INT64_MAX : queue_.front().due_ns; }
  [[nodiscard]] int from() const { return from_; }

private:
  static constexpr std::size_t most_queued = std::size_t{1} << 20;
  struct packet {
    std::int64_t due_ns;
    std::vector<char> bytes;
  };
  int from_, to_;
  std::int64_t free_ns_ = 0;
  std::size_t queued_ = 0;
  std::deque<packet> queue_;
};

}  // namespace

int main(int argc, char** argv)
{
  settings link;
  if (argc != 5 || !parse((std::string(argv[3]) + " " + argv[4]).c_str(), link)) {
    std::fprintf(stderr, "usage: narrows_shaper NAMESPACE NAMESPACE BITS_PER_S DELAY_US\n");
    return 2;
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL);   // waits end when they should, not 50 us later
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) die("/proc/self/ns/net");
  const int a = tun_in(argv[1], home), b = tun_in(argv[2], home);
  one_way up(a, b), down(b, a);
  std::puts("ready");
  std::fflush(stdout);

  std::string typed;
  for (;;) {
    pollfd waited[] = {{up.from(), POLLIN, 0}, {down.from(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    const std::int64_t due = std::min(up.due_ns(), down.due_ns());
    timespec left{};
    if (due != INT64_MAX) {
      const std::int64_t ns = std::max<std::int64_t>(0, due - now_ns());
      left = {static_cast<std::time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    }
    if (::ppoll(waited, 3, due == INT64_MAX ? nullptr : &left, nullptr) < 0 && errno != EINTR) die("ppoll");
    up.take_in(link);
    down.take_in(link);
    up.give_out();
    down.give_out();
    if (waited[2].revents != 0) {
      std::array<char, 256> room;
      const auto n = ::read(STDIN_FILENO, room.data(), room.size());
      if (n <= 0) return 0;
      typed.append(room.data(), static_cast<std::size_t>(n));
      for (std::size_t end; (end = typed.find('\n')) != std::string::npos; typed.erase(0, end + 1))
        if (!parse(typed.substr(0, end).c_str(), link)) std::fprintf(stderr, "narrows_shaper: not BITS_PER_S DELAY_US: %s\n", typed.substr(0, end).c_str());
      if (typed.size() > 4096) typed.clear();
    }
  }
}
