// SPDX-License-Identifier: BSD-3-Clause
// Another engine, which shares nothing with this project, runs the two files of a cut to the answer of the whole.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/dnn.hpp>

#include <narrows/onnx/export.hpp>
#include <narrows/onnx/onnx.pb.h>
#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

/// OpenCV 4.6 reads the bounds of Clip as attributes, as they were before opset 11, and not as inputs.
std::vector<std::uint8_t> with_bounds_as_attributes(const std::vector<std::uint8_t>& file)
{
  onnx_wire::Model m;
  EXPECT_TRUE(m.ParseFromArray(file.data(), static_cast<int>(file.size())));
  const auto bound = [&](const std::string& name) {
    for (const auto& t : m.graph().initializer())
      if (t.name() == name) {
        float x = 0;
        if (t.float_data_size() == 1) return t.float_data(0);
        if (t.raw_data().size() == sizeof x) std::memcpy(&x, t.raw_data().data(), sizeof x);
        return x;
      }
    ADD_FAILURE() << "no constant '" << name << "'";
    return 0.0F;
  };
  for (auto& n : *m.mutable_graph()->mutable_node()) {
    if (n.op_type() != "Clip" || n.input_size() != 3) continue;
    for (const int i : {1, 2}) {
      auto& a = *n.add_attribute();
      a.set_name(i == 1 ? "min" : "max");
      a.set_type(1);   // FLOAT
      a.set_f(bound(n.input(i)));
    }
    n.mutable_input()->DeleteSubrange(1, 2);
  }
  const auto bytes = m.SerializeAsString();
  return {bytes.begin(), bytes.end()};
}

cv::Mat forward(const std::vector<std::uint8_t>& file, const cv::Mat& x)
{
  auto net = cv::dnn::readNetFromONNX(with_bounds_as_attributes(file));
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.enableFusion(false);
  net.setInput(x);
  return net.forward().clone();
}

struct network {
  const char* file;
  int extent;
};

class OpenCv : public testing::TestWithParam<network> {};

TEST_P(OpenCv, RunsHeadAndTailToTheAnswerOfTheWhole)
{
  const auto path = test::shared_models / GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no models beside the checkout: " << path;
  const auto bytes = test::file_bytes(path);
  const auto whole = import_onnx("whole", bytes);
  ASSERT_TRUE(whole) << whole.error().text();
  const int extent = GetParam().extent;
  const int dims[] = {1, 3, extent, extent};
  cv::Mat x(4, dims, CV_32F);
  for (std::size_t i = 0; i < x.total(); ++i) x.ptr<float>()[i] = std::sin(0.01F * static_cast<float>(i % 9973)) + 0.3F * std::cos(0.37F * static_cast<float>(i % 251));
  const auto expected = forward(bytes, x);

  const auto cuts = single_tensor_cuts(*whole->network);
  int tried = 0;
  for (const std::size_t part : {1, 2, 3, 4}) {
    const auto& c = cuts[part * (cuts.size() - 1) / 5 + 1 < cuts.size() - 1 ? part * (cuts.size() - 1) / 5 + 1 : cuts.size() - 2];
    const auto at = name_of(*whole->network, c);
    SCOPED_TRACE(at);
    const auto files = split_onnx(bytes, std::vector<std::string>{at});
    ASSERT_TRUE(files) << files.error().text();
    const auto answer = forward(files->tail, forward(files->head, x));
    ASSERT_EQ(answer.total(), expected.total());
    const auto *a = answer.ptr<float>(), *b = expected.ptr<float>();
    float largest = 0, difference = 0;
    for (std::size_t i = 0; i < answer.total(); ++i) {
      largest = std::max(largest, std::fabs(b[i]));
      difference = std::max(difference, std::fabs(a[i] - b[i]));
    }
    EXPECT_EQ(std::max_element(a, a + answer.total()) - a, std::max_element(b, b + expected.total()) - b);
    EXPECT_LE(difference, 1e-4F * largest);
    ++tried;
  }
  EXPECT_EQ(tried, 4);
}

INSTANTIATE_TEST_SUITE_P(Networks, OpenCv,
  testing::Values(network{"imagenet/resnet18.onnx", 224}, network{"imagenet/mobilenet_v2_1.0_224.onnx", 224}, network{"imagenet/squeezenet1_1.onnx", 224}),
  [](const auto& at) {
    auto name = std::filesystem::path(at.param.file).stem().string();
    for (auto& ch : name)
      if (ch == '.' || ch == '_') ch = 'x';
    return name;
  });

}  // namespace
}  // namespace narrows
