// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include <narrows/core/tensor.hpp>
#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/step.hpp>
#include <narrows/exec/reference/window.hpp>

/// Windows that slide over one channel at a time: depthwise convolution and pooling.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

enum class sliding { weighted, maximum, total };

/// out[i] = over taps in order: start + sum of weight[t] * from[tap[t] + i], or largest, or sum; then clamped.
/// n >= 1. Reads whole registers: up to lanes - 1 values beyond the last where n < lanes.
template <sliding Kind>
void slide(const std::vector<std::ptrdiff_t>& tap, const float* weight, float start, const float* from, float* out, std::size_t n, const clamp& bounds) noexcept
{
  const auto pass = [&](std::size_t at, auto width) __attribute__((always_inline)) {
    constexpr std::size_t w = decltype(width)::value;
    vec sum[w];
    NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) sum[j] = vec(start);
    for (std::size_t t = 0; t < tap.size(); ++t) {
      const float* p = from + tap[t] + at;
      if constexpr (Kind == sliding::weighted) {
        const vec factor(weight[t]);
        NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) sum[j] = madd(factor, load(p + j * lanes), sum[j]);
      } else if constexpr (Kind == sliding::maximum) {
        NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) sum[j] = larger(sum[j], load(p + j * lanes));
      } else {
        NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) sum[j] = sum[j] + load(p + j * lanes);
      }
    }
    NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) sum[j] = bounds(sum[j]);
    if (n < lanes) return store_part(out, sum[0], n);
    NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < w; ++j) store(out + at + j * lanes, sum[j]);
  };
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) pass(i, std::integral_constant<std::size_t, 4>{});
  for (; i + lanes <= n; i += lanes) pass(i, std::integral_constant<std::size_t, 1>{});
  if (i < n) pass(n < lanes ? 0 : n - lanes, std::integral_constant<std::size_t, 1>{});  // reaching back
}

/// One channel of `layout`, from `planes` to `out`; `flat` is room for layout.flat values.
template <sliding Kind>
void slide_channel(const window_layout& layout, const float* weight, float start, const float* planes, float* out, float* flat, const clamp& bounds) noexcept
{
  if (layout.flat == 0) return;
  if (layout.pitch == layout.width)
    return slide<Kind>(layout.tap, weight, start, planes, out, extent(layout.flat), bounds);
  if (layout.width >= static_cast<std::ptrdiff_t>(2 * lanes)) {
    for (std::ptrdiff_t y = 0; y < layout.height; ++y)
      slide<Kind>(layout.tap, weight, start, planes + y * layout.pitch, out + y * layout.width, extent(layout.width), bounds);
    return;
  }
  slide<Kind>(layout.tap, weight, start, planes, flat, extent(layout.flat), bounds);
  for (std::ptrdiff_t y = 0; y < layout.height; ++y) std::copy_n(flat + y * layout.pitch, layout.width, out + y * layout.width);
}

/// Convolution with one input channel per group.
class depthwise_step final : public step {
public:
  depthwise_step(const op::conv& c, const node_view& n)
    : activation_(n.self.activation), channels_(extent(n.in(0)[0] * n.in(0)[1])), groups_(extent(c.groups)),
      filters_(extent(n.out()[1] / c.groups)), in_size_(extent(n.in(0).product(2, 4))), out_size_(extent(n.out().product(2, 4))),
      layout_(c.window, n.in(0), n.out())
  {
    clamped_ = clamp::covers(activation_, clamp_);
  }
  [[nodiscard]] std::size_t scratch(int threads) const override { return static_cast<std::size_t>(threads) * own(); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(channels_, 1 + 8192 / (out_size_ * layout_.tap.size() + 1), [&](std::size_t from, std::size_t to, int part) {
      float* planes = with.scratch + static_cast<std::size_t>(part) * own();
      float* flat = planes + planes_floats();
      for (std::size_t c = from; c < to; ++c) {
        const float* source = in[0] + c * in_size_;
        if (!layout_.direct) {
          layout_.gather(source, planes, 0.0F);
          source = planes;
        }
        for (std::size_t f = 0; f < filters_; ++f) {
          const std::size_t m = c % groups_ * filters_ + f;
          float* target = out[0] + (c * filters_ + f) * out_size_;
          slide_channel<sliding::weighted>(layout_, in[1] + m * layout_.tap.size(), in.size() > 2 ? in[2][m] : 0.0F, source, target, flat, clamp_);
          if (!clamped_) apply(activation_, target, target, out_size_);
        }
      }
    });
  }

private:
  [[nodiscard]] std::size_t planes_floats() const { return layout_.direct ? 0 : padded(extent(layout_.floats) + lanes); }
  [[nodiscard]] std::size_t own() const { return planes_floats() + padded(extent(layout_.flat) + lanes); }

  op::unary activation_;
  clamp clamp_;
  bool clamped_ = false;
  std::size_t channels_, groups_, filters_, in_size_, out_size_;
  window_layout layout_;
};

class pool_step final : public step {
public:
  pool_step(const op::pool& p, const node_view& n)
    : activation_(n.self.activation), maximum_(p.kind == op::pool::kind::max), channels_(extent(n.in(0).product(0, 2))),
      in_size_(extent(n.in(0).product(2, 4))), out_size_(extent(n.out().product(2, 4))), layout_(p.window, n.in(0), n.out())
  {
    clamped_ = clamp::covers(activation_, clamp_);
    if (maximum_) return;
    // How many taps count at each output: those on the map, or on the map and its padding.
    const auto counts = [&](std::size_t axis) {
      std::vector<float> all;
      const auto& w = p.window;
      const auto low = p.count_include_pad ? -w.pads[axis] : 0;
      const auto high = n.in(0)[axis + 2] + (p.count_include_pad ? w.pads[axis + 2] : 0);
      for (std::int64_t o = 0; o < n.out()[axis + 2]; ++o) {
        int count = 0;
        for (std::int64_t k = 0; k < w.kernel[axis]; ++k) {
          const auto at = o * w.stride[axis] - w.pads[axis] + k * w.dilation[axis];
          if (at >= low && at < high) ++count;
        }
        all.push_back(static_cast<float>(count));
      }
      return all;
    };
    for (const float y : counts(0))
      for (const float x : counts(1)) share_.push_back(1.0F / (y * x));
  }
  [[nodiscard]] std::size_t scratch(int threads) const override { return static_cast<std::size_t>(threads) * own(); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(channels_, 1 + 8192 / (out_size_ * layout_.tap.size() + 1), [&](std::size_t from, std::size_t to, int part) {
      float* planes = with.scratch + static_cast<std::size_t>(part) * own();
      float* flat = planes + planes_floats();
      constexpr float lowest = -std::numeric_limits<float>::infinity();
      for (std::size_t c = from; c < to; ++c) {
        const float* source = in[0] + c * in_size_;
        float* target = out[0] + c * out_size_;
        if (!layout_.direct) {
          layout_.gather(source, planes, maximum_ ? lowest : 0.0F);
          source = planes;
        }
        if (maximum_) slide_channel<sliding::maximum>(layout_, nullptr, lowest, source, target, flat, clamp_);
        else {
          slide_channel<sliding::total>(layout_, nullptr, 0.0F, source, target, flat, clamp{});
          std::size_t i = 0;
          for (; i + lanes <= out_size_; i += lanes) store(target + i, clamp_(load(target + i) * load(share_.data() + i)));
          if (i < out_size_) store_part(target + i, clamp_(load_part(target + i, out_size_ - i) * load_part(share_.data() + i, out_size_ - i)), out_size_ - i);
        }
        if (!clamped_) apply(activation_, target, target, out_size_);
      }
    });
  }

private:
  [[nodiscard]] std::size_t planes_floats() const { return layout_.direct ? 0 : padded(extent(layout_.floats) + lanes); }
  [[nodiscard]] std::size_t own() const { return planes_floats() + padded(extent(layout_.flat) + lanes); }

  op::unary activation_;
  clamp clamp_;
  bool clamped_ = false, maximum_;
  std::size_t channels_, in_size_, out_size_;
  window_layout layout_;
  aligned_vector<float> share_;
};

/// out[c] = sum or largest of each channel.
class global_pool_step final : public step {
public:
  global_pool_step(const op::global_pool& p, const node_view& n)
    : maximum_(p.kind == op::pool::kind::max), channels_(extent(n.in(0).product(0, 2))), size_(extent(n.in(0).product(2, 4))), activation_(n.self.activation)
  {
  }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace&) const override
  {
    for (std::size_t c = 0; c < channels_; ++c)
      out[0][c] = maximum_ ? extreme<true>(in[0] + c * size_, size_) : sum(in[0] + c * size_, size_) / static_cast<float>(size_);
    apply(activation_, out[0], out[0], channels_);
  }

private:
  bool maximum_;
  std::size_t channels_, size_;
  op::unary activation_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
