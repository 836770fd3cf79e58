// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <narrows/pack/kernel/x86_intrinsics.hpp>   // before xsimd

#include <xsimd/xsimd.hpp>

#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

// 32-bit ARM is left out: xsimd rounds halves away from zero there, and the unit flushes denormals.
#if !defined(XSIMD_NO_SUPPORTED_ARCHITECTURE) && !defined(__arm__)
#define NARROWS_HAS_GENERIC_KERNELS 1

/// Any ISA that xsimd knows, as far as the flags of this translation unit reach; every width.
///
/// xsimd has no shifts of bytes and no narrowing, so lanes are worked on as 32-bit integers: a lane's column of W rows
/// is a stream of W * b bits, cut into 32-bit pieces, each of which holds four (W = 8) or two (W = 16) words of the lane.
namespace narrows::kernel::generic {
inline namespace NARROWS_FLAGS {

using floats = xsimd::batch<float>;
using ints = xsimd::batch<std::int32_t>;
inline constexpr std::size_t step = floats::size;
static_assert(step <= 32 && ints::size == step);

/// 32-bit pieces of a lane's column.
template <int Bits>
inline constexpr int pieces = (lane_bits(Bits) * Bits + 31) / 32;

/// Pieces of all lanes, piece-major, to or from words in stream order. (Little-endian machines only, as all but scalar.)
template <int Bits>
void write_words(const std::int32_t* from, std::uint8_t* out) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  code_t<Bits> words[lanes];
  for (int k = 0; k < Bits; ++k) {
    const int bit = k * lane_bits(Bits);
    const std::int32_t* const piece = from + static_cast<std::size_t>(bit / 32) * lanes;
    for (std::size_t l = 0; l < lanes; ++l)
      words[l] = static_cast<code_t<Bits>>(static_cast<std::uint32_t>(piece[l]) >> (bit % 32));
    std::memcpy(out + k * 64, words, 64);
  }
}

template <int Bits>
void read_words(const std::uint8_t* in, std::int32_t* to) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  code_t<Bits> words[lanes];
  for (int k = 0; k < Bits; ++k) {
    const int bit = k * lane_bits(Bits);
    std::int32_t* const piece = to + static_cast<std::size_t>(bit / 32) * lanes;
    std::memcpy(words, in + k * 64, 64);
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto moved = static_cast<std::int32_t>(static_cast<std::uint32_t>(words[l]) << (bit % 32));
      piece[l] = bit % 32 == 0 ? moved : piece[l] | moved;
    }
  }
}

/// Codes of one batch; `seen` turns NaN for good with the first value that is not finite.
inline ints quantize_batch(const floats& x, const quantizer& q, floats& seen) noexcept
{
  seen += x * floats(0.0F);
  const floats low(q.low);
  const floats y = x * floats(q.inverse);
  // max and min answer NaN differently on each ISA: take it out first.
  const floats held = xsimd::min(xsimd::max(xsimd::select(y == y, y, low), low), floats(q.high));
  return xsimd::nearbyint_as_int(held) + ints(q.zero);
}

inline bool all_finite(const floats& seen) noexcept { return xsimd::all(seen == seen); }

/// Rows first to last of one batch of lanes; `next_row(row)` yields its codes.
template <int Bits, class Row>
void pack_lanes(Row next_row, std::int32_t* out) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  ints piece(0);
  for (int row = 0; row < lane_bits(Bits); ++row) {
    const int bit = row * Bits % 32;
    const ints code = next_row(row);
    piece = bit == 0 ? code : piece | (code << bit);
    if (bit + Bits >= 32 || row + 1 == lane_bits(Bits)) {
      piece.store_unaligned(out + static_cast<std::size_t>(row * Bits / 32) * lanes);
      // Never in the last row: no W * b leaves fewer than b bits in its last piece.
      if (bit + Bits > 32) piece = code >> (32 - bit);
    }
  }
}

template <int Bits, class Row>
void unpack_lanes(const std::int32_t* in, Row take_row) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  const ints mask(static_cast<std::int32_t>(max_code(Bits)));
  for (int row = 0; row < lane_bits(Bits); ++row) {
    const int bit = row * Bits % 32;
    const std::size_t at = static_cast<std::size_t>(row * Bits / 32) * lanes;
    ints code = ints::load_unaligned(in + at);
    if (bit > 0) code = code >> bit;  // arithmetic: what comes in from the left is masked off
    if (bit + Bits > 32) {
      const ints low(static_cast<std::int32_t>((1U << (32 - bit)) - 1));
      code = (code & low) | (ints::load_unaligned(in + at + lanes) << (32 - bit));
    }
    take_row(row, code & mask);
  }
}

template <int Bits>
void pack_tail(const code_t<Bits>* codes, std::size_t n, std::uint8_t* out) noexcept;
template <int Bits>
void unpack_tail(const std::uint8_t* packed, std::size_t n, code_t<Bits>* codes) noexcept;

template <int Bits>
void pack(const code_t<Bits>* codes, std::size_t n, std::uint8_t* out) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  std::int32_t columns[pieces<Bits> * lanes];
  for (; n >= block_values; n -= block_values, codes += block_values, out += block_bytes(Bits)) {
    for (std::size_t l = 0; l < lanes; l += step)
      pack_lanes<Bits>([&](int row) {
        std::int32_t wide[step];
        const code_t<Bits>* const from = codes + static_cast<std::size_t>(row) * lanes + l;
        for (std::size_t i = 0; i < step; ++i) wide[i] = from[i];
        return ints::load_unaligned(wide);
      }, columns + l);
    write_words<Bits>(columns, out);
  }
  if (n > 0) pack_tail<Bits>(codes, n, out);
}

template <int Bits>
void unpack(const std::uint8_t* packed, std::size_t n, code_t<Bits>* codes) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  std::int32_t columns[pieces<Bits> * lanes];
  for (; n >= block_values; n -= block_values, packed += block_bytes(Bits), codes += block_values) {
    read_words<Bits>(packed, columns);
    for (std::size_t l = 0; l < lanes; l += step)
      unpack_lanes<Bits>(columns + l, [&](int row, const ints& code) {
        std::int32_t wide[step];
        code.store_unaligned(wide);
        code_t<Bits>* const to = codes + static_cast<std::size_t>(row) * lanes + l;
        for (std::size_t i = 0; i < step; ++i) to[i] = static_cast<code_t<Bits>>(wide[i]);
      });
  }
  if (n > 0) unpack_tail<Bits>(packed, n, codes);
}

/// The narrower last block of 1..511 codes: lanes are independent of each other, so the rows of a full block do, of which the first
/// lanes count.
template <int Bits>
void pack_tail(const code_t<Bits>* codes, std::size_t n, std::uint8_t* out) noexcept
{
  const std::size_t lanes = lanes_of(n, Bits), row_bytes = lanes * sizeof(code_t<Bits>);
  code_t<Bits> spread[block_values]{};
  std::uint8_t words[block_bytes(Bits)];
  for (std::size_t i = 0; i < n; ++i) spread[i / lanes * block_lanes(Bits) + i % lanes] = codes[i];
  pack<Bits>(spread, block_values, words);
  for (std::size_t word = 0; word < Bits; ++word) std::memcpy(out + word * row_bytes, words + word * 64, row_bytes);
}

template <int Bits>
void unpack_tail(const std::uint8_t* packed, std::size_t n, code_t<Bits>* codes) noexcept
{
  const std::size_t lanes = lanes_of(n, Bits), row_bytes = lanes * sizeof(code_t<Bits>);
  code_t<Bits> spread[block_values];
  std::uint8_t words[block_bytes(Bits)]{};
  for (std::size_t word = 0; word < Bits; ++word) std::memcpy(words + word * 64, packed + word * row_bytes, row_bytes);
  unpack<Bits>(words, block_values, spread);
  for (std::size_t i = 0; i < n; ++i) codes[i] = spread[i / lanes * block_lanes(Bits) + i % lanes];
}

template <code_unit Code>
bool quantize(const float* x, std::size_t n, const quantizer& q, Code* codes) noexcept
{
  floats seen(0.0F);
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
    std::int32_t wide[step];
    quantize_batch(floats::load_unaligned(x + i), q, seen).store_unaligned(wide);
    for (std::size_t k = 0; k < step; ++k) codes[i + k] = static_cast<Code>(wide[k]);
  }
  return scalar::quantize(x + i, n - i, q, codes + i) && all_finite(seen);
}

template <code_unit Code>
void dequantize(const Code* codes, std::size_t n, const affine& a, float* out, bool = false) noexcept
{
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
    std::int32_t wide[step];
    for (std::size_t k = 0; k < step; ++k) wide[k] = codes[i + k];
    (xsimd::to_float(ints::load_unaligned(wide) - ints(a.zero)) * floats(a.scale)).store_unaligned(out + i);
  }
  scalar::dequantize(codes + i, n - i, a, out + i);
}

template <int Bits>
bool quantize_pack(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  std::int32_t columns[pieces<Bits> * lanes];
  floats seen(0.0F);
  for (; n >= block_values; n -= block_values, x += block_values, out += block_bytes(Bits)) {
    for (std::size_t l = 0; l < lanes; l += step)
      pack_lanes<Bits>([&](int row) {
        return quantize_batch(floats::load_unaligned(x + static_cast<std::size_t>(row) * lanes + l), q, seen);
      }, columns + l);
    write_words<Bits>(columns, out);
  }
  if (n == 0) return all_finite(seen);
  code_t<Bits> codes[block_values];
  const bool finite = quantize(x, n, q, codes);
  pack_tail<Bits>(codes, n, out);
  return finite && all_finite(seen);
}

template <int Bits>
void unpack_dequantize(const std::uint8_t* packed, std::size_t n, const affine& a, float* out) noexcept
{
  constexpr std::size_t lanes = block_lanes(Bits);
  std::int32_t columns[pieces<Bits> * lanes];
  const ints zero(a.zero);
  const floats scale(a.scale);
  for (; n >= block_values; n -= block_values, packed += block_bytes(Bits), out += block_values) {
    read_words<Bits>(packed, columns);
    for (std::size_t l = 0; l < lanes; l += step)
      unpack_lanes<Bits>(columns + l, [&](int row, const ints& code) {
        (xsimd::to_float(code - zero) * scale).store_unaligned(out + static_cast<std::size_t>(row) * lanes + l);
      });
  }
  if (n == 0) return;
  code_t<Bits> codes[block_values];
  unpack_tail<Bits>(packed, n, codes);
  dequantize(codes, n, a, out);
}

inline bool min_max(const float* x, std::size_t n, float& low, float& high) noexcept
{
  if (n < step) return scalar::min_max(x, n, low, high);
  floats lows = floats::load_unaligned(x);
  floats highs = lows;
  floats seen(0.0F);
  for (std::size_t i = 0; i < n; i += step) {
    const floats value = floats::load_unaligned(x + std::min(i, n - step));  // the last one may overlap
    lows = xsimd::min(lows, value);
    highs = xsimd::max(highs, value);
    seen += value * floats(0.0F);
  }
  float part[2 * step];
  lows.store_unaligned(part);
  highs.store_unaligned(part + step);
  return scalar::min_max(part, 2 * step, low, high) && all_finite(seen);
}

struct kernels : scalar::kernels {
  template <int Bits>
  static constexpr auto pack_of = pack<Bits>;
  template <int Bits>
  static constexpr auto unpack_of = unpack<Bits>;
  template <int Bits>
  static constexpr auto quantize_pack_of = quantize_pack<Bits>;
  template <int Bits>
  static constexpr auto unpack_dequantize_of = unpack_dequantize<Bits>;
  template <code_unit Code>
  static constexpr auto quantize_of = quantize<Code>;
  template <code_unit Code>
  static constexpr auto dequantize_of = dequantize<Code>;
  static constexpr auto min_max_of = min_max;
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::generic
#endif
