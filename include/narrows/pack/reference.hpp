// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>

/// The format as plain code: one value at a time, any machine, usable in constant evaluation. The oracle of every kernel.
namespace narrows::reference {

namespace detail::inline NARROWS_FLAGS {

/// ORs a value below 2^W into word `index`, low byte first.
constexpr void or_word(std::span<std::uint8_t> words, std::size_t index, int bits, std::uint32_t value) noexcept
{
  const auto size = static_cast<std::size_t>(code_bytes(bits));
  for (std::size_t byte = 0; byte < size; ++byte)
    words[index * size + byte] = static_cast<std::uint8_t>(words[index * size + byte] | ((value >> (8 * byte)) & 0xFF));
}

[[nodiscard]] constexpr std::uint32_t word(std::span<const std::uint8_t> words, std::size_t index, int bits) noexcept
{
  const auto size = static_cast<std::size_t>(code_bytes(bits));
  std::uint32_t value = 0;
  for (std::size_t byte = 0; byte < size; ++byte)
    value |= static_cast<std::uint32_t>(words[index * size + byte]) << (8 * byte);
  return value;
}

/// Where the lowest bit of value `i` of a block stands.
struct place {
  std::size_t word;
  int bit;
};
[[nodiscard]] constexpr place place_of(std::size_t i, std::size_t lanes, int bits) noexcept
{
  const int p = static_cast<int>(i / lanes) * bits;
  return {static_cast<std::size_t>(p / lane_bits(bits)) * lanes + i % lanes, p % lane_bits(bits)};
}

/// One block of 1..512 codes.
template <code_unit Code>
constexpr void pack_block(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  const std::size_t lanes = lanes_of(codes.size(), bits);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto at = place_of(i, lanes, bits);
    const std::uint32_t shifted = static_cast<std::uint32_t>(codes[i]) << at.bit;
    const std::uint32_t mask = max_code(lane_bits(bits));
    or_word(out, at.word, bits, shifted & mask);
    if ((shifted >> lane_bits(bits)) != 0) or_word(out, at.word + lanes, bits, shifted >> lane_bits(bits));
  }
}

template <code_unit Code>
constexpr void unpack_block(std::span<const std::uint8_t> packed, int bits, std::span<Code> codes) noexcept
{
  const std::size_t lanes = lanes_of(codes.size(), bits);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto at = place_of(i, lanes, bits);
    std::uint32_t value = word(packed, at.word, bits) >> at.bit;
    const int missing = at.bit + bits - lane_bits(bits);
    if (missing > 0) value |= word(packed, at.word + lanes, bits) << (bits - missing);
    codes[i] = static_cast<Code>(value & max_code(bits));
  }
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Packs `codes` (each below 2^bits) into the first packed_bytes(codes.size(), bits) bytes of `out`.
template <code_unit Code>
constexpr void pack(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  NARROWS_EXPECTS(out.size() >= packed_bytes(codes.size(), bits));
  for (std::size_t first = 0, at = 0; first < codes.size(); first += block_values, at += block_bytes(bits)) {
    const std::size_t n = std::min(block_values, codes.size() - first);
    detail::pack_block(codes.subspan(first, n), bits, out.subspan(at, packed_bytes(n, bits)));
  }
}

/// Inverse of pack; `codes.size()` says how many.
template <code_unit Code>
constexpr void unpack(std::span<const std::uint8_t> packed, int bits, std::span<Code> codes) noexcept
{
  NARROWS_EXPECTS(packed.size() >= packed_bytes(codes.size(), bits));
  for (std::size_t first = 0, at = 0; first < codes.size(); first += block_values, at += block_bytes(bits)) {
    const std::size_t n = std::min(block_values, codes.size() - first);
    detail::unpack_block(packed.subspan(at, packed_bytes(n, bits)), bits, codes.subspan(first, n));
  }
}

/// Codes of `x`; says whether every value was finite.
template <code_unit Code>
constexpr bool quantize(std::span<const float> x, const affine& a, int bits, std::span<Code> codes) noexcept
{
  NARROWS_EXPECTS(codes.size() >= x.size());
  const quantizer q(a, bits);
  bool finite = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    codes[i] = static_cast<Code>(q(x[i]));
    finite = finite && is_finite(x[i]);
  }
  return finite;
}

template <code_unit Code>
constexpr void dequantize(std::span<const Code> codes, const affine& a, std::span<float> out) noexcept
{
  NARROWS_EXPECTS(out.size() >= codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) out[i] = value_of(codes[i], a);
}

/// quantize, then pack, a block at a time.
constexpr bool quantize_pack(std::span<const float> x, const affine& a, int bits, std::span<std::uint8_t> out) noexcept
{
  NARROWS_EXPECTS(out.size() >= packed_bytes(x.size(), bits));
  bool finite = true;
  std::uint16_t codes[block_values]{};
  for (std::size_t first = 0, at = 0; first < x.size(); first += block_values, at += block_bytes(bits)) {
    const std::size_t n = std::min(block_values, x.size() - first);
    finite = quantize(x.subspan(first, n), a, bits, std::span(codes, n)) && finite;
    detail::pack_block(std::span<const std::uint16_t>(codes, n), bits, out.subspan(at, packed_bytes(n, bits)));
  }
  return finite;
}

constexpr void unpack_dequantize(std::span<const std::uint8_t> packed, const affine& a, int bits,
                                 std::span<float> out) noexcept
{
  NARROWS_EXPECTS(packed.size() >= packed_bytes(out.size(), bits));
  std::uint16_t codes[block_values]{};
  for (std::size_t first = 0, at = 0; first < out.size(); first += block_values, at += block_bytes(bits)) {
    const std::size_t n = std::min(block_values, out.size() - first);
    detail::unpack_block(packed.subspan(at, packed_bytes(n, bits)), bits, std::span(codes, n));
    dequantize(std::span<const std::uint16_t>(codes, n), a, out.subspan(first, n));
  }
}

/// Bytes of the mask of a sparse stream: one bit per value, value 0 in bit 0 of byte 0, the last byte padded with 0.
[[nodiscard]] constexpr std::size_t mask_bytes(std::size_t values) noexcept { return values / 8 + (values % 8 != 0); }

/// Mask of the codes that are not 0, then those codes packed; returns the bytes written.
/// `scratch` holds the non-zero codes: at least as many as there are. `out`: mask + packed_bytes of all codes suffices.
template <code_unit Code>
constexpr std::size_t pack_sparse(std::span<const Code> codes, int bits, std::span<Code> scratch,
                                  std::span<std::uint8_t> out) noexcept
{
  const std::size_t mask = mask_bytes(codes.size());
  std::fill_n(out.begin(), mask, std::uint8_t{0});
  std::size_t count = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == 0) continue;
    out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | (1U << (i % 8)));
    scratch[count++] = codes[i];
  }
  pack(std::span<const Code>(scratch.first(count)), bits, out.subspan(mask));
  return mask + packed_bytes(count, bits);
}

/// Inverse of pack_sparse. Errors: truncated, corrupt (as unpack_sparse of sparse.hpp); `codes` is then unspecified.
template <code_unit Code>
[[nodiscard]] constexpr errc unpack_sparse(std::span<const std::uint8_t> stream, int bits, std::span<Code> scratch,
                                           std::span<Code> codes) noexcept
{
  const std::size_t mask = mask_bytes(codes.size());
  if (stream.size() < mask) return errc::truncated;
  std::size_t count = 0;
  for (std::size_t i = 0; i < 8 * mask; ++i) {
    const bool set = ((stream[i / 8] >> (i % 8)) & 1) != 0;
    if (set && i >= codes.size()) return errc::corrupt;
    count += set ? 1 : 0;
  }
  const std::size_t bytes = mask + packed_bytes(count, bits);
  if (stream.size() < bytes) return errc::truncated;
  if (stream.size() > bytes) return errc::corrupt;
  unpack(stream.subspan(mask), bits, scratch.first(count));
  std::size_t next = 0;
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = ((stream[i / 8] >> (i % 8)) & 1) != 0 ? scratch[next++] : Code{0};
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::reference
