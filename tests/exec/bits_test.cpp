// SPDX-License-Identifier: BSD-3-Clause
// The executor's promise: an answer's bits depend on the network and the input alone.
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>

#include "exec/networks.hpp"

namespace narrows {
namespace {

using test::network;

op::window square(std::int64_t kernel, std::int64_t stride)
{
  const auto p = kernel / 2;
  return {{kernel, kernel}, {stride, stride}, {1, 1}, {p, p, p, p}};
}

/// Residual, depthwise and concat blocks, pools and the usual functions, on odd sizes.
std::shared_ptr<const graph> random_network(std::uint64_t seed)
{
  network n(seed);
  using k = enum op::unary::kind;
  const std::vector<op::unary> activations{{k::relu}, {k::clip, 0, 6}, {k::leaky_relu, 0.1F}, {k::hard_swish}, {k::sigmoid}, {k::tanh}, {k::elu, 1}, {k::softplus}, {}};
  const auto conv = [&](value_id x, std::int64_t m, std::int64_t kernel, std::int64_t stride, std::int64_t groups = 1) {
    const auto c = n.dims(x)[1];
    const float scale = 1.5F / std::sqrt(static_cast<float>(c / groups * kernel * kernel));
    return n.add(op::conv{square(kernel, stride), groups}, {x, n.weights(shape{m, c / groups, kernel, kernel}, -scale, scale), n.weights(shape{m})}, n.random.one_of(activations));
  };
  auto x = conv(n.input(shape{1, 3, n.random.whole(20, 45), n.random.whole(20, 45)}), n.random.whole(6, 40), 3, n.random.whole(1, 2));
  for (int block = 0; block < 5; ++block) {
    const auto c = n.dims(x)[1];
    switch (n.random.whole(0, 4)) {
    case 0: x = n.add(op::elementwise{op::elementwise::kind::add}, {conv(conv(x, c, 3, 1), c, 3, 1), x}, {k::relu}); break;
    case 1: x = conv(conv(conv(x, 2 * c, 1, 1), 2 * c, n.random.one_of<std::int64_t>({3, 5, 7}), n.random.whole(1, 2), 2 * c), n.random.whole(5, 50), 1, 1); break;
    case 2: {
      const auto squeezed = conv(x, n.random.whole(3, 20), 1, 1);
      x = n.add(op::concat{1}, {conv(squeezed, n.random.whole(3, 20), 1, 1), conv(squeezed, n.random.whole(3, 20), 3, 1)});
      break;
    }
    case 3: x = n.add(op::pool{n.random.coin() ? op::pool::kind::max : op::pool::kind::average, square(3, n.random.whole(1, 2)), n.random.coin()}, {x}); break;
    default: x = n.add(op::elementwise{op::elementwise::kind::mul}, {x, n.add(op::unary{k::sigmoid}, {n.add(op::global_pool{}, {x})})}); break;
    }
  }
  const auto pooled = n.add(op::global_pool{}, {n.add(op::lrn{5, 1e-2F, 0.75F, 1}, {x})});
  const auto c = n.dims(pooled)[1];
  const auto flat = n.add(op::reshape{}, {pooled}, {}, {shape{1, c}});
  const auto logits = n.add(op::gemm{1, 1, false, true}, {flat, n.weights(shape{70, c}), n.weights(shape{70})});
  return n.finish({n.add(op::softmax{1, 2, false}, {logits}), n.add(op::softmax{1, 2, true}, {logits})});
}

void expect_same_bits(const std::vector<tensor>& a, const std::vector<tensor>& b)
{
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto at = test::first_difference(a[i].values(), b[i].values());
    ASSERT_FALSE(at) << "output " << i << ", value " << *at << ": " << a[i].values()[*at] << " and " << b[i].values()[*at];
  }
}

TEST(ReferenceBits, AreTheSameAtEveryLevelThatRoundsOnce)
{
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto slice = whole_slice(random_network(seed));
    const auto in = test::inputs_for(slice, seed);
    std::map<std::string, std::vector<tensor>> answers;
    for (const auto& [level, engine] : test::all_levels()) {
      SCOPED_TRACE(::testing::Message() << level << ", seed " << seed);
      auto got = test::load_and_run(engine, slice, in);
      const auto [it, first] = answers.emplace(engine.level(), got);
      if (!first) expect_same_bits(it->second, got);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ReferenceBits, DoNotDependOnTheNumberOfThreads)
{
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    const auto slice = whole_slice(random_network(seed));
    const auto in = test::inputs_for(slice, seed);
    auto executor = test::all_levels().front().engine.load(slice);
    ASSERT_TRUE(executor) << executor.error().text();
    std::vector<tensor> one;
    for (const int threads : {1, 2, 3, 4, 1}) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", threads " << threads);
      run_options how;
      how.threads = threads;
      auto got = test::run(*executor, in, how);
      if (one.empty()) one = std::move(got);
      else expect_same_bits(one, got);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ReferenceBits, AreTheSameWhereverTheNetworkIsCut)
{
  for (std::uint64_t seed = 200; seed < 210; ++seed) {
    const auto g = random_network(seed);
    const auto whole = whole_slice(g);
    const auto in = test::inputs_for(whole, seed);
    const auto& engine = test::all_levels().front().engine;
    const auto expected = test::load_and_run(engine, whole, in);
    const auto cuts = single_tensor_cuts(*g);
    ASSERT_GT(cuts.size(), 5U);
    for (const auto& c : cuts) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", cut at " << name_of(*g, c));
      const auto head = head_slice(g, c), tail = tail_slice(g, c);
      std::map<value_id, tensor> known;
      for (std::size_t i = 0; i < whole.inputs.size(); ++i) known.emplace(whole.inputs[i], in[i]);
      for (const auto* half : {&head, &tail}) {
        std::vector<tensor> from;
        for (const auto v : half->inputs) from.push_back(known.at(v));
        auto out = test::load_and_run(engine, *half, from);
        for (std::size_t i = 0; i < out.size(); ++i) known.insert_or_assign(half->outputs[i], std::move(out[i]));
      }
      std::vector<tensor> got;
      for (const auto v : whole.outputs) got.push_back(known.at(v));
      expect_same_bits(expected, got);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace narrows
