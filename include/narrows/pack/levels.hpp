// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/errc.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/kernel/target.hpp>

namespace narrows {

/// Reconstruction levels: what code c of value i means, values[(((i / inner) mod groups) << bits) + c].
struct level_table {
  std::span<const float> values{};  ///< groups * 2^bits; empty: codes mean what their scales say
  std::size_t groups = 1;
  std::size_t inner = 1;
  int bits = 0;
  std::size_t first = 0;            ///< the i of the first value at hand
};

namespace detail::inline NARROWS_FLAGS {

/// Groups that share a scale, and the values of one group that stand together.
struct group_shape {
  std::size_t count;
  std::size_t inner;
};
[[nodiscard]] inline group_shape groups_of(const shape& dims, scale_group group) noexcept
{
  if (group.axis == scale_group::whole_tensor) return {1, std::max<std::size_t>(dims.elements(), 1)};
  const auto axis = static_cast<std::size_t>(group.axis);
  return {static_cast<std::size_t>(dims[axis]), static_cast<std::size_t>(dims.product(axis + 1, dims.rank()))};
}

[[nodiscard]] constexpr bool has_axis(const shape& dims, scale_group group) noexcept
{
  return group.axis == scale_group::whole_tensor || (group.axis >= 0 && static_cast<std::size_t>(group.axis) < dims.rank());
}

/// Those of a checked descriptor, for its values from `first` on.
[[nodiscard]] inline level_table levels_of(const descriptor& d, std::size_t first = 0) noexcept
{
  return {d.levels, d.scales.size(), groups_of(d.dims, d.group).inner, d.width, first};
}

/// ok where there are none; else bad_width (more than max_level_width), bad_descriptor (their number) or bad_scale (one is not
/// finite).
[[nodiscard]] inline errc check_levels(std::span<const float> levels, std::size_t groups, int bits) noexcept
{
  if (levels.empty()) return errc::ok;
  if (bits < min_width || bits > max_level_width) return errc::bad_width;
  const std::size_t each = std::size_t{1} << bits;
  if (levels.size() % each != 0 || levels.size() / each != groups) return errc::bad_descriptor;
  return std::all_of(levels.begin(), levels.end(), [](float x) { return std::isfinite(x); }) ? errc::ok : errc::bad_scale;
}

/// The levels of n codes, which stand as floats. No two of `codes` and `out` overlap.
inline void look_up(const level_table& table, std::size_t first, const float* codes, std::size_t n, float* out) noexcept
{
  const auto largest = static_cast<std::int32_t>(max_code(table.bits));
  const std::size_t at = table.first + first;
  std::size_t group = at / table.inner % table.groups, run = table.groups == 1 ? n : table.inner - at % table.inner;
  for (std::size_t i = 0; i < n; run = table.inner, group = group + 1 == table.groups ? 0 : group + 1) {
    const float* const levels = table.values.data() + (group << table.bits);
    for (const std::size_t end = i + std::min(run, n - i); i < end; ++i)
      out[i] = levels[static_cast<std::int32_t>(codes[i]) & largest];   // a damaged stream may give codes beyond the largest before it is refused
  }
}

}  // namespace detail::inline NARROWS_FLAGS
}  // namespace narrows
