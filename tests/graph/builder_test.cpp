// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/graph/builder.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const op::unary relu{op::unary::kind::relu};

TEST(GraphBuilder, KeepsNodesInOrderAndKnowsWhoReadsWhat)
{
  graph_builder b("pair");
  const auto x = *b.input("x", shape{1, 2});
  const auto y = b.add({"first", "Relu", relu, {x}, {"y"}})->front();
  const auto z = b.add({"", "Add", op::elementwise{}, {y, y}, {"z"}})->front();
  const auto g = *b.finish({z});
  ASSERT_EQ(g->nodes().size(), 2U);
  EXPECT_EQ(g->nodes()[1].name, "z");  // unnamed nodes take their output's name
  EXPECT_THAT((*g)[y].consumers, ElementsAre(node_id{1}));
  EXPECT_EQ((*g)[y].producer, node_id{0});
  EXPECT_EQ((*g)[x].producer, std::nullopt);
  EXPECT_EQ(g->find("z"), z);
  EXPECT_EQ(g->find("w"), std::nullopt);
  EXPECT_THAT(g->outputs(), ElementsAre(z));
}

TEST(GraphBuilder, NamesTheFirstBadNodeAndAddsNothingForIt)
{
  graph_builder b("bad");
  const auto x = *b.input("x", shape{1, 3, 4, 4});
  const auto w = *b.constant("w", tensor(shape{8, 3, 0, 3}));
  const auto made = b.add({"conv1", "Conv", op::conv{{{0, 3}}, 1}, {x, w}, {"y"}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, errc::bad_node);
  EXPECT_THAT(made.error().what, HasSubstr("node 'conv1' (Conv): kernel is 0x3"));
  EXPECT_EQ(b.find("y"), std::nullopt);
}

TEST(GraphBuilder, KeepsWeightsByShapeAloneUntilTheyAreFilled)
{
  graph_builder b("weights");
  const auto x = *b.input("x", shape{1, 3});
  const auto w = *b.constant("w", shape{3, 2}), there = *b.constant("v", tensor(shape{2}));
  const auto y = b.add({"", "", op::gemm{}, {x, w, there}, {"y"}})->front();
  const auto bare = *b.finish({y});
  EXPECT_TRUE((*bare)[w].is_constant && (*bare)[there].is_constant);
  EXPECT_FALSE((*bare)[x].is_constant || (*bare)[y].is_constant);
  EXPECT_EQ((*bare)[w].constant, nullptr);

  graph_builder more(*bare);
  EXPECT_EQ(more.fill(w, tensor(shape{2, 3})).error().code, errc::bad_graph);
  for (const auto v : {x, there, y, value_id{9}}) EXPECT_EQ(more.fill(v, tensor(shape{2})).error().code, errc::bad_graph);
  ASSERT_TRUE(more.fill(w, tensor(shape{3, 2})));
  EXPECT_EQ(more.fill(w, tensor(shape{3, 2})).error().code, errc::bad_graph);
  const auto filled = *more.finish(bare->outputs());
  EXPECT_NE((*filled)[w].constant, nullptr);
  EXPECT_EQ((*filled)[there].constant, (*bare)[there].constant);
  EXPECT_EQ((*bare)[w].constant, nullptr);
  EXPECT_EQ(filled->name(), "weights");
}

TEST(GraphBuilder, RefusesNamesThatAreTakenEmptyOrDangling)
{
  graph_builder b("names");
  const auto x = *b.input("x", shape{2});
  EXPECT_EQ(b.input("x", shape{2}).error().code, errc::bad_graph);
  EXPECT_EQ(b.input("", shape{2}).error().code, errc::bad_graph);
  EXPECT_EQ(b.constant("c", nullptr).error().code, errc::bad_graph);
  EXPECT_THAT(b.add({"n", "Relu", relu, {x}, {"x"}}).error().what, HasSubstr("'x'"));
  EXPECT_EQ(b.add({"n", "Relu", relu, {value_id{7}}, {"y"}}).error().code, errc::bad_graph);
  EXPECT_EQ(b.add({"n", "Relu", relu, {x}, {}}).error().code, errc::bad_node);
  EXPECT_EQ(b.add({"n", "Split", op::split{0, {1, 1}}, {x}, {"y", "y"}}).error().code, errc::bad_graph);
}

TEST(GraphBuilder, OutputsMustBeMadeByNodesAndListedOnce)
{
  for (const int wrong : {0, 1, 2, 3}) {
    graph_builder b("outputs");
    const auto x = *b.input("x", shape{2});
    const auto y = b.add({"n", "Relu", relu, {x}, {"y"}})->front();
    const std::vector<std::vector<value_id>> outputs{{}, {x}, {y, y}, {value_id{9}}};
    EXPECT_EQ(b.finish(outputs[static_cast<std::size_t>(wrong)]).error().code, errc::bad_graph) << wrong;
  }
}

}  // namespace
}  // namespace narrows
