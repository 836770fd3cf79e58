// SPDX-License-Identifier: BSD-3-Clause
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using test::onnx_file;
using list = std::vector<std::int64_t>;

/// The integers that `build` computes into a tensor named "out", seen through the shape of a Reshape of x [24].
result<list> folded(const std::function<void(onnx_file&)>& build)
{
  onnx_file f(17);
  f.input("x", {24}).output("y");
  build(f);
  f.node("Reshape", {"x", "out"}, {"y"});
  const auto m = f.import();
  if (!m) return m.error();
  const auto dims = (*m->network)[m->network->outputs()[0]].dims.dims();
  return list(dims.begin(), dims.end());
}

TEST(Fold, ComputesShapes)
{
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.input("z", {1, 2, 3, 4});
    test::set(f.node("Shape", {"z"}, {"out"}), "start", std::int64_t{1});
  }), ElementsAre(2, 3, 4));
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.integers("a", {2, 3, 4}).integers("i", {2, -2, 0});
    f.node("Gather", {"a", "i"}, {"out"});
  }), ElementsAre(4, 3, 2));
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.integers("a", {9, 2, 9, 3, 9, 4}).integers("s", {-1}).integers("e", {std::numeric_limits<std::int64_t>::min()}).integers("ax", {0}).integers("st", {-2});
    f.node("Slice", {"a", "s", "e", "ax", "st"}, {"out"});
  }), ElementsAre(4, 3, 2));
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.integers("lo", {2}, true).integers("hi", {5}, true).integers("by", {1}, true);
    f.node("Range", {"lo", "hi", "by"}, {"out"});
  }), ElementsAre(2, 3, 4));
}

TEST(Fold, ComputesOnIntegersAndNumbers)
{
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.integers("a", {4, 7, 9}).integers("two", {2}).integers("b", {0, -1, 0});
    f.node("Div", {"a", "two"}, {"h"});
    f.node("Add", {"h", "b"}, {"c"});
    f.integers("d", {1, 1, 1}).integers("limit", {3});
    f.node("Mul", {"c", "d"}, {"m"});
    f.node("Min", {"m", "limit"}, {"n"});
    f.integers("plus", {0, 2, 0});
    f.node("Add", {"n", "plus"}, {"out"});
  }), ElementsAre(2, 4, 3));
  EXPECT_THAT(*folded([](onnx_file& f) {  // the way old exporters scale a size
    f.integers("a", {2, 3}).weights("f", {2}, 2);
    test::set(f.node("Cast", {"a"}, {"r"}), "to", std::int64_t{1});
    f.node("Mul", {"r", "f"}, {"s"});
    f.node("Floor", {"s"}, {"t"});
    test::set(f.node("Cast", {"t"}, {"out"}), "to", std::int64_t{7});
  }), ElementsAre(4, 6));
  EXPECT_THAT(*folded([](onnx_file& f) {
    f.integers("a", {-1, 0, 3}).integers("minus", {-1}).integers("eight", {8}).integers("zero", {0});
    f.node("Equal", {"a", "minus"}, {"is"});
    f.node("Where", {"is", "eight", "a"}, {"b"});
    f.node("Equal", {"b", "zero"}, {"none"});
    f.integers("one", {1});
    f.node("Where", {"none", "one", "b"}, {"out"});
  }), ElementsAre(8, 1, 3));
}

TEST(Fold, RefusesOverflowAndDivisionByZero)
{
  for (const auto* op : {"Add", "Mul", "Div", "Mod"}) {
    const auto r = folded([&](onnx_file& f) {
      const bool divides = std::string(op) == "Div" || std::string(op) == "Mod";
      f.integers("a", {std::numeric_limits<std::int64_t>::max()}).integers("b", {divides ? 0 : 2});
      f.node(op, {"a", "b"}, {"out"}, "bad");
    });
    ASSERT_FALSE(r) << op;
    EXPECT_EQ(r.error().code, errc::bad_node) << op;
  }
}

TEST(Fold, RearrangesWeightsLikeTheirDefinition)
{
  // y = x + Transpose(Reshape(w)) with w = 0..5: weights become a constant of the graph.
  onnx_file f;
  f.input("x", {3, 2}).output("y");
  auto& t = *f.graph().add_initializer();
  t.set_name("w");
  t.set_data_type(1);
  t.add_dims(6);
  for (int i = 0; i < 6; ++i) t.add_float_data(static_cast<float>(i));
  f.integers("s", {2, 3});
  f.node("Reshape", {"w", "s"}, {"w2"});
  f.node("Transpose", {"w2"}, {"wt"});
  f.node("Add", {"x", "wt"}, {"y"});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  ASSERT_EQ(m->network->nodes().size(), 1U);
  const auto& c = *(*m->network)[m->network->nodes()[0].inputs[1]].constant;
  EXPECT_EQ(c.dims(), (shape{3, 2}));
  EXPECT_THAT(c.values(), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(Fold, JoinsSplitsAndExpandsConstants)
{
  onnx_file f;
  f.input("x", {2, 4}).output("y");
  f.weights("a", {2, 1}, 1).weights("b", {2, 2}, 2).integers("wide", {2, 2});
  test::set(f.node("Concat", {"a", "b"}, {"ab"}), "axis", std::int64_t{1});
  f.integers("parts", {2, 1});
  auto& split = f.node("Split", {"ab", "parts"}, {"left", "right"});
  test::set(split, "axis", std::int64_t{-1});
  f.node("Expand", {"right", "wide"}, {"pair"});
  test::set(f.node("Concat", {"left", "pair"}, {"all"}), "axis", std::int64_t{1});
  f.node("Mul", {"x", "all"}, {"y"});
  const auto m = f.import();
  ASSERT_TRUE(m) << m.error().text();
  ASSERT_EQ(m->network->nodes().size(), 1U);
  EXPECT_THAT((*m->network)[m->network->nodes()[0].inputs[1]].constant->values(), ElementsAre(1, 2, 2, 2, 1, 2, 2, 2));
}

}  // namespace
}  // namespace narrows
