// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/pack/kernel/convert_scalar.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/reference.hpp>

/// reference.hpp as kernels: runs anywhere, needs nothing.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

template <code_unit Code, int Bits>
void pack(const Code* codes, std::size_t n, std::uint8_t* out) noexcept
{
  reference::pack(std::span(codes, n), Bits, std::span(out, packed_bytes(n, Bits)));
}

template <code_unit Code, int Bits>
void unpack(const std::uint8_t* packed, std::size_t n, Code* codes) noexcept
{
  reference::unpack(std::span(packed, packed_bytes(n, Bits)), Bits, std::span(codes, n));
}

template <code_unit Code>
bool quantize(const float* x, std::size_t n, const quantizer& q, Code* codes) noexcept
{
  bool finite = true;
  for (std::size_t i = 0; i < n; ++i) {
    codes[i] = static_cast<Code>(q(x[i]));
    finite = finite && is_finite(x[i]);
  }
  return finite;
}

template <code_unit Code>
void dequantize(const Code* codes, std::size_t n, const affine& a, float* out, bool = false) noexcept
{
  reference::dequantize(std::span(codes, n), a, std::span(out, n));
}

template <int Bits>
bool quantize_pack(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out) noexcept
{
  bool finite = true;
  code_t<Bits> codes[block_values];
  for (std::size_t i = 0; i < n; i += block_values, out += block_bytes(Bits)) {
    const std::size_t m = std::min(block_values, n - i);
    finite = quantize(x + i, m, q, codes) && finite;
    pack<code_t<Bits>, Bits>(codes, m, out);
  }
  return finite;
}

template <int Bits>
void unpack_dequantize(const std::uint8_t* packed, std::size_t n, const affine& a, float* out) noexcept
{
  reference::unpack_dequantize(std::span(packed, packed_bytes(n, Bits)), a, Bits, std::span(out, n));
}

inline bool min_max(const float* x, std::size_t n, float& low, float& high) noexcept
{
  bool finite = true;
  low = high = x[0];
  for (std::size_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    finite = finite && is_finite(x[i]);
  }
  return finite;
}

/// These functions by the names that make_set (kernel_use.hpp) looks for.
struct kernels : conversions {
  template <int Bits>
  static constexpr auto pack_of = pack<code_t<Bits>, Bits>;
  template <int Bits>
  static constexpr auto unpack_of = unpack<code_t<Bits>, Bits>;
  template <int Bits>
  static constexpr auto quantize_pack_of = quantize_pack<Bits>;
  template <int Bits>
  static constexpr auto unpack_dequantize_of = unpack_dequantize<Bits>;
  template <code_unit Code>
  static constexpr auto quantize_of = quantize<Code>;
  template <code_unit Code>
  static constexpr auto dequantize_of = dequantize<Code>;
  template <code_unit Code>
  static constexpr auto quantize_each_of = nullptr;
  template <code_unit Code>
  static constexpr auto dequantize_each_of = nullptr;
  static constexpr auto min_max_of = min_max;
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
