// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/zoo/zoo.hpp>

namespace narrows {
namespace {

using testing::HasSubstr;

struct tensor_shape {
  std::string name;
  shape dims;
};

/// What others publish of a network.
struct published {
  std::string name;
  std::uint64_t learned;  ///< values that training changes: running means and variances do not count
  std::uint64_t macs;     ///< of convolutions and matrix products
  std::size_t cuts;       ///< of one tensor, in the fused network, both ends included
  std::vector<tensor_shape> shapes;
};

void PrintTo(const published& p, std::ostream* out) { *out << p.name; }

/// Channels of all normalisations.
std::uint64_t normalised_channels(const graph& g)
{
  std::uint64_t sum = 0;
  for (const auto& n : g.nodes())
    if (std::holds_alternative<op::batch_norm>(n.operation)) sum += g[n.inputs[1]].dims.elements();
  return sum;
}

class Zoo : public ::testing::TestWithParam<published> {
protected:
  std::shared_ptr<const graph> network = test::sure_builder::sure(zoo::make(GetParam().name));
};

TEST_P(Zoo, HasThePublishedParametersAndMultiplyAdds)
{
  const auto channels = normalised_channels(*network);
  EXPECT_EQ(parameters(*network) - 2 * channels, GetParam().learned);
  EXPECT_EQ(multiply_adds(*network), GetParam().macs);
  // Fused, the scale goes into the weights and the shift becomes the bias.
  const auto fused = *fuse(*network);
  EXPECT_EQ(parameters(*fused), GetParam().learned - channels);
  EXPECT_EQ(multiply_adds(*fused), GetParam().macs);
}

TEST_P(Zoo, HasThePublishedShapes)
{
  EXPECT_EQ((*network)[network->inputs()[0]].dims[0], 1);
  for (const auto& [name, dims] : GetParam().shapes) {
    const auto v = network->find(name);
    ASSERT_TRUE(v) << name;
    EXPECT_EQ((*network)[*v].dims, dims) << name;
  }
}

TEST_P(Zoo, HasNoWeightsInMemory)
{
  for (const auto& v : network->values()) EXPECT_EQ(v.constant, nullptr) << v.name;
}

TEST_P(Zoo, IsCutAtEveryTensorThatEverythingPasses)
{
  const auto fused = *fuse(*network);
  for (const auto& n : fused->nodes()) {
    EXPECT_FALSE(std::holds_alternative<op::batch_norm>(n.operation)) << n.name;
    EXPECT_FALSE(std::holds_alternative<op::unary>(n.operation)) << n.name;
  }
  const auto cuts = single_tensor_cuts(*fused);
  EXPECT_EQ(cuts.size(), GetParam().cuts);
  EXPECT_EQ(cuts.back().macs_head, GetParam().macs);
}

// Parameters and multiply-adds: torchvision's `num_params` and `_ops` of its weights (the latter in 10^9, 3 digits) where it has
// the network: 0.714, 15.47, 1.814, 4.089, 11.514, 5.713, 0.349, 0.301.
//   alexnet_2012   Caffe's bvlc_alexnet: 60,965,224 and 724 M.
//   darknet53      2 x MACs = 18.57 10^9, as Darknet prints; darknet53.conv.74 is 162,482,580 bytes: 20 of head, and 4 for each
//                  of 40,620,640 values of the 52 convolutions, running means and variances among them.
//   inception_v3   27,161,264 with the auxiliary classifier, whose 3,326,696 are left out.
//   inception_v4   42,679,816 in PyTorch's ports; Open Model Zoo (googlenet-v4): 42.648 M folded, 24.584 10^9 operations.
//   yolov2_tiny    2 x MACs = 6.97 10^9 (pjreddie.com, "Tiny YOLO"); yolov2-tiny-voc.weights is 63,471,556 bytes: 16 of head, 4
//                  for each of 15,867,885 values, the 2 x 3,056 means and variances among them.
// Shapes: the papers' tables. Cuts: the tensors that all data passes, and the two ends; of a chain that is each node's output.
const std::vector<published> all{
  {"alexnet", 61'100'840, 714'188'480, 14,
    {{"conv1", {1, 64, 55, 55}}, {"conv2", {1, 192, 27, 27}}, {"conv3", {1, 384, 13, 13}}, {"pool5", {1, 256, 6, 6}},
      {"fc7", {1, 4096}}, {"prob", {1, 1000}}}},
  {"alexnet_2012", 60'965'224, 724'406'816, 16,
    {{"conv1", {1, 96, 55, 55}}, {"conv2", {1, 256, 27, 27}}, {"conv4", {1, 384, 13, 13}}, {"pool5", {1, 256, 6, 6}},
      {"prob", {1, 1000}}}},
  {"vgg16", 138'357'544, 15'470'264'320, 24,
    {{"conv1_2", {1, 64, 224, 224}}, {"pool2", {1, 128, 56, 56}}, {"conv4_3", {1, 512, 28, 28}}, {"pool5", {1, 512, 7, 7}},
      {"prob", {1, 1000}}}},
  {"resnet18", 11'689'512, 1'814'073'344, 8 + 7,
    {{"conv1", {1, 64, 112, 112}}, {"layer1.1", {1, 64, 56, 56}}, {"layer2.0", {1, 128, 28, 28}}, {"layer3.1", {1, 256, 14, 14}},
      {"layer4.1", {1, 512, 7, 7}}}},
  {"resnet50", 25'557'032, 4'089'184'256, 16 + 7,
    {{"pool1", {1, 64, 56, 56}}, {"layer1.2", {1, 256, 56, 56}}, {"layer2.3", {1, 512, 28, 28}}, {"layer3.5", {1, 1024, 14, 14}},
      {"layer4.2", {1, 2048, 7, 7}}}},
  {"resnet152", 60'192'808, 11'513'626'624, 50 + 7,
    {{"layer1.2", {1, 256, 56, 56}}, {"layer2.7", {1, 512, 28, 28}}, {"layer3.35", {1, 1024, 14, 14}},
      {"layer4.2", {1, 2048, 7, 7}}, {"prob", {1, 1000}}}},
  {"darknet53", 41'609'928, 9'285'115'904, 6 + 23 + 5,
    {{"stem", {1, 32, 256, 256}}, {"stage1.0", {1, 64, 128, 128}}, {"stage3.7", {1, 256, 32, 32}}, {"stage5.3", {1, 1024, 8, 8}},
      {"prob", {1, 1000}}}},
  {"inception_v3", 27'161'264 - 3'326'696, 5'713'216'096, 7 + 11 + 5,
    {{"conv1", {1, 32, 149, 149}}, {"pool1", {1, 64, 73, 73}}, {"mixed_5b", {1, 256, 35, 35}}, {"mixed_5d", {1, 288, 35, 35}},
      {"mixed_6a", {1, 768, 17, 17}}, {"mixed_6e", {1, 768, 17, 17}}, {"mixed_7a", {1, 1280, 8, 8}},
      {"mixed_7c", {1, 2048, 8, 8}}}},
  {"inception_v4", 42'679'816, 12'253'974'624, 6 + 16 + 5,
    {{"mixed_3a", {1, 160, 73, 73}}, {"mixed_4a", {1, 192, 71, 71}}, {"mixed_5a", {1, 384, 35, 35}},
      {"mixed_5e", {1, 384, 35, 35}}, {"mixed_6h", {1, 1024, 17, 17}}, {"mixed_7d", {1, 1536, 8, 8}}, {"prob", {1, 1000}}}},
  {"squeezenet1_1", 1'235'496, 349'151'936, 5 + 2 * 8 + 4,
    {{"conv1", {1, 64, 111, 111}}, {"pool1", {1, 64, 55, 55}}, {"fire3", {1, 128, 55, 55}}, {"fire5", {1, 256, 27, 27}},
      {"fire9", {1, 512, 13, 13}}, {"prob", {1, 1000}}}},
  {"mobilenet_v2", 3'504'872, 300'774'272, 30 + 7,
    {{"conv1", {1, 32, 112, 112}}, {"block1", {1, 16, 112, 112}}, {"block3", {1, 24, 56, 56}}, {"block13", {1, 96, 14, 14}},
      {"block17", {1, 320, 7, 7}}, {"conv2", {1, 1280, 7, 7}}}},
  {"yolov2_tiny", (63'471'556 - 16) / 4 - 2 * 3'056, 3'485'520'896, 16,
    {{"pool1", {1, 16, 208, 208}}, {"pool5", {1, 256, 13, 13}}, {"pool6", {1, 512, 13, 13}}, {"conv8", {1, 1024, 13, 13}},
      {"boxes", {1, 125, 13, 13}}}},
};

INSTANTIATE_TEST_SUITE_P(Networks, Zoo, ::testing::ValuesIn(all), [](const auto& one) { return one.param.name; });

/// So many convolutions (or products: side 1) with an output of this height and width, a kernel, and channels in and out.
struct layers {
  int count;
  std::int64_t side, kernel_height, kernel_width, in, out;
};

using layer_counts = std::map<std::array<std::int64_t, 5>, int>;

layer_counts counted(const graph& g)
{
  layer_counts counts;
  for (const auto& n : g.nodes()) {
    const auto& out = g[n.outputs[0]].dims;
    if (const auto* c = std::get_if<op::conv>(&n.operation)) {
      EXPECT_EQ(out[2], out[3]) << n.name;
      ++counts[{out[2], c->window.kernel[0], c->window.kernel[1], g[n.inputs[0]].dims[1], out[1]}];
    } else if (std::holds_alternative<op::gemm>(n.operation)) {
      ++counts[{1, 1, 1, g[n.inputs[0]].dims[1], out[1]}];
    }
  }
  return counts;
}

/// Compares with a list of layers, and the published sums with those of the list.
void expect_layers(const std::string& name, const std::vector<layers>& list)
{
  layer_counts expected;
  std::uint64_t macs = 0;
  for (const auto& l : list) {
    expected[{l.side, l.kernel_height, l.kernel_width, l.in, l.out}] += l.count;
    macs += static_cast<std::uint64_t>(l.count * l.side * l.side * l.kernel_height * l.kernel_width * l.in * l.out);
  }
  const auto network = test::sure_builder::sure(zoo::make(name));
  EXPECT_EQ(counted(*network), expected);
  EXPECT_EQ(multiply_adds(*network), macs);
}

// Table 1 of the YOLOv3 paper: residual blocks 1, 2, 8, 8, 4 behind a convolution of stride 2 each.
TEST(ZooLayers, Darknet53)
{
  expect_layers("darknet53",
    {{1, 256, 3, 3, 3, 32}, {1, 128, 3, 3, 32, 64}, {1, 128, 1, 1, 64, 32}, {1, 128, 3, 3, 32, 64}, {1, 64, 3, 3, 64, 128},
      {2, 64, 1, 1, 128, 64}, {2, 64, 3, 3, 64, 128}, {1, 32, 3, 3, 128, 256}, {8, 32, 1, 1, 256, 128}, {8, 32, 3, 3, 128, 256},
      {1, 16, 3, 3, 256, 512}, {8, 16, 1, 1, 512, 256}, {8, 16, 3, 3, 256, 512}, {1, 8, 3, 3, 512, 1024}, {4, 8, 1, 1, 1024, 512},
      {4, 8, 3, 3, 512, 1024}, {1, 1, 1, 1, 1024, 1000}});
}

// What Darknet prints for yolov2-tiny-voc.cfg.
TEST(ZooLayers, Yolov2Tiny)
{
  expect_layers("yolov2_tiny",
    {{1, 416, 3, 3, 3, 16}, {1, 208, 3, 3, 16, 32}, {1, 104, 3, 3, 32, 64}, {1, 52, 3, 3, 64, 128}, {1, 26, 3, 3, 128, 256},
      {1, 13, 3, 3, 256, 512}, {1, 13, 3, 3, 512, 1024}, {1, 13, 3, 3, 1024, 1024}, {1, 13, 1, 1, 1024, 125}});
}

// Table 1 of the paper with the channels of the released model: 94 convolutions and a product.
TEST(ZooLayers, InceptionV3)
{
  expect_layers("inception_v3",
    {// before the blocks
      {1, 149, 3, 3, 3, 32}, {1, 147, 3, 3, 32, 32}, {1, 147, 3, 3, 32, 64}, {1, 73, 1, 1, 64, 80}, {1, 71, 3, 3, 80, 192},
      // three blocks at 35x35 that read 192, 256 and 288 channels
      {2, 35, 1, 1, 192, 64}, {1, 35, 1, 1, 192, 48}, {1, 35, 1, 1, 192, 32}, {3, 35, 1, 1, 256, 64}, {1, 35, 1, 1, 256, 48},
      {3, 35, 1, 1, 288, 64}, {1, 35, 1, 1, 288, 48}, {3, 35, 5, 5, 48, 64}, {3, 35, 3, 3, 64, 96}, {3, 35, 3, 3, 96, 96},
      // to 17x17
      {1, 17, 3, 3, 288, 384}, {1, 35, 1, 1, 288, 64}, {1, 35, 3, 3, 64, 96}, {1, 17, 3, 3, 96, 96},
      // four blocks at 17x17, with 128, 160, 160 and 192 channels inside
      {2 * 4, 17, 1, 1, 768, 192}, {2, 17, 1, 1, 768, 128}, {2, 17, 1, 7, 128, 128}, {2, 17, 7, 1, 128, 128},
      {1, 17, 7, 1, 128, 192}, {1, 17, 1, 7, 128, 192}, {4, 17, 1, 1, 768, 160}, {4, 17, 1, 7, 160, 160}, {4, 17, 7, 1, 160, 160},
      {2, 17, 7, 1, 160, 192}, {2, 17, 1, 7, 160, 192}, {2, 17, 1, 1, 768, 192}, {3, 17, 1, 7, 192, 192}, {3, 17, 7, 1, 192, 192},
      // to 8x8
      {2, 17, 1, 1, 768, 192}, {1, 8, 3, 3, 192, 320}, {1, 17, 1, 7, 192, 192}, {1, 17, 7, 1, 192, 192}, {1, 8, 3, 3, 192, 192},
      // two blocks at 8x8 that read 1280 and 2048
      {1, 8, 1, 1, 1280, 320}, {1, 8, 1, 1, 1280, 384}, {1, 8, 1, 1, 1280, 448}, {1, 8, 1, 1, 1280, 192}, {1, 8, 1, 1, 2048, 320},
      {1, 8, 1, 1, 2048, 384}, {1, 8, 1, 1, 2048, 448}, {1, 8, 1, 1, 2048, 192}, {2, 8, 3, 3, 448, 384}, {4, 8, 1, 3, 384, 384},
      {4, 8, 3, 1, 384, 384}, {1, 1, 1, 1, 2048, 1000}});
}

// Figures 3 to 9 of the paper: 149 convolutions and a product.
TEST(ZooLayers, InceptionV4)
{
  expect_layers("inception_v4",
    {// stem
      {1, 149, 3, 3, 3, 32}, {1, 147, 3, 3, 32, 32}, {1, 147, 3, 3, 32, 64}, {1, 73, 3, 3, 64, 96}, {2, 73, 1, 1, 160, 64},
      {2, 71, 3, 3, 64, 96}, {1, 73, 1, 7, 64, 64}, {1, 73, 7, 1, 64, 64}, {1, 35, 3, 3, 192, 192},
      // 4 blocks A
      {4 * 2, 35, 1, 1, 384, 96}, {4 * 2, 35, 1, 1, 384, 64}, {4 * 2, 35, 3, 3, 64, 96}, {4, 35, 3, 3, 96, 96},
      // reduction A
      {1, 17, 3, 3, 384, 384}, {1, 35, 1, 1, 384, 192}, {1, 35, 3, 3, 192, 224}, {1, 17, 3, 3, 224, 256},
      // 7 blocks B
      {7, 17, 1, 1, 1024, 384}, {7 * 2, 17, 1, 1, 1024, 192}, {7, 17, 1, 1, 1024, 128}, {7 * 2, 17, 1, 7, 192, 224},
      {7, 17, 7, 1, 224, 256}, {7, 17, 7, 1, 192, 192}, {7, 17, 7, 1, 224, 224}, {7, 17, 1, 7, 224, 256},
      // reduction B
      {1, 17, 1, 1, 1024, 192}, {1, 8, 3, 3, 192, 192}, {1, 17, 1, 1, 1024, 256}, {1, 17, 1, 7, 256, 256},
      {1, 17, 7, 1, 256, 320}, {1, 8, 3, 3, 320, 320},
      // 3 blocks C
      {3 * 2, 8, 1, 1, 1536, 256}, {3 * 2, 8, 1, 1, 1536, 384}, {3, 8, 1, 3, 384, 256}, {3, 8, 3, 1, 384, 256},
      {3, 8, 3, 1, 384, 448}, {3, 8, 1, 3, 448, 512}, {3, 8, 1, 3, 512, 256}, {3, 8, 3, 1, 512, 256}, {1, 1, 1, 1, 1536, 1000}});
}

TEST(ZooSizes, AreWhatTheDocumentationSays)
{
  const std::map<std::string_view, std::int64_t> least{{"alexnet", 63}, {"alexnet_2012", 39}, {"vgg16", 32}, {"resnet18", 1},
    {"resnet50", 1}, {"resnet152", 1}, {"darknet53", 1}, {"inception_v3", 75}, {"inception_v4", 75}, {"squeezenet1_1", 17},
    {"mobilenet_v2", 1}, {"yolov2_tiny", 32}};
  for (const auto& n : zoo::networks) {
    SCOPED_TRACE(n.name);
    ASSERT_TRUE(least.contains(n.name));
    EXPECT_TRUE(n.make(least.at(n.name)));
    EXPECT_EQ(n.make(least.at(n.name) - 1).error().code, errc::bad_node);
    EXPECT_EQ(n.make(-1).error().code, errc::bad_shape);
    EXPECT_EQ(n.make(std::int64_t{1} << 40).error().code, errc::bad_shape);
  }
}

TEST(ZooNames, ThatDoNotExistAreAnsweredWithThoseThatDo)
{
  const auto none = zoo::make("resnet51");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::bad_input);
  EXPECT_THAT(none.error().what, HasSubstr("'resnet51'; there are alexnet"));
}

}  // namespace
}  // namespace narrows
