// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/core/tensor.hpp>

namespace narrows {

/// Neighbouring rows or columns of a map: [begin, end).
struct interval {
  std::int64_t begin = 0, end = 0;

  [[nodiscard]] constexpr std::int64_t size() const noexcept { return end - begin; }
  [[nodiscard]] constexpr bool empty() const noexcept { return end <= begin; }
  [[nodiscard]] constexpr bool contains(const interval& other) const noexcept { return begin <= other.begin && other.end <= end; }
  friend constexpr bool operator==(const interval&, const interval&) = default;
};

/// The smallest interval that holds both; an empty one counts for nothing.
[[nodiscard]] constexpr interval hull(const interval& a, const interval& b) noexcept
{
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

/// A rectangle of a tensor: rows and columns are its last two axes, and all of the others belong to it.
struct region {
  std::array<interval, 2> axes{};

  [[nodiscard]] constexpr const interval& rows() const noexcept { return axes[0]; }
  [[nodiscard]] constexpr const interval& columns() const noexcept { return axes[1]; }
  [[nodiscard]] constexpr std::int64_t area() const noexcept { return empty() ? 0 : rows().size() * columns().size(); }
  [[nodiscard]] constexpr bool empty() const noexcept { return rows().empty() || columns().empty(); }
  [[nodiscard]] constexpr bool contains(const region& other) const noexcept
  {
    return axes[0].contains(other.axes[0]) && axes[1].contains(other.axes[1]);
  }
  friend constexpr bool operator==(const region&, const region&) = default;
};

/// The bounding box of both; an empty region counts for nothing.
[[nodiscard]] constexpr region hull(const region& a, const region& b) noexcept
{
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {{hull(a.axes[0], b.axes[0]), hull(a.axes[1], b.axes[1])}};
}

/// "rows 0-13, columns 7-27": first and last.
[[nodiscard]] inline std::string to_string(const region& r)
{
  const auto text = [](const interval& i) { return std::to_string(i.begin) + "-" + std::to_string(i.end - 1); };
  return "rows " + text(r.rows()) + ", columns " + text(r.columns());
}

/// All rows and columns; `dims` has rank 2 or more.
[[nodiscard]] inline region whole_region(const shape& dims)
{
  NARROWS_EXPECTS(dims.rank() >= 2);
  return {{interval{0, dims[dims.rank() - 2]}, interval{0, dims[dims.rank() - 1]}}};
}

/// Shape of a part of a tensor of shape `dims`, which has rank 2 or more.
/// Errors   bad_shape: the region is empty or not inside.
[[nodiscard]] inline result<shape> shape_of(const shape& dims, const region& part)
{
  if (dims.rank() < 2 || part.empty() || !whole_region(dims).contains(part))
    return error(errc::bad_shape, to_string(part) + " of a tensor " + to_string(dims));
  std::array<std::int64_t, shape::max_rank> extents{};
  std::copy(dims.dims().begin(), dims.dims().end(), extents.begin());
  extents[dims.rank() - 2] = part.rows().size();
  extents[dims.rank() - 1] = part.columns().size();
  return *shape::make(std::span(extents).first(dims.rank()));   // no larger than `dims`
}

/// Copies `part` of `from` to `to`, whose shape is that of the part.
inline void copy_out(tensor_view from, const region& part, mutable_tensor_view to)
{
  NARROWS_EXPECTS(shape_of(from.dims(), part).has_value() && *shape_of(from.dims(), part) == to.dims());
  const auto height = from.dims()[from.dims().rank() - 2], width = from.dims()[from.dims().rank() - 1];
  const auto planes = from.dims().product(0, from.dims().rank() - 2);
  float* target = to.data();
  for (std::int64_t p = 0; p < planes; ++p)
    for (auto y = part.rows().begin; y < part.rows().end; ++y, target += part.columns().size())
      std::copy_n(from.data() + (p * height + y) * width + part.columns().begin, part.columns().size(), target);
}

/// Copies `from` to its place in `to`.
inline void copy_in(tensor_view from, const region& part, mutable_tensor_view to)
{
  NARROWS_EXPECTS(shape_of(to.dims(), part).has_value() && *shape_of(to.dims(), part) == from.dims());
  const auto height = to.dims()[to.dims().rank() - 2], width = to.dims()[to.dims().rank() - 1];
  const auto planes = to.dims().product(0, to.dims().rank() - 2);
  const float* source = from.data();
  for (std::int64_t p = 0; p < planes; ++p)
    for (auto y = part.rows().begin; y < part.rows().end; ++y, source += part.columns().size())
      std::copy_n(source, part.columns().size(), to.data() + (p * height + y) * width + part.columns().begin);
}

}  // namespace narrows
