// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <narrows/pack/kernel/convert_scalar.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/rans_scalar.hpp>
#include <narrows/pack/kernel/runs_scalar.hpp>
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
    .quantize_each_u8 = nullptr,
    .quantize_each_u16 = nullptr,
    .dequantize_each_u8 = nullptr,
    .dequantize_each_u16 = nullptr,
    .widen_half = widen_half,
    .narrow_half = narrow_half,
    .widen_bfloat = widen_bfloat,
    .narrow_bfloat = narrow_bfloat,
    .min_max = min_max,
    .compress_u8 = compress<std::uint8_t>,
    .compress_u16 = compress<std::uint16_t>,
    .expand_u8 = expand<std::uint8_t>,
    .expand_u16 = expand<std::uint16_t>,
    .count_ones = count_ones,
    .encode_runs_u8 = encode_runs_block<runs::runs_steps, std::uint8_t>,
    .encode_runs_u16 = encode_runs_block<runs::runs_steps, std::uint16_t>,
    .decode_runs_u8 = decode_runs_block<runs::runs_steps, std::uint8_t>,
    .decode_runs_u16 = decode_runs_block<runs::runs_steps, std::uint16_t>,
    .rans_encode = rans_encode,
    .rans_decode = rans_decode,
  };
}

inline constexpr kernel_set set = table(std::make_index_sequence<8>{}, std::make_index_sequence<16>{});

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
