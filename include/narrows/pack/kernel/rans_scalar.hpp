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

/// One step of a number of lanes; Checked where the input may end within it.
template <bool Checked, class Place>
[[nodiscard]] bool rans_decode_step(const std::uint8_t* stream, std::size_t bottom, std::size_t& at, std::size_t active,
  std::array<std::uint32_t, rans::lanes>& x, Place place_of) noexcept
{
  for (std::size_t lane = active; lane-- > 0;) {
    const std::uint32_t next = place_of(lane, x[lane]);
    const std::uint32_t empty = (next - 256) >> 31;
    if constexpr (Checked)
      if (at - bottom < empty) return false;
    at -= empty;
    // A byte that is not taken is one of those before, or of the states.
    x[lane] = next << (8 * empty) | (stream[at] & (0 - empty));
  }
  return true;
}

inline std::size_t rans_decode(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom, std::size_t at,
  std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept
{
  const std::size_t contexts = std::min<std::size_t>(rans::places / with.symbols, 8);
  std::array<std::array<std::uint8_t, rans::total>, 8> places{};  // by context, then low byte of the state
  std::array<std::uint8_t, rans::places> context_after{};
  for (std::size_t context = 0; context < contexts; ++context)
    for (std::size_t symbol = 0; symbol < with.symbols; ++symbol) {
      const std::size_t p = context * with.symbols + symbol;
      const std::size_t end = symbol + 1 < with.symbols ? with.start[p + 1] : rans::total;
      for (std::size_t slot = with.start[p]; slot < end; ++slot) places[context][slot] = static_cast<std::uint8_t>(p);
      context_after[p] = static_cast<std::uint8_t>(with.next[p] / with.symbols);
    }
  std::array<std::uint32_t, rans::lanes> x{};
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) x[lane] = states.at(lane);
  std::array<std::uint8_t, rans::lanes> context{};
  for (std::size_t step = 0; step < rans::run_codes; ++step) {
    const auto place_of = [&](std::size_t lane, std::uint32_t state) {
      const std::size_t p = places[context[lane]][state & 0xFF];
      context[lane] = context_after[p];
      symbols[lane * rans::run_codes + step] = static_cast<std::uint8_t>(p % with.symbols);
      return with.frequency[p] * (state >> 8) + (state & 0xFF) - with.start[p];
    };
    const std::size_t active = rans_lanes_at(n, step);
    const bool enough = at - bottom >= active;
    if (enough ? !rans_decode_step<false>(stream, bottom, at, active, x, place_of)
               : !rans_decode_step<true>(stream, bottom, at, active, x, place_of))
      return rans::underflow;
  }
  for (std::size_t lane = 0; lane < rans::lanes; ++lane) states.set(lane, x[lane]);
  return at;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
