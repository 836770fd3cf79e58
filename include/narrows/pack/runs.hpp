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

/// Codes the blocks that `fill(first, count, to)` yields one by one; false from `fill` (a value that is not finite) is handed
/// on as not_finite.
template <code_unit Code, class Fill>
result<std::size_t, errc> write_runs(
  const kernel_set& with, std::size_t n, int bits, std::span<std::uint8_t> out, Fill fill) noexcept
{
  alignas(64) Code codes[runs_block + kernel::runs_slack];
  std::uint8_t room[kernel::runs_room];
  std::size_t at = 0;
  bool finite = true;
  for (std::size_t first = 0; first < n; first += runs_block) {
    const std::size_t count = std::min(runs_block, n - first);
    finite = fill(first, count, codes) && finite;
    const bool roomy = out.size() - at >= kernel::runs_room;
    std::uint8_t* const to = roomy ? out.data() + at : room;
    std::size_t bytes;
    if constexpr (sizeof(Code) == 1)
      bytes = with.encode_runs_u8(codes, count, bits, to);
    else
      bytes = with.encode_runs_u16(codes, count, bits, to);
    if (!roomy) {
      if (bytes > out.size() - at) return errc::short_buffer;
      std::memcpy(out.data() + at, room, bytes);
    }
    at += bytes;
  }
  if (!finite) return errc::not_finite;
  return at;
}

/// `take(first, count, codes)` receives the codes block by block; an error may come after some were taken.
template <code_unit Code, class Take>
errc read_runs(const kernel_set& with, std::span<const std::uint8_t> stream, std::size_t n, int bits, Take take) noexcept
{
  alignas(64) Code codes[runs_block + kernel::runs_slack];
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
    std::size_t bytes;
    if constexpr (sizeof(Code) == 1)
      bytes = with.decode_runs_u8(from, count, bits, codes);
    else
      bytes = with.decode_runs_u16(from, count, bits, codes);
    if (bytes == 0) return errc::corrupt;
    if (bytes > stream.size()) return errc::truncated;
    stream = stream.subspan(bytes);
    take(first, count, static_cast<const Code*>(codes));
  }
  return stream.empty() ? errc::ok : errc::corrupt;
}

template <code_unit Code>
result<std::size_t, errc> quantize_pack_runs_with(
  const kernel_set& with, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  return write_runs<Code>(with, x.size(), bits, out,
    [&](std::size_t first, std::size_t n, Code* to) { return quantize_range(with, x, first, n, map, bits, to); });
}

template <code_unit Code>
errc unpack_dequantize_runs_with(
  const kernel_set& with, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  return read_runs<Code>(with, stream, out.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* codes) { dequantize_range(with, codes, first, n, map, out); });
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
  return detail::write_runs<Code>(best_kernels(), codes.size(), bits, out, [&](std::size_t first, std::size_t n, Code* to) {
    std::memcpy(to, codes.data() + first, n * sizeof(Code));
    return true;
  });
}

/// Inverse of pack_runs; `codes.size()` says how many. The stream is not trusted.
/// Errors: bad_width; truncated; corrupt (a form or value that no encoder writes, padding not 0, bytes left over).
template <code_unit Code>
[[nodiscard]] errc unpack_runs(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::read_runs<Code>(best_kernels(), stream, codes.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* from) { std::memcpy(codes.data() + first, from, n * sizeof(Code)); });
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
