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
#include <narrows/pack/quantize.hpp>

namespace narrows {

using reference::mask_bytes;

namespace detail::inline NARROWS_FLAGS {

/// Codes handled at a time: small enough for the first cache and the stack, and a multiple of 8 so that each step owns
/// whole mask bytes.
inline constexpr std::size_t sparse_step = 4096;

/// The register that fused kernels may write or read beyond the codes.
inline constexpr std::size_t sparse_slack = 64;

template <code_unit Code>
[[nodiscard]] std::size_t compress(
  const kernel_set& with, const Code* codes, std::size_t n, std::uint8_t* mask, Code* nonzero) noexcept
{
  if constexpr (sizeof(Code) == 1)
    return with.compress_u8(codes, n, mask, nonzero);
  else
    return with.compress_u16(codes, n, mask, nonzero);
}

template <code_unit Code>
void expand(const kernel_set& with, const std::uint8_t* mask, std::size_t n, const Code* nonzero, Code* codes) noexcept
{
  if constexpr (sizeof(Code) == 1)
    with.expand_u8(mask, n, nonzero, codes);
  else
    with.expand_u16(mask, n, nonzero, codes);
}

/// Writes mask and packed non-zeros of n codes, step by step; `split(first, count, mask, nonzero, kept)` writes the mask of some
/// and those that are not 0, `kept` of them. False from it (a value that is not finite) is handed on as not_finite.
template <code_unit Code, class Split>
result<std::size_t, errc> write_sparse(
  const kernel_set& with, std::size_t n, int bits, std::span<std::uint8_t> out, Split split) noexcept
{
  std::size_t at = mask_bytes(n);
  if (out.size() < at) return errc::short_buffer;
  alignas(64) Code pending[block_values + sparse_step + sparse_slack];
  std::size_t held = 0;
  bool finite = true;
  for (std::size_t first = 0; first < n; first += sparse_step) {
    std::size_t kept = 0;
    finite = split(first, std::min(sparse_step, n - first), out.data() + first / 8, pending + held, kept) && finite;
    held += kept;
    const std::size_t blocks = held / block_values;
    if (blocks * block_bytes(bits) > out.size() - at) return errc::short_buffer;
    if (blocks == 0) continue;
    pack_blocks(with, pending, blocks, bits, out.data() + at);
    at += blocks * block_bytes(bits);
    held -= blocks * block_values;
    std::memmove(pending, pending + blocks * block_values, held * sizeof(Code));
  }
  if (packed_bytes(held, bits) > out.size() - at) return errc::short_buffer;
  if (held > 0) pack_with(with, std::span<const Code>(pending, held), bits, out.data() + at);
  if (!finite) return errc::not_finite;
  return at + packed_bytes(held, bits);
}

/// Checks the stream as a whole first, so that the loop below cannot leave it; `join(first, count, mask, nonzero)` receives
/// mask and codes step by step.
template <code_unit Code, class Join>
errc read_sparse(const kernel_set& with, std::span<const std::uint8_t> stream, std::size_t n, int bits, Join join) noexcept
{
  if (stream.size() < mask_bytes(n)) return errc::truncated;
  const auto mask = stream.first(mask_bytes(n));
  auto packed = stream.subspan(mask.size());
  if (n % 8 != 0 && (mask.back() >> (n % 8)) != 0) return errc::corrupt;
  std::size_t left = with.count_ones(mask.data(), mask.size());  // at most n, so its size in bytes cannot wrap
  if (packed.size() < packed_bytes(left, bits)) return errc::truncated;
  if (packed.size() > packed_bytes(left, bits)) return errc::corrupt;

  alignas(64) Code pending[block_values + sparse_step + sparse_slack];
  std::size_t held = 0;
  for (std::size_t first = 0; first < n; first += sparse_step) {
    const std::size_t count = std::min(sparse_step, n - first);
    const std::size_t needed = with.count_ones(mask.data() + first / 8, mask_bytes(count));
    if (needed > held) {
      const std::size_t rounded = (needed - held + block_values - 1) / block_values * block_values;
      const std::size_t more = std::min(left, rounded);  // short of a whole block only at the end of the stream
      unpack_with(with, packed.data(), bits, std::span(pending + held, more));
      packed = packed.subspan(packed_bytes(more, bits));
      left -= more;
      held += more;
    }
    join(first, count, mask.data() + first / 8, static_cast<const Code*>(pending));
    held -= needed;
    std::memmove(pending, pending + needed, held * sizeof(Code));
  }
  return errc::ok;
}

template <code_unit Code>
result<std::size_t, errc> pack_sparse_with(
  const kernel_set& with, std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  return write_sparse<Code>(
    with, codes.size(), bits, out, [&](std::size_t first, std::size_t n, std::uint8_t* mask, Code* nonzero, std::size_t& kept) {
      kept = compress(with, codes.data() + first, n, mask, nonzero);
      return true;
    });
}

template <code_unit Code>
errc unpack_sparse_with(const kernel_set& with, std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  return read_sparse<Code>(
    with, stream, codes.size(), bits, [&](std::size_t first, std::size_t n, const std::uint8_t* mask, const Code* nonzero) {
      expand(with, mask, n, nonzero, codes.data() + first);
    });
}

template <code_unit Code>
result<std::size_t, errc> quantize_pack_sparse_with(
  const kernel_set& with, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if constexpr (sizeof(Code) == 1) {
    if (with.quantize_compress != nullptr && x.direct() != nullptr && map.scales.size() == 1) {
      const quantizer q(map.scales[0], bits);
      return write_sparse<Code>(
        with, x.size(), bits, out, [&](std::size_t first, std::size_t n, std::uint8_t* mask, Code* nonzero, std::size_t& kept) {
          return with.quantize_compress(x.direct() + first, n, q, mask, nonzero, kept);
        });
    }
  }
  return write_sparse<Code>(
    with, x.size(), bits, out, [&](std::size_t first, std::size_t n, std::uint8_t* mask, Code* nonzero, std::size_t& kept) {
      alignas(64) Code codes[sparse_step];
      const bool finite = quantize_range(with, x, first, n, map, bits, codes);
      kept = compress(with, codes, n, mask, nonzero);
      return finite;
    });
}

template <code_unit Code>
errc unpack_dequantize_sparse_with(
  const kernel_set& with, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  const streamed_output to(out.size());
  if constexpr (sizeof(Code) == 1) {
    if (with.expand_dequantize != nullptr && out.direct() != nullptr && map.scales.size() == 1) {
      return read_sparse<Code>(
        with, stream, out.size(), bits, [&](std::size_t first, std::size_t n, const std::uint8_t* mask, const Code* nonzero) {
          with.expand_dequantize(mask, n, nonzero, map.scales[0], out.direct() + first, to.streamed());
        });
    }
  }
  return read_sparse<Code>(
    with, stream, out.size(), bits, [&](std::size_t first, std::size_t n, const std::uint8_t* mask, const Code* nonzero) {
      alignas(64) Code codes[sparse_step];
      expand(with, mask, n, nonzero, codes);
      dequantize_range(with, codes, first, n, map, out, to);
    });
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Mask of the codes that are not 0 (value i at bit i mod 8 of byte i div 8, padded with 0), then those codes, packed.
///
/// Shapes   codes: n.   out: mask_bytes(n) + packed_bytes(n, bits) always suffice, less does for sparse data.
/// Returns  the bytes written.
/// Errors   bad_width; short_buffer (part of `out` is then overwritten).
/// Source   docs/format.md, section "sparse".
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_sparse(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::pack_sparse_with(best_kernels(), codes, bits, out);
}

/// Inverse of pack_sparse; `codes.size()` says how many. The stream is not trusted.
/// Errors: bad_width; truncated (shorter than the mask and its non-zeros); corrupt (longer, or padding not 0).
template <code_unit Code>
[[nodiscard]] errc unpack_sparse(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::unpack_sparse_with(best_kernels(), stream, bits, codes);
}

/// Quantises, then pack_sparse, in steps that stay in the first cache. Errors: those of check(scale_map); short_buffer;
/// not_finite.
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_sparse(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::quantize_pack_sparse_with<std::uint8_t>(best_kernels(), x, map, bits, out)
                               : detail::quantize_pack_sparse_with<std::uint16_t>(best_kernels(), x, map, bits, out);
}

/// Inverse up to rounding. Errors: those of check(scale_map); truncated; corrupt.
[[nodiscard]] inline errc unpack_dequantize_sparse(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::unpack_dequantize_sparse_with<std::uint8_t>(best_kernels(), stream, map, bits, out)
                               : detail::unpack_dequantize_sparse_with<std::uint16_t>(best_kernels(), stream, map, bits, out);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
