// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include <narrows/core/errc.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/pack.hpp>
#include <narrows/pack/unpack.hpp>

namespace narrows {

inline namespace NARROWS_FLAGS {

/// Bytes of `values` codes as a linear stream: ceil(values * bits / 8), saturating like packed_bytes.
[[nodiscard]] constexpr std::size_t linear_bytes(std::size_t values, int bits) noexcept
{
  NARROWS_EXPECTS(is_packable_width(bits));
  const auto b = static_cast<std::size_t>(bits);
  const std::size_t tail = (values % 8 * b + 7) / 8;
  if (values / 8 > (std::numeric_limits<std::size_t>::max() - tail) / b) return std::numeric_limits<std::size_t>::max();
  return values / 8 * b + tail;
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Eight codes are b whole bytes, so that each block starts on a byte.
template <code_unit Code>
constexpr void write_linear(std::span<const Code> codes, int bits, std::uint8_t* out) noexcept
{
  std::uint32_t held = 0;
  int count = 0;
  for (const Code code : codes) {
    held |= static_cast<std::uint32_t>(code) << count;
    for (count += bits; count >= 8; count -= 8, held >>= 8) *out++ = static_cast<std::uint8_t>(held & 0xFF);
  }
  if (count > 0) *out = static_cast<std::uint8_t>(held);
}

template <code_unit Code>
constexpr void read_linear(const std::uint8_t* in, int bits, std::span<Code> codes) noexcept
{
  std::uint32_t held = 0;
  int count = 0;
  for (Code& code : codes) {
    for (; count < bits; count += 8) held |= static_cast<std::uint32_t>(*in++) << count;
    code = static_cast<Code>(held & max_code(bits));
    held >>= bits;
    count -= bits;
  }
}

/// N bytes at `from` as a number, low byte first; as one load where the machine has that order.
template <std::size_t N>
[[nodiscard]] inline std::uint64_t load_bytes(const std::uint8_t* from) noexcept
{
  std::uint64_t v = 0;
  if constexpr (std::endian::native == std::endian::little) std::memcpy(&v, from, N);
  else
    for (std::size_t k = 0; k < N; ++k) v |= static_cast<std::uint64_t>(from[k]) << (8 * k);
  return v;
}
template <std::size_t N>
inline void store_bytes(std::uint64_t v, std::uint8_t* to) noexcept
{
  if constexpr (std::endian::native == std::endian::little) std::memcpy(to, &v, N);
  else
    for (std::size_t k = 0; k < N; ++k) to[k] = static_cast<std::uint8_t>(v >> (8 * k));
}

/// write_linear for a width that divides 8: no code crosses a byte, so eight codes at a time close up in three steps, each
/// of which halves the number of gaps.
template <int Width>
  requires(Width == 1 || Width == 2 || Width == 4)
void write_fields(std::span<const std::uint8_t> codes, std::uint8_t* out) noexcept
{
  constexpr int gap = 8 - Width;
  constexpr std::uint64_t pairs = ((1U << (2 * Width)) - 1) * 0x0001000100010001U;
  constexpr std::uint64_t fours = ((std::uint64_t{1} << (4 * Width)) - 1) * 0x0000000100000001U;
  std::size_t i = 0;
  for (; i + 8 <= codes.size(); i += 8, out += Width) {
    std::uint64_t v = load_bytes<8>(codes.data() + i);
    v = (v | v >> gap) & pairs;
    v = (v | v >> (2 * gap)) & fours;
    store_bytes<Width>(v | v >> (4 * gap), out);
  }
  write_linear(codes.subspan(i), Width, out);
}

/// Inverse of write_fields.
template <int Width>
  requires(Width == 1 || Width == 2 || Width == 4)
void read_fields(const std::uint8_t* in, std::span<std::uint8_t> codes) noexcept
{
  constexpr int gap = 8 - Width;
  constexpr std::uint64_t pairs = ((1U << (2 * Width)) - 1) * 0x0001000100010001U;
  constexpr std::uint64_t fours = ((std::uint64_t{1} << (4 * Width)) - 1) * 0x0000000100000001U;
  constexpr std::uint64_t singles = ((1U << Width) - 1) * 0x0101010101010101U;
  std::size_t i = 0;
  for (; i + 8 <= codes.size(); i += 8, in += Width) {
    std::uint64_t v = load_bytes<Width>(in);
    v = (v | v << (4 * gap)) & fours;
    v = (v | v << (2 * gap)) & pairs;
    v = (v | v << gap) & singles;
    store_bytes<8>(v, codes.data() + i);
  }
  read_linear(in, Width, codes.subspan(i));
}

template <code_unit Code>
constexpr void to_linear(std::span<const std::uint8_t> packed, std::size_t n, int bits, std::span<std::uint8_t> out) noexcept
{
  Code codes[block_values]{};
  for (std::size_t first = 0, block = 0; first < n; first += block_values, ++block) {
    const std::span<Code> some(codes, std::min(block_values, n - first));
    static_cast<void>(unpack(packed.subspan(block * block_bytes(bits)), bits, some));
    write_linear<Code>(some, bits, out.data() + block * block_bytes(bits));
  }
}

template <code_unit Code>
constexpr void from_linear(std::span<const std::uint8_t> linear, std::size_t n, int bits, std::span<std::uint8_t> out) noexcept
{
  Code codes[block_values]{};
  for (std::size_t first = 0, block = 0; first < n; first += block_values, ++block) {
    const std::span<Code> some(codes, std::min(block_values, n - first));
    read_linear<Code>(linear.data() + block * block_bytes(bits), bits, some);
    static_cast<void>(pack(std::span<const Code>(some), bits, out.subspan(block * block_bytes(bits))));
  }
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Converts packed codes to the linear stream that ONNX int4/int2 and Arrow use: value i at bits [i * bits, (i + 1) *
/// bits), bit 0 being the lowest of byte 0. For handing data to other tools; it is never on the wire.
///
/// Shapes   packed: packed_bytes(n, bits).   out: linear_bytes(n, bits); unused bits of the last byte are 0.
/// Errors   bad_width; truncated (packed); short_buffer (out).
[[nodiscard]] constexpr errc to_linear(std::span<const std::uint8_t> packed, std::size_t n, int bits,
                                       std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (packed.size() < packed_bytes(n, bits)) return errc::truncated;
  if (out.size() < linear_bytes(n, bits)) return errc::short_buffer;
  if (code_bytes(bits) == 1) detail::to_linear<std::uint8_t>(packed, n, bits, out);
  else detail::to_linear<std::uint16_t>(packed, n, bits, out);
  return errc::ok;
}

/// Inverse of to_linear. Errors: bad_width; truncated (linear); short_buffer (out).
[[nodiscard]] constexpr errc from_linear(std::span<const std::uint8_t> linear, std::size_t n, int bits,
                                         std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (linear.size() < linear_bytes(n, bits)) return errc::truncated;
  if (out.size() < packed_bytes(n, bits)) return errc::short_buffer;
  if (code_bytes(bits) == 1) detail::from_linear<std::uint8_t>(linear, n, bits, out);
  else detail::from_linear<std::uint16_t>(linear, n, bits, out);
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
