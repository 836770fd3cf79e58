// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <narrows/exec/reference/math.hpp>
#include <narrows/exec/reference/step.hpp>

/// Operators that only move values: concat, split, slice, pad, transpose, reshape.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// A walk over up to eight axes, each with a stride on either side; joined to as few axes as possible.
class strided_copy {
public:
  strided_copy() = default;
  strided_copy(std::span<const std::int64_t> extents, std::span<const std::ptrdiff_t> from, std::span<const std::ptrdiff_t> to)
  {
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (extents[i] == 0) empty_ = true;
      if (extents[i] == 1) continue;
      const axis a{extents[i], from[i], to[i]};
      if (!axes_.empty() && axes_.back().from == a.from * a.extent && axes_.back().to == a.to * a.extent) {
        axes_.back().extent *= a.extent;
        axes_.back().from = a.from;
        axes_.back().to = a.to;
      } else axes_.push_back(a);
    }
    if (axes_.empty()) axes_.push_back({1, 1, 1});
  }
  void run(const float* from, float* to) const noexcept
  {
    if (!empty_) walk(0, from, to);
  }

private:
  struct axis { std::ptrdiff_t extent, from, to; };
  void walk(std::size_t level, const float* from, float* to) const noexcept
  {
    const auto& a = axes_[level];
    if (level + 1 < axes_.size()) {
      for (std::ptrdiff_t i = 0; i < a.extent; ++i) walk(level + 1, from + i * a.from, to + i * a.to);
    } else if (a.from == 1 && a.to == 1) {
      std::copy_n(from, a.extent, to);
    } else {
      for (std::ptrdiff_t i = 0; i < a.extent; ++i) to[i * a.to] = from[i * a.from];
    }
  }
  std::vector<axis> axes_;
  bool empty_ = false;
};

[[nodiscard]] inline std::vector<std::ptrdiff_t> dense_strides(const shape& s)
{
  std::vector<std::ptrdiff_t> strides(s.rank());
  std::ptrdiff_t stride = 1;
  for (std::size_t i = s.rank(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(s[i], 1);
  }
  return strides;
}

/// A part of one operand that goes to a part of one result.
struct move {
  std::size_t input, output;
  std::ptrdiff_t from, to;
  strided_copy how;
};

/// Moves decided at load, one after the other, then the activation on the first result.
class arrange_step : public step {
public:
  explicit arrange_step(const node_view& n) : activation_(n.self.activation), size_(n.out().elements()) {}
  void run(std::span<const float* const> in, std::span<float* const> out, workspace&) const override
  {
    for (const auto& m : moves_)
      if (out[m.output] != nullptr) m.how.run(in[m.input] + m.from, out[m.output] + m.to);
    apply(activation_, out[0], out[0], size_);
  }

protected:
  op::unary activation_;
  std::size_t size_;
  std::vector<move> moves_;
};

class concat_step final : public arrange_step {
public:
  concat_step(const op::concat& c, const node_view& n) : arrange_step(n)
  {
    const auto to = dense_strides(n.out());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < n.inputs(); ++i) {
      moves_.push_back({i, 0, 0, at * to[c.axis], strided_copy(n.in(i).dims(), dense_strides(n.in(i)), to)});
      at += n.in(i)[c.axis];
    }
  }
};

class split_step final : public arrange_step {
public:
  split_step(const op::split& s, const node_view& n) : arrange_step(n)
  {
    const auto from = dense_strides(n.in(0));
    std::int64_t at = 0;
    for (std::size_t i = 0; i < n.self.outputs.size(); ++i) {
      moves_.push_back({0, i, at * from[s.axis], 0, strided_copy(n.out(i).dims(), from, dense_strides(n.out(i)))});
      at += n.out(i)[s.axis];
    }
  }
};

class slice_step final : public arrange_step {
public:
  slice_step(const op::slice& s, const node_view& n) : arrange_step(n)
  {
    auto from = dense_strides(n.in(0));
    std::ptrdiff_t start = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      start += s.starts[i] * from[i];
      from[i] *= s.steps[i];
    }
    moves_.push_back({0, 0, n.out().elements() == 0 ? 0 : start, 0, strided_copy(n.out().dims(), from, dense_strides(n.out()))});
  }
};

class transpose_step final : public arrange_step {
public:
  transpose_step(const op::transpose& t, const node_view& n) : arrange_step(n)
  {
    const auto dense = dense_strides(n.in(0));
    std::vector<std::ptrdiff_t> from;
    for (const auto axis : t.permutation) from.push_back(dense[axis]);
    moves_.push_back({0, 0, 0, 0, strided_copy(n.out().dims(), from, dense_strides(n.out()))});
  }
};

/// A reshape that could not simply share its input's memory.
class reshape_step final : public arrange_step {
public:
  explicit reshape_step(const node_view& n) : arrange_step(n)
  {
    const std::array<std::int64_t, 1> all{static_cast<std::int64_t>(n.out().elements())};
    const std::array<std::ptrdiff_t, 1> one{1};
    moves_.push_back({0, 0, 0, 0, strided_copy(all, one, one)});
  }
};

/// Every index of an output axis knows the place of the value it repeats, or that it is filled.
class pad_step final : public step {
public:
  pad_step(const op::pad& p, const node_view& n)
    : value_(p.value), dynamic_value_(n.inputs() > 1 && n.in(1).elements() > 0), activation_(n.self.activation), size_(n.out().elements())
  {
    const auto from = dense_strides(n.in(0));
    for (std::size_t axis = 0; axis < n.out().rank(); ++axis) {
      const auto count = n.in(0)[axis];
      source which{{}, 0, 0, n.out().product(axis + 1, n.out().rank())};
      for (std::int64_t o = 0; o < n.out()[axis]; ++o) {
        auto i = o - p.before[axis];
        if (i < 0 || i >= count) {
          if (p.mode == op::pad::mode::constant || count == 0) i = -1;
          else if (p.mode == op::pad::mode::edge) i = std::clamp<std::int64_t>(i, 0, count - 1);
          else if (count == 1) i = 0;
          else {
            const auto period = 2 * (count - 1);
            i = (i % period + period) % period;
            if (i >= count) i = period - i;
          }
        } else if (which.end == 0) {
          which.begin = o;
          which.end = std::min(n.out()[axis], o + count - i);
        }
        which.place.push_back(i < 0 ? nowhere : i * from[axis]);
      }
      axes_.push_back(std::move(which));
    }
  }
  void run(std::span<const float* const> in, std::span<float* const> out, workspace&) const override
  {
    const float fill = dynamic_value_ ? in[1][0] : value_;
    if (size_ > 0) axes_.empty() ? static_cast<void>(*out[0] = *in[0]) : walk(0, in[0], out[0], fill);
    apply(activation_, out[0], out[0], size_);
  }

private:
  static constexpr std::ptrdiff_t nowhere = -1;
  struct source {
    std::vector<std::ptrdiff_t> place;
    std::ptrdiff_t begin, end;            ///< the part that is the input as it was
    std::ptrdiff_t inner;                 ///< values of the output per index
  };
  void walk(std::size_t level, const float* from, float* to, float fill) const noexcept
  {
    const auto& a = axes_[level];
    const bool last = level + 1 == axes_.size();
    for (std::ptrdiff_t o = 0; o < static_cast<std::ptrdiff_t>(a.place.size()); ++o) {
      const auto at = a.place[static_cast<std::size_t>(o)];
      if (last && o == a.begin && a.end > a.begin) {
        std::copy_n(from + at, a.end - a.begin, to + o);
        o = a.end - 1;
      } else if (at == nowhere) std::fill_n(to + o * a.inner, a.inner, fill);
      else if (last) to[o] = from[at];
      else walk(level + 1, from + at, to + o * a.inner, fill);
    }
  }
  float value_;
  bool dynamic_value_;
  op::unary activation_;
  std::size_t size_;
  std::vector<source> axes_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
