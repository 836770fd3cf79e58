// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/step.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

class unary_step final : public step {
public:
  unary_step(const op::unary& u, const node_view& n) : operation_(u), activation_(n.self.activation), size_(n.out().elements()) {}
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(size_, 16384, [&](std::size_t from, std::size_t to, int) {
      apply(operation_, in[0] + from, out[0] + from, to - from);
      apply(activation_, out[0] + from, out[0] + from, to - from);
    });
  }

private:
  op::unary operation_, activation_;
  std::size_t size_;
};

/// One n-ary operator with numpy's broadcasting, taken from left to right.
///
/// Neighbouring axes along which every operand is either dense or constant are joined, so the innermost loop runs over
/// a whole feature map where shapes allow.
class elementwise_step final : public step {
public:
  elementwise_step(const op::elementwise& e, const node_view& n) : kind_(e.kind), activation_(n.self.activation), size_(n.out().elements())
  {
    const auto& out = n.out();
    strides_.resize(n.inputs());
    for (std::size_t axis = 0; axis < out.rank(); ++axis) {
      if (out[axis] == 1) continue;
      std::vector<bool> dense;
      for (std::size_t i = 0; i < n.inputs(); ++i) dense.push_back(extent_of(n.in(i), out.rank(), axis) != 1);
      if (!dense_.empty() && dense == dense_.back()) extents_.back() *= extent(out[axis]);
      else {
        extents_.push_back(extent(out[axis]));
        dense_.push_back(dense);
      }
    }
    if (extents_.empty()) {
      extents_.push_back(size_);
      dense_.push_back(std::vector<bool>(n.inputs(), false));
    }
    for (std::size_t i = 0; i < n.inputs(); ++i) {
      strides_[i].resize(extents_.size());
      std::size_t stride = 1;
      for (std::size_t axis = extents_.size(); axis-- > 0;) {
        strides_[i][axis] = dense_[axis][i] ? stride : 0;
        if (dense_[axis][i]) stride *= extents_[axis];
      }
    }
    inner_ = extents_.back();
    rows_ = inner_ == 0 ? 0 : size_ / inner_;
  }

  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    // A long row is cut for the threads, otherwise rows are shared out.
    const std::size_t pieces = rows_ == 1 ? (inner_ + 4095) / 4096 : rows_;
    const std::size_t each = rows_ == 1 ? 4096 : inner_;
    with.workers.split(pieces, 1 + 16384 / (each + 1), [&](std::size_t from, std::size_t to, int) {
      for (std::size_t piece = from; piece < to; ++piece) {
        const std::size_t row = rows_ == 1 ? 0 : piece, begin = rows_ == 1 ? piece * each : 0, length = std::min(each, inner_ - begin);
        run_row(in, out[0] + row * inner_ + begin, row, begin, length);
      }
    });
  }

private:
  [[nodiscard]] static std::int64_t extent_of(const shape& s, std::size_t rank, std::size_t axis)
  {
    return axis + s.rank() < rank ? 1 : s[axis + s.rank() - rank];
  }
  [[nodiscard]] std::size_t start_of(std::size_t input, std::size_t row) const noexcept
  {
    std::size_t at = 0;
    for (std::size_t axis = extents_.size() - 1; axis-- > 0;) {
      at += row % extents_[axis] * strides_[input][axis];
      row /= extents_[axis];
    }
    return at;
  }

  void run_row(std::span<const float* const> in, float* out, std::size_t row, std::size_t begin, std::size_t n) const
  {
    const float* left = in[0] + start_of(0, row) + begin * strides_[0].back();
    std::size_t left_step = strides_[0].back();
    if (in.size() == 1) std::copy_n(left, n, out);
    for (std::size_t i = 1; i < in.size(); ++i) {
      const auto right_step = strides_[i].back();
      combine(left, left_step, in[i] + start_of(i, row) + begin * right_step, right_step, out, n);
      left = out;
      left_step = 1;
    }
    if (kind_ == kind::mean) {
      const vec count(static_cast<float>(in.size()));
      map(out, out, n, [&](const vec& x) { return divide(x, count); });
    }
    apply(activation_, out, out, n);
  }

  using kind = enum op::elementwise::kind;
  void combine(const float* a, std::size_t a_step, const float* b, std::size_t b_step, float* out, std::size_t n) const
  {
    const auto with = [&](auto f) {
      const vec a_one(a[0]), b_one(b[0]);
      std::size_t i = 0;
      for (; i + lanes <= n; i += lanes) store(out + i, f(a_step != 0 ? load(a + i) : a_one, b_step != 0 ? load(b + i) : b_one));
      if (i < n) store_part(out + i, f(a_step != 0 ? load_part(a + i, n - i) : a_one, b_step != 0 ? load_part(b + i, n - i) : b_one), n - i);
    };
    switch (kind_) {
    case kind::add: case kind::mean: return with([](const vec& x, const vec& y) { return x + y; });
    case kind::sub: return with([](const vec& x, const vec& y) { return x - y; });
    case kind::mul: return with([](const vec& x, const vec& y) { return x * y; });
    case kind::div: return with([](const vec& x, const vec& y) { return divide(x, y); });
    case kind::min: return with([](const vec& x, const vec& y) { return smaller(x, y); });
    case kind::max: return with([](const vec& x, const vec& y) { return larger(x, y); });
    case kind::prelu: return with([](const vec& x, const vec& y) { return xsimd::select(x < vec(0.0F), x * y, x); });
    case kind::pow:
      for (std::size_t i = 0; i < n; ++i) out[i] = power(a[i * a_step], b[i * b_step]);
      return;
    }
  }

  kind kind_;
  op::unary activation_;
  std::size_t size_, inner_ = 0, rows_ = 0;
  std::vector<std::size_t> extents_;                 ///< of the joined axes
  std::vector<std::vector<bool>> dense_;             ///< per joined axis and input: does the input vary along it
  std::vector<std::vector<std::size_t>> strides_;    ///< per input and joined axis
};

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, as one multiply-add per value.
class batch_norm_step final : public step {
public:
  batch_norm_step(const op::batch_norm& b, const node_view& n)
    : epsilon_(b.epsilon), activation_(n.self.activation), batch_(extent(n.out()[0])), channels_(extent(n.out()[1])),
      size_(extent(n.out().product(2, n.out().rank())))
  {
  }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(batch_ * channels_, 1 + 16384 / (size_ + 1), [&](std::size_t from, std::size_t to, int) {
      for (std::size_t i = from; i < to; ++i) {
        const std::size_t c = i % channels_;
        const float scale = in[1][c] / std::sqrt(in[4][c] + epsilon_);
        const vec factor(scale), shift(madd_one(-in[3][c], scale, in[2][c]));
        float* target = out[0] + i * size_;
        map(in[0] + i * size_, target, size_, [&](const vec& x) { return madd(x, factor, shift); });
        apply(activation_, target, target, size_);
      }
    });
  }

private:
  float epsilon_;
  op::unary activation_;
  std::size_t batch_, channels_, size_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
