// SPDX-License-Identifier: BSD-3-Clause
// Cuts are exact: wherever a real network is cut, the two halves with codec raw between them give the bits of the whole,
// in one process and over two.
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/net/client.hpp>
#include <narrows/onnx/import.hpp>

namespace narrows {
namespace {

const std::filesystem::path models_folder = std::filesystem::path(NARROWS_SHARED_DIR) / "models";

constexpr std::uint64_t seed = 20261121;

/// Values of about the size that preprocessing gives; what they are does not matter to exactness.
std::vector<tensor> some_inputs(const graph& g)
{
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> in(-2.0F, 2.0F);
  std::vector<tensor> inputs;
  for (const auto v : g.inputs()) {
    tensor t(g[v].dims);
    for (float& x : t.values()) x = in(random);
    inputs.push_back(std::move(t));
  }
  return inputs;
}

std::vector<tensor> run(const any_engine& with, const graph_slice& slice, const std::vector<tensor>& inputs)
{
  auto loaded = with.load(slice);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().text();
    return {};
  }
  std::vector<tensor_view> in;
  for (const auto& t : inputs) in.push_back(t.view());
  std::vector<tensor> outputs;
  for (const auto& o : loaded->outputs()) outputs.emplace_back(o.dims);
  std::vector<mutable_tensor_view> out;
  for (auto& t : outputs) out.push_back(t.view());
  const auto ran = loaded->run(in, out, {});
  EXPECT_TRUE(ran) << ran.error().text();
  return outputs;
}

bool same_bits(const tensor& a, const tensor& b)
{
  return a.dims() == b.dims() && (a.size() == 0 || std::memcmp(a.values().data(), b.values().data(), a.size() * sizeof(float)) == 0);
}

/// `narrows serve` as a process of its own, on a free port of loopback; told to stop at the end.
class serving_process {
public:
  explicit serving_process(const std::filesystem::path& model_file)
  {
    int ends[2];
    if (::pipe(ends) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      ::close(ends[0]);
      ::execl(NARROWS_PROGRAM, NARROWS_PROGRAM, "serve", model_file.c_str(), "--bind", "tcp://127.0.0.1:0", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string said;
    char c = 0;
    while (said.find('\n') == std::string::npos && ::read(ends[0], &c, 1) == 1) said += c;
    read_end_ = ends[0];
    if (const auto at = said.find("tcp://"); at != std::string::npos) endpoint_ = said.substr(at, said.find_first_of(", \n", at) - at);
    else ADD_FAILURE() << "narrows serve said: " << said;
  }
  serving_process(const serving_process&) = delete;
  serving_process& operator=(const serving_process&) = delete;
  ~serving_process()
  {
    ::kill(child_, SIGTERM);
    int status = 0;
    ::waitpid(child_, &status, 0);
    ::close(read_end_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "narrows serve ended with status " << status;
  }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

private:
  pid_t child_ = -1;
  int read_end_ = -1;
  std::string endpoint_;
};

class Cuts : public testing::TestWithParam<const char*> {
protected:
  void SetUp() override
  {
    file_ = models_folder / GetParam();
    if (!std::filesystem::exists(file_)) GTEST_SKIP() << "no real models: " << file_.string() << " is absent";
    auto loaded = load_onnx(file_);
    ASSERT_TRUE(loaded) << loaded.error().text();
    model_ = std::move(loaded).value();
    auto engine = load_engine();
    ASSERT_TRUE(engine) << engine.error().text();
    engine_.emplace(std::move(engine).value());
    inputs_ = some_inputs(*model_.network);
    whole_ = run(*engine_, whole_slice(model_.network), inputs_);
    cuts_ = single_tensor_cuts(*model_.network);
    ASSERT_GE(cuts_.size(), 3U);
  }

  std::filesystem::path file_;
  model model_;
  std::optional<any_engine> engine_;
  std::vector<tensor> inputs_;
  std::vector<tensor> whole_;
  std::vector<cut> cuts_;
};

TEST_P(Cuts, InOneProcessEqualTheWholeBitForBit)
{
  const auto& g = *model_.network;
  for (const auto& c : cuts_) {
    SCOPED_TRACE(name_of(g, c));
    const auto head = head_slice(model_.network, c);
    const auto tail = tail_slice(model_.network, c);
    auto made = run(*engine_, head, inputs_);
    ASSERT_EQ(made.size(), head.outputs.size());
    const std::vector<tensor> crossing(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(c.tensors.size()));
    auto rest = run(*engine_, tail, crossing);
    for (std::size_t o = 0; o < g.outputs().size(); ++o) {
      const tensor* got = nullptr;
      for (std::size_t i = 0; i < tail.outputs.size(); ++i)
        if (tail.outputs[i] == g.outputs()[o]) got = &rest[i];
      for (std::size_t i = 0; i < head.outputs.size() && got == nullptr; ++i)
        if (head.outputs[i] == g.outputs()[o]) got = &made[i];
      ASSERT_NE(got, nullptr) << "output " << o;
      EXPECT_TRUE(same_bits(*got, whole_[o])) << "output " << o << ", seed " << seed;
    }
  }
}

TEST_P(Cuts, OverTwoProcessesEqualTheWholeBitForBit)
{
  const serving_process server(file_);
  edge_options options;
  options.endpoint = server.endpoint();
  options.fallback = fallback_policy::never;
  auto client = edge::connect(model_, *engine_, options);
  ASSERT_TRUE(client) << client.error().text();
  std::vector<tensor_view> in;
  for (const auto& t : inputs_) in.push_back(t.view());
  coding raw;
  raw.coded_as = codec::raw;
  raw.width = 0;
  for (const auto& c : cuts_) {
    SCOPED_TRACE(name_of(*model_.network, c));
    const plan how{c, std::vector<coding>(c.tensors.size(), raw), 1};
    const auto got = client->infer(in, how, std::chrono::seconds(60));
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, c.tensors.empty() ? source::local : source::remote);
    ASSERT_EQ(got->outputs.size(), whole_.size());
    for (std::size_t o = 0; o < whole_.size(); ++o) EXPECT_TRUE(same_bits(got->outputs[o], whole_[o])) << "output " << o << ", seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(TenModels, Cuts,
  testing::Values("imagenet/squeezenet1_1.onnx", "imagenet/mobilenet_v2_1.0_224.onnx", "imagenet/resnet18.onnx", "imagenet/tiny_darknet.onnx",
    "imagenet/mcunet_144.onnx", "cifar10/resnet20_cifar10.onnx", "mnist/mnist_cntk.onnx", "mnist/mnist_pytorch.onnx",
    "detect/ultraface_rfb_320.onnx", "detect/ultraface_rfb_320_simplified.onnx"),
  [](const auto& which) {
    std::string stem = std::filesystem::path(which.param).stem().string();
    for (char& c : stem)
      if (c == '.') c = '_';
    return stem;
  });

}  // namespace
}  // namespace narrows
