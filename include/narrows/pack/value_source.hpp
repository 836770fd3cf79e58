// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/levels.hpp>
#include <narrows/pack/strided.hpp>

namespace narrows {

inline namespace NARROWS_FLAGS {

/// Values handled at a time where they are not contiguous floats: whole blocks, and 16 KiB of stack.
inline constexpr std::size_t piece_values = 4096;

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// The axes of a view without those of one index, neighbours merged where one goes on where the other ends. Strides in bytes,
/// as unsigned numbers, which may wrap and come back.
struct walk {
  std::size_t rank = 1;   ///< at least 1
  std::array<std::size_t, shape::max_rank> extent{};
  std::array<std::size_t, shape::max_rank> stride{};

  walk() = default;
  template <class Void>
  explicit walk(const basic_strided_view<Void>& view) noexcept
  {
    const std::size_t bytes = element_bytes(view.type);
    rank = 0;
    for (std::size_t axis = 0; axis < view.dims.rank(); ++axis) {
      const auto n = static_cast<std::size_t>(view.dims[axis]);
      if (n == 1) continue;
      const std::size_t step = static_cast<std::size_t>(view.strides[axis]) * bytes;
      if (rank > 0 && stride[rank - 1] == step * n) {
        extent[rank - 1] *= n;
        stride[rank - 1] = step;
      } else {
        extent[rank] = n;
        stride[rank++] = step;
      }
    }
    if (rank == 0) {
      extent[rank] = 1;
      stride[rank++] = bytes;
    }
  }

  [[nodiscard]] bool contiguous(std::size_t bytes) const noexcept { return rank == 1 && stride[0] == bytes; }
  [[nodiscard]] std::size_t inner_extent() const noexcept { return extent[rank - 1]; }
  [[nodiscard]] std::size_t inner_stride() const noexcept { return stride[rank - 1]; }

  /// run(offset, done, count) for the values [first, first + n) of the stream, innermost axis by innermost axis: `count` values
  /// from `offset` bytes on, inner_stride() apart, after `done` others.
  template <class Run>
  void for_each_run(std::size_t first, std::size_t n, Run run) const noexcept
  {
    std::array<std::size_t, shape::max_rank> at{};
    std::size_t offset = 0;
    for (std::size_t axis = rank; axis-- > 0; first /= extent[axis]) {
      at[axis] = first % extent[axis];
      offset += at[axis] * stride[axis];
    }
    for (std::size_t done = 0; done < n;) {
      std::size_t axis = rank - 1;
      const std::size_t count = std::min(extent[axis] - at[axis], n - done);
      run(offset, done, count);
      done += count;
      at[axis] += count;
      offset += count * stride[axis];
      for (; axis > 0 && at[axis] == extent[axis]; --axis) {
        offset += stride[axis - 1] - extent[axis] * stride[axis];
        at[axis] = 0;
        ++at[axis - 1];
      }
    }
  }
};

/// Runs from this length on are converted where they lie; shorter ones are brought together first.
inline constexpr std::size_t least_run = 256;

template <class Unit>
void gather(const std::uint8_t* from, std::size_t stride, std::size_t n, std::uint8_t* to) noexcept
{
  if (stride == sizeof(Unit)) {
    std::memcpy(to, from, n * sizeof(Unit));
    return;
  }
  for (std::size_t i = 0; i < n; ++i)
    std::memcpy(to + i * sizeof(Unit), from + static_cast<std::ptrdiff_t>(i * stride), sizeof(Unit));
}

template <class Unit>
void scatter(const std::uint8_t* from, std::size_t stride, std::size_t n, std::uint8_t* to) noexcept
{
  if (stride == sizeof(Unit)) {
    std::memcpy(to, from, n * sizeof(Unit));
    return;
  }
  for (std::size_t i = 0; i < n; ++i)
    std::memcpy(to + static_cast<std::ptrdiff_t>(i * stride), from + i * sizeof(Unit), sizeof(Unit));
}

/// int8 codes as uint8 codes whose zero point is 128 larger, and back.
inline void flip_signs(const std::uint8_t* from, std::size_t n, std::uint8_t* to) noexcept
{
  constexpr std::uint64_t signs = 0x8080808080808080;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, from + i, 8);
    eight ^= signs;
    std::memcpy(to + i, &eight, 8);
  }
  for (; i < n; ++i) to[i] = from[i] ^ 0x80;
}

/// At most piece_values elements that lie side by side, to floats.
inline void widen(
  const kernel_set& with, element type, const affine& levels, const std::uint8_t* from, std::size_t n, float* to) noexcept
{
  switch (type) {
  case element::float32: std::memcpy(to, from, n * sizeof(float)); return;
  case element::float16: with.widen_half(from, n, to); return;
  case element::bfloat16: with.widen_bfloat(from, n, to); return;
  case element::uint8: with.dequantize_u8(from, n, levels, to, false); return;
  case element::int8: {
    std::uint8_t codes[piece_values];
    flip_signs(from, n, codes);
    with.dequantize_u8(codes, n, {levels.scale, levels.zero + 128}, to, false);
    return;
  }
  }
}

inline void narrow(
  const kernel_set& with, element type, const affine& levels, const float* from, std::size_t n, std::uint8_t* to) noexcept
{
  switch (type) {
  case element::float32: std::memcpy(to, from, n * sizeof(float)); return;
  case element::float16: with.narrow_half(from, n, to); return;
  case element::bfloat16: with.narrow_bfloat(from, n, to); return;
  case element::uint8: with.quantize_u8(from, n, quantizer(levels, 8), to); return;
  case element::int8:
    with.quantize_u8(from, n, quantizer({levels.scale, levels.zero + 128}, 8), to);
    flip_signs(to, n, to);
    return;
  }
}

/// What reading and writing a view have in common.
template <class Byte>
struct located {
  Byte* data = nullptr;
  element type = element::float32;
  affine levels{};
  walk axes{};
};

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// The values of a tensor as a stream of floats, whatever it holds and however it lies: what packing reads.
///
/// Contiguous float32 is read where it is. Anything else is converted by pieces of at most `piece_values` on the stack:
///   float16, bfloat16   exactly (half.hpp); NaNs and infinities stay what they are, so that a tensor with one travels raw
///   int8, uint8         (code - zero) * scale, rounded once
/// Owns nothing, allocates nothing; copies are cheap and serve threads of their own.
class value_source {
public:
  value_source() = default;  ///< no values
  /// Contiguous floats: a span, a vector, an array.
  template <class Floats>
    requires std::convertible_to<const Floats&, std::span<const float>> value_source(const Floats& values)
  noexcept  // NOLINT: implicit, so that functions take floats as they are
    : direct_(std::span<const float>(values).data()), size_(std::span<const float>(values).size())
  {}
  /// Errors: those of check(view).
  [[nodiscard]] static result<value_source, errc> make(const strided_view& view) noexcept
  {
    if (const auto e = check(view); e != errc::ok) return e;
    value_source made(view);
    if (view.type == element::float32 && made.from_.axes.contiguous(sizeof(float)))
      made.direct_ = static_cast<const float*>(view.data);
    return made;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Where the floats are, if they are that and contiguous; else null. (Also null for some empty sources.)
  [[nodiscard]] const float* direct() const noexcept { return direct_ == nullptr ? nullptr : direct_ + first_; }

  /// Values [first, first + n) as a source of their own.
  [[nodiscard]] value_source part(std::size_t first, std::size_t n) const noexcept
  {
    NARROWS_EXPECTS(first <= size_ && n <= size_ - first);
    value_source some = *this;
    some.first_ += first;
    some.size_ = n;
    return some;
  }

  /// Values [first, first + n), n <= piece_values, converted into `room` unless they are floats already.
  [[nodiscard]] const float* read(const kernel_set& with, std::size_t first, std::size_t n, float* room) const noexcept
  {
    NARROWS_EXPECTS(first <= size_ && n <= size_ - first);
    if (direct_ != nullptr) return direct_ + first_ + first;
    NARROWS_EXPECTS(n <= piece_values);
    const std::size_t bytes = element_bytes(from_.type);
    const std::size_t stride = from_.axes.inner_stride();
    if (stride == bytes && from_.axes.inner_extent() >= detail::least_run) {
      from_.axes.for_each_run(first_ + first, n, [&](std::size_t offset, std::size_t done, std::size_t count) {
        detail::widen(with, from_.type, from_.levels, at(offset), count, room + done);
      });
      return room;
    }
    std::uint8_t narrow[2 * piece_values];
    auto* const to = bytes == 4 ? reinterpret_cast<std::uint8_t*>(room) : narrow;
    from_.axes.for_each_run(first_ + first, n, [&](std::size_t offset, std::size_t done, std::size_t count) {
      if (bytes == 4)
        detail::gather<std::uint32_t>(at(offset), stride, count, to + 4 * done);
      else if (bytes == 2)
        detail::gather<std::uint16_t>(at(offset), stride, count, to + 2 * done);
      else
        detail::gather<std::uint8_t>(at(offset), stride, count, to + done);
    });
    if (bytes != 4) detail::widen(with, from_.type, from_.levels, narrow, n, room);
    return room;
  }

private:
  explicit value_source(const strided_view& view) noexcept
    : from_{static_cast<const std::uint8_t*>(view.data), view.type, view.levels, detail::walk(view)}, size_(view.dims.elements())
  {}
  [[nodiscard]] const std::uint8_t* at(std::size_t offset) const noexcept
  {
    return from_.data + static_cast<std::ptrdiff_t>(offset);
  }

  detail::located<const std::uint8_t> from_;
  const float* direct_ = nullptr;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// The other way: floats into whatever an engine keeps.
///
/// Contiguous float32 is written where it belongs. Anything else is converted by pieces:
///   float16, bfloat16   to nearest, halves to even; beyond the largest infinity
///   int8, uint8         clamp(rne(value * (1 / scale)) + zero) to the codes of the type, a NaN giving the lowest code
/// With reconstruction levels, what is written are codes, and by pieces too: each becomes its level first.
class value_sink {
public:
  value_sink() = default;  ///< no values
  template <class Floats>
    requires std::convertible_to<Floats&, std::span<float>> value_sink(Floats&& values)
  noexcept  // NOLINT: implicit, as above
    : direct_(std::span<float>(values).data()), size_(std::span<float>(values).size())
  {}
  /// Errors: those of check(view).
  [[nodiscard]] static result<value_sink, errc> make(const mutable_strided_view& view) noexcept
  {
    if (const auto e = check(view); e != errc::ok) return e;
    value_sink made(view);
    if (view.type == element::float32 && made.to_.axes.contiguous(sizeof(float))) made.direct_ = static_cast<float*>(view.data);
    return made;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Where values may be written without `write`; else null.
  [[nodiscard]] float* direct() const noexcept { return direct_ == nullptr || !levels_.values.empty() ? nullptr : direct_ + first_; }

  /// The same place for codes as floats, from 0 on, which are looked up in `levels`, unless that has none; its memory must outlive
  /// the sink.
  [[nodiscard]] value_sink through(level_table levels) const noexcept
  {
    value_sink made = *this;
    made.levels_ = levels;
    made.levels_.first -= first_;   // as unsigned numbers: first_ is added again
    return made;
  }

  [[nodiscard]] value_sink part(std::size_t first, std::size_t n) const noexcept
  {
    NARROWS_EXPECTS(first <= size_ && n <= size_ - first);
    value_sink some = *this;
    some.first_ += first;
    some.size_ = n;
    return some;
  }

  /// Writes values [first, first + n), n <= piece_values.
  void write(const kernel_set& with, std::size_t first, std::size_t n, const float* values) const noexcept
  {
    NARROWS_EXPECTS(first <= size_ && n <= size_ - first && n <= piece_values);
    if (levels_.values.empty()) return place(with, first, n, values);
    if (direct_ != nullptr) return detail::look_up(levels_, first_ + first, values, n, direct_ + first_ + first);
    float room[piece_values];
    detail::look_up(levels_, first_ + first, values, n, room);
    place(with, first, n, room);
  }

private:
  explicit value_sink(const mutable_strided_view& view) noexcept
    : to_{static_cast<std::uint8_t*>(view.data), view.type, view.levels, detail::walk(view)}, size_(view.dims.elements())
  {}
  [[nodiscard]] std::uint8_t* at(std::size_t offset) const noexcept { return to_.data + static_cast<std::ptrdiff_t>(offset); }

  void place(const kernel_set& with, std::size_t first, std::size_t n, const float* values) const noexcept
  {
    if (direct_ != nullptr) {
      std::copy_n(values, n, direct_ + first_ + first);
      return;
    }
    const std::size_t bytes = element_bytes(to_.type);
    const std::size_t stride = to_.axes.inner_stride();
    if (stride == bytes && to_.axes.inner_extent() >= detail::least_run) {
      to_.axes.for_each_run(first_ + first, n, [&](std::size_t offset, std::size_t done, std::size_t count) {
        detail::narrow(with, to_.type, to_.levels, values + done, count, at(offset));
      });
      return;
    }
    std::uint8_t narrow[2 * piece_values];
    if (bytes != 4) detail::narrow(with, to_.type, to_.levels, values, n, narrow);
    const auto* const from = bytes == 4 ? reinterpret_cast<const std::uint8_t*>(values) : narrow;
    to_.axes.for_each_run(first_ + first, n, [&](std::size_t offset, std::size_t done, std::size_t count) {
      if (bytes == 4)
        detail::scatter<std::uint32_t>(from + 4 * done, stride, count, at(offset));
      else if (bytes == 2)
        detail::scatter<std::uint16_t>(from + 2 * done, stride, count, at(offset));
      else
        detail::scatter<std::uint8_t>(from + done, stride, count, at(offset));
    });
  }

  detail::located<std::uint8_t> to_;
  level_table levels_;
  float* direct_ = nullptr;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace NARROWS_FLAGS

}  // namespace narrows
