// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <narrows/core/result.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/runs_block.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/quantize.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

template <code_unit Code>
[[nodiscard]] std::size_t encode_runs(
  const kernel_set& with, const Code* codes, std::size_t n, int bits, std::uint8_t* out) noexcept
{
  if constexpr (sizeof(Code) == 1)
    return with.encode_runs_u8(codes, n, bits, out);
  else
    return with.encode_runs_u16(codes, n, bits, out);
}

template <code_unit Code>
[[nodiscard]] std::size_t decode_runs(
  const kernel_set& with, const std::uint8_t* in, std::size_t n, int bits, Code* codes) noexcept
{
  if constexpr (sizeof(Code) == 1)
    return with.decode_runs_u8(in, n, bits, codes);
  else
    return with.decode_runs_u16(in, n, bits, codes);
}

/// Room for the codes of a block, and what kernels touch beyond them.
template <code_unit Code>
struct runs_codes {
  alignas(64) Code at[runs_block + kernel::runs_slack];
};

/// Writes the blocks of `encode(first, count, to, finite)` one after the other, each of which returns its bytes.
template <class Encode>
result<std::size_t, errc> write_runs(std::size_t n, std::span<std::uint8_t> out, Encode encode) noexcept
{
  std::uint8_t room[kernel::runs_room];
  std::size_t at = 0;
  bool finite = true;
  for (std::size_t first = 0; first < n; first += runs_block) {
    const std::size_t count = std::min(runs_block, n - first);
    const bool roomy = out.size() - at >= kernel::runs_room;
    bool all = true;
    const std::size_t bytes = encode(first, count, roomy ? out.data() + at : room, all);
    finite = finite && all;
    if (!roomy) {
      if (bytes > out.size() - at) return errc::short_buffer;
      std::memcpy(out.data() + at, room, bytes);
    }
    at += bytes;
  }
  if (!finite) return errc::not_finite;
  return at;
}

/// `decode(in, first, count)` takes block by block and returns its bytes, or 0 if it is corrupt; an error may come after some
/// were taken.
template <class Decode>
errc read_runs(std::span<const std::uint8_t> stream, std::size_t n, Decode decode) noexcept
{
  std::uint8_t end[kernel::runs_room];
  for (std::size_t first = 0; first < n; first += runs_block) {
    const std::size_t count = std::min(runs_block, n - first);
    const std::uint8_t* from = stream.data();
    if (stream.size() < kernel::runs_room) {  // what a block may read, whatever it says
      if (stream.empty()) return errc::truncated;
      std::memcpy(end, stream.data(), stream.size());
      std::memset(end + stream.size(), 0, kernel::runs_room - stream.size());
      from = end;
    }
    const std::size_t bytes = decode(from, first, count);
    if (bytes == 0) return errc::corrupt;
    if (bytes > stream.size()) return errc::truncated;
    stream = stream.subspan(bytes);
  }
  return stream.empty() ? errc::ok : errc::corrupt;
}

template <code_unit Code>
result<std::size_t, errc> pack_runs_with(
  const kernel_set& with, std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  runs_codes<Code> room;  // kernels read whole registers
  return write_runs(codes.size(), out, [&](std::size_t first, std::size_t n, std::uint8_t* to, bool&) {
    std::memcpy(room.at, codes.data() + first, n * sizeof(Code));
    return encode_runs(with, room.at, n, bits, to);
  });
}

template <code_unit Code>
errc unpack_runs_with(const kernel_set& with, std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  runs_codes<Code> room;
  return read_runs(stream, codes.size(), [&](const std::uint8_t* in, std::size_t first, std::size_t n) {
    const std::size_t bytes = decode_runs(with, in, n, bits, room.at);
    if (bytes != 0) std::memcpy(codes.data() + first, room.at, n * sizeof(Code));
    return bytes;
  });
}

template <code_unit Code>
result<std::size_t, errc> quantize_pack_runs_with(
  const kernel_set& with, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if constexpr (sizeof(Code) == 1) {
    if (with.encode_runs_floats != nullptr && x.direct() != nullptr && map.scales.size() == 1) {
      const quantizer q(map.scales[0], bits);
      return write_runs(x.size(), out, [&](std::size_t first, std::size_t n, std::uint8_t* to, bool& finite) {
        return with.encode_runs_floats(x.direct() + first, n, q, bits, to, finite);
      });
    }
  }
  runs_codes<Code> codes;
  return write_runs(x.size(), out, [&](std::size_t first, std::size_t n, std::uint8_t* to, bool& finite) {
    finite = quantize_range(with, x, first, n, map, bits, codes.at);
    return encode_runs(with, codes.at, n, bits, to);
  });
}

template <code_unit Code>
errc unpack_dequantize_runs_with(
  const kernel_set& with, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  const streamed_output to(out.size());
  if constexpr (sizeof(Code) == 1) {
    if (with.decode_runs_floats != nullptr && out.direct() != nullptr && map.scales.size() == 1) {
      return read_runs(stream, out.size(), [&](const std::uint8_t* in, std::size_t first, std::size_t n) {
        return with.decode_runs_floats(in, n, bits, map.scales[0], out.direct() + first, to.streamed());
      });
    }
  }
  runs_codes<Code> codes;
  return read_runs(stream, out.size(), [&](const std::uint8_t* in, std::size_t first, std::size_t n) {
    const std::size_t bytes = decode_runs(with, in, n, bits, codes.at);
    if (bytes != 0) dequantize_range(with, static_cast<const Code*>(codes.at), first, n, map, out, to);
    return bytes;
  });
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Fewest and most bytes of a stream of n codes: each block has a byte beside its masks; none is larger than its codes as planes.
[[nodiscard]] constexpr std::size_t least_runs_bytes(std::size_t n) noexcept { return n / runs_block + (n % runs_block != 0); }
[[nodiscard]] constexpr std::size_t most_runs_bytes(std::size_t n, int bits) noexcept
{
  return n / runs_block * runs_block_bytes(runs_block, bits) + (n % runs_block != 0 ? runs_block_bytes(n % runs_block, bits) : 0);
}

/// Masks of the codes that are not 0, of those whose upper bits are not 0, and so on, each with its empty or unchanging bytes
/// left out: near the entropy of the codes, or below it where neighbours are alike, at little more than the cost of sparse.
///
/// Shapes   codes: n.   out: most_runs_bytes(n, bits) always suffice.
/// Returns  the bytes written.
/// Errors   bad_width; short_buffer (part of `out` is then overwritten).
/// Cost     one pass; 35 KiB of stack, nothing allocated.
/// Source   docs/format.md, section "runs".
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_runs(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::pack_runs_with(best_kernels(), codes, bits, out);
}

/// Inverse of pack_runs; `codes.size()` says how many. The stream is not trusted.
/// Errors: bad_width; truncated; corrupt (a form or value that no encoder writes, padding not 0, bytes left over).
template <code_unit Code>
[[nodiscard]] errc unpack_runs(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::unpack_runs_with(best_kernels(), stream, bits, codes);
}

/// Quantises, then pack_runs, block by block. Errors: those of check(scale_map); short_buffer; not_finite.
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_runs(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::quantize_pack_runs_with<std::uint8_t>(best_kernels(), x, map, bits, out)
                               : detail::quantize_pack_runs_with<std::uint16_t>(best_kernels(), x, map, bits, out);
}

/// Inverse up to rounding. Errors: those of check(scale_map); truncated; corrupt. `out` is then unspecified.
[[nodiscard]] inline errc unpack_dequantize_runs(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::unpack_dequantize_runs_with<std::uint8_t>(best_kernels(), stream, map, bits, out)
                               : detail::unpack_dequantize_runs_with<std::uint16_t>(best_kernels(), stream, map, bits, out);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
