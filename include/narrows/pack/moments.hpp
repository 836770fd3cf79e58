// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <narrows/pack/kernel/target.hpp>

/// Sums over many values in an order that does not depend on the machine, so that ranges fitted by them do not either: value i
/// goes to lane i mod 32. Registers of four floats are on every machine and need no kernel of their own to keep up with memory.
namespace narrows::detail::inline NARROWS_FLAGS {

using four_floats = float __attribute__((vector_size(16)));
using four_ints = std::int32_t __attribute__((vector_size(16)));
inline constexpr std::size_t moment_registers = 8;
inline constexpr std::size_t moment_lanes = 4 * moment_registers;
/// So many values of a lane are summed as floats, with an error of a few parts in a million; sums of those are doubles.
inline constexpr std::size_t moment_rows = 32;
/// Sums of values up to this are finite.
inline constexpr float largest_in_moments = 0x1p120F;

/// The sum of `each(four values)` over `x`, the last row filled up with `neutral`.
template <class Each>
[[nodiscard]] double sum_of(std::span<const float> x, float neutral, const Each& each) noexcept
{
  double total = 0;
  for (std::size_t i = 0; i < x.size();) {
    std::array<four_floats, moment_registers> lanes{};
    for (std::size_t row = 0; row < moment_rows && i < x.size(); ++row, i += moment_lanes) {
      const float* from = x.data() + i;
      float last[moment_lanes];
      if (x.size() - i < moment_lanes) {
        for (std::size_t j = 0; j < moment_lanes; ++j) last[j] = i + j < x.size() ? from[j] : neutral;
        from = last;
      }
      for (std::size_t j = 0; j < moment_registers; ++j) {
        four_floats v;
        std::memcpy(&v, from + 4 * j, sizeof v);
        lanes[j] += each(v);
      }
    }
    for (const auto& lane : lanes)
      for (std::size_t j = 0; j < 4; ++j) total += static_cast<double>(lane[j]);
  }
  return total;
}

[[nodiscard]] inline double sum(std::span<const float> x) noexcept
{
  return sum_of(x, 0, [](four_floats v) { return v; });
}

[[nodiscard]] inline double sum_of_distances(std::span<const float> x, float from) noexcept
{
  const four_floats centre = {from, from, from, from};
  return sum_of(x, from, [&](four_floats v) {
    constexpr std::int32_t magnitude = 0x7FFFFFFF;
    return std::bit_cast<four_floats>(std::bit_cast<four_ints>(v - centre) & four_ints{magnitude, magnitude, magnitude, magnitude});
  });
}

/// How many values are not 0. Exact: a lane counts 32 at most before they are added up.
[[nodiscard]] inline std::size_t count_nonzero(std::span<const float> x) noexcept
{
  return static_cast<std::size_t>(sum_of(x, 0, [](four_floats v) {
    const four_floats one = {1, 1, 1, 1};
    return std::bit_cast<four_floats>((v != four_floats{}) & std::bit_cast<four_ints>(one));
  }));
}

}  // namespace narrows::detail::inline NARROWS_FLAGS
