// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <narrows/exec/reference/arrange.hpp>
#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/step.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// A block of `count` rows of `inner` values combined into one row, in ascending order.
template <class F>
void combine_rows(const float* from, std::size_t count, std::size_t inner, float first, float* to, F f) noexcept
{
  std::fill_n(to, inner, first);
  for (std::size_t t = 0; t < count; ++t, from += inner) {
    std::size_t i = 0;
    for (; i + lanes <= inner; i += lanes) store(to + i, f(load(to + i), load(from + i)));
    if (i < inner) store_part(to + i, f(load_part(to + i, inner - i), load_part(from + i, inner - i)), inner - i);
  }
}

/// Mean, sum, max or min over some axes. Axes that are not neighbours are first brought to the end.
class reduce_step final : public step {
public:
  reduce_step(const op::reduce& r, const node_view& n) : kind_(r.kind), activation_(n.self.activation), size_(n.out().elements())
  {
    const auto& in = n.in(0);
    std::vector<bool> gone(in.rank(), false);
    for (const auto axis : r.axes) gone[axis] = true;
    const bool neighbours = r.axes.empty() || r.axes.back() - r.axes.front() + 1 == r.axes.size();
    if (neighbours) {
      const std::size_t first = r.axes.empty() ? in.rank() : r.axes.front(), last = r.axes.empty() ? in.rank() : r.axes.back() + 1;
      outer_ = extent(in.product(0, first));
      count_ = extent(in.product(first, last));
      inner_ = extent(in.product(last, in.rank()));
      return;
    }
    const auto dense = dense_strides(in);
    std::vector<std::int64_t> extents;
    std::vector<std::ptrdiff_t> from;
    for (const bool reduced : {false, true})
      for (std::size_t axis = 0; axis < in.rank(); ++axis)
        if (gone[axis] == reduced) {
          extents.push_back(in[axis]);
          from.push_back(dense[axis]);
          if (reduced) count_ *= extent(in[axis]);
        }
    std::vector<std::ptrdiff_t> to(extents.size());
    std::ptrdiff_t stride = 1;
    for (std::size_t i = extents.size(); i-- > 0;) {
      to[i] = stride;
      stride *= std::max<std::int64_t>(extents[i], 1);
    }
    outer_ = size_;
    moved_ = in.elements();
    order_ = strided_copy(extents, from, to);
  }
  [[nodiscard]] std::size_t scratch(int) const override { return padded(moved_); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    const float* from = in[0];
    if (moved_ > 0) {
      order_.run(from, with.scratch);
      from = with.scratch;
    }
    for (std::size_t o = 0; o < outer_; ++o) {
      const float* block = from + o * count_ * inner_;
      float* to = out[0] + o * inner_;
      constexpr float far = std::numeric_limits<float>::infinity();
      const bool row = inner_ == 1;
      if (kind_ == kind::max) {
        if (row) *to = extreme<true>(block, count_);
        else combine_rows(block, count_, inner_, -far, to, [](const vec& a, const vec& b) { return larger(a, b); });
      } else if (kind_ == kind::min) {
        if (row) *to = extreme<false>(block, count_);
        else combine_rows(block, count_, inner_, far, to, [](const vec& a, const vec& b) { return smaller(a, b); });
      } else {
        if (row) *to = sum(block, count_);
        else combine_rows(block, count_, inner_, 0, to, [](const vec& a, const vec& b) { return a + b; });
        if (kind_ == kind::mean) {
          const vec count(static_cast<float>(count_));
          map(to, to, inner_, [&](const vec& x) { return divide(x, count); });
        }
      }
    }
    apply(activation_, out[0], out[0], size_);
  }

private:
  using kind = enum op::reduce::kind;
  kind kind_;
  op::unary activation_;
  std::size_t size_, outer_ = 1, count_ = 1, inner_ = 1, moved_ = 0;
  strided_copy order_;
};

/// Softmax and its logarithm, shifted by the largest value.
class softmax_step final : public step {
public:
  softmax_step(const op::softmax& s, const node_view& n)
    : log_(s.log), activation_(n.self.activation), outer_(extent(n.in(0).product(0, s.first))), count_(extent(n.in(0).product(s.first, s.last))),
      inner_(extent(n.in(0).product(s.last, n.in(0).rank())))
  {
  }
  [[nodiscard]] std::size_t scratch(int) const override { return 2 * padded(inner_); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    for (std::size_t o = 0; o < outer_ && count_ > 0; ++o) {
      const float* x = in[0] + o * count_ * inner_;
      float* y = out[0] + o * count_ * inner_;
      if (inner_ == 1) one_row(x, y);
      else many_rows(x, y, with.scratch, with.scratch + padded(inner_));
    }
    apply(activation_, out[0], out[0], outer_ * count_ * inner_);
  }

private:
  void one_row(const float* x, float* y) const noexcept
  {
    const vec most(extreme<true>(x, count_));
    map(x, y, count_, [&](const vec& v) { return exponential(v - most); });
    const vec total(sum(y, count_));
    if (!log_) return map(y, y, count_, [&](const vec& v) { return divide(v, total); });
    const vec log_total = logarithm(total);
    map(x, y, count_, [&](const vec& v) { return v - most - log_total; });
  }
  void many_rows(const float* x, float* y, float* most, float* total) const noexcept
  {
    const auto rows = [&](const float* side, const float* from, auto f) {
      for (std::size_t t = 0; t < count_; ++t) {
        const float* a = from + t * inner_;
        float* to = y + t * inner_;
        std::size_t i = 0;
        for (; i + lanes <= inner_; i += lanes) store(to + i, f(load(a + i), load(side + i)));
        if (i < inner_) store_part(to + i, f(load_part(a + i, inner_ - i), load_part(side + i, inner_ - i)), inner_ - i);
      }
    };
    combine_rows(x, count_, inner_, -std::numeric_limits<float>::infinity(), most, [](const vec& a, const vec& b) { return larger(a, b); });
    rows(most, x, [](const vec& a, const vec& m) { return exponential(a - m); });
    combine_rows(y, count_, inner_, 0, total, [](const vec& a, const vec& b) { return a + b; });
    if (!log_) return rows(total, y, [](const vec& a, const vec& s) { return divide(a, s); });
    rows(most, x, [](const vec& a, const vec& m) { return a - m; });
    map(total, total, inner_, [](const vec& s) { return logarithm(s); });
    rows(total, y, [](const vec& a, const vec& s) { return a - s; });
  }
  bool log_;
  op::unary activation_;
  std::size_t outer_, count_, inner_;
};

/// x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta.
class lrn_step final : public step {
public:
  lrn_step(const op::lrn& l, const node_view& n)
    : size_(l.size), scale_(l.alpha / static_cast<float>(l.size)), beta_(l.beta), bias_(l.bias), activation_(n.self.activation),
      batch_(extent(n.out()[0])), channels_(n.out()[1]), inner_(extent(n.out().product(2, n.out().rank())))
  {
  }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(batch_ * extent(channels_), 1 + 4096 / (inner_ + 1), [&](std::size_t from, std::size_t to, int) {
      for (std::size_t i = from; i < to; ++i) channel(in[0] + i * inner_, static_cast<std::int64_t>(i) % channels_, out[0] + i * inner_);
    });
  }

private:
  void channel(const float* x, std::int64_t c, float* y) const noexcept
  {
    const auto first = std::max<std::int64_t>(0, c - (size_ - 1) / 2) - c, last = std::min(channels_ - 1, c + size_ / 2) - c;
    const auto pitch = static_cast<std::ptrdiff_t>(inner_);
    for (std::size_t i = 0; i < inner_; i += lanes) {
      const std::size_t n = std::min(lanes, inner_ - i);
      vec squares(0.0F);
      for (auto d = first; d <= last; ++d) {
        const vec v = load_part(x + d * pitch + static_cast<std::ptrdiff_t>(i), n);
        squares = madd(v, v, squares);
      }
      const vec base = madd(vec(scale_), squares, vec(bias_));
      vec divisor;
      if (beta_ == 0.75F) {
        const vec root = square_root(base);
        divisor = root * square_root(root);
      } else {
        alignas(64) float all[lanes];
        base.store_aligned(all);
        for (float& b : all) b = power(b, beta_);
        divisor = vec::load_aligned(all);
      }
      store_part(y + i, divide(load_part(x + i, n), divisor), n);
    }
    apply(activation_, y, y, inner_);
  }
  std::int64_t size_;
  float scale_, beta_, bias_;
  op::unary activation_;
  std::size_t batch_;
  std::int64_t channels_;
  std::size_t inner_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
