// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/rans_model.hpp>

/// Codec rans on any machine. Whether a byte moves is close to a coin's toss and decided by arithmetic; what is written as a
/// condition some compilers turn into a branch, at three times the cost.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

/// Lanes that have a code at a step: of a block of n codes those before this one.
[[nodiscard]] constexpr std::size_t rans_lanes_at(std::size_t n, std::size_t step) noexcept
{
  return n > step ? (n - step + rans::run_codes - 1) / rans::run_codes : 0;
}

inline std::size_t rans_encode(
  const rans::tables& with, const std::uint8_t* symbols, std::size_t n, rans::state_bytes& states, std::uint8_t* out) noexcept
{
  struct entry {
    std::uint32_t reciprocal;  // of the frequency, 24 bits behind the point and rounded up: exact for states of 16 bits
    std::uint16_t frequency;
    std::uint16_t start;
  };
  std::array<entry, rans::places> entries{};
  for (std::size_t p = 0; p < rans::places; ++p) {
    const std::uint32_t f = with.frequency[p];
    entries[p] = {((1U << 24) + f - 1) / f, with.frequency[p], with.start[p]};
  }
  std::array<std::uint32_t, rans::lanes> x{};
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) x[lane] = states.at(lane);
  std::size_t at = 0;
  for (std::size_t step = rans::run_codes; step-- > 0;) {
    const std::size_t active = rans_lanes_at(n, step);
    for (std::size_t lane = 0; lane < active; ++lane) {
      const std::uint8_t* const here = symbols + lane * rans::run_codes + step;
      // A symbol's place in the first context is its own number.
      const std::size_t first = with.next[step == 0 ? 0 : here[-1] % rans::places];
      const entry& e = entries[(first + *here) % rans::places];
      std::uint32_t state = x[lane];
      const std::uint32_t full = 1 ^ (((state >> 8) - e.frequency) >> 31);
      out[at] = static_cast<std::uint8_t>(state & 0xFF);
      at += full;
      state >>= 8 * full;
      const auto quotient = static_cast<std::uint32_t>((std::uint64_t{state} * e.reciprocal) >> 24);
      x[lane] = state + quotient * (rans::total - e.frequency) + e.start;
    }
  }
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) states.set(lane, x[lane]);
  return at;
}

/// What the low byte of a state tells, by context and byte: the frequency of the symbol, how far into it the byte is, the context
/// that follows, the symbol; a byte each, the lowest first. One load per code, for a microsecond per block.
class rans_steps {
public:
  explicit rans_steps(const rans::tables& with) noexcept
  {
    for (std::size_t context = 0; context < rows && (context + 1) * with.symbols <= rans::places; ++context)
      for (std::size_t symbol = 0; symbol < with.symbols; ++symbol) {
        const std::size_t p = context * with.symbols + symbol;
        const auto entry = static_cast<std::uint32_t>(with.frequency[p] | (with.next[p] / with.symbols) << 16 | symbol << 24);
        const std::size_t start = with.start[p], end = symbol + 1 < with.symbols ? with.start[p + 1] : rans::total;
        for (std::size_t slot = start; slot < end; ++slot)
          entries_[context * rans::total + slot] = entry | static_cast<std::uint32_t>(slot - start) << 8;
      }
  }
  /// Takes a state with its context above it one symbol further; the next one may be below 256.
  [[nodiscard]] std::uint32_t operator()(std::uint32_t state, std::uint32_t& context, std::uint8_t& symbol) const noexcept
  {
    const std::uint32_t entry = entries_[((state >> 8) & 0x0700) | (state & 0xFF)];
    context = entry & 0xFF0000;
    symbol = static_cast<std::uint8_t>(entry >> 24);
    return (entry & 0xFF) * ((state >> 8) & 0xFF) + ((entry >> 8) & 0xFF);
  }

private:
  static constexpr std::size_t rows = 8;
  std::array<std::uint32_t, rows * rans::total> entries_{};
};

/// One step of the first `active` lanes; Checked where the input may end within it.
template <bool Checked>
[[nodiscard]] bool rans_decode_step(const rans_steps& by, const std::uint8_t* stream, std::size_t bottom, std::size_t& at,
  std::size_t active, std::array<std::uint32_t, rans::lanes>& x, std::uint8_t* symbols) noexcept
{
  std::size_t from = at;
  for (std::size_t lane = active; lane-- > 0;) {
    std::uint32_t context;
    const std::uint32_t next = by(x[lane], context, symbols[lane * rans::run_codes]);
    const std::uint32_t empty = (next - 256) >> 31;
    if constexpr (Checked)
      if (from - bottom < empty) return false;
    from -= empty;
    // A byte that is not taken is one of those before, or of the states.
    x[lane] = next << (8 * empty) | (stream[from] & (0 - empty)) | context;
  }
  at = from;
  return true;
}

inline std::size_t rans_decode(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom, std::size_t at,
  std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept
{
  const rans_steps by(with);
  std::array<std::uint32_t, rans::lanes> x{};
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) x[lane] = states.at(lane);
  for (std::size_t step = 0; step < rans::run_codes; ++step) {
    const std::size_t active = rans_lanes_at(n, step);
    const bool enough = at - bottom >= active;
    if (enough ? !rans_decode_step<false>(by, stream, bottom, at, active, x, symbols + step)
               : !rans_decode_step<true>(by, stream, bottom, at, active, x, symbols + step))
      return rans::underflow;
  }
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) states.set(lane, x[lane] & 0xFFFF);
  return at;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
