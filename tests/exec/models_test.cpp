// SPDX-License-Identifier: BSD-3-Clause
// The real networks against outputs that were computed in double precision.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/onnx/import.hpp>

#include "exec/networks.hpp"
#include "support/npy.hpp"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// A pixel of channel c (red, green, blue) to the value that the network is fed.
using pixel_map = std::function<float(float pixel, std::size_t channel)>;

struct network_case {
  std::string file, inputs;
  std::vector<std::string> outputs;
  pixel_map value;
  bool reversed = false;       ///< channels blue, green, red
  double tolerance = 2e-5;
};

/// The first 16 records of the CIFAR-10 file (a label, then three planes) as N x H x W x C.
test::npy<std::uint8_t> cifar10()
{
  std::ifstream in(fs::path(NARROWS_SHARED_DIR) / "images/cifar10/cifar10_test_500.bin", std::ios::binary);
  test::npy<std::uint8_t> all{{16, 32, 32, 3}, std::vector<std::uint8_t>(std::size_t{16} * 3072)};
  std::vector<char> record(3073);
  for (std::size_t i = 0; i < 16 && in.read(record.data(), 3073); ++i)
    for (std::size_t ch = 0; ch < 3; ++ch)
      for (std::size_t p = 0; p < 1024; ++p) all.values[(i * 1024 + p) * 3 + ch] = static_cast<std::uint8_t>(record[1 + ch * 1024 + p]);
  return all;
}

/// The first 16 digits of the MNIST test file (IDX, compressed).
test::npy<std::uint8_t> mnist()
{
  test::npy<std::uint8_t> all{{16, 28, 28, 1}, std::vector<std::uint8_t>(std::size_t{16} * 784)};
  for (const auto& entry : fs::directory_iterator(fs::path(NARROWS_SHARED_DIR) / "images/mnist")) {
    const auto name = entry.path().filename().string();
    if ((name.rfind("t10k", 0) != 0 && name.find("test") == std::string::npos) || name.find("image") == std::string::npos) continue;
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("gzip -dc '" + entry.path().string() + "'").c_str(), "r"), pclose);
    char header[16];
    if (!pipe || std::fread(header, 1, 16, pipe.get()) != 16 || std::fread(all.values.data(), 1, all.values.size(), pipe.get()) != all.values.size())
      throw std::runtime_error("cannot unpack " + name);
    return all;
  }
  throw std::runtime_error("no MNIST test images");
}

/// Pictures as the README of the models describes: N x H x W x C bytes, red first.
std::vector<tensor> pictures(const network_case& c)
{
  const auto crops = c.inputs == "cifar10" ? cifar10() : c.inputs == "mnist" ? mnist() :
    test::load_npy<std::uint8_t>(fs::path(NARROWS_SHARED_DIR) / "models/reference" / c.inputs);
  const auto n = crops.extents[0], h = crops.extents[1], w = crops.extents[2], channels = crops.extents[3];
  std::vector<tensor> all;
  for (std::size_t i = 0; i < n; ++i) {
    tensor t(shape{1, static_cast<std::int64_t>(channels), static_cast<std::int64_t>(h), static_cast<std::int64_t>(w)});
    for (std::size_t ch = 0; ch < channels; ++ch)
      for (std::size_t p = 0; p < h * w; ++p)
        t.values()[(c.reversed ? channels - 1 - ch : ch) * h * w + p] = c.value(static_cast<float>(crops.values[(i * h * w + p) * channels + ch]), ch);
    all.push_back(std::move(t));
  }
  return all;
}

class RealNetworks : public ::testing::TestWithParam<network_case> {};

TEST_P(RealNetworks, GiveTheReferenceOutputs)
{
  const auto& c = GetParam();
  const fs::path root = fs::path(NARROWS_SHARED_DIR) / "models";
  if (!fs::exists(root / c.file)) GTEST_SKIP() << "needs " << (root / c.file) << " (NARROWS_SHARED_DIR)";
  const auto m = load_onnx(root / c.file);
  ASSERT_TRUE(m) << m.error().text();
  const auto slice = whole_slice(m->network);
  const auto in = pictures(c);
  std::vector<test::npy<float>> expected;
  for (const auto& name : c.outputs) expected.push_back(test::load_npy<float>(root / "reference" / name));

  for (const auto& [level, engine] : test::all_levels()) {
    SCOPED_TRACE(level);
    auto executor = engine.load(slice);
    ASSERT_TRUE(executor) << executor.error().text();
    double most = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto got = test::run(*executor, std::span(&in[i], 1));
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t o = 0; o < got.size(); ++o) {
        ASSERT_EQ(got[o].size() * expected[o].extents[0], expected[o].values.size());
        const float* want = expected[o].values.data() + i * got[o].size();
        double worst = 0, largest = 0;
        for (std::size_t j = 0; j < got[o].size(); ++j) {
          worst = std::max(worst, static_cast<double>(std::abs(got[o].values()[j] - want[j])));
          largest = std::max(largest, static_cast<double>(std::abs(want[j])));
        }
        EXPECT_LE(worst, c.tolerance) << c.outputs[o] << ", picture " << i << ", largest value " << largest;
        most = std::max(most, worst);
      }
    }
    std::printf("             %s: largest difference %.2g, allowed %.2g\n", level.c_str(), most, c.tolerance);
  }
}

std::vector<network_case> all_networks()
{
  const auto imagenet = [](float pixel, std::size_t c) {
    constexpr float mean[] = {123.675F, 116.28F, 103.53F}, deviation[] = {58.395F, 57.12F, 57.375F};
    return (pixel - mean[c]) / deviation[c];
  };
  const auto caffe = [](float pixel, std::size_t c) {
    constexpr float mean[] = {123, 117, 104};
    return pixel - mean[c];
  };
  const auto plain = [](float offset, float scale) { return [=](float pixel, std::size_t) { return (pixel - offset) / scale; }; };
  const auto cifar = [](float pixel, std::size_t c) {
    constexpr float mean[] = {0.485F, 0.456F, 0.406F}, deviation[] = {0.229F, 0.224F, 0.225F};
    return (pixel / 255 - mean[c]) / deviation[c];
  };
  const auto digit = [](float pixel, std::size_t) { return (pixel / 255 - 0.1307F) / 0.3081F; };
  return {
    {"cifar10/resnet20_cifar10.onnx", "cifar10", {"resnet20_cifar10_output.npy"}, cifar},
    {"mnist/mnist_cntk.onnx", "mnist", {"mnist_cntk_output.npy"}, plain(0, 1), false, 3e-3},
    {"mnist/mnist_pytorch.onnx", "mnist", {"mnist_pytorch_output.npy"}, digit},
    {"imagenet/squeezenet1_1.onnx", "crops_224.npy", {"squeezenet1_1_output.npy"}, caffe, true},
    {"imagenet/mobilenet_v2_1.0_224.onnx", "crops_224.npy", {"mobilenet_v2_1.0_224_output.npy"}, plain(127.5F, 127.5F)},
    {"imagenet/resnet18.onnx", "crops_224.npy", {"resnet18_output.npy"}, imagenet},
    {"imagenet/tiny_darknet.onnx", "crops_224.npy", {"tiny_darknet_output.npy"}, plain(0, 255)},
    {"imagenet/mcunet_144.onnx", "crops_144.npy", {"mcunet_144_output.npy"}, plain(127, 127.5F)},
    {"detect/ultraface_rfb_320.onnx", "faces_320x240.npy", {"ultraface_rfb_320_scores.npy", "ultraface_rfb_320_boxes.npy"}, plain(127, 128)},
    {"detect/ultraface_rfb_320_simplified.onnx", "faces_320x240.npy", {"ultraface_rfb_320_simplified_scores.npy", "ultraface_rfb_320_simplified_boxes.npy"}, plain(127, 128)},
  };
}

INSTANTIATE_TEST_SUITE_P(Models, RealNetworks, ::testing::ValuesIn(all_networks()), [](const auto& parameter) {
  auto name = fs::path(parameter.param.file).stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace narrows
