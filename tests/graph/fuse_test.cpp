// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/fuse.hpp>
#include <support/naive_engine.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;

tensor run(const std::shared_ptr<const graph>& g, const tensor& x)
{
  auto loaded = any_engine(test::naive_engine{}).load(whole_slice(g));
  EXPECT_TRUE(loaded);
  tensor out((*g)[g->outputs()[0]].dims);
  const std::vector<tensor_view> in{x.view()};
  const std::vector<mutable_tensor_view> to{out.view()};
  EXPECT_TRUE(loaded->run(in, to, {}));
  return out;
}

struct normalised_conv {
  test::sure_builder b;
  std::mt19937 random{7};
  value_id x = b.input("x", shape{1, 3, 6, 6});
  value_id conv = b.add("conv", op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1},
    {x, b.constant("w", test::random_tensor(shape{4, 3, 3, 3}, random)), b.constant("b", test::random_tensor(shape{4}, random))});
  value_id norm(value_id from)
  {
    return b.add("norm", op::batch_norm{1e-3F}, {from, b.constant("scale", test::random_tensor(shape{4}, random)), b.constant("shift", test::random_tensor(shape{4}, random)),
      b.constant("mean", test::random_tensor(shape{4}, random)), b.constant("variance", test::random_tensor(shape{4}, random, 0.1F, 2))});
  }
};

TEST(Fuse, FoldsNormalisationAndActivationIntoTheConvolution)
{
  normalised_conv net;
  const auto g = net.b.finish({net.b.relu("y", net.norm(net.conv))});
  const auto fused = *fuse(*g);
  ASSERT_EQ(fused->nodes().size(), 1U);
  const auto& n = fused->nodes()[0];
  EXPECT_EQ(n.name, "conv_node");
  EXPECT_THAT(n.fused, ElementsAre("norm_node", "y_node"));
  EXPECT_EQ(n.activation, (op::unary{op::unary::kind::relu}));
  EXPECT_EQ((*fused)[n.outputs[0]].name, "y");
  EXPECT_FALSE(fused->find("conv"));

  const auto x = test::random_tensor(shape{1, 3, 6, 6}, net.random);
  const auto before = run(g, x), after = run(fused, x);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before.values()[i], after.values()[i], 2e-6) << i;
}

TEST(Fuse, RoundsFoldedWeightsOnce)
{
  normalised_conv net;
  const auto g = net.b.finish({net.norm(net.conv)});
  const auto fused = *fuse(*g);
  const auto& n = fused->nodes()[0];
  const auto at = [&](const char* name) { return (*g)[*g->find(name)].constant->values(); };
  const auto w = (*fused)[n.inputs[1]].constant->values(), b = (*fused)[n.inputs[2]].constant->values();
  for (std::size_t m = 0; m < 4; ++m) {
    const double s = double(at("scale")[m]) / std::sqrt(double(at("variance")[m]) + double(1e-3F));
    for (std::size_t i = 0; i < 27; ++i) EXPECT_EQ(w[m * 27 + i], static_cast<float>(double(at("w")[m * 27 + i]) * s));
    EXPECT_EQ(b[m], static_cast<float>((double(at("b")[m]) - double(at("mean")[m])) * s + double(at("shift")[m])));
  }
}

TEST(Fuse, MakesTheSameGraphWhereValuesAreMissing)
{
  const auto network = [](std::string_view missing) {
    graph_builder b("net");
    const auto weights = [&](const char* name, const shape& dims) {
      return missing == name || missing == "all" ? *b.constant(name, dims) : *b.constant(name, tensor(dims));
    };
    const auto x = *b.input("x", shape{1, 3, 6, 6});
    const auto c = b.add({"", "", op::conv{}, {x, weights("w", shape{4, 3, 1, 1})}, {"c"}})->front();
    const auto n = b.add({"", "", op::batch_norm{}, {c, weights("scale", shape{4}), weights("shift", shape{4}), weights("mean", shape{4}), weights("variance", shape{4})}, {"n"}})->front();
    return *b.finish({b.add({"", "", op::unary{op::unary::kind::relu}, {n}, {"y"}})->front()});
  };
  const auto known = *fuse(*network("none"));
  for (const char* missing : {"w", "variance", "all"}) {
    SCOPED_TRACE(missing);
    const auto fused = *fuse(*network(missing));
    ASSERT_EQ(fused->nodes().size(), 1U);
    EXPECT_EQ(fused->nodes()[0].fused, known->nodes()[0].fused);
    ASSERT_EQ(fused->values().size(), known->values().size());
    for (std::size_t i = 0; i < known->values().size(); ++i) {
      const auto &a = fused->values()[i], &b = known->values()[i];
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(a.dims, b.dims);
      EXPECT_EQ(a.is_constant, b.is_constant);
      EXPECT_EQ(a.constant, nullptr);
    }
  }
}

TEST(Fuse, LeavesWhatSomebodyElseSees)
{
  {  // the convolution's own tensor is an output
    normalised_conv net;
    const auto y = net.norm(net.conv);
    EXPECT_EQ((*fuse(*net.b.finish({net.conv, y})))->nodes().size(), 2U);
  }
  {  // two readers
    normalised_conv net;
    const auto y = net.norm(net.conv), z = net.b.relu("z", net.conv);
    EXPECT_EQ((*fuse(*net.b.finish({y, z})))->nodes().size(), 3U);
  }
  {  // normalisation goes in, its tensor is an output, so the activation stays
    normalised_conv net;
    const auto y = net.norm(net.conv);
    const auto fused = *fuse(*net.b.finish({y, net.b.relu("z", y)}));
    EXPECT_EQ(fused->nodes().size(), 2U);
    EXPECT_TRUE(fused->find("norm"));
  }
  {  // x + x read by one node twice
    normalised_conv net;
    EXPECT_EQ((*fuse(*net.b.finish({net.b.add("sum", op::elementwise{}, {net.conv, net.conv})})))->nodes().size(), 2U);
  }
}

TEST(Fuse, NormalisationOfAnythingElseStaysANode)
{
  normalised_conv net;
  const auto pooled = net.b.add("pool", op::pool{op::pool::kind::max, {{2, 2}, {2, 2}}, false}, {net.conv});
  const auto fused = *fuse(*net.b.finish({net.b.relu("y", net.norm(pooled))}));
  ASSERT_EQ(fused->nodes().size(), 3U);
  EXPECT_TRUE(std::holds_alternative<op::batch_norm>(fused->nodes()[2].operation));
  EXPECT_EQ(fused->nodes()[2].activation.kind, op::unary::kind::relu);
}

TEST(Fuse, WeightsFedAtRunTimeAreNotFolded)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{1, 2, 3, 3}), w = b.input("w", shape{2, 2, 1, 1});
  const auto ones = [&](const char* name) { return b.constant(name, tensor(shape{2})); };
  const auto y = b.add("norm", op::batch_norm{}, {b.add("conv", op::conv{}, {x, w}), ones("s"), ones("b"), ones("m"), ones("v")});
  const auto fused = *fuse(*b.finish({y}));
  EXPECT_EQ(fused->nodes().size(), 2U);
  EXPECT_EQ(fused->inputs().size(), 2U);
}

TEST(Fuse, SharesUnchangedWeightsAndKeepsInputsAndOutputs)
{
  test::sure_builder b;
  std::mt19937 random(3);
  const auto x = b.input("x", shape{2, 3});
  const auto y = b.relu("y", b.add("g", op::gemm{}, {x, b.constant("w", test::random_tensor(shape{3, 4}, random))}));
  const auto g = b.finish({b.relu("z", y), y});
  const auto fused = *fuse(*g);
  EXPECT_EQ((*fused)[*fused->find("w")].constant, (*g)[*g->find("w")].constant);
  EXPECT_EQ((*fused)[fused->outputs()[0]].name, "z");
  EXPECT_EQ((*fused)[fused->outputs()[1]].name, "y");
}

}  // namespace
}  // namespace narrows
