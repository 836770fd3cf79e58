// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <narrows/core/errc.hpp>
#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/element.hpp>
#include <narrows/pack/kernel/target.hpp>

namespace narrows {

/// A tensor where an engine keeps it: any element type, any strides. Plain data that owns nothing; `check` judges it, and
/// what takes a view checks it.
///
/// Value (i0, i1, ...) is the element at data + i0 * strides[0] + i1 * strides[1] + ..., counted in elements. The stream of a
/// view is the row-major sequence of its values over `dims`, wherever they lie: two views of the same values and dims are packed
/// to the same bytes.
template <class Void>
  requires std::is_void_v<Void>
struct basic_strided_view {
  Void* data = nullptr;  ///< value (0, 0, ...), aligned for its type
  element type = element::float32;
  shape dims{0};
  std::array<std::int64_t, shape::max_rank> strides{};  ///< one per axis; negative ones run backwards, 0 repeats (inputs only)
  affine levels{};                                      ///< of int8 and uint8; the zero point is a code of the type
  value_order order = value_order::as_given;            ///< how the axes of `dims` are called

  constexpr operator basic_strided_view<const void>() const noexcept  // NOLINT: implicit, as T* to const T* is
    requires(!std::is_const_v<Void>)
  {
    return {data, type, dims, strides, levels, order};
  }
};

using strided_view = basic_strided_view<const void>;
using mutable_strided_view = basic_strided_view<void>;

namespace detail::inline NARROWS_FLAGS {

template <class Void>
[[nodiscard]] constexpr basic_strided_view<Void> contiguous(
  Void* data, element type, const shape& dims, value_order order, affine levels) noexcept
{
  basic_strided_view<Void> view{data, type, dims, {}, levels, order};
  std::int64_t stride = 1;
  for (std::size_t axis = dims.rank(); axis-- > 0;) {
    view.strides[axis] = stride;
    if (dims[axis] != 0) stride *= dims[axis];  // a shape's product over the others is bounded
  }
  return view;
}

/// ok, bad_shape or bad_input: whether the addresses of all values lie within the address space, and where they should.
template <class Void>
[[nodiscard]] errc check_addresses(const basic_strided_view<Void>& view) noexcept
{
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
  std::uint64_t above = element_bytes(view.type);  // bytes from `data` to behind the last value, and to the first one
  std::uint64_t below = 0;
  for (std::size_t axis = 0; axis < view.dims.rank(); ++axis) {
    const auto steps = static_cast<std::uint64_t>(view.dims[axis] - 1);
    const std::int64_t stride = view.strides[axis];
    if (steps == 0) continue;
    if (stride == 0 && !std::is_const_v<Void>) return errc::bad_input;  // one element cannot take several values
    std::uint64_t& side = stride < 0 ? below : above;
    const std::uint64_t length =
      stride < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(stride) : static_cast<std::uint64_t>(stride);
    if (length > most / element_bytes(view.type) || length * element_bytes(view.type) > (most - side) / steps)
      return errc::bad_shape;
    side += length * element_bytes(view.type) * steps;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(view.data);
  if (below > address || above > std::numeric_limits<std::uintptr_t>::max() - address) return errc::bad_shape;
  return view.data == nullptr || address % element_bytes(view.type) != 0 ? errc::bad_input : errc::ok;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// A buffer that holds its values row-major, without gaps. `levels` are for int8 and uint8 only.
[[nodiscard]] constexpr strided_view contiguous_view(
  const void* data, element type, const shape& dims, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, dims, value_order::as_given, levels);
}
[[nodiscard]] constexpr mutable_strided_view contiguous_view(
  void* data, element type, const shape& dims, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, dims, value_order::as_given, levels);
}

/// A buffer of batches of channels of rows, dims being {N, C, H, W}; and one whose channels are innermost, {N, H, W, C}.
[[nodiscard]] constexpr strided_view nchw_view(const void* data, element type, const shape& nchw, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, nchw, value_order::nchw, levels);
}
[[nodiscard]] constexpr mutable_strided_view nchw_view(void* data, element type, const shape& nchw, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, nchw, value_order::nchw, levels);
}
[[nodiscard]] constexpr strided_view nhwc_view(const void* data, element type, const shape& nhwc, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, nhwc, value_order::nhwc, levels);
}
[[nodiscard]] constexpr mutable_strided_view nhwc_view(void* data, element type, const shape& nhwc, affine levels = {}) noexcept
{
  return detail::contiguous(data, type, nhwc, value_order::nhwc, levels);
}

/// narrows' own tensors, ONNX's NCHW where they have four axes.
[[nodiscard]] constexpr strided_view view_of(tensor_view x) noexcept
{
  return detail::contiguous<const void>(
    x.data(), element::float32, x.dims(), x.dims().rank() == 4 ? value_order::nchw : value_order::as_given, {});
}
[[nodiscard]] constexpr mutable_strided_view view_of(mutable_tensor_view x) noexcept
{
  return detail::contiguous<void>(
    x.data(), element::float32, x.dims(), x.dims().rank() == 4 ? value_order::nchw : value_order::as_given, {});
}

/// The same elements, streamed in another order: an NHWC buffer as nchw, or the other way round. A view that does not say which
/// of the two it is, or is asked for neither, stays as it is.
template <class Void>
[[nodiscard]] constexpr basic_strided_view<Void> streamed_as(value_order order, basic_strided_view<Void> view) noexcept
{
  if (view.dims.rank() != 4 || view.order == order || view.order == value_order::as_given || order == value_order::as_given)
    return view;
  constexpr std::array<std::size_t, 4> channels_second{0, 3, 1, 2}, channels_last{0, 2, 3, 1};
  const auto& from = order == value_order::nchw ? channels_second : channels_last;
  auto to = view;
  to.dims = {view.dims[from[0]], view.dims[from[1]], view.dims[from[2]], view.dims[from[3]]};
  for (std::size_t axis = 0; axis < 4; ++axis) to.strides[axis] = view.strides[from[axis]];
  to.order = order;
  return to;
}

/// ok, or why no tensor can be read from (or written to) a view.
/// Errors   bad_input: no such element type or order; data is null or not aligned; an output whose stride is 0.
///          bad_shape: values that would lie beyond the address space.   bad_scale: levels outside affine.hpp's limits, or whose
///          zero point is no code of the type.
template <class Void>
[[nodiscard]] errc check(const basic_strided_view<Void>& view) noexcept
{
  if (element_bytes(view.type) == 0) return errc::bad_input;
  if (view.order != value_order::as_given && view.order != value_order::nchw && view.order != value_order::nhwc)
    return errc::bad_input;
  if (has_levels(view.type)) {
    const std::int32_t least = view.type == element::int8 ? -128 : 0;
    if (check(view.levels, 8) != errc::ok || view.levels.zero < least || view.levels.zero > least + 255) return errc::bad_scale;
  }
  const std::int64_t values = view.dims.product(0, view.dims.rank());
  if (static_cast<std::uint64_t>(values) > std::numeric_limits<std::size_t>::max() / sizeof(float))
    return errc::bad_shape;  // 32-bit machines
  return values == 0 ? errc::ok : detail::check_addresses(view);
}

/// `count` indices of an axis from `first` on: some channels of a larger tensor, one picture of a batch.
/// Errors: those of check; bad_shape if the axis does not have them.
template <class Void>
[[nodiscard]] result<basic_strided_view<Void>, errc> slice(
  basic_strided_view<Void> view, std::size_t axis, std::int64_t first, std::int64_t count) noexcept
{
  if (const auto e = check(view); e != errc::ok) return e;
  if (axis >= view.dims.rank() || first < 0 || count < 0 || first > view.dims[axis] || count > view.dims[axis] - first)
    return errc::bad_shape;
  std::array<std::int64_t, shape::max_rank> dims{};
  for (std::size_t i = 0; i < view.dims.rank(); ++i) dims[i] = i == axis ? count : view.dims[i];
  const auto made = shape::make({dims.data(), view.dims.rank()});
  if (!made) return made.error();
  using byte = std::conditional_t<std::is_const_v<Void>, const std::uint8_t, std::uint8_t>;
  const auto bytes = static_cast<std::ptrdiff_t>(element_bytes(view.type));
  if (made->elements() > 0) view.data = static_cast<byte*>(view.data) + first * view.strides[axis] * bytes;
  view.dims = *made;
  return view;
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
