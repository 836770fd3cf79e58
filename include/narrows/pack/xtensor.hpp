// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#if __has_include(<xtensor/containers/xarray.hpp>)
#  include <xtensor/containers/xarray.hpp>
#  include <xtensor/containers/xtensor.hpp>
#else
#  include <xtensor/xarray.hpp>
#  include <xtensor/xtensor.hpp>
#endif

#include <narrows/core/result.hpp>
#include <narrows/pack/packed_tensor.hpp>

/// Packing xtensor's containers and expressions; include it by hand, as only its users pay for xtensor.
namespace narrows {

/// Any xtensor expression of floats: xarray, xtensor, adapted memory, views, lazy arithmetic.
template <class E>
concept float_expression = xt::is_xexpression<std::remove_cvref_t<E>>::value &&
  std::same_as<std::remove_const_t<typename std::remove_cvref_t<E>::value_type>, float>;

namespace detail {

/// Containers and adaptors whose memory is the row-major sequence of their values.
template <class E>
concept contiguous_rows = requires(const E& e) {
  { e.data() } -> std::convertible_to<const float*>;
  { e.storage().size() } -> std::convertible_to<std::size_t>;
  requires E::static_layout == xt::layout_type::row_major;
};

/// Containers that own their memory and so may be resized, with the rank if it is fixed.
template <class E>
struct owner {
  static constexpr bool value = false;
};
template <class Storage, xt::layout_type L, class Shape, class Tag>
struct owner<xt::xarray_container<Storage, L, Shape, Tag>> {
  static constexpr bool value = true;
  static constexpr bool takes(std::size_t) noexcept { return true; }
};
template <class Storage, std::size_t N, xt::layout_type L, class Tag>
struct owner<xt::xtensor_container<Storage, N, L, Tag>> {
  static constexpr bool value = true;
  static constexpr bool takes(std::size_t rank) noexcept { return rank == N; }
};

template <float_expression E>
[[nodiscard]] result<shape, errc> shape_of(const E& e)
{
  std::vector<std::int64_t> extents;
  for (const auto extent : e.shape()) extents.push_back(static_cast<std::int64_t>(extent));
  return shape::make(extents);
}

}  // namespace detail

/// encode for an xtensor expression. Row-major containers are read where they are; everything else (a view, a lazy
/// sum, a column-major array) is evaluated into a row-major copy first. Rank and shape are kept in the descriptor.
/// Errors: bad_shape, and those of encode(tensor_view, ...).
template <float_expression E>
[[nodiscard]] result<descriptor, errc> encode(const E& e, const coding& how, aligned_vector<std::uint8_t>& payload)
{
  const auto dims = detail::shape_of(e);
  if (!dims) return dims.error();
  if constexpr (detail::contiguous_rows<E>) {
    return encode(tensor_view(std::span<const float>(e.data(), dims->elements()), *dims), how, payload);
  } else {
    const xt::xarray<float, xt::layout_type::row_major> copy = e;
    return encode(tensor_view(std::span<const float>(copy.data(), dims->elements()), *dims), how, payload);
  }
}

/// decode into a row-major container. An xarray or xtensor is resized to the descriptor's shape; adapted memory and
/// fixed shapes must have it already. A descriptor from outside is to be checked against the expected shape before,
/// as it decides how much is allocated.
/// Errors: bad_shape (shape or rank that the container cannot take); those of decode into a span.
template <float_expression E>
  requires detail::contiguous_rows<E>
[[nodiscard]] result<void, errc> decode(const descriptor& d, std::span<const std::uint8_t> payload, E& out)
{
  if (const auto e = detail::check_fields(d); e != errc::ok) return e;
  if (payload.size() < d.payload_bytes) return errc::truncated;
  const auto dims = d.dims.dims();
  const bool same = out.dimension() == dims.size() && std::equal(dims.begin(), dims.end(), out.shape().begin(),
    [](std::int64_t a, auto b) { return static_cast<std::size_t>(a) == static_cast<std::size_t>(b); });
  if (!same) {
    if constexpr (detail::owner<E>::value) {
      if (!detail::owner<E>::takes(dims.size())) return errc::bad_shape;
      out.resize(std::vector<std::size_t>(dims.begin(), dims.end()));
    } else {
      return errc::bad_shape;
    }
  }
  return decode(d, payload, std::span<float>(out.data(), d.dims.elements()));
}

/// pack for an expression of codes; returns the bytes, row-major order of the values. Errors: bad_width.
template <class E>
  requires(xt::is_xexpression<E>::value && code_unit<std::remove_const_t<typename E::value_type>>)
[[nodiscard]] result<aligned_vector<std::uint8_t>, errc> pack(const E& codes, int bits)
{
  using code = std::remove_const_t<typename E::value_type>;
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(code)) return errc::bad_width;
  const xt::xarray<code, xt::layout_type::row_major> copy = codes;
  aligned_vector<std::uint8_t> packed(packed_bytes(copy.size(), bits));
  if (const auto e = pack(std::span<const code>(copy.data(), copy.size()), bits, packed); e != errc::ok) return e;
  return packed;
}

}  // namespace narrows
