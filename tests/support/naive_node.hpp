// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <narrows/graph/graph.hpp>

#include "support/wide_tensor.hpp"

namespace narrows::test {

/// One node at a time; `in` are its inputs, `out` its outputs with their shapes set.
struct naive_node {
  std::span<const wide_tensor* const> in;
  std::span<wide_tensor> out;

  void operator()(const op::conv& c) const
  {
    const auto &x = *in[0], &w = *in[1];
    const auto kh = c.window.kernel[0], kw = c.window.kernel[1];
    const auto channels = x.dims[1] / c.groups;
    const auto filters = w.dims[0] / c.groups;
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double sum = in.size() > 2 ? in[2]->values[static_cast<std::size_t>(o[1])] : 0;
      for (std::int64_t i = 0; i < channels; ++i)
        for (std::int64_t ky = 0; ky < kh; ++ky)
          for (std::int64_t kx = 0; kx < kw; ++kx) {
            const auto y = o[2] * c.window.stride[0] - c.window.pads[0] + ky * c.window.dilation[0];
            const auto z = o[3] * c.window.stride[1] - c.window.pads[1] + kx * c.window.dilation[1];
            if (y < 0 || z < 0 || y >= x.dims[2] || z >= x.dims[3]) continue;
            sum += w[{o[1], i, ky, kx}] * x[{o[0], o[1] / filters * channels + i, y, z}];
          }
      out[0][o] = sum;
    });
  }

  void operator()(const op::conv_transpose& c) const
  {
    const auto &x = *in[0], &w = *in[1];
    const auto channels = x.dims[1] / c.groups;
    const auto filters = w.dims[1];
    auto& y = out[0];
    for_each_index(y.dims, [&](const index_tuple& o) { y[o] = in.size() > 2 ? in[2]->values[static_cast<std::size_t>(o[1])] : 0; });
    for_each_index(x.dims, [&](const index_tuple& i) {
      for (std::int64_t m = 0; m < filters; ++m)
        for (std::int64_t ky = 0; ky < c.window.kernel[0]; ++ky)
          for (std::int64_t kx = 0; kx < c.window.kernel[1]; ++kx) {
            const auto oy = i[2] * c.window.stride[0] - c.window.pads[0] + ky * c.window.dilation[0];
            const auto ox = i[3] * c.window.stride[1] - c.window.pads[1] + kx * c.window.dilation[1];
            if (oy < 0 || ox < 0 || oy >= y.dims[2] || ox >= y.dims[3]) continue;
            y[{i[0], i[1] / channels * filters + m, oy, ox}] += x[i] * w[{i[1], m, ky, kx}];
          }
    });
  }

  void operator()(const op::pool& p) const
  {
    const auto& x = *in[0];
    const bool max = p.kind == op::pool::kind::max;
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double sum = 0, best = -std::numeric_limits<double>::infinity();
      std::int64_t inside = 0, padded = 0;
      for (std::int64_t ky = 0; ky < p.window.kernel[0]; ++ky)
        for (std::int64_t kx = 0; kx < p.window.kernel[1]; ++kx) {
          const auto y = o[2] * p.window.stride[0] - p.window.pads[0] + ky * p.window.dilation[0];
          const auto z = o[3] * p.window.stride[1] - p.window.pads[1] + kx * p.window.dilation[1];
          if (y < x.dims[2] + p.window.pads[2] && z < x.dims[3] + p.window.pads[3]) ++padded;
          if (y < 0 || z < 0 || y >= x.dims[2] || z >= x.dims[3]) continue;
          ++inside;
          sum += x[{o[0], o[1], y, z}];
          best = std::max(best, x[{o[0], o[1], y, z}]);
        }
      const auto count = p.count_include_pad ? padded : inside;
      out[0][o] = max ? best : sum / static_cast<double>(count);
    });
  }

  void operator()(const op::global_pool& p) const
  {
    const auto& x = *in[0];
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double sum = 0, best = -std::numeric_limits<double>::infinity();
      for (std::int64_t y = 0; y < x.dims[2]; ++y)
        for (std::int64_t z = 0; z < x.dims[3]; ++z) {
          sum += x[{o[0], o[1], y, z}];
          best = std::max(best, x[{o[0], o[1], y, z}]);
        }
      out[0][o] = p.kind == op::pool::kind::max ? best : sum / static_cast<double>(x.dims[2] * x.dims[3]);
    });
  }

  void operator()(const op::batch_norm& b) const
  {
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      const auto c = static_cast<std::size_t>(o[1]);
      out[0][o] = ((*in[0])[o] - in[3]->values[c]) / std::sqrt(in[4]->values[c] + static_cast<double>(b.epsilon)) * in[1]->values[c] +
                  in[2]->values[c];
    });
  }

  void operator()(const op::gemm& g) const
  {
    const auto &a = *in[0], &b = *in[1];
    const auto depth = g.transpose_a ? a.dims[0] : a.dims[1];
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double sum = 0;
      for (std::int64_t k = 0; k < depth; ++k)
        sum += (g.transpose_a ? a[{k, o[0]}] : a[{o[0], k}]) * (g.transpose_b ? b[{o[1], k}] : b[{k, o[1]}]);
      out[0][o] = static_cast<double>(g.alpha) * sum + (in.size() > 2 ? static_cast<double>(g.beta) * in[2]->broadcast(o) : 0);
    });
  }

  void operator()(const op::matmul&) const
  {
    // As numpy does it: a vector on the left gains an axis in front, one on the right an axis behind.
    auto a = *in[0], b = *in[1];
    const bool row = a.dims.rank() == 1, column = b.dims.rank() == 1;
    if (row) a.dims = shape{1, a.dims[0]};
    if (column) b.dims = shape{b.dims[0], 1};
    const auto depth = a.dims[a.dims.rank() - 1];
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      auto left = o, right = o;
      if (row && column) left = right = {0, 0};
      else if (row) { left.insert(left.end() - 1, 0); right = left; }
      else if (column) { left.push_back(0); right = left; }
      double sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) {
        left.back() = k;
        right[right.size() - 2] = k;
        sum += a.broadcast(left) * b.broadcast(right);
      }
      out[0][o] = sum;
    });
  }

  void operator()(const op::unary& u) const
  {
    for (std::size_t i = 0; i < out[0].values.size(); ++i) out[0].values[i] = naive_unary(u, in[0]->values[i]);
  }

  void operator()(const op::elementwise& e) const
  {
    using k = enum op::elementwise::kind;
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double left = in[0]->broadcast(o);
      for (std::size_t i = 1; i < in.size(); ++i) {
        const double right = in[i]->broadcast(o);
        switch (e.kind) {
        case k::add: case k::mean: left += right; break;
        case k::sub: left -= right; break;
        case k::mul: left *= right; break;
        case k::div: left /= right; break;
        case k::min: left = std::min(left, right); break;
        case k::max: left = std::max(left, right); break;
        case k::prelu: left = left < 0 ? left * right : left; break;
        case k::pow: left = std::pow(left, right); break;
        }
      }
      out[0][o] = e.kind == k::mean ? left / static_cast<double>(in.size()) : left;
    });
  }

  void operator()(const op::concat& c) const
  {
    std::int64_t start = 0;
    for (const auto* x : in) {
      for_each_index(x->dims, [&](const index_tuple& i) {
        auto o = i;
        o[c.axis] += start;
        out[0][o] = (*x)[i];
      });
      start += x->dims[c.axis];
    }
  }

  void operator()(const op::split& s) const
  {
    std::int64_t start = 0;
    for (auto& y : out) {
      for_each_index(y.dims, [&](const index_tuple& o) {
        auto i = o;
        i[s.axis] += start;
        y[o] = (*in[0])[i];
      });
      start += y.dims[s.axis];
    }
  }

  void operator()(const op::slice& s) const
  {
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      auto i = o;
      for (std::size_t axis = 0; axis < i.size(); ++axis) i[axis] = s.starts[axis] + o[axis] * s.steps[axis];
      out[0][o] = (*in[0])[i];
    });
  }

  void operator()(const op::pad& p) const
  {
    const double fill = in.size() > 1 && !in[1]->values.empty() ? in[1]->values[0] : static_cast<double>(p.value);
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      auto i = o;
      bool inside = true;
      for (std::size_t axis = 0; axis < i.size(); ++axis) {
        const auto n = in[0]->dims[axis];
        i[axis] -= p.before[axis];
        if (i[axis] >= 0 && i[axis] < n) continue;
        if (p.mode == op::pad::mode::constant) inside = false;
        else if (p.mode == op::pad::mode::edge) i[axis] = i[axis] < 0 ? 0 : n - 1;
        else
          while (i[axis] < 0 || i[axis] >= n) {
            if (n == 1) i[axis] = 0;
            else i[axis] = i[axis] < 0 ? -i[axis] : 2 * (n - 1) - i[axis];
          }
      }
      out[0][o] = inside ? (*in[0])[i] : fill;
    });
  }

  void operator()(const op::reshape&) const { out[0].values = in[0]->values; }

  void operator()(const op::transpose& t) const
  {
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      index_tuple i(o.size());
      for (std::size_t axis = 0; axis < o.size(); ++axis) i[t.permutation[axis]] = o[axis];
      out[0][o] = (*in[0])[i];
    });
  }

  void operator()(const op::resize& r) const
  {
    auto x = *in[0];
    for (std::size_t axis = 0; axis < x.dims.rank(); ++axis) {
      const auto n = x.dims[axis], m = out[0].dims[axis];
      const double scale = r.scales.empty() ? static_cast<double>(m) / static_cast<double>(n) : r.scales[axis];
      if (n == m && scale == 1) continue;
      std::vector<std::int64_t> extents(x.dims.dims().begin(), x.dims.dims().end());
      extents[axis] = m;
      wide_tensor y(*shape::make(extents));
      for_each_index(y.dims, [&](const index_tuple& o) {
        const double at = coordinate(r, static_cast<double>(o[axis]), scale, n, m);
        const auto fetch = [&](std::int64_t i) {
          auto from = o;
          from[axis] = std::clamp<std::int64_t>(i, 0, n - 1);
          return x[from];
        };
        if (r.mode == op::resize::mode::nearest) {
          double q = at;
          using round = enum op::resize::rounding;
          if (r.rounding == round::floor) q = std::floor(at);
          else if (r.rounding == round::ceil) q = std::ceil(at);
          else if (r.rounding == round::round_prefer_floor) q = std::ceil(at - 0.5);
          else q = std::floor(at + 0.5);
          y[o] = fetch(static_cast<std::int64_t>(q));
        } else if (r.mode == op::resize::mode::linear) {
          const double p = std::clamp(at, 0.0, static_cast<double>(n - 1));
          const double low = std::floor(p);
          y[o] = fetch(static_cast<std::int64_t>(low)) * (1 - (p - low)) + fetch(static_cast<std::int64_t>(low) + 1) * (p - low);
        } else {
          const double low = std::floor(at);
          double sum = 0, total = 0;
          for (int t = -1; t <= 2; ++t) {
            const auto i = static_cast<std::int64_t>(low) + t;
            const double weight = r.exclude_outside && (i < 0 || i >= n) ? 0 : cubic(std::abs(at - low - t), static_cast<double>(r.cubic_a));
            sum += weight * fetch(i);
            total += weight;
          }
          y[o] = r.exclude_outside ? sum / total : sum;
        }
      });
      x = std::move(y);
    }
    out[0].values = x.values;
  }

  void operator()(const op::reduce& r) const
  {
    using k = enum op::reduce::kind;
    const auto& x = *in[0];
    std::vector<bool> gone(x.dims.rank(), false);
    for (const auto axis : r.axes) gone[axis] = true;
    double start = 0, count = 1;
    if (r.kind == k::max) start = -std::numeric_limits<double>::infinity();
    if (r.kind == k::min) start = std::numeric_limits<double>::infinity();
    for (const auto axis : r.axes) count *= static_cast<double>(x.dims[axis]);
    std::fill(out[0].values.begin(), out[0].values.end(), start);
    for_each_index(x.dims, [&](const index_tuple& i) {
      std::size_t flat = 0;
      for (std::size_t axis = 0; axis < i.size(); ++axis)
        if (!gone[axis]) flat = flat * static_cast<std::size_t>(x.dims[axis]) + static_cast<std::size_t>(i[axis]);
      double& y = out[0].values[flat];
      if (r.kind == k::max) y = std::max(y, x[i]);
      else if (r.kind == k::min) y = std::min(y, x[i]);
      else y += x[i];
    });
    if (r.kind == k::mean)
      for (auto& y : out[0].values) y /= count;
  }

  void operator()(const op::softmax& s) const
  {
    const auto& x = in[0]->values;
    const auto& d = in[0]->dims;
    const auto outer = static_cast<std::size_t>(d.product(0, s.first)), n = static_cast<std::size_t>(d.product(s.first, s.last));
    const auto inner = static_cast<std::size_t>(d.product(s.last, d.rank()));
    for (std::size_t i = 0; i < outer; ++i)
      for (std::size_t j = 0; j < inner; ++j) {
        const auto at = [&](std::size_t t) { return (i * n + t) * inner + j; };
        double best = -std::numeric_limits<double>::infinity(), sum = 0;
        for (std::size_t t = 0; t < n; ++t) best = std::max(best, x[at(t)]);
        for (std::size_t t = 0; t < n; ++t) sum += std::exp(x[at(t)] - best);
        for (std::size_t t = 0; t < n; ++t)
          out[0].values[at(t)] = s.log ? x[at(t)] - best - std::log(sum) : std::exp(x[at(t)] - best) / sum;
      }
  }

  void operator()(const op::lrn& l) const
  {
    const auto& x = *in[0];
    for_each_index(out[0].dims, [&](const index_tuple& o) {
      double sum = 0;
      auto i = o;
      const auto first = std::max<std::int64_t>(0, o[1] - (l.size - 1) / 2);
      const auto last = std::min<std::int64_t>(x.dims[1] - 1, o[1] + l.size / 2);
      for (i[1] = first; i[1] <= last; ++i[1]) sum += x[i] * x[i];
      out[0][o] = x[o] / std::pow(static_cast<double>(l.bias) + static_cast<double>(l.alpha) / static_cast<double>(l.size) * sum,
                                  static_cast<double>(l.beta));
    });
  }

  static double coordinate(const op::resize& r, double at, double scale, std::int64_t n, std::int64_t m)
  {
    using c = enum op::resize::coordinates;
    switch (r.coordinates) {
    case c::half_pixel: return (at + 0.5) / scale - 0.5;
    case c::pytorch_half_pixel: return m > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case c::align_corners: return m > 1 ? at * static_cast<double>(n - 1) / static_cast<double>(m - 1) : 0;
    case c::asymmetric: return at / scale;
    case c::tf_half_pixel_for_nn: return (at + 0.5) / scale;
    }
    return 0;
  }
  static double cubic(double d, double a)
  {
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    return 0;
  }
};

}  // namespace narrows::test
