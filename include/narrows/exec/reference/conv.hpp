// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/packed_weights.hpp>
#include <narrows/exec/reference/step.hpp>
#include <narrows/exec/reference/window.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Convolution as a matrix product whose right side is never built: row k = (channel, ky, kx) of what im2col would
/// write is a shift of the laid-out input (window.hpp), found through a table of offsets. Sums run over k ascending
/// (multiply.hpp) and start from the bias.
///
/// Two forms with the same bits. `left`: registers hold neighbouring positions, weights are broadcast. `right`:
/// registers hold neighbouring channels, positions are broadcast; for maps too small or too narrow to fill registers.
class conv_step final : public step {
public:
  conv_step(const op::conv& c, const node_view& n)
    : activation_(n.self.activation), groups_(extent(c.groups)), batch_(extent(n.out()[0])),
      in_channels_(extent(n.in(0)[1])), channels_(in_channels_ / std::max<std::size_t>(groups_, 1)), filters_(extent(n.out()[1]) / std::max<std::size_t>(groups_, 1)),
      in_size_(extent(n.in(0).product(2, 4))), out_size_(extent(n.out().product(2, 4))), layout_(c.window, n.in(0), n.out())
  {
    clamped_ = clamp::covers(activation_, clamp_);
    const auto taps = layout_.tap.size();
    depth_ = channels_ * taps;
    const auto channel_floats = layout_.direct ? static_cast<std::ptrdiff_t>(in_size_) : layout_.floats;
    for (std::size_t i = 0; i < channels_; ++i)
      for (const auto t : layout_.tap) offset_.push_back(static_cast<std::ptrdiff_t>(i) * channel_floats + t);

    auto by_rows = tiling::make(layout_.height, layout_.width, layout_.pitch, true);
    tiling_ = tiling::make(layout_.height, layout_.width, layout_.pitch, false);
    if (by_rows.cost(filters_, depth_) < tiling_.cost(filters_, depth_)) tiling_ = std::move(by_rows);
    runs_ = make_runs();
    right_.columns = filters_;
    right_.depth = depth_;
    left_ = left_weights(filters_, depth_);
    use_right_ = out_size_ <= 1024 && right_cost() < tiling_.cost(filters_, depth_);

    constant_ = n.constant(1) != nullptr;
    has_bias_ = n.inputs() > 2;
    if (constant_) {
      weights_.resize(packed_floats());
      pack(n.constant(1), weights_.data());
    }
  }

  [[nodiscard]] std::size_t scratch(int threads) const override
  {
    return padded(laid_out()) + (constant_ ? 0 : padded(packed_floats())) + padded(bias_floats()) + static_cast<std::size_t>(threads) * padded(own());
  }

  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    float* planes = with.scratch;
    float* rest = planes + padded(laid_out());
    const float* weights = weights_.data();
    if (!constant_) {
      pack(in[1], rest);
      weights = rest;
      rest += padded(packed_floats());
    }
    float* bias = rest;
    for (std::size_t g = 0; g < groups_ && bias_floats() > 0; ++g)
      for (std::size_t i = 0; i < right_.padded_columns(); ++i)
        bias[g * right_.padded_columns() + i] = has_bias_ && i < filters_ ? in[2][g * filters_ + i] : 0.0F;
    rest += padded(bias_floats());

    for (std::size_t n = 0; n < batch_; ++n) {
      const float* source = in[0] + n * in_channels_ * in_size_;
      if (!layout_.direct) {
        with.workers.split(in_channels_, 1 + 16384 / (extent(layout_.floats) + 1), [&](std::size_t from, std::size_t to, int) {
          for (std::size_t c = from; c < to; ++c)
            layout_.gather(source + c * in_size_, planes + c * extent(layout_.floats), 0.0F);
        });
        source = planes;
      }
      for (std::size_t g = 0; g < groups_; ++g) {
        job j{source + static_cast<std::ptrdiff_t>(g * channels_) * (layout_.direct ? static_cast<std::ptrdiff_t>(in_size_) : layout_.floats),
              weights + g * packed_floats() / groups_, has_bias_ ? in[2] + g * filters_ : nullptr,
              out[0] + (n * groups_ + g) * filters_ * out_size_};
        if (use_right_) {
          j.bias = bias + g * right_.padded_columns();
          const std::size_t grain = 1 + 200000 / (runs_.size() * most_rows * right_weights::wide * depth_ + 1);
          with.workers.split(right_.panels(), grain, [&](std::size_t from, std::size_t to, int part) {
            run_right(j, from, to, rest + static_cast<std::size_t>(part) * padded(own()));
          });
        } else {
          const std::size_t grain = 1 + 200000 / (filters_ * right_weights::wide * depth_ + 1);
          if (tiling_.tiles.size() / grain >= static_cast<std::size_t>(2 * with.workers.size()) || left_.panels.size() == 1)
            with.workers.split(tiling_.tiles.size(), grain, [&](std::size_t from, std::size_t to, int) { run_left(j, from, to, 0, left_.panels.size()); });
          else
            with.workers.split(left_.panels.size(), 1, [&](std::size_t from, std::size_t to, int) { run_left(j, 0, tiling_.tiles.size(), from, to); });
        }
      }
    }
  }

private:
  struct job {
    const float* source;
    const float* weights;
    const float* bias;
    float* out;
  };
  /// Neighbouring positions that one tile of the `right` form holds.
  struct run_of_positions {
    std::ptrdiff_t source;
    std::size_t target, count;
  };

  [[nodiscard]] std::vector<run_of_positions> make_runs() const
  {
    std::vector<run_of_positions> all;
    if (layout_.flat == 0) return all;
    const bool joined = layout_.pitch == layout_.width;
    const auto rows = joined ? std::ptrdiff_t{1} : layout_.height;
    const auto width = extent(joined ? layout_.flat : layout_.width);
    const auto pieces = even_panels(width, most_rows);
    for (std::ptrdiff_t y = 0; y < rows; ++y)
      for (const auto& p : pieces)
        all.push_back({y * layout_.pitch + static_cast<std::ptrdiff_t>(p.begin), extent(y) * width + p.begin, p.count});
    return all;
  }
  [[nodiscard]] double right_cost() const
  {
    double sum = 0;
    for (const auto& r : runs_) {
      const auto c = static_cast<double>(r.count), v = static_cast<double>(right_.padded_columns() / lanes), p = static_cast<double>(right_.panels());
      sum += std::max({c * v / 2, 4 * p, (c * p + v) / 2}) * static_cast<double>(depth_) + c * v * static_cast<double>(lanes);
    }
    return sum;
  }
  [[nodiscard]] std::size_t packed_floats() const { return groups_ * (use_right_ ? right_.floats() : left_.floats()); }
  [[nodiscard]] std::size_t bias_floats() const { return use_right_ ? groups_ * right_.padded_columns() : 0; }
  /// The last tile of a map smaller than a tile reads on a little.
  [[nodiscard]] std::size_t laid_out() const { return layout_.direct ? 0 : in_channels_ * extent(layout_.floats) + 2 * lanes; }
  [[nodiscard]] std::size_t own() const { return use_right_ ? out_size_ * right_weights::wide : 0; }

  void pack(const float* from, float* to) const
  {
    const auto row = static_cast<std::ptrdiff_t>(depth_);
    for (std::size_t g = 0; g < groups_; ++g) {
      const float* own_weights = from + g * filters_ * depth_;
      float* target = to + g * packed_floats() / groups_;
      if (use_right_) right_.pack(own_weights, 1, row, target);
      else left_.pack(own_weights, row, 1, target);
    }
  }

  void run_left(const job& j, std::size_t first, std::size_t last, std::size_t first_panel, std::size_t last_panel) const
  {
    constexpr std::size_t wide = 2 * lanes;
    alignas(64) float kept[most_rows * wide + lanes];
    // Tiles whose inputs stay in the second-level cache while all channels pass over them.
    const std::size_t inputs = depth_ * wide * sizeof(float) / std::max<std::size_t>(layout_.tap.size(), 1) + 1;
    const std::size_t block = std::max<std::size_t>(1, 196608 / inputs);
    const auto stride = static_cast<std::ptrdiff_t>(out_size_);
    product p;
    p.depth = depth_;
    p.right_offset = offset_.data();
    p.low = clamp_.low;
    p.high = clamp_.high;
    for (std::size_t start = first; start < last; start += block)
      for (std::size_t i = first_panel; i < last_panel; ++i) {
        const auto& rows = left_.panels[i];
        p.left = left_.at(rows, j.weights);
        p.start = j.bias == nullptr ? nullptr : j.bias + rows.begin;
        float* out = j.out + rows.begin * out_size_;
        for (std::size_t t = start; t < std::min(last, start + block); ++t) {
          const tile& at = tiling_.tiles[t];
          p.right = j.source + at.source;
          const segment* segments = tiling_.segments.data() + at.first_segment;
          if (at.whole && clamped_) {
            p.out = out + segments->target;
            p.pitch = stride;
            multiply<weights_side::left>(rows.count, at.vectors, p);
            continue;
          }
          p.out = kept;
          p.pitch = wide;
          multiply<weights_side::left>(rows.count, at.vectors, p);
          if (!clamped_) apply(activation_, kept, kept, (rows.count - 1) * wide + at.vectors * lanes);
          scatter(segments, at.segments, rows.count, kept, wide, out, stride);
        }
      }
  }

  void run_right(const job& j, std::size_t first, std::size_t last, float* sums) const
  {
    constexpr std::size_t block = 8 * chunk;  // rows of a weight panel that stay in the first-level cache
    product p;
    p.pitch = right_weights::wide;
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t vectors = right_.vectors(i), filters = right_.valid(i);
      for (std::size_t k = 0; k < depth_ || k == 0; k += block) {
        const bool end = k + block >= depth_;
        p.depth = std::min(block, depth_ - k);
        p.right = right_.at(i, j.weights) + k * vectors * lanes;
        p.left_offset = offset_.data() + k;
        p.start = j.bias + i * right_weights::wide;
        p.resume = k > 0;
        p.low = end ? clamp_.low : -std::numeric_limits<float>::infinity();
        p.high = end ? clamp_.high : std::numeric_limits<float>::infinity();
        for (const auto& r : runs_) {
          p.left = j.source + r.source;
          p.out = sums + r.target * right_weights::wide;
          multiply<weights_side::right>(r.count, vectors, p);
        }
      }
      float* out = j.out + i * right_weights::wide * out_size_;
      for (std::size_t from = 0; from < out_size_; from += 16) {
        const std::size_t to = std::min(out_size_, from + 16);
        for (std::size_t f = 0; f < filters; ++f)
          for (std::size_t x = from; x < to; ++x) out[f * out_size_ + x] = sums[x * right_weights::wide + f];
      }
      if (!clamped_) apply(activation_, out, out, filters * out_size_);
    }
  }

  op::unary activation_;
  clamp clamp_;
  bool clamped_ = false, use_right_ = false, constant_ = false, has_bias_ = false;
  std::size_t groups_, batch_, in_channels_, channels_, filters_, in_size_, out_size_, depth_ = 0;
  window_layout layout_;
  std::vector<std::ptrdiff_t> offset_;
  tiling tiling_;
  std::vector<run_of_positions> runs_;
  left_weights left_;
  right_weights right_;
  aligned_vector<float> weights_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
