// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <narrows/pack/kernel/compress_table.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/rans_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/reference.hpp>

/// reference.hpp as a kernel set: runs anywhere, needs nothing.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

template <code_unit Code, int Bits>
void pack(const Code* codes, std::size_t blocks, std::uint8_t* out) noexcept
{
  reference::pack(std::span(codes, blocks * block_values), Bits, std::span(out, blocks * block_bytes(Bits)));
}

template <code_unit Code, int Bits>
void unpack(const std::uint8_t* packed, std::size_t blocks, Code* codes) noexcept
{
  reference::unpack(std::span(packed, blocks * block_bytes(Bits)), Bits, std::span(codes, blocks * block_values));
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
void dequantize(const Code* codes, std::size_t n, const affine& a, float* out) noexcept
{
  reference::dequantize(std::span(codes, n), a, std::span(out, n));
}

template <int Bits>
bool quantize_pack(const float* x, std::size_t blocks, const quantizer& q, std::uint8_t* out) noexcept
{
  bool finite = true;
  code_t<Bits> codes[block_values];
  for (std::size_t b = 0; b < blocks; ++b) {
    finite = quantize(x + b * block_values, block_values, q, codes) && finite;
    pack<code_t<Bits>, Bits>(codes, 1, out + b * block_bytes(Bits));
  }
  return finite;
}

template <int Bits>
void unpack_dequantize(const std::uint8_t* packed, std::size_t blocks, const affine& a, float* out) noexcept
{
  reference::unpack_dequantize(std::span(packed, blocks * block_bytes(Bits)), a, Bits, std::span(out, blocks * block_values));
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

/// Eight codes at a time by table, without a branch on the data; what is written beyond the count lies within the n codes.
template <code_unit Code>
std::size_t compress(const Code* codes, std::size_t n, std::uint8_t* mask, Code* nonzero) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    unsigned bits = 0;
    for (unsigned k = 0; k < 8; ++k) bits |= (codes[i + k] != 0 ? 1U : 0U) << k;
    mask[i / 8] = static_cast<std::uint8_t>(bits);
    const auto& order = gather_nonzero[bits];
    for (std::size_t k = 0; k < 8; ++k) nonzero[count + k] = codes[i + (order[k] & 7U)];
    count += static_cast<std::size_t>(std::popcount(bits));
  }
  if (i == n) return count;
  unsigned bits = 0;
  for (std::size_t k = 0; i + k < n; ++k) {
    if (codes[i + k] == 0) continue;
    nonzero[count++] = codes[i + k];
    bits |= 1U << k;
  }
  mask[i / 8] = static_cast<std::uint8_t>(bits);
  return count;
}

template <code_unit Code>
std::size_t expand(const std::uint8_t* mask, std::size_t n, const Code* nonzero, Code* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const unsigned bits = mask[i / 8];
    const auto& order = scatter_nonzero[bits];
    for (std::size_t k = 0; k < 8; ++k) {
      const Code found = nonzero[count + (order[k] & 7U)];
      codes[i + k] = static_cast<Code>(order[k] < 8 ? found : Code{0});
    }
    count += static_cast<std::size_t>(std::popcount(bits));
  }
  for (std::size_t k = 0; i + k < n; ++k) {
    const bool set = ((mask[i / 8] >> k) & 1) != 0;
    codes[i + k] = set ? nonzero[count] : Code{0};
    count += set ? 1 : 0;
  }
  return count;
}

template <std::size_t... Narrow, std::size_t... All>
[[nodiscard]] constexpr kernel_set table(std::index_sequence<Narrow...>, std::index_sequence<All...>) noexcept
{
  return {
    .name = "scalar",
    .pack_u8 = {pack<std::uint8_t, Narrow + 1>...},
    .pack_u16 = {pack<std::uint16_t, Narrow + 9>...},
    .unpack_u8 = {unpack<std::uint8_t, Narrow + 1>...},
    .unpack_u16 = {unpack<std::uint16_t, Narrow + 9>...},
    .quantize_pack = {quantize_pack<All + 1>...},
    .unpack_dequantize = {unpack_dequantize<All + 1>...},
    .quantize_u8 = quantize<std::uint8_t>,
    .quantize_u16 = quantize<std::uint16_t>,
    .dequantize_u8 = dequantize<std::uint8_t>,
    .dequantize_u16 = dequantize<std::uint16_t>,
    .min_max = min_max,
    .compress_u8 = compress<std::uint8_t>,
    .compress_u16 = compress<std::uint16_t>,
    .expand_u8 = expand<std::uint8_t>,
    .expand_u16 = expand<std::uint16_t>,
    .rans_encode = rans_encode,
    .rans_decode = rans_decode,
  };
}

inline constexpr kernel_set set = table(std::make_index_sequence<8>{}, std::make_index_sequence<16>{});

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
