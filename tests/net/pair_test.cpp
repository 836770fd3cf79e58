// SPDX-License-Identifier: BSD-3-Clause
// The example pair as two processes on loopback.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

namespace {

/// A process whose standard output is read here; killed with the object if it still runs.
class process {
public:
  explicit process(const std::vector<std::string>& words)
  {
    int ends[2];
    if (::pipe(ends) != 0) return;
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    id_ = ::fork();
    if (id_ == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    out_ = ::fdopen(ends[0], "r");
  }
  ~process()
  {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
    if (out_ != nullptr) std::fclose(out_);
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  /// The next line without its end; empty at the end of the output.
  std::string line()
  {
    std::string text;
    for (int c = std::fgetc(out_); c != EOF && c != '\n'; c = std::fgetc(out_)) text += static_cast<char>(c);
    return text;
  }
  std::vector<std::string> lines()
  {
    std::vector<std::string> all;
    for (auto text = line(); !text.empty(); text = line()) all.push_back(text);
    return all;
  }
  void signal(int which) const { ::kill(id_, which); }
  /// Exit status, or minus the signal.
  int wait()
  {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

private:
  pid_t id_ = -1;
  std::FILE* out_ = nullptr;
};

const std::string network = NARROWS_SOURCE_DIR "/examples/data/shapes.onnx";

/// "class 7 score 0.123456" of a line of example_edge.
std::string verdict(const std::string& line) { return line.substr(line.find("class"), line.find(',') - line.find("class")); }

std::vector<std::string> local_verdicts()
{
  process alone({EXAMPLE_EDGE, network, "tcp://127.0.0.1:9", "none", "32"});
  std::vector<std::string> all;
  for (const auto& line : alone.lines()) {
    EXPECT_NE(line.find(", local, 0 bytes"), std::string::npos) << line;
    all.push_back(verdict(line));
  }
  EXPECT_EQ(alone.wait(), 0);
  return all;
}

TEST(Pair, TwoProcessesGiveTheAnswersOfOne)
{
  const auto expected = local_verdicts();
  ASSERT_EQ(expected.size(), 20U);
  process cloud({EXAMPLE_CLOUD, network, "tcp://127.0.0.1:*"});
  const auto endpoint = cloud.line();
  ASSERT_NE(endpoint.find("tcp://127.0.0.1:"), std::string::npos) << endpoint;
  process edge({EXAMPLE_EDGE, network, endpoint, "input", "32"});
  const auto lines = edge.lines();
  EXPECT_EQ(edge.wait(), 0);
  ASSERT_EQ(lines.size(), 20U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_NE(lines[i].find(", remote, "), std::string::npos) << lines[i];
    EXPECT_EQ(verdict(lines[i]), expected[i]);
  }
  cloud.signal(SIGTERM);
  EXPECT_EQ(cloud.wait(), 0);
}

TEST(Pair, KillingTheCloudHalfWayStillGivesEveryAnswer)
{
  const auto expected = local_verdicts();
  process cloud({EXAMPLE_CLOUD, network, "tcp://127.0.0.1:*"});
  process edge({EXAMPLE_EDGE, network, cloud.line(), "input", "32", "20", "5"});
  std::vector<std::string> lines;
  for (auto text = edge.line(); !text.empty(); text = edge.line()) {
    lines.push_back(text);
    if (lines.size() == 10) cloud.signal(SIGKILL);
  }
  EXPECT_EQ(edge.wait(), 0);
  ASSERT_EQ(lines.size(), 20U);
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(verdict(lines[i]), expected[i]) << lines[i];
  EXPECT_NE(lines.front().find(", remote, "), std::string::npos) << lines.front();
  EXPECT_NE(lines.back().find(", fallback, "), std::string::npos) << lines.back();
}

}  // namespace
