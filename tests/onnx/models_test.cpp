// SPDX-License-Identifier: BSD-3-Clause
// The real networks beside the checkout: what the import makes of them equals models.csv.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/zoo/zoo.hpp>
#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

std::vector<std::string> split(const std::string& line, char at)
{
  std::vector<std::string> out;
  std::stringstream in(line);
  for (std::string field; std::getline(in, field, at);) out.push_back(field);
  return out;
}

/// "name:1x2x3" of models.csv; names may hold colons.
void expect_listed(const graph& g, std::span<const value_id> values, const std::string& listed)
{
  std::string text;
  for (const auto v : values) text += (text.empty() ? "" : ";") + g[v].name + ":" + to_string(g[v].dims);
  EXPECT_EQ(text, listed);
}

/// Multiply-adds are those of convolutions and matrix products; parameters are the float values of the initializers,
/// running means and variances included.
TEST(RealModels, HaveTheCountsShapesAndHashesOfTheTable)
{
  const auto table = test::shared_models / "models.csv";
  if (!std::filesystem::exists(table)) GTEST_SKIP() << "no models beside the checkout: " << table;
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);
  int count = 0;
  while (std::getline(in, line)) {
    const auto field = split(line, ',');
    SCOPED_TRACE(field[0]);
    for (const bool fused : {false, true}) {
      import_options how;
      how.fuse = fused;
      const auto m = load_onnx(test::shared_models / field[0], how);
      ASSERT_TRUE(m) << m.error().text();
      EXPECT_EQ(m->hash, field[2]);
      EXPECT_EQ(std::to_string(m->parameters), field[6]);
      EXPECT_EQ(std::to_string(multiply_adds(*m->network)), field[7]);
      const auto& g = *m->network;
      expect_listed(g, g.inputs(), field[8]);
      expect_listed(g, g.outputs(), field[9]);
      const auto cuts = single_tensor_cuts(g);
      EXPECT_GE(cuts.size(), 8U);
      EXPECT_EQ(name_of(g, cuts.front()), "input");
      EXPECT_EQ(name_of(g, cuts.back()), "none");
      EXPECT_EQ(cuts.back().macs_head, multiply_adds(g));
    }
    ++count;
  }
  EXPECT_EQ(count, 10);
}

TEST(RealModels, FuseEveryNormalisationAndMostActivations)
{
  if (!std::filesystem::exists(test::shared_models)) GTEST_SKIP() << "no models beside the checkout";
  for (const auto* name : {"imagenet/resnet18.onnx", "imagenet/tiny_darknet.onnx", "cifar10/resnet20_cifar10.onnx", "detect/ultraface_rfb_320.onnx"}) {
    const auto m = load_onnx(test::shared_models / name);
    ASSERT_TRUE(m) << m.error().text();
    for (const auto& n : m->network->nodes()) {
      EXPECT_FALSE(std::holds_alternative<op::batch_norm>(n.operation)) << name << " " << n.name;
      if (const auto* u = std::get_if<op::unary>(&n.operation)) { EXPECT_NE(u->kind, op::unary::kind::relu) << name << " " << n.name; }
    }
  }
}

TEST(LightTopologies, ImportWithTheirWeightsFoldedAndListTheirCuts)
{
  const auto folder = test::shared_models / "conformance" / "light";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no conformance cases beside the checkout";
  int count = 0;
  for (const auto& at : std::filesystem::directory_iterator(folder)) {
    if (!at.is_directory()) continue;
    SCOPED_TRACE(at.path().filename().string());
    const auto m = load_onnx(at.path() / "model.onnx");
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(m->network->inputs().size(), 1U);
    EXPECT_EQ((*m->network)[m->network->outputs()[0]].dims.elements(), 1000U);
    EXPECT_GE(parameters(*m->network), 1'000'000U);
    EXPECT_GE(single_tensor_cuts(*m->network).size(), 10U);
    ++count;
  }
  EXPECT_EQ(count, 9);
}

TEST(LightTopologies, AreRefusedWhereConstantsAreLimited)
{
  const auto file = test::shared_models / "conformance" / "light" / "light_vgg19" / "model.onnx";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no conformance cases beside the checkout";
  import_options how;
  how.max_constant_bytes = std::uint64_t{100} << 20;
  const auto m = load_onnx(file, how);
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().code, errc::limit_exceeded);
}

/// "conv 1x64x112x112 118013952" for each node that makes feature maps of more than a value, sorted;
/// the classifiers behind them are written in many ways.
std::vector<std::string> feature_maps(const graph& g)
{
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < g.nodes().size(); ++i) {
    const auto& n = g.nodes()[i];
    const auto& dims = g[n.outputs[0]].dims;
    if (dims.rank() != 4 || dims.product(2, 4) == 1 || std::holds_alternative<op::reshape>(n.operation)) continue;
    std::string line(name_of(n.operation));
    line.append(" ").append(to_string(dims)).append(" ").append(std::to_string(multiply_adds(g, static_cast<node_id>(i))));
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(ZooNetworks, HaveTheFeatureMapsOfTheFilesOfTheSameName)
{
  if (!std::filesystem::exists(test::shared_models)) GTEST_SKIP() << "no models beside the checkout";
  const auto expect_same = [](const char* file, const result<std::shared_ptr<const graph>>& built) {
    SCOPED_TRACE(file);
    const auto m = load_onnx(test::shared_models / file);
    ASSERT_TRUE(m) << m.error().text();
    ASSERT_TRUE(built) << built.error().text();
    EXPECT_EQ(feature_maps(*m->network), feature_maps(**fuse(**built)));
  };
  expect_same("imagenet/resnet18.onnx", zoo::resnet18());
  expect_same("imagenet/squeezenet1_1.onnx", zoo::squeezenet1_1());
  expect_same("imagenet/mobilenet_v2_1.0_224.onnx", zoo::mobilenet_v2());
}

}  // namespace
}  // namespace narrows
