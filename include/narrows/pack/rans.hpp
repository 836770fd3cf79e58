// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/rans_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/rans_model.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

/// Calls use(constant) with the low bits of codes of this type as a compile-time constant: shifts that a compiler knows are what
/// it turns into vectors of bytes.
template <code_unit Code, class Use>
void with_low_bits(int low_bits, Use use) noexcept
{
  constexpr int least = sizeof(Code) == 1 ? 2 : 6, most = sizeof(Code) == 1 ? 5 : 13;
  [&]<int... I>(std::integer_sequence<int, I...>)
  {
    static_cast<void>(((low_bits == least + I && (use(std::integral_constant<int, least + I>{}), true)) || ...));
  }
  (std::make_integer_sequence<int, most - least + 1>{});
}

/// Symbols of n codes of a block, and the low bits of those that are not 0, packed; returns the bytes of these, or short_buffer.
template <code_unit Code>
result<std::size_t, errc> split_codes(const kernel_set& with, const rans::alphabet& of, const Code* codes, std::size_t n,
  std::uint8_t* symbols, std::span<std::uint8_t> out) noexcept
{
  std::uint8_t mask[rans::block_codes / 8];  // the symbols say the same
  Code low[rans::block_codes];
  std::size_t count;
  if constexpr (sizeof(Code) == 1)
    count = with.compress_u8(codes, n, mask, low);
  else
    count = with.compress_u16(codes, n, mask, low);
  const std::size_t bytes = packed_bytes(count, of.low_bits);
  if (bytes > out.size()) return errc::short_buffer;
  std::uint8_t narrow[rans::block_codes];
  with_low_bits<Code>(of.low_bits, [&](auto low_bits) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto other = static_cast<Code>(codes[i] != 0);
      symbols[i] = static_cast<std::uint8_t>(static_cast<Code>(static_cast<Code>(codes[i] - other) >> low_bits) + other);
    }
    constexpr auto low_mask = static_cast<Code>(max_code(low_bits));
    if constexpr (sizeof(Code) > 1 && low_bits <= 8)
      for (std::size_t k = 0; k < count; ++k) narrow[k] = static_cast<std::uint8_t>((low[k] - 1) & low_mask);
    else
      for (std::size_t k = 0; k < count; ++k) low[k] = static_cast<Code>((low[k] - 1) & low_mask);
  });
  if (sizeof(Code) > 1 && of.low_bits <= 8)
    pack_with(with, std::span<const std::uint8_t>(narrow, count), of.low_bits, out.data());
  else
    pack_with(with, std::span<const Code>(low, count), of.low_bits, out.data());
  return bytes;
}

/// Inverse: codes from symbols and the low bits that end at `at`, which moves down to where they start.
template <code_unit Code>
errc join_codes(const kernel_set& with, const rans::alphabet& of, int bits, const std::uint8_t* symbols, std::size_t n,
  std::span<const std::uint8_t> stream, std::size_t bottom, std::size_t& at, Code* codes) noexcept
{
  std::uint8_t mask[rans::block_codes / 8];
  std::uint8_t high[rans::block_codes];
  const std::size_t count = with.compress_u8(symbols, n, mask, high);
  const std::size_t bytes = packed_bytes(count, of.low_bits);
  if (bytes > at - bottom) return errc::truncated;
  at -= bytes;
  Code full[rans::block_codes];
  if (sizeof(Code) > 1 && of.low_bits <= 8) {
    auto* const narrow = reinterpret_cast<std::uint8_t*>(codes);  // written last: until then room, which the stack would miss
    unpack_with(with, stream.data() + at, of.low_bits, std::span(narrow, count));
    for (std::size_t k = 0; k < count; ++k) full[k] = narrow[k];
  } else {
    unpack_with(with, stream.data() + at, of.low_bits, std::span(full, count));
  }
  // One code too many fits the bits, 2^bits; less 1 it fits the type.
  Code largest = 0;
  with_low_bits<Code>(of.low_bits, [&](auto low_bits) {
    for (std::size_t k = 0; k < count; ++k) {
      const auto less_one = static_cast<Code>(static_cast<Code>(static_cast<Code>(high[k] - 1) << low_bits) + full[k]);
      largest = std::max(largest, less_one);
      full[k] = static_cast<Code>(less_one + 1);
    }
  });
  if (largest >= max_code(bits)) return errc::corrupt;
  if constexpr (sizeof(Code) == 1)
    with.expand_u8(mask, n, full, codes);
  else
    with.expand_u16(mask, n, full, codes);
  return errc::ok;
}

/// Writes the stream of n codes that `fill(first, count, to)` yields: once here and there, to count them, then block by block,
/// the last one first. False from `fill` (a value that is not finite) is handed on as not_finite.
template <code_unit Code, class Fill>
result<std::size_t, errc> write_rans(
  const kernel_set& with, std::size_t n, int bits, std::span<std::uint8_t> out, Fill fill) noexcept
{
  if (n == 0) return std::size_t{0};
  const rans::alphabet of(bits);
  if (out.size() < of.table_bytes() + 2 * rans::states(n)) return errc::short_buffer;
  alignas(64) Code codes[rans::block_codes];
  rans::counter counts(of);
  bool finite = true;
  for (std::size_t first = 0; first < n; first += rans::piece_stride(n)) {
    const std::size_t count = std::min(rans::piece_codes, n - first);
    finite = fill(first, count, codes) && finite;
    counts.add(std::span<const Code>(codes, count));
  }
  const rans::tables tables(of, counts.frequencies());
  std::size_t at = 0;
  for (unsigned context = 0; context < of.contexts; ++context, at += of.symbols - 1)
    std::memcpy(out.data() + at, tables.frequency.data() + context * of.symbols, of.symbols - 1);

  rans::state_bytes states;
  for (std::size_t blocks = (n - 1) / rans::block_codes + 1; blocks-- > 0;) {
    const std::size_t first = blocks * rans::block_codes;
    const std::size_t count = std::min(rans::block_codes, n - first);
    finite = fill(first, count, codes) && finite;
    std::uint8_t split[rans::block_codes];
    std::uint8_t* symbols = split;
    if constexpr (sizeof(Code) == 1)
      if (of.low_bits == 0) symbols = codes;
    if (of.low_bits > 0) {
      const auto bytes = split_codes(with, of, codes, count, symbols, out.subspan(at));
      if (!bytes) return bytes.error();
      at += *bytes;
    }
    std::memset(symbols + count, 0, rans::block_codes - count);
    if (out.size() - at >= count + rans::margin) {
      at += with.rans_encode(tables, symbols, count, states, out.data() + at);
    } else {
      std::uint8_t staged[rans::block_codes + rans::margin];
      const std::size_t bytes = with.rans_encode(tables, symbols, count, states, staged);
      if (bytes > out.size() - at) return errc::short_buffer;
      std::memcpy(out.data() + at, staged, bytes);
      at += bytes;
    }
  }
  const std::size_t used = rans::states(n);
  if (2 * used > out.size() - at) return errc::short_buffer;
  for (std::size_t lane = 0; lane < used; ++lane) {
    out[at++] = states.low[lane];
    out[at++] = states.high[lane];
  }
  if (!finite) return errc::not_finite;
  return at;
}

/// Frequencies from the start of a stream; corrupt if they are none.
[[nodiscard]] inline errc read_frequencies(
  const rans::alphabet& of, const std::uint8_t* stream, rans::place_table& frequency) noexcept
{
  for (unsigned context = 0; context < of.contexts; ++context) {
    std::uint32_t sum = 0;
    const std::size_t first = context * of.symbols;
    for (unsigned symbol = 0; symbol + 1 < of.symbols; ++symbol) {
      const std::uint8_t f = *stream++;
      if (f == 0) return errc::corrupt;
      frequency[first + symbol] = f;
      sum += f;
    }
    if (sum >= rans::total) return errc::corrupt;
    frequency[first + of.symbols - 1] = static_cast<std::uint8_t>(rans::total - sum);
  }
  return errc::ok;
}

/// `take(first, count, codes)` receives the codes block by block.
template <code_unit Code, class Take>
errc read_rans(const kernel_set& with, std::span<const std::uint8_t> stream, std::size_t n, int bits, Take take) noexcept
{
  if (n == 0) return stream.empty() ? errc::ok : errc::corrupt;
  const rans::alphabet of(bits);
  const std::size_t bottom = of.table_bytes();
  const std::size_t used = rans::states(n);
  if (stream.size() < bottom + 2 * used) return errc::truncated;
  rans::place_table frequency{};
  if (const auto e = read_frequencies(of, stream.data(), frequency); e != errc::ok) return e;
  const rans::tables tables(of, frequency);
  std::size_t at = stream.size() - 2 * used;
  rans::state_bytes states;
  for (std::size_t lane = 0; lane < used; ++lane) {
    states.low[lane] = stream[at + 2 * lane];
    states.high[lane] = stream[at + 2 * lane + 1];
    if (states.high[lane] == 0) return errc::corrupt;
  }
  // The states are the margin that kernels may read; a tensor of few runs has not enough of them, nor much to gain.
  const auto decode = 2 * used >= rans::margin ? with.rans_decode : kernel::scalar::rans_decode;
  alignas(64) Code codes[rans::block_codes];
  for (std::size_t first = 0; first < n; first += rans::block_codes) {
    const std::size_t count = std::min(rans::block_codes, n - first);
    std::uint8_t split[rans::block_codes];
    std::uint8_t* symbols = split;
    if constexpr (sizeof(Code) == 1)
      if (of.low_bits == 0) symbols = codes;
    at = decode(tables, stream.data(), bottom, at, count, states, symbols);
    if (at == rans::underflow) return errc::truncated;
    if (of.low_bits > 0)
      if (const auto e = join_codes(with, of, bits, symbols, count, stream, bottom, at, codes); e != errc::ok) return e;
    take(first, count, static_cast<const Code*>(codes));
  }
  if (at != bottom) return errc::corrupt;
  for (std::size_t lane = 0; lane < used; ++lane)
    if (states.at(lane) != rans::total) return errc::corrupt;
  return errc::ok;
}

template <code_unit Code>
result<std::size_t, errc> quantize_pack_rans_with(
  const kernel_set& with, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  return write_rans<Code>(with, x.size(), bits, out,
    [&](std::size_t first, std::size_t n, Code* to) { return quantize_range(with, x, first, n, map, bits, to); });
}

template <code_unit Code>
errc unpack_dequantize_rans_with(
  const kernel_set& with, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  const streamed_output to(out.size());
  return read_rans<Code>(with, stream, out.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* codes) { dequantize_range(with, codes, first, n, map, out, to); });
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Entropy-codes `codes`, each by what its left neighbour lets expect: spends few bits on what is frequent after its like. Close
/// to the conditional entropy where neighbours are alike, as in the channels of an NCHW activation.
///
/// Shapes   codes: n.   out: n bits * 1.1 / 8 + 400 bytes suffice for all but odd data; no more than packed_bytes(n, bits) is
///          worth having, since codec dense takes no more.
/// Returns  the bytes written.
/// Errors   bad_width; short_buffer (part of `out` is then overwritten).
/// Cost     reads the codes once and a sample of them twice; nothing allocated, up to 64 KiB of stack.
/// Source   docs/format.md, section "rans"; rans_model.hpp for the papers.
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_rans(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::write_rans<Code>(best_kernels(), codes.size(), bits, out, [&](std::size_t first, std::size_t n, Code* to) {
    std::memcpy(to, codes.data() + first, n * sizeof(Code));
    return true;
  });
}

/// Inverse of pack_rans; `codes.size()` says how many. The stream is not trusted.
/// Errors: bad_width; truncated (shorter than tables and states, or used up before the last code); corrupt (a frequency of 0,
/// frequencies that sum to more than 256, a state below 256, a code of 2^bits; bytes left over, or states that do not end as they
/// began, which most damage leads to). `codes` is then unspecified, but below 2^bits.
template <code_unit Code>
[[nodiscard]] errc unpack_rans(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return detail::read_rans<Code>(best_kernels(), stream, codes.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* from) { std::memcpy(codes.data() + first, from, n * sizeof(Code)); });
}

/// Quantises, then pack_rans, in blocks that stay in the first cache. Errors: those of check(scale_map); short_buffer;
/// not_finite.
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_rans(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::quantize_pack_rans_with<std::uint8_t>(best_kernels(), x, map, bits, out)
                               : detail::quantize_pack_rans_with<std::uint16_t>(best_kernels(), x, map, bits, out);
}

/// Inverse up to rounding. Errors: those of check(scale_map); truncated; corrupt, as unpack_rans.
[[nodiscard]] inline errc unpack_dequantize_rans(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  return code_bytes(bits) == 1 ? detail::unpack_dequantize_rans_with<std::uint8_t>(best_kernels(), stream, map, bits, out)
                               : detail::unpack_dequantize_rans_with<std::uint16_t>(best_kernels(), stream, map, bits, out);
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
