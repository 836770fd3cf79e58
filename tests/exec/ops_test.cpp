// SPDX-License-Identifier: BSD-3-Clause
// Every operator with random shapes and attributes, at every level of this CPU, against the naive interpreter in double
// precision.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "exec/networks.hpp"
#include "support/naive_engine.hpp"

namespace narrows {
namespace {

using test::network;

/// A float32 sum of n products of values up to 1 is off by at most n * n * 2^-24 and by about sqrt(n) * 2^-24 of its
/// size in practice; elementary functions by a few 2^-24. `slack` counts in units of 2^-24 * (1 + |expected|).
void expect_close(const tensor& got, const tensor& expected, double slack)
{
  ASSERT_EQ(got.dims(), expected.dims());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = static_cast<double>(got.values()[i]), b = static_cast<double>(expected.values()[i]);
    if (std::isnan(b) && std::isnan(a)) continue;
    if (a == b) continue;
    ASSERT_LE(std::abs(a - b), slack * std::ldexp(1.0 + std::abs(b), -24)) << "value " << i << " of " << to_string(got.dims()) << ": " << a << " for " << b;
  }
}

using make_network = std::function<std::shared_ptr<const graph>(network&)>;

/// Builds one network per seed and compares all outputs. `low`, `high`: range of the inputs.
void compare(int seeds, double slack, const make_network& make, float low = -1, float high = 1)
{
  for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(seeds); ++seed) {
    network n(seed);
    const auto g = make(n);
    const auto slice = whole_slice(g);
    std::vector<tensor> in;
    std::string shapes;
    for (const auto v : slice.inputs) {
      in.push_back(n.random.filled((*g)[v].dims, low, high));
      shapes.append(" ").append(to_string((*g)[v].dims));
    }
    run_options how;
    how.threads = static_cast<int>(seed % 3) + 1;
    const auto expected = test::load_and_run(test::naive_engine{}, slice, in);
    for (const auto& [level, engine] : test::all_levels()) {
      SCOPED_TRACE(::testing::Message() << level << ", seed " << seed << ", inputs" << shapes << ", output " << to_string((*g)[g->outputs()[0]].dims));
      const auto got = test::load_and_run(engine, slice, in, how);
      for (std::size_t i = 0; i < got.size(); ++i) expect_close(got[i], expected[i], slack);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

op::unary activation(network& n)
{
  using k = enum op::unary::kind;
  static const std::vector<op::unary> all{{}, {}, {k::relu}, {k::clip, -0.5F, 0.75F}, {k::leaky_relu, 0.1F}, {k::hard_swish}, {k::sigmoid}};
  return n.random.one_of(all);
}

op::window window(network& n, std::int64_t largest_kernel, bool dilate)
{
  op::window w;
  for (std::size_t i = 0; i < 2; ++i) {
    w.kernel[i] = n.random.whole(1, largest_kernel);
    w.stride[i] = n.random.whole(1, 3);
    w.dilation[i] = dilate ? n.random.whole(1, 2) : 1;
    w.pads[i] = n.random.whole(0, w.kernel[i] - 1);
    w.pads[i + 2] = n.random.whole(0, w.kernel[i] - 1);
  }
  return w;
}
shape map_for(network& n, const op::window& w, std::int64_t channels, std::int64_t largest = 40)
{
  const auto fits = [&](std::size_t i) {
    const auto least = std::max<std::int64_t>(1, (w.kernel[i] - 1) * w.dilation[i] + 1 - w.pads[i] - w.pads[i + 2]);
    return n.random.whole(least, std::max(least, largest));
  };
  return shape{n.random.whole(1, 2), channels, fits(0), fits(1)};
}

TEST(ReferenceOps, ConvolutionMatchesTheOracle)
{
  compare(120, 200, [](network& n) {
    const auto groups = n.random.one_of<std::int64_t>({1, 1, 1, 2, 3});
    const auto c = n.random.whole(1, 9), m = n.random.one_of<std::int64_t>({1, 2, 5, 13, 16, 17, 33, 48});
    const auto w = window(n, 5, true);
    const auto x = n.input(map_for(n, w, c * groups));
    std::vector<value_id> in{x, n.weights(shape{m * groups, c, w.kernel[0], w.kernel[1]})};
    if (n.random.coin()) in.push_back(n.weights(shape{m * groups}));
    const auto a = activation(n);
    return n.finish({n.add(op::conv{w, groups}, in, a)});
  });
}

TEST(ReferenceOps, ConvolutionsOfNetworksMatchTheOracle)
{
  struct form { std::int64_t c, m, kernel, stride, size; };
  for (const form f : {form{64, 64, 3, 1, 14}, form{96, 70, 3, 1, 7}, form{300, 65, 1, 1, 7}, form{32, 48, 1, 1, 28}, form{32, 40, 1, 2, 15}, form{3, 24, 7, 2, 60}, form{20, 500, 1, 1, 1}})
    compare(1, 2000, [&](network& n) {
      const auto p = f.kernel / 2;
      const op::window w{{f.kernel, f.kernel}, {f.stride, f.stride}, {1, 1}, {p, p, p, p}};
      const auto x = n.input(shape{1, f.c, f.size, f.size});
      return n.finish({n.add(op::conv{w, 1}, {x, n.weights(shape{f.m, f.c, f.kernel, f.kernel}), n.weights(shape{f.m})}, {op::unary::kind::relu, 0, 0})});
    });
}

TEST(ReferenceOps, ConvolutionTakesWeightsAtRunTime)
{
  compare(20, 200, [](network& n) {
    const auto w = window(n, 3, false);
    const auto c = n.random.whole(1, 6), m = n.random.whole(1, 40);
    const auto x = n.input(map_for(n, w, c, 20)), weights = n.input(shape{m, c, w.kernel[0], w.kernel[1]}), bias = n.input(shape{m});
    return n.finish({n.add(op::conv{w, 1}, {x, weights, bias})});
  });
}

TEST(ReferenceOps, DepthwiseConvolutionMatchesTheOracle)
{
  compare(80, 200, [](network& n) {
    auto w = window(n, 7, true);
    const auto c = n.random.whole(2, 9), multiplier = n.random.whole(1, 2);
    const auto x = n.input(map_for(n, w, c, 80));
    std::vector<value_id> in{x, n.weights(shape{c * multiplier, 1, w.kernel[0], w.kernel[1]})};
    if (n.random.coin()) in.push_back(n.weights(shape{c * multiplier}));
    const auto a = activation(n);
    return n.finish({n.add(op::conv{w, c}, in, a)});
  });
}

TEST(ReferenceOps, TransposedConvolutionMatchesTheOracle)
{
  compare(40, 200, [](network& n) {
    op::conv_transpose t;
    t.window = window(n, 4, true);
    t.groups = n.random.whole(1, 2);
    for (std::size_t i = 0; i < 2; ++i) t.output_padding[i] = n.random.whole(0, t.window.stride[i] - 1);
    const auto c = n.random.whole(1, 4), m = n.random.whole(1, 4);
    const auto x = n.input(shape{n.random.whole(1, 2), c * t.groups, n.random.whole(4, 9), n.random.whole(4, 9)});
    std::vector<value_id> in{x, n.weights(shape{c * t.groups, m, t.window.kernel[0], t.window.kernel[1]})};
    if (n.random.coin()) in.push_back(n.weights(shape{m * t.groups}));
    return n.finish({n.add(t, in)});
  });
}

TEST(ReferenceOps, PoolingMatchesTheOracle)
{
  compare(120, 40, [](network& n) {
    op::pool p;
    p.kind = n.random.coin() ? op::pool::kind::max : op::pool::kind::average;
    p.count_include_pad = n.random.coin();
    p.window = window(n, 4, n.random.coin());
    const auto dims = map_for(n, p.window, n.random.whole(1, 5));
    const auto x = n.input(dims);
    // Half of them as ceil_mode gives: one more window if any of it lies on the map.
    std::vector<std::int64_t> out{dims[0], dims[1]};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& w = p.window;
      const auto span = dims[i + 2] + w.pads[i] + w.pads[i + 2] - (w.kernel[i] - 1) * w.dilation[i] - 1;
      auto count = span / w.stride[i] + 1;
      if (n.random.coin() && span % w.stride[i] != 0 && count * w.stride[i] < dims[i + 2] + w.pads[i]) ++count;
      out.push_back(count);
    }
    const auto a = activation(n);
    return n.finish({n.add(p, {x}, a, {*shape::make(out)})});
  });
  for (const auto kind : {op::pool::kind::max, op::pool::kind::average})
    compare(10, 60, [&](network& n) {
      const auto x = n.input(shape{n.random.whole(1, 2), n.random.whole(1, 9), n.random.whole(1, 20), n.random.whole(1, 20)});
      return n.finish({n.add(op::global_pool{kind}, {x}, {op::unary::kind::relu, 0, 0})});
    });
}

TEST(ReferenceOps, BatchNormalisationMatchesTheOracle)
{
  compare(20, 60, [](network& n) {
    const auto c = n.random.whole(1, 8);
    const auto x = n.input(shape{n.random.whole(1, 2), c, n.random.whole(1, 9), n.random.whole(1, 9)});
    const auto a = activation(n);
    return n.finish({n.add(op::batch_norm{1e-3F}, {x, n.weights(shape{c}), n.weights(shape{c}), n.weights(shape{c}), n.weights(shape{c}, 0.3F, 2)}, a)});
  });
}

TEST(ReferenceOps, GemmMatchesTheOracle)
{
  compare(120, 300, [](network& n) {
    const auto rows = n.random.one_of<std::int64_t>({1, 1, 2, 7, 20, 33}), columns = n.random.one_of<std::int64_t>({1, 3, 16, 31, 64, 100}), depth = n.random.whole(1, 60);
    op::gemm g{n.random.coin() ? 1.0F : 0.5F, n.random.coin() ? 1.0F : 2.0F, n.random.coin(), n.random.coin()};
    const auto a = n.input(g.transpose_a ? shape{depth, rows} : shape{rows, depth});
    const shape b = g.transpose_b ? shape{columns, depth} : shape{depth, columns};
    std::vector<value_id> in{a, n.random.coin() ? n.weights(b) : n.input(b)};
    const std::vector<shape> c{shape{columns}, shape{1, columns}, shape{rows, 1}, shape{rows, columns}, shape{1}, shape{}};
    if (n.random.coin()) in.push_back(n.weights(n.random.one_of(c)));
    const auto f = activation(n);
    return n.finish({n.add(g, in, f)});
  });
}

TEST(ReferenceOps, MatMulMatchesTheOracle)
{
  compare(80, 300, [](network& n) {
    const auto rows = n.random.whole(1, 20), columns = n.random.whole(1, 70), depth = n.random.whole(1, 40);
    const std::vector<std::pair<shape, shape>> forms{
      {shape{rows, depth}, shape{depth, columns}}, {shape{depth}, shape{depth, columns}}, {shape{rows, depth}, shape{depth}}, {shape{depth}, shape{depth}},
      {shape{2, 3, rows, depth}, shape{depth, columns}}, {shape{2, 3, rows, depth}, shape{2, 3, depth, columns}}, {shape{2, 1, rows, depth}, shape{3, depth, columns}},
      {shape{rows, depth}, shape{3, depth, columns}}, {shape{2, rows, depth}, shape{1, depth, columns}}, {shape{depth}, shape{2, depth, columns}}};
    const auto& [a, b] = n.random.one_of(forms);
    const auto x = n.input(a);
    const auto y = n.random.coin() ? n.weights(b) : n.input(b);
    return n.finish({n.add(op::matmul{}, {x, y})});
  });
}

TEST(ReferenceOps, UnaryFunctionsMatchTheOracle)
{
  using k = enum op::unary::kind;
  const std::vector<op::unary> all{{k::identity}, {k::relu}, {k::clip, -0.5F, 6}, {k::leaky_relu, 0.1F}, {k::elu, 1.5F}, {k::selu, 1.67326F, 1.0507F}, {k::sigmoid},
    {k::hard_sigmoid, 0.2F, 0.5F}, {k::hard_swish}, {k::tanh}, {k::exp}, {k::abs}, {k::neg}, {k::reciprocal}, {k::floor}, {k::ceil}, {k::erf}, {k::softplus}, {k::softsign}};
  for (const auto& u : all)
    for (const float range : {0.01F, 1.0F, 20.0F}) {
      SCOPED_TRACE(::testing::Message() << "kind " << static_cast<int>(u.kind) << ", values up to " << range);
      compare(3, u.kind == k::erf ? 8 : 5, [&](network& n) { return n.finish({n.add(u, {n.input(shape{n.random.whole(1, 500)})})}); }, -range, range);
    }
  for (const auto kind : {k::log, k::sqrt})
    for (const float range : {1e-3F, 2.0F, 1e6F})
      compare(3, 5, [&](network& n) { return n.finish({n.add(op::unary{kind}, {n.input(shape{n.random.whole(1, 500)})})}); }, 0, range);
}

TEST(ReferenceOps, ElementwiseOperatorsBroadcastAsNumpy)
{
  using k = enum op::elementwise::kind;
  for (const auto kind : {k::add, k::sub, k::mul, k::div, k::min, k::max, k::mean, k::prelu, k::pow}) {
    SCOPED_TRACE(::testing::Message() << "kind " << static_cast<int>(kind));
    compare(40, 20, [&](network& n) {
      const auto rank = static_cast<std::size_t>(n.random.whole(0, 5));
      std::vector<std::int64_t> full;
      for (std::size_t i = 0; i < rank; ++i) full.push_back(n.random.one_of<std::int64_t>({1, 2, 3, 5, 17}));
      const auto operand = [&] {
        const auto own = static_cast<std::size_t>(n.random.whole(0, static_cast<std::int64_t>(rank)));
        std::vector<std::int64_t> e(full.end() - static_cast<std::ptrdiff_t>(own), full.end());
        for (auto& x : e)
          if (n.random.whole(0, 3) == 0) x = 1;
        return *shape::make(e);
      };
      const bool two = kind == k::sub || kind == k::div || kind == k::prelu || kind == k::pow;
      const auto count = two ? 2 : n.random.whole(1, 4);
      std::vector<value_id> in;
      for (std::int64_t i = 0; i < count; ++i) {
        const auto s = i == 0 && kind == k::prelu ? *shape::make(full) : operand();
        in.push_back(n.random.coin() && i > 0 ? n.weights(s, 0.5F, 2) : n.input(s));
      }
      const auto a = activation(n);
      return n.finish({n.add(op::elementwise{kind}, in, a)});
    }, kind == k::pow || kind == k::div ? 0.5F : -1, 2);
  }
}

TEST(ReferenceOps, MovingOperatorsAreExact)
{
  compare(60, 0, [](network& n) {
    const auto rank = static_cast<std::size_t>(n.random.whole(1, 5));
    std::vector<std::int64_t> e;
    for (std::size_t i = 0; i < rank; ++i) e.push_back(n.random.whole(1, 6));
    const auto dims = *shape::make(e);
    const auto x = n.input(dims);
    std::vector<value_id> out;

    std::vector<std::size_t> order(rank);
    for (std::size_t i = 0; i < rank; ++i) order[i] = i;
    for (std::size_t i = rank; i-- > 1;) std::swap(order[i], order[static_cast<std::size_t>(n.random.whole(0, static_cast<std::int64_t>(i)))]);
    out.push_back(n.add(op::transpose{order}, {x}));

    op::slice s;
    std::vector<std::int64_t> counts;
    op::pad p, r, edge;
    r.mode = op::pad::mode::reflect;
    edge.mode = op::pad::mode::edge;
    p.value = 3;
    for (std::size_t i = 0; i < rank; ++i) {
      const auto step = n.random.one_of<std::int64_t>({1, 1, 2, -1, -2});
      const auto start = n.random.whole(0, e[i] - 1);
      s.starts.push_back(start);
      s.steps.push_back(step);
      counts.push_back(step > 0 ? (e[i] - start + step - 1) / step : start / -step + 1);
      p.before.push_back(n.random.whole(-1, 3));
      p.after.push_back(n.random.whole(p.before.back() < 0 && e[i] < 2 ? 0 : e[i] < 3 ? 0 : -1, 3));
      if (e[i] == 1 && p.before.back() < 0) p.before.back() = 0;
      r.before.push_back(n.random.whole(0, e[i] - 1));
      r.after.push_back(n.random.whole(0, e[i] - 1));
      edge.before.push_back(n.random.whole(0, 4));
      edge.after.push_back(n.random.whole(0, 4));
    }
    out.push_back(n.add(s, {x}, {}, {*shape::make(counts)}));
    for (const auto& q : {p, r, edge}) out.push_back(n.add(q, {x}));

    const auto axis = static_cast<std::size_t>(n.random.whole(0, static_cast<std::int64_t>(rank) - 1));
    op::split split{axis, {}};
    for (auto left = e[axis]; left > 0;) {
      const auto take = n.random.whole(1, left);
      split.sizes.push_back(take);
      left -= take;
    }
    const auto parts = n.add_all(split, {x}, split.sizes.size());
    std::vector<value_id> back(parts.rbegin(), parts.rend());
    back.push_back(x);
    out.push_back(n.add(op::concat{axis}, back, {op::unary::kind::relu, 0, 0}));
    out.push_back(n.add(op::reshape{}, {x}, {}, {shape{static_cast<std::int64_t>(dims.elements())}}));
    return n.finish(out);
  });
}

TEST(ReferenceOps, ResizeMatchesTheOracle)
{
  using m = enum op::resize::mode;
  using c = enum op::resize::coordinates;
  using q = enum op::resize::rounding;
  for (const auto mode : {m::nearest, m::linear, m::cubic})
    for (const auto coordinates : {c::half_pixel, c::pytorch_half_pixel, c::align_corners, c::asymmetric, c::tf_half_pixel_for_nn}) {
      SCOPED_TRACE(::testing::Message() << "mode " << static_cast<int>(mode) << ", coordinates " << static_cast<int>(coordinates));
      compare(12, 60, [&](network& n) {
        op::resize r;
        r.mode = mode;
        r.coordinates = coordinates;
        r.rounding = n.random.one_of<q>({q::round_prefer_floor, q::round_prefer_ceil, q::floor, q::ceil});
        r.exclude_outside = n.random.coin();
        const shape in{1, n.random.whole(1, 3), n.random.whole(1, 12), n.random.whole(1, 25)};
        const shape out{in[0], in[1], n.random.whole(1, 30), n.random.whole(1, 30)};
        for (std::size_t i = 0; i < 4; ++i) r.scales.push_back(static_cast<double>(out[i]) / static_cast<double>(in[i]));
        return n.finish({n.add(r, {n.input(in)}, {}, {out})});
      });
    }
}

TEST(ReferenceOps, ReductionsMatchTheOracle)
{
  using k = enum op::reduce::kind;
  for (const auto kind : {k::mean, k::sum, k::max, k::min})
    compare(40, 60, [&](network& n) {
      const auto rank = static_cast<std::size_t>(n.random.whole(1, 5));
      std::vector<std::int64_t> e, kept;
      op::reduce r{kind, {}};
      for (std::size_t i = 0; i < rank; ++i) {
        e.push_back(n.random.whole(1, 9));
        if (n.random.coin()) r.axes.push_back(i);
        kept.push_back(!r.axes.empty() && r.axes.back() == i ? 1 : e[i]);
      }
      if (r.axes.empty()) {
        r.axes.push_back(0);
        kept[0] = 1;
      }
      return n.finish({n.add(r, {n.input(*shape::make(e))}, {op::unary::kind::relu, 0, 0}, {*shape::make(kept)})});
    });
}

TEST(ReferenceOps, SoftmaxMatchesTheOracle)
{
  for (const bool log : {false, true})
    compare(40, 40, [&](network& n) {
      const auto rank = static_cast<std::size_t>(n.random.whole(1, 4));
      std::vector<std::int64_t> e;
      for (std::size_t i = 0; i < rank; ++i) e.push_back(n.random.whole(1, 20));
      const auto first = static_cast<std::size_t>(n.random.whole(0, static_cast<std::int64_t>(rank) - 1));
      const auto last = n.random.coin() ? first + 1 : rank;
      return n.finish({n.add(op::softmax{first, last, log}, {n.input(*shape::make(e))})});
    }, -8, 8);
}

TEST(ReferenceOps, LocalResponseNormalisationMatchesTheOracle)
{
  compare(20, 60, [](network& n) {
    const op::lrn l{n.random.whole(1, 6), 0.5F, n.random.coin() ? 0.75F : 0.6F, 1.5F};
    return n.finish({n.add(l, {n.input(shape{n.random.whole(1, 2), n.random.whole(1, 9), n.random.whole(1, 6), n.random.whole(1, 9)})})});
  });
}

TEST(ReferenceOps, EmptyTensorsAndScalarsPass)
{
  compare(1, 4, [](network& n) {
    const auto x = n.input(shape{0, 3}), y = n.input(shape{2, 3}), s = n.input(shape{});
    const auto joined = n.add(op::concat{0}, {x, y, x});
    const auto r = n.add(op::elementwise{op::elementwise::kind::add}, {joined, s});
    return n.finish({r, n.add(op::unary{op::unary::kind::relu}, {x}), n.add(op::unary{op::unary::kind::exp}, {s}), n.add(op::transpose{{1, 0}}, {x}),
                     n.add(op::elementwise{op::elementwise::kind::mul}, {x, s}), n.add(op::softmax{1, 2}, {x})});
  });
}

}  // namespace
}  // namespace narrows
