// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <narrows/partition/tile.hpp>

#include "exec/networks.hpp"

/// Stacks of layers to tile, and a way to run tiles one by one.
namespace narrows::test {

/// Where a map is cut into `count` parts that differ by random amounts; each has at least one row.
[[nodiscard]] inline std::vector<std::int64_t> random_lines(random_values& random, std::int64_t extent, std::int64_t count)
{
  std::vector<std::int64_t> inner(static_cast<std::size_t>(extent > 0 ? extent - 1 : 0));
  for (std::size_t i = 0; i < inner.size(); ++i) inner[i] = static_cast<std::int64_t>(i) + 1;
  std::vector<std::int64_t> lines{0};
  for (std::int64_t i = 1; i < count && !inner.empty(); ++i) {
    const auto at = static_cast<std::size_t>(random.whole(0, static_cast<std::int64_t>(inner.size()) - 1));
    lines.push_back(inner[at]);
    inner.erase(inner.begin() + static_cast<std::ptrdiff_t>(at));
  }
  lines.push_back(extent);
  std::sort(lines.begin(), lines.end());
  return lines;
}

/// The stack's output made of tiles, each loaded, run and let go. Every value is written once, by one tile.
[[nodiscard]] inline tensor run_tiles(const any_engine& engine, const graph_slice& stack, std::span<const tensor> in,
  const std::vector<std::int64_t>& rows, const std::vector<std::int64_t>& columns)
{
  const auto value_or_throw = [](auto r) {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(r).value();
  };
  tensor whole((*stack.whole)[stack.outputs[0]].dims);
  for (std::size_t r = 0; r + 1 < rows.size(); ++r)
    for (std::size_t c = 0; c + 1 < columns.size(); ++c) {
      const auto part = value_or_throw(make_tile(stack, {{interval{rows[r], rows[r + 1]}, interval{columns[c], columns[c + 1]}}}));
      std::vector<tensor> given;
      for (std::size_t i = 0; i < in.size(); ++i) {
        if (!part.reads[i]) continue;
        given.emplace_back(value_or_throw(shape_of(in[i].dims(), *part.reads[i])));
        copy_out(in[i].view(), *part.reads[i], given.back().view());
      }
      const auto made = load_and_run(engine, whole_slice(part.network), given);
      copy_in(made[0].view(), part.made, whole.view());
    }
  return whole;
}

/// Layers of every kind that a stack may hold, with odd sizes, borders and steps; values of either sign.
class stack_source {
public:
  explicit stack_source(std::uint64_t seed) : n_(seed), random_(n_.random) {}

  [[nodiscard]] std::shared_ptr<const graph> make()
  {
    auto x = n_.input(shape{random_.whole(1, 2), random_.whole(1, 6), random_.whole(6, 24), random_.whole(6, 24)});
    for (auto layers = random_.whole(1, 6); layers > 0; --layers) x = layer(x);
    return n_.finish({n_.add(op::unary{op::unary::kind::relu}, {x})});
  }

private:
  using k = enum op::unary::kind;

  [[nodiscard]] std::int64_t rows(value_id x) const { return n_.dims(x)[2]; }
  [[nodiscard]] std::int64_t columns(value_id x) const { return n_.dims(x)[3]; }
  [[nodiscard]] op::unary activation() { return random_.one_of(std::vector<op::unary>{{k::relu}, {k::leaky_relu, 0.1F}, {k::tanh}, {k::hard_swish}, {}}); }

  /// A window that fits: borders up to twice what its kernel covers where `wide`, else less than that.
  [[nodiscard]] op::window window(value_id x, bool wide)
  {
    op::window w;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto extent = n_.dims(x)[i + 2];
      w.kernel[i] = random_.whole(1, std::min<std::int64_t>(5, extent));
      w.stride[i] = extent < 6 ? 1 : random_.whole(1, 3);
      w.dilation[i] = w.kernel[i] > 1 ? random_.whole(1, std::clamp<std::int64_t>((extent - 1) / (w.kernel[i] - 1), 1, 3)) : 1;
      const auto covers = w.dilation[i] * (w.kernel[i] - 1) + 1;
      w.pads[i] = random_.whole(0, wide ? 2 * covers : std::min<std::int64_t>(covers - 1, 4));
      w.pads[i + 2] = random_.whole(0, wide ? 2 * covers : std::min<std::int64_t>(covers - 1, 4));
    }
    return w;
  }

  value_id conv(value_id x, const op::window& w)
  {
    const auto c = n_.dims(x)[1];
    const auto groups = random_.coin() ? (random_.coin() ? c : c % 2 == 0 ? 2 : 1) : 1;
    const auto m = groups * random_.whole(1, groups > 2 ? 2 : 5);
    std::vector<value_id> in{x, n_.weights(shape{m, c / groups, w.kernel[0], w.kernel[1]})};
    if (random_.coin()) in.push_back(n_.weights(shape{m}));
    return n_.add(op::conv{w, groups}, in, activation());
  }
  value_id same_conv(value_id x)
  {
    const auto kernel = random_.one_of<std::int64_t>({1, 3, 5});
    return conv(x, {{kernel, kernel}, {1, 1}, {1, 1}, {kernel / 2, kernel / 2, kernel / 2, kernel / 2}});
  }

  value_id pool(value_id x)
  {
    const auto w = window(x, false);
    const auto& in = n_.dims(x);
    const auto extent = [&](std::size_t axis, bool ceil) {
      return ceil ? detail::positions_ceil(in[axis + 2], w, axis) : detail::positions_floor(in[axis + 2], w, axis);
    };
    const bool ceil = random_.coin();
    const op::pool what{random_.coin() ? op::pool::kind::max : op::pool::kind::average, w, random_.coin()};
    return n_.add(what, {x}, activation(), {shape{in[0], in[1], extent(0, ceil), extent(1, ceil)}});
  }

  value_id transposed(value_id x)
  {
    op::conv_transpose t;
    for (std::size_t i = 0; i < 2; ++i) {
      t.window.kernel[i] = random_.whole(1, 4);
      t.window.stride[i] = random_.whole(1, 3);
      t.window.dilation[i] = random_.whole(1, 2);
      const auto covers = t.window.dilation[i] * (t.window.kernel[i] - 1) + 1;
      t.window.pads[i] = random_.whole(0, std::min<std::int64_t>(covers - 1, 2));
      t.window.pads[i + 2] = random_.whole(0, std::min<std::int64_t>(covers - 1, 2));
      t.output_padding[i] = random_.whole(0, std::max(t.window.stride[i], t.window.dilation[i]) - 1);
    }
    const auto m = random_.whole(1, 4);
    return n_.add(t, {x, n_.weights(shape{n_.dims(x)[1], m, t.window.kernel[0], t.window.kernel[1]}), n_.weights(shape{m})}, activation());
  }

  value_id resize(value_id x)
  {
    using m = enum op::resize::mode;
    using c = enum op::resize::coordinates;
    using q = enum op::resize::rounding;
    op::resize r;
    r.mode = random_.one_of<m>({m::nearest, m::linear, m::cubic});
    r.coordinates = random_.one_of<c>({c::half_pixel, c::pytorch_half_pixel, c::align_corners, c::asymmetric, c::tf_half_pixel_for_nn});
    r.rounding = random_.one_of<q>({q::round_prefer_floor, q::round_prefer_ceil, q::floor, q::ceil});
    r.exclude_outside = random_.coin();
    const shape out{n_.dims(x)[0], n_.dims(x)[1], random_.whole(3, 30), random_.whole(3, 30)};
    for (std::size_t i = 0; i < 4; ++i) r.scales.push_back(static_cast<double>(out[i]) / static_cast<double>(n_.dims(x)[i]));
    return n_.add(r, {x}, activation(), {out});
  }

  value_id pad(value_id x)
  {
    using m = enum op::pad::mode;
    op::pad p{random_.one_of<m>({m::constant, m::reflect, m::edge}), {0, 0, 0, 0}, {0, 0, 0, 0}, 0.5F};
    for (std::size_t i = 2; i < 4; ++i) {
      const auto most = std::min<std::int64_t>(n_.dims(x)[i] - 1, 6);
      p.before[i] = random_.whole(0, most);
      p.after[i] = random_.whole(0, most);
      if (p.mode == m::constant && n_.dims(x)[i] > 6) p.before[i] = -random_.whole(0, 2);
    }
    return n_.add(p, {x});
  }

  value_id slice(value_id x)
  {
    const auto& in = n_.dims(x);
    op::slice s{{0, 0, 0, 0}, {1, 1, 1, 1}};
    std::vector<std::int64_t> out{in[0], in[1], in[2], in[3]};
    for (std::size_t i = 2; i < 4; ++i) {
      s.steps[i] = random_.one_of<std::int64_t>({1, 2, -1, -2});
      out[i] = (in[i] + 1) / 2;
      s.starts[i] = s.steps[i] > 0 ? 0 : in[i] - 1;
    }
    return n_.add(s, {x}, {}, {*shape::make(out)});
  }

  value_id elementwise(value_id x)
  {
    using e = enum op::elementwise::kind;
    const auto& in = n_.dims(x);
    const auto other = random_.one_of<shape>({shape{in[1], 1, 1}, shape{1, in[1], in[2], in[3]}, shape{in[2], 1}, shape{in[3]}, shape{1}});
    return n_.add(op::elementwise{random_.one_of<e>({e::add, e::mul, e::sub, e::max})}, {x, n_.weights(other)}, activation());
  }

  value_id layer(value_id x)
  {
    const auto c = n_.dims(x)[1];
    if (rows(x) > 60 || columns(x) > 60) return pool(x);
    switch (random_.whole(0, 13)) {
    case 0: case 1: return conv(x, window(x, false));
    case 2: return conv(x, window(x, true));
    case 3: case 4: return pool(x);
    case 5: return transposed(x);
    case 6: return resize(x);
    case 7: return pad(x);
    case 8: return slice(x);
    case 9: return elementwise(x);
    case 10: return n_.add(op::concat{1}, {same_conv(x), same_conv(same_conv(x)), x});
    case 11: {
      const auto y = same_conv(same_conv(x));
      const auto narrowed = n_.add(op::conv{{{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}}, 1}, {y, n_.weights(shape{c, n_.dims(y)[1], 1, 1})});
      return n_.add(op::elementwise{}, {narrowed, x}, {k::relu});
    }
    case 12: return n_.add(op::softmax{1, 2, false}, {n_.add(op::lrn{3, 1e-2F, 0.75F, 1}, {x})});
    default: {   // channels shuffled, as ShuffleNet does it
      if (c == 1) return same_conv(x);
      const auto n = n_.dims(x)[0], h = rows(x), w = columns(x);
      const auto apart = n_.add(op::reshape{}, {x}, {}, {shape{n, 1, c, h, w}});
      const auto turned = n_.add(op::transpose{{0, 2, 1, 3, 4}}, {apart});
      const auto parts = n_.add_all(op::split{1, {1, c - 1}}, {n_.add(op::reshape{}, {turned}, {}, {shape{n, c, h, w}})}, 2);
      return n_.add(op::concat{1}, {parts[1], parts[0]});
    }
    }
  }

  network n_;
  random_values& random_;
};

}  // namespace narrows::test
