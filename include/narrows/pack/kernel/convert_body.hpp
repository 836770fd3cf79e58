// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the kernels that convert 16-bit floats, included inside their namespaces (see body.hpp).
// By itself empty.
//
// What the including file provides:
//   step                                values of a register of floats
//   load_floats, store_floats           a register of floats
//   load_halves, store_halves           `step` values of 16 bits
//   from_half, to_half, from_bfloat, to_bfloat
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

NARROWS_TARGET inline void widen_half(const std::uint8_t* from, std::size_t n, float* out) noexcept
{
  std::size_t i = 0;
  for (; i + step <= n; i += step) store_floats(out + i, from_half(load_halves(from + 2 * i)));
  scalar::widen_half(from + 2 * i, n - i, out + i);
}

NARROWS_TARGET inline void narrow_half(const float* x, std::size_t n, std::uint8_t* to) noexcept
{
  std::size_t i = 0;
  for (; i + step <= n; i += step) store_halves(to + 2 * i, to_half(load_floats(x + i)));
  scalar::narrow_half(x + i, n - i, to + 2 * i);
}

NARROWS_TARGET inline void widen_bfloat(const std::uint8_t* from, std::size_t n, float* out) noexcept
{
  std::size_t i = 0;
  for (; i + step <= n; i += step) store_floats(out + i, from_bfloat(load_halves(from + 2 * i)));
  scalar::widen_bfloat(from + 2 * i, n - i, out + i);
}

NARROWS_TARGET inline void narrow_bfloat(const float* x, std::size_t n, std::uint8_t* to) noexcept
{
  std::size_t i = 0;
  for (; i + step <= n; i += step) store_halves(to + 2 * i, to_bfloat(load_floats(x + i)));
  scalar::narrow_bfloat(x + i, n - i, to + 2 * i);
}

/// By the names that make_set (kernel_use.hpp) looks for.
struct conversions {
  static constexpr auto widen_half_of = widen_half;
  static constexpr auto narrow_half_of = narrow_half;
  static constexpr auto widen_bfloat_of = widen_bfloat;
  static constexpr auto narrow_bfloat_of = narrow_bfloat;
};

#endif
