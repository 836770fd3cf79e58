// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <narrows/core/result.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/quantize.hpp>

/// What the codecs of other libraries (codecs.hpp) have in common: codes as chunks of bytes, each of which a library
/// compresses. `By`, here and below, is such a library: `compress` or `decompress` for one direction, and `field_bits`,
/// the bits that a code of at most 8 bits gets.
namespace narrows {

namespace detail::inline NARROWS_FLAGS {

/// Codes that are compressed together: their bytes fit on the stack, LZ4 can refer back through all of them, and no size
/// that these libraries see comes near the limits of their int interfaces.
inline constexpr std::size_t chunk_codes = 65536;
/// Each chunk starts with the number of its compressed bytes.
inline constexpr std::size_t chunk_header = 4;
/// Codes between floats and fields at a time: a multiple of 8, so that each step starts on a byte.
inline constexpr std::size_t chunk_step = 4096;

/// Bits of the fields of a chunk: those of whole codes, or of what is above their low bytes.
template <class By>
[[nodiscard]] constexpr int chunk_field(int bits) noexcept
{
  return By::field_bits(bits <= 8 ? bits : bits - 8);
}

/// What n codes of a chunk are before compression: fields, or low bytes and then fields.
[[nodiscard]] constexpr std::size_t chunk_bytes(std::size_t n, int bits, int field) noexcept
{
  return linear_bytes(n, field) + (bits <= 8 ? 0 : n);
}

inline void write_chunk_fields(std::span<const std::uint8_t> codes, int field, std::uint8_t* to) noexcept
{
  switch (field) {
  case 1: return write_fields<1>(codes, to);
  case 2: return write_fields<2>(codes, to);
  case 4: return write_fields<4>(codes, to);
  default: std::copy(codes.begin(), codes.end(), to);
  }
}

inline void read_chunk_fields(const std::uint8_t* from, int field, std::span<std::uint8_t> codes) noexcept
{
  switch (field) {
  case 1: return read_fields<1>(from, codes);
  case 2: return read_fields<2>(from, codes);
  case 4: return read_fields<4>(from, codes);
  default: std::copy_n(from, codes.size(), codes.begin());
  }
}

/// Whether n fields hold codes below 2^bits, and nothing but zeros behind the last: a code is below 2^bits if no bit above is
/// set, so all bytes can be asked at once.
[[nodiscard]] inline bool all_below(const std::uint8_t* bytes, std::size_t n, int bits, int field) noexcept
{
  const std::size_t size = linear_bytes(n, field);
  if (const std::size_t used = n * static_cast<std::size_t>(field) % 8; used != 0 && bytes[size - 1] >> used != 0) return false;
  std::uint64_t seen[4] = {};
  std::size_t i = 0;
  for (; i + sizeof seen <= size; i += sizeof seen) {
    std::uint64_t some[4];
    std::memcpy(some, bytes + i, sizeof some);
    for (int k = 0; k < 4; ++k) seen[k] |= some[k];
  }
  std::uint64_t all = seen[0] | seen[1] | seen[2] | seen[3];
  for (; i < size; ++i) all |= bytes[i];
  const std::uint64_t above = bits == field ? 0
                              : field == 4  ? 0x8888888888888888U
                                            : (0xFFU >> bits << bits) * 0x0101010101010101U;
  return (all & above) == 0;
}

/// Compresses n codes that `fill(first, count, to)` yields; false from `fill` is handed on as not_finite.
template <code_unit Code, class By, class Fill>
result<std::size_t, errc> write_chunks(By& by, std::size_t n, int bits, std::span<std::uint8_t> out, Fill fill) noexcept
{
  const int field = chunk_field<By>(bits);
  std::uint8_t bytes[chunk_codes * sizeof(Code)];
  bool finite = true;
  std::size_t at = 0;
  for (std::size_t first = 0; first < n; first += chunk_codes) {
    const std::size_t count = std::min(chunk_codes, n - first);
    for (std::size_t from = 0; from < count; from += chunk_step) {
      const std::size_t some = std::min(chunk_step, count - from);
      alignas(64) Code codes[chunk_step];
      finite = fill(first + from, some, codes) && finite;
      if constexpr (sizeof(Code) == 1) {
        write_chunk_fields({codes, some}, field, bytes + linear_bytes(from, field));
      } else {
        std::uint8_t high[chunk_step];
        for (std::size_t i = 0; i < some; ++i) bytes[from + i] = static_cast<std::uint8_t>(codes[i]);
        for (std::size_t i = 0; i < some; ++i) high[i] = static_cast<std::uint8_t>(codes[i] >> 8);
        write_chunk_fields({high, some}, field, bytes + count + linear_bytes(from, field));
      }
    }
    if (out.size() - at <= chunk_header) return errc::short_buffer;
    const std::size_t written = by.compress({bytes, chunk_bytes(count, bits, field)}, out.subspan(at + chunk_header));
    if (written == 0) return errc::short_buffer;
    for (std::size_t i = 0; i < chunk_header; ++i) out[at + i] = static_cast<std::uint8_t>(written >> (8 * i));
    at += chunk_header + written;
  }
  if (!finite) return errc::not_finite;
  return at;
}

/// `take(first, count, codes)` receives the codes in order, those of chunks already found good.
template <code_unit Code, class By, class Take>
errc read_chunks(By& by, std::span<const std::uint8_t> stream, std::size_t n, int bits, Take take) noexcept
{
  const int field = chunk_field<By>(bits);
  std::uint8_t bytes[chunk_codes * sizeof(Code)];
  for (std::size_t first = 0; first < n; first += chunk_codes) {
    const std::size_t count = std::min(chunk_codes, n - first);
    if (stream.size() < chunk_header) return errc::truncated;
    std::size_t size = 0;
    for (std::size_t i = 0; i < chunk_header; ++i) size |= static_cast<std::size_t>(stream[i]) << (8 * i);
    stream = stream.subspan(chunk_header);
    if (size > stream.size()) return errc::truncated;
    if (const auto e = by.decompress(stream.first(size), {bytes, chunk_bytes(count, bits, field)}); e != errc::ok) return e;
    stream = stream.subspan(size);
    if (!(sizeof(Code) == 1 ? all_below(bytes, count, bits, field) : all_below(bytes + count, count, bits - 8, field))) return errc::corrupt;
    for (std::size_t from = 0; from < count; from += chunk_step) {
      const std::size_t some = std::min(chunk_step, count - from);
      alignas(64) Code codes[chunk_step];
      if constexpr (sizeof(Code) == 1) {
        read_chunk_fields(bytes + linear_bytes(from, field), field, {codes, some});
      } else {
        std::uint8_t high[chunk_step];
        read_chunk_fields(bytes + count + linear_bytes(from, field), field, {high, some});
        for (std::size_t i = 0; i < some; ++i) codes[i] = static_cast<Code>(bytes[from + i] | high[i] << 8);
      }
      take(first + from, some, static_cast<const Code*>(codes));
    }
  }
  return stream.empty() ? errc::ok : errc::corrupt;
}

template <code_unit Code, class By>
result<std::size_t, errc> pack_chunks(By by, std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return write_chunks<Code>(by, codes.size(), bits, out, [&](std::size_t first, std::size_t n, Code* to) {
    std::memcpy(to, codes.data() + first, n * sizeof(Code));
    return true;
  });
}

template <code_unit Code, class By>
errc unpack_chunks(By by, std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return read_chunks<Code>(by, stream, codes.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* from) { std::memcpy(codes.data() + first, from, n * sizeof(Code)); });
}

template <class By>
result<std::size_t, errc> quantize_chunks(
  By by, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  const auto fill = [&](std::size_t first, std::size_t n, auto* to) {
    return quantize_range(best_kernels(), x, first, n, map, bits, to);
  };
  return code_bytes(bits) == 1 ? write_chunks<std::uint8_t>(by, x.size(), bits, out, fill)
                               : write_chunks<std::uint16_t>(by, x.size(), bits, out, fill);
}

template <class By>
errc dequantize_chunks(
  By by, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  const streamed_output to(out.size());
  const auto take = [&](std::size_t first, std::size_t n, const auto* codes) {
    dequantize_range(best_kernels(), codes, first, n, map, out, to);
  };
  return code_bytes(bits) == 1 ? read_chunks<std::uint8_t>(by, stream, out.size(), bits, take)
                               : read_chunks<std::uint16_t>(by, stream, out.size(), bits, take);
}

}  // namespace detail::inline NARROWS_FLAGS

}  // namespace narrows
