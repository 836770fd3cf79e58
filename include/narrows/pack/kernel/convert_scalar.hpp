// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <narrows/pack/half.hpp>
#include <narrows/pack/kernel/target.hpp>

/// half.hpp over arrays. The loops have no branches, so that compilers turn them into whatever registers they may use.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

template <float (*Widen)(std::uint16_t) noexcept>
void widen(const std::uint8_t* from, std::size_t n, float* out) noexcept
{
  for (std::size_t i = 0; i < n; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, from + 2 * i, 2);
    out[i] = Widen(bits);
  }
}

template <std::uint16_t (*Narrow)(float) noexcept>
void narrow(const float* x, std::size_t n, std::uint8_t* to) noexcept
{
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint16_t bits = Narrow(x[i]);
    std::memcpy(to + 2 * i, &bits, 2);
  }
}

inline constexpr auto widen_half = widen<float_of_half>;
inline constexpr auto narrow_half = narrow<half_of_float>;
inline constexpr auto widen_bfloat = widen<float_of_bfloat>;
inline constexpr auto narrow_bfloat = narrow<bfloat_of_float>;

/// By the names that make_set (kernel_use.hpp) looks for.
struct conversions {
  static constexpr auto widen_half_of = widen_half;
  static constexpr auto narrow_half_of = narrow_half;
  static constexpr auto widen_bfloat_of = widen_bfloat;
  static constexpr auto narrow_bfloat_of = narrow_bfloat;
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
