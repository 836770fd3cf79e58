// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/shape_inference.hpp>

namespace narrows {
namespace {

constexpr auto huge = std::numeric_limits<std::int64_t>::max();

result<std::vector<shape>> infer(any_op o, std::vector<shape> in, std::vector<shape> stated = {}) { return infer_shapes(o, in, stated); }

shape one(any_op o, std::vector<shape> in, std::vector<shape> stated = {})
{
  auto r = infer(std::move(o), std::move(in), std::move(stated));
  if (r) return r->front();
  ADD_FAILURE() << r.error().text();
  return {};
}
errc fails(any_op o, std::vector<shape> in, std::vector<shape> stated = {})
{
  auto r = infer(std::move(o), std::move(in), std::move(stated));
  return r ? errc::ok : r.error().code;
}

TEST(ShapeInference, FollowsTheDefinitionsOfTheConvolutions)
{
  const op::window same{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  EXPECT_EQ(one(op::conv{{{7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}}, 1}, {{1, 3, 224, 224}, {64, 3, 7, 7}}), (shape{1, 64, 112, 112}));
  EXPECT_EQ(one(op::conv{same, 8}, {{2, 8, 5, 6}, {16, 1, 3, 3}, {16}}), (shape{2, 16, 5, 6}));
  EXPECT_EQ(one(op::conv{same, 1}, {{0, 3, 5, 6}, {4, 3, 3, 3}}), (shape{0, 4, 5, 6}));
  EXPECT_EQ(one(op::conv_transpose{{{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, {1, 1}, 1}, {{1, 4, 7, 7}, {4, 2, 3, 3}}), (shape{1, 2, 14, 14}));
  EXPECT_EQ(fails(op::conv{same, 2}, {{1, 3, 5, 5}, {4, 1, 3, 3}}), errc::bad_node);
  EXPECT_EQ(fails(op::conv{same, 0}, {{1, 3, 5, 5}, {4, 3, 3, 3}}), errc::bad_node);
  EXPECT_EQ(fails(op::conv{same, 1}, {{1, 3, 5, 5}, {4, 3, 3, 3}, {5}}), errc::bad_node);
  EXPECT_EQ(fails(op::conv{{{3, 3}}, 1}, {{1, 3, 2, 5}, {4, 3, 3, 3}}), errc::bad_node);
}

/// Counts window positions one by one.
std::int64_t count_positions(std::int64_t extent, std::int64_t kernel, std::int64_t stride, std::int64_t dilation, std::int64_t before, std::int64_t after, bool ceil)
{
  std::int64_t n = 0;
  for (std::int64_t at = -before;; at += stride) {
    const auto last = at + dilation * (kernel - 1);
    if (last < extent + after) ++n;
    else {
      // One more may hang over the end if a window one step earlier would leave values uncovered, and if it starts in
      // the input or the border before it.
      if (ceil && last - stride < extent + after - 1 && at < extent) ++n;
      return n;
    }
  }
}

TEST(ShapeInference, CountsWindowPositionsLikeALoop)
{
  for (std::int64_t extent = 1; extent <= 9; ++extent)
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t dilation = 1; dilation <= 2; ++dilation)
          for (std::int64_t before = 0; before < kernel; ++before)
            for (std::int64_t after = 0; after < kernel; ++after) {
              const op::window w{{kernel, kernel}, {stride, stride}, {dilation, dilation}, {before, before, after, after}};
              SCOPED_TRACE(testing::Message() << extent << " k" << kernel << " s" << stride << " d" << dilation << " pads " << before << "," << after);
              EXPECT_EQ(detail::positions_floor(extent, w, 0), count_positions(extent, kernel, stride, dilation, before, after, false));
              EXPECT_EQ(detail::positions_ceil(extent, w, 1), count_positions(extent, kernel, stride, dilation, before, after, true));
            }
}

TEST(ShapeInference, PoolsTakeEitherRoundingAndNothingElse)
{
  const op::pool pool{op::pool::kind::max, {{3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}}, false};
  const shape x{1, 2, 6, 6};
  EXPECT_EQ(one(pool, {x}), (shape{1, 2, 2, 2}));
  EXPECT_EQ(one(pool, {x}, {{1, 2, 3, 3}}), (shape{1, 2, 3, 3}));
  EXPECT_EQ(fails(pool, {x}, {{1, 2, 4, 3}}), errc::bad_node);
  EXPECT_EQ(fails(op::pool{op::pool::kind::max, {{2, 2}, {1, 1}, {1, 1}, {2, 0, 0, 0}}, false}, {x}), errc::bad_node);  // a window of border only
  EXPECT_EQ(fails(op::global_pool{}, {{1, 2, 0, 6}}), errc::bad_node);
}

TEST(ShapeInference, HostileAttributesGiveErrorsNotOverflow)
{
  const shape x{1, 1, 4, 4}, w{1, 1, 3, 3};
  for (const auto bad : {std::int64_t{0}, std::int64_t{-1}, huge, std::numeric_limits<std::int64_t>::min()}) {
    SCOPED_TRACE(bad);
    EXPECT_NE(fails(op::conv{{{3, 3}, {bad, 1}}, 1}, {x, w}), errc::ok);
    EXPECT_NE(fails(op::conv{{{3, 3}, {1, 1}, {bad, 1}}, 1}, {x, w}), errc::ok);
    EXPECT_NE(fails(op::pool{op::pool::kind::max, {{bad, 1}}, false}, {x}), errc::ok);
    EXPECT_NE(fails(op::lrn{bad}, {x}), errc::ok);
    EXPECT_NE(fails(op::conv_transpose{{{3, 3}}, {bad == 0 ? -1 : bad, 0}, 1}, {x, w}), errc::ok);
    if (bad != 0) {
      EXPECT_NE(fails(op::conv{{{3, 3}, {1, 1}, {1, 1}, {bad, 0, 0, 0}}, 1}, {x, w}), errc::ok);
      EXPECT_NE(fails(op::pad{op::pad::mode::constant, {0, 0, bad == -1 ? -5 : bad, 0}, {0, 0, 0, 0}}, {x}), errc::ok);
      EXPECT_NE(fails(op::split{2, {bad, 4}}, {x}), errc::ok);
      EXPECT_NE(fails(op::slice{{0, 0, bad, 0}, {1, 1, 1, 1}}, {x}, {x}), errc::ok);
      EXPECT_NE(fails(op::slice{{0, 0, 0, 0}, {1, 1, bad, 1}}, {x}, {x}), errc::ok);
    }
  }
  const shape wide{1 << 20, 1 << 20};
  EXPECT_NE(fails(op::concat{0}, std::vector<shape>(100, wide)), errc::ok);
  EXPECT_NE(fails(op::matmul{}, {{1 << 24, 1}, {1, 1 << 24}}), errc::ok);
  EXPECT_NE(fails(op::elementwise{}, {{1 << 24, 1}, {1, 1 << 24}}), errc::ok);
  EXPECT_NE(fails(op::concat{9}, {x, x}), errc::ok);
  EXPECT_NE(fails(op::transpose{{0, 1, 2, 9}}, {x}), errc::ok);
  EXPECT_NE(fails(op::transpose{{0, 1, 2, 2}}, {x}), errc::ok);
  EXPECT_NE(fails(op::reduce{op::reduce::kind::sum, {1, 1}}, {x}), errc::ok);
  EXPECT_NE(fails(op::softmax{2, 9}, {x}), errc::ok);
  EXPECT_NE(fails(op::softmax{3, 2}, {x}), errc::ok);
  EXPECT_NE(fails(op::resize{}, {x}, {x}), errc::ok);
  EXPECT_NE(fails(op::reshape{}, {x}, {{3, 5}}), errc::ok);
  EXPECT_NE(fails(op::reshape{}, {x}), errc::ok);
}

TEST(ShapeInference, WrongNumbersOfInputsGiveErrors)
{
  const std::vector<any_op> ops{op::conv{}, op::conv_transpose{}, op::pool{}, op::global_pool{}, op::batch_norm{}, op::gemm{}, op::matmul{}, op::unary{},
    op::elementwise{}, op::concat{}, op::split{}, op::slice{}, op::pad{}, op::reshape{}, op::transpose{}, op::resize{}, op::reduce{}, op::softmax{}, op::lrn{}};
  for (const auto& o : ops) EXPECT_EQ(fails(o, {}), errc::bad_node) << o.index();
  for (const auto& o : ops)
    if (!std::holds_alternative<op::elementwise>(o) && !std::holds_alternative<op::concat>(o)) { EXPECT_NE(fails(o, std::vector<shape>(6, shape{1, 1, 1, 1})), errc::ok) << o.index(); }
}

TEST(ShapeInference, BroadcastsLikeNumpy)
{
  EXPECT_EQ(one(op::elementwise{}, {{2, 1, 4}, {3, 1}, {}}), (shape{2, 3, 4}));
  EXPECT_EQ(one(op::elementwise{}, {{0, 4}, {1, 4}}), (shape{0, 4}));
  EXPECT_EQ(fails(op::elementwise{}, {{2, 3}, {4}}), errc::bad_node);
  EXPECT_EQ(fails(op::elementwise{op::elementwise::kind::prelu}, {{3}, {2, 3}}), errc::bad_node);
  EXPECT_EQ(fails(op::elementwise{op::elementwise::kind::sub}, {{3}, {3}, {3}}), errc::bad_node);
  EXPECT_EQ(one(op::matmul{}, {{5, 1, 2, 3}, {7, 3, 4}}), (shape{5, 7, 2, 4}));
  EXPECT_EQ(one(op::matmul{}, {{3}, {3}}), (shape{}));
  EXPECT_EQ(one(op::matmul{}, {{2, 3}, {3}}), (shape{2}));
  EXPECT_EQ(one(op::gemm{1, 1, true, true}, {{3, 2}, {4, 3}, {4}}), (shape{2, 4}));
  EXPECT_EQ(fails(op::gemm{}, {{3, 2}, {2, 4}, {2, 3, 4}}), errc::bad_node);
}

TEST(ShapeInference, SlicesStayInsideTheirInput)
{
  for (std::int64_t start = 0; start < 5; ++start)
    for (std::int64_t step = -3; step <= 3; ++step)
      for (std::int64_t count = 0; count <= 6; ++count) {
        bool inside = step != 0;
        for (std::int64_t i = 0; i < count; ++i) inside = inside && start + i * step >= 0 && start + i * step < 5;
        EXPECT_EQ(fails(op::slice{{start}, {step}}, {{5}}, {{count}}) == errc::ok, inside) << start << " " << step << " " << count;
      }
  EXPECT_EQ(fails(op::slice{{4}, {std::numeric_limits<std::int64_t>::min()}}, {{5}}, {{1}}), errc::ok);
}

TEST(ShapeInference, ReducesWithOrWithoutTheReducedAxes)
{
  const op::reduce r{op::reduce::kind::mean, {1, 2}};
  EXPECT_EQ(one(r, {{2, 3, 4}}), (shape{2, 1, 1}));
  EXPECT_EQ(one(r, {{2, 3, 4}}, {{2}}), (shape{2}));
  EXPECT_EQ(fails(r, {{2, 3, 4}}, {{3}}), errc::bad_node);
  EXPECT_EQ(fails(op::reduce{op::reduce::kind::max, {1}}, {{2, 0}}), errc::bad_node);
}

}  // namespace
}  // namespace narrows
