// SPDX-License-Identifier: BSD-3-Clause
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>
#include <narrows/onnx/shape_inputs.hpp>
#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using test::onnx_file;
using list = std::vector<std::int64_t>;

const shape& output_dims(const model& m) { return (*m.network)[m.network->outputs()[0]].dims; }

TEST(Import, ReadsASmallNetworkFromEndToEnd)
{
  const auto file = test::small_cnn();
  const auto m = file.import();
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(m->name, "test.onnx");
  EXPECT_EQ(m->hash, sha256_hex(file.bytes()));
  EXPECT_EQ(m->parameters, 108U + 4 * 3 + 640);
  const auto& g = *m->network;
  ASSERT_EQ(g.nodes().size(), 4U);  // conv + norm + relu, pool, reshape, gemm; the shape arithmetic is gone
  EXPECT_EQ(g[g.inputs()[0]].dims, (shape{1, 3, 8, 8}));  // the open batch is 1
  EXPECT_THAT(g.nodes()[0].fused, ElementsAre("norm1", "relu1"));
  EXPECT_EQ(std::get<op::conv>(g.nodes()[0].operation).window.pads, (op::borders{1, 1, 1, 1}));
  EXPECT_EQ(output_dims(*m), (shape{1, 10}));
}

TEST(Import, SortsNodesAndDropsDeadOnes)
{
  onnx_file f;
  f.input("x", {2}).output("z");
  f.node("Relu", {"y"}, {"z"});
  f.node("Neg", {"y"}, {"unused"});
  f.node("Abs", {"x"}, {"y"});
  const auto m = f.import({.fuse = false});
  ASSERT_TRUE(m) << m.error().text();
  ASSERT_EQ(m->network->nodes().size(), 2U);
  EXPECT_EQ(m->network->nodes()[0].type, "Abs");
}

TEST(Import, InitializersThatAreAlsoInputsAreWeights)
{
  onnx_file f;
  f.input("x", {2}).input("w", {2}).weights("w", {2}).output("y");
  f.node("Add", {"x", "w"}, {"y"});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(m->network->inputs().size(), 1U);
}

TEST(Import, FloatInputsStayInputsEvenAsWeights)
{
  onnx_file f;
  f.input("x", {1, 1, 5, 5}).input("w", {1, 1, 3, 3}).output("y");
  f.node("Conv", {"x", "w"}, {"y"});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(m->network->inputs().size(), 2U);
  EXPECT_EQ(output_dims(*m), (shape{1, 1, 3, 3}));
}

TEST(Import, BoundInputsBecomeConstants)
{
  onnx_file f;
  f.input("x", {2, 6}).input("shape", {3}, onnx_type::int64).output("y");
  f.node("Reshape", {"x", "shape"}, {"y"}, "flat");
  const auto unbound = f.import();
  ASSERT_FALSE(unbound);
  EXPECT_THAT(unbound.error().what, HasSubstr("node 'flat' (Reshape)"));
  import_options how;
  how.bind.emplace("shape", onnx_constant::list({3, -1, 2}));
  const auto m = f.import(how);
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(output_dims(*m), (shape{3, 2, 2}));
  EXPECT_EQ(m->network->inputs().size(), 1U);
  const auto inputs = model_inputs(f.bytes());
  ASSERT_TRUE(inputs);
  EXPECT_FALSE((*inputs)[0].only_shapes);
  EXPECT_TRUE((*inputs)[1].only_shapes);
}

TEST(Import, OtherElementTypesAreRefusedWhereTheyAreRead)
{
  onnx_file f;
  f.input("x", {2}, onnx_type::float64).input("unread", {2}, onnx_type::string).output("y");
  f.node("Relu", {"x"}, {"y"}, "first");
  const auto m = f.import();
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().code, errc::unknown_op);
  EXPECT_THAT(m.error().what, HasSubstr("test.onnx: node 'first' (Relu): input 'x' is float64"));
}

TEST(Import, FollowsTheOperatorSetInSoftmaxClipAndSqueeze)
{
  for (const std::int64_t opset : {9, 13}) {
    SCOPED_TRACE(opset);
    onnx_file f(opset);
    f.input("x", {1, 3, 4, 5}).output("y");
    test::set(f.node("Softmax", {"x"}, {"s"}), "axis", std::int64_t{1});
    if (opset == 9) {
      auto& clip = f.node("Clip", {"s"}, {"c"});
      test::set(clip, "min", -1.0F);
      test::set(clip, "max", 0.5F);
      test::set(f.node("Squeeze", {"c"}, {"y"}), "axes", list{0});
    } else {
      f.weights("low", {}, -1).weights("high", {}, 0.5F).integers("axes", {-4});
      f.node("Clip", {"s", "low", "high"}, {"c"});
      f.node("Squeeze", {"c", "axes"}, {"y"});
    }
    const auto m = f.import();
    ASSERT_TRUE(m) << m.error().text();
    const auto& nodes = m->network->nodes();
    EXPECT_EQ(std::get<op::softmax>(nodes[0].operation).first, 1U);
    EXPECT_EQ(std::get<op::softmax>(nodes[0].operation).last, opset == 9 ? 4U : 2U);
    EXPECT_EQ(std::get<op::unary>(nodes[1].operation), (op::unary{op::unary::kind::clip, -1, 0.5F}));
    EXPECT_EQ(output_dims(*m), (shape{3, 4, 5}));
  }
}

TEST(Import, RefusesTrainingFormsByName)
{
  onnx_file f(14);
  f.input("x", {1, 2, 3, 3}).weights("one", {2}).output("y");
  test::set(f.node("BatchNormalization", {"x", "one", "one", "one", "one"}, {"y"}, "norm"), "training_mode", std::int64_t{1});
  EXPECT_THAT(f.import().error().what, HasSubstr("node 'norm' (BatchNormalization): is in training mode"));
}

TEST(Import, OpenExtentsOtherThanTheBatchAreRefused)
{
  onnx_file f;
  f.input("x", {-1, 3, -1, 8}).output("y");
  f.node("Relu", {"x"}, {"y"});
  EXPECT_THAT(f.import().error().what, HasSubstr("open extent 'N' on axis 2"));
}

TEST(Import, OneSpatialAxisRunsAsTwo)
{
  onnx_file f;
  f.input("x", {1, 2, 10}).weights("w", {3, 2, 3}).output("y");
  test::set(f.node("Conv", {"x", "w"}, {"y"}), "pads", list{1, 1});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(output_dims(*m), (shape{1, 3, 10}));
  onnx_file deep;
  deep.input("x", {1, 2, 4, 4, 4}).output("y");
  test::set(deep.node("MaxPool", {"x"}, {"y"}), "kernel_shape", list{2, 2, 2});
  EXPECT_THAT(deep.import().error().what, HasSubstr("has 3 spatial axes"));
}

TEST(Import, OutputsThatAreConstantsAreGivenByANode)
{
  onnx_file f;
  f.input("x", {2}).weights("w", {2}, 3).output("w2").output("y");
  f.node("Identity", {"w"}, {"w2"});
  f.node("Add", {"x", "w2"}, {"y"});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ((*m->network)[m->network->outputs()[0]].name, "w2");
}

TEST(Import, AsksForEveryOperatorItLacks)
{
  for (const auto* op : {"LSTM", "If", "NonMaxSuppression"}) {
    onnx_file f;
    f.input("x", {2}).output("y");
    f.node(op, {"x"}, {"y"}, "odd");
    const auto m = f.import();
    EXPECT_EQ(m.error().code, errc::unknown_op);
    EXPECT_EQ(m.error().what, std::string("test.onnx: node 'odd' (") + op + "): operator is not known");
    EXPECT_FALSE(knows_onnx_op(op));
  }
  onnx_file f;
  f.input("x", {2}).output("y");
  f.node("Relu", {"x"}, {"y"}, "odd").set_domain("com.example");
  EXPECT_THAT(f.import().error().what, HasSubstr("com.example"));
}

}  // namespace
}  // namespace narrows
