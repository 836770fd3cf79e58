// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/packed_weights.hpp>
#include <narrows/exec/reference/step.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// out[i][j] = start[j] + sum over k ascending of A[i][k] * B[k][j]; A is rows x depth, B depth x columns, either
/// perhaps stored transposed. B is packed once if it is known at load.
class matrix_product {
public:
  matrix_product() = default;
  matrix_product(std::size_t rows, std::size_t columns, std::size_t depth, bool transpose_a, bool transpose_b, const float* constant_b)
    : rows_(rows), columns_(columns), depth_(depth), transpose_a_(transpose_a), transpose_b_(transpose_b), constant_(constant_b != nullptr)
  {
    right_.columns = columns;
    right_.depth = depth;
    left_ = left_weights(rows, depth);
    pieces_ = even_panels(rows, most_rows);
    const bool wide_enough = !transpose_b && columns >= 2 * lanes;
    b_pitch_ = wide_enough ? columns : padded(columns + 2 * lanes);
    copy_b_ = !constant_ && !wide_enough;
    if (constant_) {
      packed_.resize(right_.floats());
      right_.pack(constant_b, transpose_b ? 1 : signed_of(columns), transpose_b ? signed_of(depth) : 1, packed_.data());
    } else {
      tiling_ = tiling::make(1, signed_of(columns), signed_of(columns), false);
    }
    for (std::size_t k = 0; k < depth; ++k) offset_.push_back(signed_of(k * (constant_ ? rows : b_pitch_)));
  }

  [[nodiscard]] std::size_t scratch() const
  {
    if (constant_) return padded(right_.padded_columns()) + (rows_ == 1 || transpose_a_ ? 0 : padded(rows_ * depth_));
    return padded(columns_ + 2 * lanes) + padded(rows_ * depth_) + (copy_b_ ? padded(b_pitch_ * depth_ + 2 * lanes) : 0);
  }

  /// `start` may be null (zeros). `bounds` is applied to the sums.
  void run(const float* a, const float* b, const float* start, const clamp& bounds, float* out, workspace& with, float* scratch) const
  {
    product p;
    p.depth = depth_;
    p.low = bounds.low;
    p.high = bounds.high;
    if (constant_) {
      float* first = scratch;
      for (std::size_t j = 0; j < right_.padded_columns(); ++j) first[j] = start != nullptr && j < columns_ ? start[j] : 0.0F;
      if (rows_ > 1 && !transpose_a_) a = transposed(a, rows_, depth_, scratch + padded(right_.padded_columns()));
      p.left_offset = offset_.data();
      with.workers.split(right_.panels(), 1 + 65536 / (rows_ * right_weights::wide * depth_ + 1), [&](std::size_t from, std::size_t to, int) { run_right(p, a, first, out, from, to); });
    } else {
      float* packed = scratch + padded(columns_ + 2 * lanes);
      left_.pack(a, transpose_a_ ? 1 : signed_of(depth_), transpose_a_ ? signed_of(rows_) : 1, packed);
      if (copy_b_) {
        float* copy = packed + padded(rows_ * depth_);
        for (std::size_t k = 0; k < depth_; ++k)
          for (std::size_t j = 0; j < columns_; ++j) copy[k * b_pitch_ + j] = transpose_b_ ? b[j * depth_ + k] : b[k * columns_ + j];
        b = copy;
      }
      p.right_offset = offset_.data();
      with.workers.split(tiling_.tiles.size(), 1 + 65536 / (rows_ * right_weights::wide * depth_ + 1),
                         [&](std::size_t from, std::size_t to, int) { run_left(p, packed, b, start, out, from, to); });
    }
  }

private:
  [[nodiscard]] static std::ptrdiff_t signed_of(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }
  static const float* transposed(const float* from, std::size_t rows, std::size_t columns, float* to) noexcept
  {
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t i = 0; i < rows; ++i) to[j * rows + i] = from[i * columns + j];
    return to;
  }

  void run_right(product p, const float* a, const float* start, float* out, std::size_t first, std::size_t last) const
  {
    alignas(64) float kept[most_rows * right_weights::wide];
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t vectors = right_.vectors(i), valid = right_.valid(i);
      p.right = right_.at(i, packed_.data());
      p.start = start + i * right_weights::wide;
      for (const auto& rows : pieces_) {
        p.left = a + rows.begin;
        float* target = out + rows.begin * columns_ + i * right_weights::wide;
        const bool whole = valid == vectors * lanes;
        p.out = whole ? target : kept;
        p.pitch = whole ? signed_of(columns_) : signed_of(right_weights::wide);
        multiply<weights_side::right>(rows.count, vectors, p);
        for (std::size_t r = 0; r < rows.count && !whole; ++r) std::copy_n(kept + r * right_weights::wide, valid, target + r * columns_);
      }
    }
  }

  void run_left(product p, const float* packed, const float* b, const float* start, float* out, std::size_t first, std::size_t last) const
  {
    constexpr std::size_t wide = 2 * lanes;
    alignas(64) float kept[most_rows * wide + lanes];
    for (const auto& rows : left_.panels) {
      p.left = left_.at(rows, packed);
      for (std::size_t t = first; t < last; ++t) {
        const tile& at = tiling_.tiles[t];
        p.right = b + at.source;
        p.out = kept;
        p.pitch = wide;
        p.resume = start != nullptr;
        if (start != nullptr)  // the kernel's own start is per row here, so the sums are put in place for it
          for (std::size_t r = 0; r < rows.count; ++r)
            for (std::size_t j = 0; j < at.vectors * lanes; ++j) {
              const auto column = static_cast<std::size_t>(at.source) + j;
              kept[r * wide + j] = column < columns_ ? start[column] : 0.0F;
            }
        multiply<weights_side::left>(rows.count, at.vectors, p);
        scatter(tiling_.segments.data() + at.first_segment, at.segments, rows.count, kept, wide, out + rows.begin * columns_, signed_of(columns_));
      }
    }
  }

  std::size_t rows_ = 0, columns_ = 0, depth_ = 0, b_pitch_ = 0;
  bool transpose_a_ = false, transpose_b_ = false, constant_ = false, copy_b_ = false;
  left_weights left_;
  right_weights right_;
  std::vector<panel> pieces_;
  tiling tiling_;
  std::vector<std::ptrdiff_t> offset_;
  aligned_vector<float> packed_;
};

/// alpha * A' * B' + beta * C. A bias row (alpha = beta = 1, C of one row) is where the sums start; otherwise C is added last.
class gemm_step final : public step {
public:
  gemm_step(const op::gemm& g, const node_view& n)
    : alpha_(g.alpha), beta_(g.beta), activation_(n.self.activation), rows_(extent(n.out()[0])), columns_(extent(n.out()[1]))
  {
    const auto depth = extent(n.in(0)[g.transpose_a ? 0 : 1]);
    product_ = matrix_product(rows_, columns_, depth, g.transpose_a, g.transpose_b, n.constant(1));
    clamped_ = clamp::covers(activation_, clamp_);
    if (n.inputs() < 3) return;
    has_c_ = true;
    const auto& c = n.in(2);
    const auto rank = c.rank();
    c_row_ = rank == 2 && c[0] != 1 ? extent(c[1]) : 0;
    c_column_ = rank >= 1 && c[rank - 1] != 1 ? 1 : 0;
    start_ = alpha_ == 1 && beta_ == 1 && c_row_ == 0 && c_column_ == 1;
  }
  [[nodiscard]] std::size_t scratch(int) const override { return product_.scratch(); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    const bool after = alpha_ != 1 || (has_c_ && !start_);
    product_.run(in[0], in[1], start_ ? in[2] : nullptr, after ? clamp{} : clamp_, out[0], with, with.scratch);
    if (after)
      for (std::size_t i = 0; i < rows_; ++i)
        for (std::size_t j = 0; j < columns_; ++j) {
          float& y = out[0][i * columns_ + j];
          y = has_c_ ? madd_one(alpha_, y, beta_ * in[2][i * c_row_ + j * c_column_]) : alpha_ * y;
        }
    if (after || !clamped_) apply(activation_, out[0], out[0], rows_ * columns_);
  }

private:
  float alpha_, beta_;
  op::unary activation_;
  clamp clamp_;
  bool clamped_ = false, has_c_ = false, start_ = false;
  std::size_t rows_, columns_, c_row_ = 0, c_column_ = 0;
  matrix_product product_;
};

/// numpy.matmul. One matrix on the right serves all on the left as a single, taller one.
class matmul_step final : public step {
public:
  explicit matmul_step(const node_view& n) : activation_(n.self.activation), size_(n.out().elements())
  {
    const auto &a = n.in(0), &b = n.in(1);
    const bool row = a.rank() == 1, column = b.rank() == 1;
    const std::size_t a_lead = row ? 0 : a.rank() - 2, b_lead = column ? 0 : b.rank() - 2;
    const auto depth = extent(a[a.rank() - 1]), columns = column ? 1 : extent(b[b.rank() - 1]);
    auto rows = row ? 1 : extent(a[a.rank() - 2]);
    const auto b_matrices = b.product(0, b_lead);
    if (b_matrices == 1) {
      rows *= extent(a.product(0, a_lead));
      pairs_.push_back({0, 0});
    } else {
      const std::size_t lead = std::max(a_lead, b_lead);
      std::vector<std::size_t> extents(lead);
      const auto of = [&](const shape& s, std::size_t own, std::size_t axis) { return axis + own < lead ? std::int64_t{1} : s[axis + own - lead]; };
      std::size_t count = 1;
      for (std::size_t i = 0; i < lead; ++i) count *= extents[i] = extent(of(a, a_lead, i) == 1 ? of(b, b_lead, i) : of(a, a_lead, i));
      for (std::size_t n_th = 0; n_th < count; ++n_th) {
        std::size_t rest = n_th, at_a = 0, at_b = 0, step_a = rows * depth, step_b = depth * columns;
        for (std::size_t i = lead; i-- > 0;) {
          const auto index = rest % extents[i];
          rest /= extents[i];
          const auto ea = extent(of(a, a_lead, i)), eb = extent(of(b, b_lead, i));
          at_a += ea == 1 ? 0 : index * step_a;
          at_b += eb == 1 ? 0 : index * step_b;
          step_a *= ea;
          step_b *= eb;
        }
        pairs_.push_back({at_a, at_b});
      }
    }
    product_ = matrix_product(rows, columns, depth, false, false, b_matrices == 1 ? n.constant(1) : nullptr);
    each_ = rows * columns;
    clamped_ = clamp::covers(activation_, clamp_);
  }
  [[nodiscard]] std::size_t scratch(int) const override { return product_.scratch(); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    if (size_ == 0) return;
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      product_.run(in[0] + pairs_[i].a, in[1] + pairs_[i].b, nullptr, clamp_, out[0] + i * each_, with, with.scratch);
    if (!clamped_) apply(activation_, out[0], out[0], size_);
  }

private:
  struct pair { std::size_t a, b; };
  op::unary activation_;
  clamp clamp_;
  bool clamped_ = false;
  std::size_t size_, each_ = 0;
  std::vector<pair> pairs_;
  matrix_product product_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
