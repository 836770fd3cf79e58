// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/core/result.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/rans_model.hpp>
#include <narrows/pack/reference.hpp>

/// Codec `rans` as plain code: one code at a time, usable in constant evaluation. The oracle of every kernel.
namespace narrows::reference {

namespace detail::inline NARROWS_FLAGS {

/// Code i of a block: its lane, and the place of its symbol in the tables.
template <code_unit Code>
[[nodiscard]] constexpr std::size_t place_at(const rans::alphabet& of, std::span<const Code> block, std::size_t i) noexcept
{
  const unsigned before = i % rans::run_codes == 0 ? 0 : of.symbol(block[i - 1]);
  return of.context_after(before) * of.symbols + of.symbol(block[i]);
}

/// Low bits of the codes of a block that are not 0; returns how many.
template <code_unit Code>
constexpr std::size_t low_parts(const rans::alphabet& of, std::span<const Code> block, std::span<std::uint16_t> low) noexcept
{
  std::size_t count = 0;
  for (const Code code : block)
    if (code != 0) low[count++] = static_cast<std::uint16_t>((code - 1U) & max_code(of.low_bits));
  return count;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Counts, frequencies, then the blocks from the last to the first, then the states. Returns the bytes written; error:
/// short_buffer.
template <code_unit Code>
[[nodiscard]] constexpr result<std::size_t, errc> pack_rans(
  std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  const std::size_t n = codes.size();
  if (n == 0) return std::size_t{0};
  const rans::alphabet of(bits);
  rans::counter counts(of);
  for (std::size_t first = 0; first < n; first += rans::piece_stride(n))
    counts.add(codes.subspan(first, std::min(rans::piece_codes, n - first)));
  const rans::tables with(of, counts.frequencies());

  std::size_t at = 0;
  const auto push = [&](std::uint32_t byte) {
    if (at == out.size()) return false;
    out[at++] = static_cast<std::uint8_t>(byte & 0xFF);
    return true;
  };
  for (unsigned context = 0; context < of.contexts; ++context)
    for (unsigned symbol = 0; symbol + 1 < of.symbols; ++symbol)
      if (!push(with.frequency[context * of.symbols + symbol])) return errc::short_buffer;

  rans::state_bytes states;
  for (std::size_t first = (n - 1) / rans::block_codes * rans::block_codes, more = 1; more != 0;) {
    const auto block = codes.subspan(first, std::min(rans::block_codes, n - first));
    if (of.low_bits > 0) {
      std::uint16_t low[rans::block_codes]{};
      const std::size_t count = detail::low_parts(of, block, low);
      const std::size_t bytes = packed_bytes(count, of.low_bits);
      if (bytes > out.size() - at) return errc::short_buffer;
      pack(std::span<const std::uint16_t>(low, count), of.low_bits, out.subspan(at));
      at += bytes;
    }
    for (std::size_t step = rans::run_codes; step-- > 0;)
      for (std::size_t lane = 0; lane < rans::lanes; ++lane) {
        const std::size_t i = lane * rans::run_codes + step;
        if (i >= block.size()) break;
        const std::size_t place = detail::place_at(of, block, i);
        const std::uint32_t f = with.frequency[place];
        std::uint32_t state = states.at(lane);
        if (state >= f * 256) {
          if (!push(state)) return errc::short_buffer;
          state >>= 8;
        }
        states.set(lane, state / f * rans::total + state % f + with.start[place]);
      }
    more = first;
    first -= std::min(first, rans::block_codes);
  }
  for (std::size_t lane = 0; lane < rans::states(n); ++lane)
    if (!push(states.low[lane]) || !push(states.high[lane])) return errc::short_buffer;
  return at;
}

/// Inverse of pack_rans: reads the stream from its last byte to its first. Errors as unpack_rans of rans.hpp; `codes` is then
/// unspecified.
template <code_unit Code>
[[nodiscard]] constexpr errc unpack_rans(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  const std::size_t n = codes.size();
  if (n == 0) return stream.empty() ? errc::ok : errc::corrupt;
  const rans::alphabet of(bits);
  const std::size_t bottom = of.table_bytes();
  const std::size_t used = rans::states(n);
  if (stream.size() < bottom + 2 * used) return errc::truncated;

  rans::place_table frequency{};
  for (unsigned context = 0, from = 0; context < of.contexts; ++context) {
    std::uint32_t sum = 0;
    for (unsigned symbol = 0; symbol + 1 < of.symbols; ++symbol) {
      const std::uint8_t f = stream[from++];
      if (f == 0) return errc::corrupt;
      frequency[context * of.symbols + symbol] = f;
      sum += f;
    }
    if (sum >= rans::total) return errc::corrupt;
    frequency[context * of.symbols + of.symbols - 1] = static_cast<std::uint8_t>(rans::total - sum);
  }
  const rans::tables with(of, frequency);

  std::size_t at = stream.size() - 2 * used;
  rans::state_bytes states;
  for (std::size_t lane = 0; lane < used; ++lane) {
    states.low[lane] = stream[at + 2 * lane];
    states.high[lane] = stream[at + 2 * lane + 1];
    if (states.high[lane] == 0) return errc::corrupt;
  }

  for (std::size_t first = 0; first < n; first += rans::block_codes) {
    const auto block = codes.subspan(first, std::min(rans::block_codes, n - first));
    for (std::size_t step = 0; step < rans::run_codes; ++step)
      for (std::size_t lane = rans::lanes; lane-- > 0;) {
        const std::size_t i = lane * rans::run_codes + step;
        if (i >= block.size()) continue;
        const unsigned context = of.context_after(step == 0 ? 0 : block[i - 1]);  // symbols, until the low bits are known
        const std::uint32_t state = states.at(lane);
        unsigned symbol = of.symbols - 1;
        while (with.start[context * of.symbols + symbol] > (state & 0xFF)) --symbol;
        const std::size_t place = context * of.symbols + symbol;
        std::uint32_t next = with.frequency[place] * (state >> 8) + (state & 0xFF) - with.start[place];
        if (next < 256) {
          if (at == bottom) return errc::truncated;
          next = next << 8 | stream[--at];
        }
        states.set(lane, next);
        block[i] = static_cast<Code>(symbol);
      }
    if (of.low_bits == 0) continue;
    std::uint16_t low[rans::block_codes]{};
    const auto count = static_cast<std::size_t>(std::ranges::count_if(block, [](Code symbol) { return symbol != 0; }));
    const std::size_t bytes = packed_bytes(count, of.low_bits);
    if (bytes > at - bottom) return errc::truncated;
    at -= bytes;
    unpack(stream.subspan(at, bytes), of.low_bits, std::span(low, count));
    std::size_t used_low = 0;
    for (auto& code : block) {
      if (code == 0) continue;
      const std::uint32_t full = 1 + ((code - 1U) << of.low_bits) + low[used_low++];
      if (full > max_code(bits)) return errc::corrupt;
      code = static_cast<Code>(full);
    }
  }
  if (at != bottom) return errc::corrupt;
  for (std::size_t lane = 0; lane < used; ++lane)
    if (states.at(lane) != rans::total) return errc::corrupt;
  return errc::ok;
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows::reference
