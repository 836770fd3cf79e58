// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "scratch.hpp"

/// Runs the built program as its users do: as a process.
namespace narrows::test {

/// A running `narrows`; killed when it goes out of scope.
class process {
public:
  explicit process(std::vector<std::string> arguments)
  {
    arguments.insert(arguments.begin(), NARROWS_PROGRAM);
    std::vector<char*> pointers;
    for (auto& a : arguments) pointers.push_back(a.data());
    pointers.push_back(nullptr);
    out_name_ = folder_ / "out";
    err_name_ = folder_ / "err";
    pid_ = ::fork();
    if (pid_ == 0) {
      const int none = ::open("/dev/null", O_RDONLY);
      const int out = ::open(out_name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      const int err = ::open(err_name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(none, 0);
      ::dup2(out, 1);
      ::dup2(err, 2);
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process()
  {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait(std::chrono::seconds(10));
    }
  }

  void signal(int which) const { ::kill(pid_, which); }
  /// Exit code, 128 + signal, or -1 after the time is up (the process is killed then).
  int wait(std::chrono::milliseconds longest)
  {
    const auto end = std::chrono::steady_clock::now() + longest;
    while (pid_ > 0) {
      int status = 0;
      const auto got = ::waitpid(pid_, &status, WNOHANG);
      if (got == pid_) {
        pid_ = -1;
        return code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      if (std::chrono::steady_clock::now() > end) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return code_ = -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return code_;
  }
  [[nodiscard]] std::string out() const { return text_of(out_name_); }
  [[nodiscard]] std::string err() const { return text_of(err_name_); }
  /// Waits until standard error (or output) holds `text`; false if it never does.
  [[nodiscard]] bool says(const std::string& text, std::chrono::milliseconds longest = std::chrono::seconds(60))
  {
    const auto end = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < end) {
      if (err().find(text) != std::string::npos || out().find(text) != std::string::npos) return true;
      int status = 0;
      if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return err().find(text) != std::string::npos || out().find(text) != std::string::npos;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

private:
  scratch folder_;
  std::string out_name_;
  std::string err_name_;
  pid_t pid_ = -1;
  int code_ = -1;
};

struct finished {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs `narrows` to its end.
inline finished narrows(std::vector<std::string> arguments, std::chrono::milliseconds longest = std::chrono::minutes(5))
{
  process p(std::move(arguments));
  finished f;
  f.code = p.wait(longest);
  f.out = p.out();
  f.err = p.err();
  return f;
}

/// A `narrows serve` on a free port of this machine.
class cloud_process {
public:
  explicit cloud_process(std::vector<std::string> arguments) : process_(with(std::move(arguments)))
  {
    if (!process_.says("narrows: serving ")) return;
    const auto line = process_.err();
    const auto from = line.find(" on tcp://");
    if (from != std::string::npos) endpoint_ = line.substr(from + 4, line.find(',', from) - from - 4);
  }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] process& program() { return process_; }

private:
  static std::vector<std::string> with(std::vector<std::string> arguments)
  {
    arguments.insert(arguments.begin(), {"serve", "--bind", "tcp://127.0.0.1:0"});
    return arguments;
  }
  process process_;
  std::string endpoint_;
};

/// One line of the form "narrows: what: why; what to do", naming `cause`.
inline void expect_one_error(const finished& f, int code, const std::string& cause)
{
  EXPECT_EQ(f.code, code) << f.err;
  EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
  EXPECT_EQ(f.err.rfind("narrows: ", 0), 0U) << f.err;
  EXPECT_NE(f.err.find(';'), std::string::npos) << f.err;
  EXPECT_NE(f.err.find(cause), std::string::npos) << f.err;
}

inline std::string bundled(const std::string& name) { return std::string(NARROWS_SOURCE_DIR) + "/examples/data/" + name; }
inline std::string shared(const std::string& name) { return std::string(NARROWS_SHARED_DIR) + "/" + name; }

}  // namespace narrows::test
