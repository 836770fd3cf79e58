// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/step.hpp>
#include <narrows/graph/detail/resize_map.hpp>

/// Operators that make maps larger (or smaller): resize, transposed convolution.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Interpolation is separable: one pass per axis that changes, each output a weighted sum of up to four inputs.
class resize_step final : public step {
public:
  resize_step(const op::resize& r, const node_view& n) : activation_(n.self.activation), size_(n.out().elements())
  {
    std::vector<std::int64_t> now(n.in(0).dims().begin(), n.in(0).dims().end());
    for (std::size_t axis = 0; axis < now.size(); ++axis) {
      const auto from = now[axis], to = n.out()[axis];
      const auto map = narrows::detail::resize_map(r, axis, from, to);
      if (map.keeps) continue;
      pass p{1, extent(from), extent(to), 1, {}, {}, 0};
      for (std::size_t i = 0; i < axis; ++i) p.outer *= extent(now[i]);
      for (std::size_t i = axis + 1; i < now.size(); ++i) p.inner *= extent(now[i]);
      for (std::int64_t o = 0; o < to && from > 0; ++o) add(p, r, map, map.coordinate(o + map.where.output_first), from);
      now[axis] = to;
      passes_.push_back(std::move(p));
      room_ = std::max(room_, passes_.back().outer * passes_.back().to * passes_.back().inner);
    }
  }
  [[nodiscard]] std::size_t scratch(int) const override { return passes_.size() < 2 ? 0 : 2 * padded(room_); }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    const float* now = in[0];
    if (passes_.empty()) std::copy_n(now, size_, out[0]);
    for (std::size_t i = 0; i < passes_.size() && size_ > 0; ++i) {
      float* next = i + 1 == passes_.size() ? out[0] : with.scratch + i % 2 * padded(room_);
      const pass& p = passes_[i];
      with.workers.split(p.outer, 1 + 8192 / (p.to * p.inner + 1), [&, now](std::size_t from, std::size_t to, int) {
        for (std::size_t o = from; o < to; ++o) p.run(now + o * p.from * p.inner, next + o * p.to * p.inner);
      });
      now = next;
    }
    apply(activation_, out[0], out[0], size_);
  }

private:
  struct pass {
    std::size_t outer, from, to, inner;
    std::vector<std::size_t> index;       ///< `taps` per output
    std::vector<float> weight;
    std::size_t taps;

    void run(const float* x, float* y) const noexcept
    {
      for (std::size_t o = 0; o < to; ++o, y += inner) {
        const std::size_t* at = index.data() + o * taps;
        const float* w = weight.data() + o * taps;
        if (taps == 1) {
          std::copy_n(x + at[0] * inner, inner, y);
          continue;
        }
        if (inner == 1) {
          float sum = w[0] * x[at[0]];
          for (std::size_t t = 1; t < taps; ++t) sum = madd_one(w[t], x[at[t]], sum);
          *y = sum;
          continue;
        }
        for (std::size_t i = 0; i < inner; i += lanes) {
          const std::size_t n = std::min(lanes, inner - i);
          vec sum = vec(w[0]) * load_part(x + at[0] * inner + i, n);
          for (std::size_t t = 1; t < taps; ++t) sum = madd(vec(w[t]), load_part(x + at[t] * inner + i, n), sum);
          store_part(y + i, sum, n);
        }
      }
    }
  };

  /// Keys' cubic kernel (IEEE Trans. ASSP 29(6), 1981) with parameter a.
  static double cubic(double d, double a)
  {
    if (d <= 1) return madd_one(madd_one(a + 2, d, -(a + 3)) * d, d, 1.0);
    if (d < 2) return madd_one(madd_one(madd_one(a, d, -5 * a), d, 8 * a), d, -4 * a);
    return 0;
  }
  /// `at` counts in the whole map, the indexes in the part that is there.
  static void add(pass& p, const op::resize& r, const narrows::detail::resize_map& map, double at, std::int64_t from)
  {
    const auto whole = map.where.input_extent;
    const auto push = [&](std::int64_t i, double w) {
      const auto inside = std::clamp<std::int64_t>(i, 0, whole - 1) - map.where.input_first;
      p.index.push_back(static_cast<std::size_t>(std::clamp<std::int64_t>(inside, 0, from - 1)));
      p.weight.push_back(static_cast<float>(w));
    };
    if (r.mode == op::resize::mode::nearest) {
      p.taps = 1;
      return push(map.nearest(at), 1);
    }
    if (r.mode == op::resize::mode::linear) {
      const double inside = std::clamp(at, 0.0, static_cast<double>(whole - 1)), low = std::floor(inside);
      p.taps = 2;
      push(static_cast<std::int64_t>(low), 1 - (inside - low));
      return push(static_cast<std::int64_t>(low) + 1, inside - low);
    }
    const double low = std::floor(at);
    double weights[4], total = 0;
    for (int t = 0; t < 4; ++t) {
      const auto i = static_cast<std::int64_t>(low) + t - 1;
      weights[t] = r.exclude_outside && (i < 0 || i >= whole) ? 0 : cubic(std::abs(at - low - (t - 1)), static_cast<double>(r.cubic_a));
      total += weights[t];
    }
    p.taps = 4;
    for (int t = 0; t < 4; ++t) push(static_cast<std::int64_t>(low) + t - 1, r.exclude_outside ? weights[t] / total : weights[t]);
  }

  op::unary activation_;
  std::size_t size_, room_ = 0;
  std::vector<pass> passes_;
};

/// Each input value adds a scaled kernel to the output; sums run over (channel, ky, kx) and start from the bias.
class conv_transpose_step final : public step {
public:
  conv_transpose_step(const op::conv_transpose& c, const node_view& n)
    : window_(c.window), activation_(n.self.activation), batch_(extent(n.out()[0])), groups_(extent(c.groups)),
      channels_(extent(n.in(0)[1] / c.groups)), filters_(extent(n.out()[1] / c.groups)), in_height_(n.in(0)[2]), in_width_(n.in(0)[3]),
      height_(n.out()[2]), width_(n.out()[3])
  {
  }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const override
  {
    with.workers.split(batch_ * groups_ * filters_, 1, [&](std::size_t from, std::size_t to, int) {
      for (std::size_t i = from; i < to; ++i) {
        const std::size_t f = i % filters_, g = i / filters_ % groups_, image = i / filters_ / groups_;
        const std::size_t plane = extent(height_ * width_);
        float* y = out[0] + i * plane;
        std::fill_n(y, plane, in.size() > 2 ? in[2][g * filters_ + f] : 0.0F);
        for (std::size_t c = 0; c < channels_; ++c) {
          const std::size_t channel = g * channels_ + c;
          add(in[0] + (image * groups_ * channels_ + channel) * extent(in_height_ * in_width_),
              in[1] + (channel * filters_ + f) * extent(window_.kernel[0] * window_.kernel[1]), y);
        }
        apply(activation_, y, y, plane);
      }
    });
  }

private:
  void add(const float* x, const float* w, float* y) const noexcept
  {
    for (std::int64_t ky = 0; ky < window_.kernel[0]; ++ky)
      for (std::int64_t kx = 0; kx < window_.kernel[1]; ++kx, ++w)
        for (std::int64_t r = 0; r < in_height_; ++r) {
          const auto oy = r * window_.stride[0] - window_.pads[0] + ky * window_.dilation[0];
          if (oy < 0 || oy >= height_) continue;
          for (std::int64_t q = 0; q < in_width_; ++q) {
            const auto ox = q * window_.stride[1] - window_.pads[1] + kx * window_.dilation[1];
            if (ox < 0 || ox >= width_) continue;
            float& to = y[oy * width_ + ox];
            to = madd_one(*w, x[r * in_width_ + q], to);
          }
        }
  }
  op::window window_;
  op::unary activation_;
  std::size_t batch_, groups_, channels_, filters_;
  std::int64_t in_height_, in_width_, height_, width_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
