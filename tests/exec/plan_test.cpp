// SPDX-License-Identifier: BSD-3-Clause
// Memory, errors and manners of the executor as a header user compiles it.
#include <chrono>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/exec/reference/engine.hpp>

#include "exec/networks.hpp"

namespace narrows {
namespace {

using test::network;

std::shared_ptr<const graph> chain(std::uint64_t seed, int length)
{
  network n(seed);
  auto x = n.input(shape{1, 8, 16, 16});
  for (int i = 0; i < length; ++i) {
    const auto y = n.add(op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1}, {x, n.weights(shape{8, 8, 3, 3}, -0.1F, 0.1F)}, {op::unary::kind::relu});
    x = n.add(op::elementwise{op::elementwise::kind::add}, {y, i == 0 ? y : x});
  }
  return n.finish({n.add(op::reshape{}, {n.add(op::global_pool{}, {x})}, {}, {shape{1, 8}})});
}

TEST(MemoryPlan, KeepsWhatLivesTogetherApartAndReusesTheRest)
{
  test::random_values random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<exec::lifetime> all;
    for (int i = 0; i < 30; ++i) {
      const auto first = static_cast<std::size_t>(random.whole(0, 20));
      all.push_back({first, first + static_cast<std::size_t>(random.whole(0, 6)), static_cast<std::size_t>(random.whole(0, 500)), 0});
    }
    const auto total = exec::place(all);
    std::size_t sum = 0, peak = 0;
    for (std::size_t step = 0; step < 30; ++step) {
      std::size_t now = 0;
      for (const auto& a : all) now += a.first <= step && step <= a.last ? exec::padded(a.floats) : 0;
      peak = std::max(peak, now);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      sum += exec::padded(all[i].floats);
      EXPECT_EQ(all[i].offset % 16, 0U);
      EXPECT_LE(all[i].offset + all[i].floats, total);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = all[i].first <= all[j].last && all[j].first <= all[i].last;
        const bool apart = all[i].offset + all[i].floats <= all[j].offset || all[j].offset + all[j].floats <= all[i].offset;
        ASSERT_TRUE(!together || apart || all[i].floats == 0 || all[j].floats == 0) << "round " << round;
      }
    }
    EXPECT_GE(total, peak);
    EXPECT_LT(total, sum);
  }
}

TEST(ReferenceExecutor, NeedsNoMoreMemoryForALongerNetwork)
{
  const reference_engine engine;
  const auto shorter = engine.load(whole_slice(chain(1, 4))), longer = engine.load(whole_slice(chain(1, 40)));
  ASSERT_TRUE(shorter && longer);
  EXPECT_EQ(shorter->arena_bytes(), longer->arena_bytes());
  EXPECT_LT(longer->arena_bytes(), longer->unshared_bytes() / 10);
}

TEST(ReferenceExecutor, SharesPackedWeightsBetweenExecutorsOfOneEngine)
{
  const auto g = chain(2, 3);
  exec::step_cache cache;
  const auto first = cache.find_or_make(*g, node_id{0}), again = cache.find_or_make(*g, node_id{0}), other = cache.find_or_make(*g, node_id{2});
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_EQ(first.use_count(), 2);  // the cache itself keeps nothing alive
}

TEST(ReferenceExecutor, NamesAWrongInput)
{
  const auto g = chain(3, 1);
  auto e = reference_engine{}.load(whole_slice(g));
  ASSERT_TRUE(e);
  tensor in(shape{1, 8, 16, 15}), out(shape{1, 8});
  const std::vector<tensor_view> from{in.view()};
  const std::vector<mutable_tensor_view> to{out.view()};
  auto done = e->run(from, to, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::bad_input);
  EXPECT_EQ(done.error().what, "input 'x0': shape is 1x8x16x15, expected 1x8x16x16");
  done = e->run({}, to, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::bad_input);
}

TEST(ReferenceExecutor, StopsBetweenNodesWhenAsked)
{
  const auto g = chain(4, 10);
  auto e = reference_engine{}.load(whole_slice(g));
  ASSERT_TRUE(e);
  tensor in(shape{1, 8, 16, 16}), out(shape{1, 8});
  const std::vector<tensor_view> from{in.view()};
  const std::vector<mutable_tensor_view> to{out.view()};
  std::stop_source stop;
  int nodes = 0;
  run_options how;
  how.stop = stop.get_token();
  how.on_node = [&](node_id, std::chrono::nanoseconds) {
    if (++nodes == 5) stop.request_stop();
  };
  const auto done = e->run(from, to, how);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::cancelled);
  EXPECT_EQ(nodes, 5);
}

TEST(ReferenceExecutor, TellsTheTimeOfEveryNodeOnce)
{
  const auto g = chain(5, 3);
  const auto slice = whole_slice(g);
  auto e = reference_engine{}.load(slice);
  ASSERT_TRUE(e);
  std::vector<node_id> seen;
  run_options how;
  how.on_node = [&](node_id n, std::chrono::nanoseconds spent) {
    seen.push_back(n);
    EXPECT_GE(spent.count(), 0);
  };
  static_cast<void>(test::run(*e, test::inputs_for(slice, 1), how));
  EXPECT_EQ(seen, slice.nodes);
}

TEST(ReferenceExecutor, LetsNoExceptionOut)
{
  const auto g = chain(6, 1);
  auto e = reference_engine{}.load(whole_slice(g));
  ASSERT_TRUE(e);
  tensor in(shape{1, 8, 16, 16}), out(shape{1, 8});
  const std::vector<tensor_view> from{in.view()};
  const std::vector<mutable_tensor_view> to{out.view()};
  run_options how;
  how.on_node = [](node_id, std::chrono::nanoseconds) { throw std::runtime_error("listener failed"); };
  const auto done = e->run(from, to, how);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::internal);
}

TEST(ReferenceExecutor, PassesInputsAndConstantsThrough)
{
  network n(7);
  const auto x = n.input(shape{4});
  const auto y = n.add(op::unary{op::unary::kind::neg}, {x});
  const auto g = n.finish({y});
  auto slice = whole_slice(g);
  slice.outputs = {x, y, y};  // a slice may hand on what it got, and one tensor twice
  auto e = reference_engine{}.load(slice);
  ASSERT_TRUE(e) << e.error().text();
  const auto in = test::inputs_for(slice, 1);
  const auto out = test::run(*e, in);
  EXPECT_FALSE(test::first_difference(out[0].values(), in[0].values()));
  EXPECT_FALSE(test::first_difference(out[1].values(), out[2].values()));
  EXPECT_EQ(out[1].values()[0], -in[0].values()[0]);
}

}  // namespace
}  // namespace narrows
