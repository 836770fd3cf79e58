// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/pack/kernel/target.hpp>

/// What codec `rans` knows about codes: symbols, contexts, frequencies, and where the states stand. Entropy coding with range
/// variants of asymmetric numeral systems, Duda, https://arxiv.org/abs/1311.2540; many states at once as in Giesen,
/// https://arxiv.org/abs/1402.3392. Normative text: docs/format.md.
namespace narrows::rans {

// A block of 8192 codes is 128 lanes, each a run of 64 consecutive codes with a state of its own:
//
//            step 0   step 1   ...   step 63
//   lane 0     c0       c1     ...     c63        A step handles one code of every lane. A lane's context is the code
//   lane 1    c64      c65     ...    c127        before, its left neighbour; a run starts with that of a 0.
//   ...
//   lane 127                   ...   c8191
//
// In a last block of fewer codes the steps pass over the places that hold none.
inline constexpr std::size_t lanes = 128;
inline constexpr std::size_t run_codes = 64;
inline constexpr std::size_t block_codes = lanes * run_codes;

/// Sum of the frequencies of a context, least state, and state at both ends of the tensor: a state is 256..65535, and a code
/// moves at most one byte.
inline constexpr std::uint32_t total = 256;

/// Places for the frequencies of all contexts: what a byte shuffle of two of the widest registers looks up. Only codes of 4 bits
/// gain from more than the half, which is one register.
inline constexpr std::size_t places = 128;

/// How codes become symbols. Codes of 5 bits and more share a symbol with their neighbours, and their low bits, which are
/// close to evenly spread, stand beside it: few symbols leave room for more contexts, which save more than fine symbols do.
struct alphabet {
  unsigned symbols;   ///< 0 is code 0
  unsigned contexts;  ///< of the symbol before
  int low_bits;       ///< of (code - 1), for codes that are not 0

  [[gnu::always_inline]] constexpr explicit alphabet(int bits) noexcept
    : symbols(bits <= 4 ? 1U << bits : 9), contexts(bits <= 4 ? std::min(symbols, 8U) : 7), low_bits(bits <= 4 ? 0 : bits - 3)
  {}
  [[nodiscard, gnu::always_inline]] constexpr unsigned symbol(std::uint32_t code) const noexcept
  {
    return code == 0 ? 0 : 1 + ((code - 1) >> low_bits);
  }
  /// Context of what follows a symbol.
  [[nodiscard, gnu::always_inline]] constexpr unsigned context_after(unsigned symbol) const noexcept
  {
    if (symbols == 16 && symbol > 4) return symbol < 7 ? 5 : symbol < 10 ? 6 : 7;
    return std::min(symbol, contexts - 1);
  }
  /// Bytes of a stream that hold frequencies: those of a context's last symbol are what is missing to 256.
  [[nodiscard, gnu::always_inline]] constexpr std::size_t table_bytes() const noexcept { return contexts * (symbols - 1); }
};

/// States that a stream of n codes has: one per run, as far as there are lanes.
[[nodiscard, gnu::always_inline]] constexpr std::size_t states(std::size_t n) noexcept
{
  return std::min(lanes, n / run_codes + (n % run_codes != 0));
}

/// Bytes behind what it reads, or writes, that a kernel may touch: a register.
inline constexpr std::size_t margin = 64;

/// What a decoding kernel answers when the bytes do not suffice.
inline constexpr std::size_t underflow = static_cast<std::size_t>(-1);

using place_table = std::array<std::uint8_t, places>;

/// What the steps of a stream look up, by place = context * symbols + symbol. Places that no symbol has behave like others,
/// so that kernels may look up in vain.
struct tables {
  alignas(64) place_table frequency{};  ///< 1..255
  alignas(64) place_table start{};      ///< sum of the frequencies before it in its context
  alignas(64) place_table next{};       ///< first place of the context that follows
  unsigned symbols = 0;                 ///< of the alphabet

  [[gnu::always_inline]] constexpr tables(const alphabet& of, const place_table& frequencies) noexcept : frequency(frequencies), symbols(of.symbols)
  {
    for (unsigned context = 0; context < of.contexts; ++context)
      for (unsigned symbol = 0, sum = 0; symbol < symbols; ++symbol) {
        const std::size_t place = context * symbols + symbol;
        start[place] = static_cast<std::uint8_t>(sum);
        sum += frequency[place];
        next[place] = static_cast<std::uint8_t>(of.context_after(symbol) * symbols);
      }
    for (auto& f : frequency) f = f == 0 ? std::uint8_t{1} : f;
  }
};

/// States of the lanes, low and high bytes apart.
struct state_bytes {
  alignas(64) std::array<std::uint8_t, lanes> low{};
  alignas(64) std::array<std::uint8_t, lanes> high{};

  constexpr state_bytes() noexcept { high.fill(1); }  // all 256, as at both ends
  [[nodiscard]] constexpr std::uint32_t at(std::size_t lane) const noexcept { return high[lane] * 256U + low[lane]; }
  constexpr void set(std::size_t lane, std::uint32_t state) noexcept
  {
    low[lane] = static_cast<std::uint8_t>(state & 0xFF);
    high[lane] = static_cast<std::uint8_t>(state >> 8);
  }
};

inline namespace NARROWS_FLAGS {

// How narrows finds frequencies; a reader takes them as they come.

/// Frequencies in proportion to counts, 1 at least, the sum 256. Integers alone, so that every machine finds the same.
constexpr void fit(std::span<const std::uint32_t> counts, std::span<std::uint8_t> frequency) noexcept
{
  std::uint64_t seen = 0;
  for (const auto c : counts) seen += c;
  // A context that was not met: all symbols alike.
  const auto count = [&](std::size_t s) { return seen == 0 ? std::uint64_t{1} : counts[s]; };
  const std::uint64_t all = seen == 0 ? counts.size() : seen;
  std::array<std::uint32_t, places> f{};
  std::uint32_t sum = 0;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    f[s] = std::max(1U, static_cast<std::uint32_t>((count(s) * total + all / 2) / all));
    sum += f[s];
  }
  // What rounding left or took: one step at a time where the logarithm, roughly 2 count / (2 f + 1), changes best.
  for (; sum < total; ++sum) {
    std::size_t best = 0;
    for (std::size_t s = 1; s < counts.size(); ++s)
      if (count(s) * (2 * f[best] + 1) > count(best) * (2 * f[s] + 1)) best = s;
    ++f[best];
  }
  for (; sum > total; --sum) {
    std::size_t best = counts.size();
    for (std::size_t s = 0; s < counts.size(); ++s)
      if (f[s] > 1 && (best == counts.size() || count(s) * (2 * f[best] - 1) < count(best) * (2 * f[s] - 1))) best = s;
    --f[best];
  }
  for (std::size_t s = 0; s < counts.size(); ++s) frequency[s] = static_cast<std::uint8_t>(f[s]);
}

/// Codes are counted in pieces of two runs: all of them in a small tensor, about 8192 in others, one in 32 where that is more.
/// Each symbol has a frequency, whether it was met or not.
inline constexpr std::size_t piece_codes = 2 * run_codes;
[[nodiscard]] constexpr std::size_t piece_stride(std::size_t n) noexcept
{
  return piece_codes * std::clamp<std::size_t>(n / block_codes, 1, 32);
}

/// Counts of symbols by place.
class counter {
public:
  constexpr explicit counter(const alphabet& of) noexcept : of_(of)
  {
    for (unsigned s = 0; s < of.symbols; ++s) next_[s] = static_cast<std::uint8_t>(of.context_after(s) * of.symbols);
  }
  /// A piece, or less at the end of the tensor.
  template <class Code>
  constexpr void add(std::span<const Code> codes) noexcept
  {
    NARROWS_EXPECTS(codes.size() <= piece_codes);
    if (of_.low_bits == 0)
      add(codes, [](std::uint32_t code) { return code; });
    else
      add(codes, [this](std::uint32_t code) { return of_.symbol(code); });
  }
  [[nodiscard]] constexpr place_table frequencies() const noexcept
  {
    place_table frequency{};
    for (unsigned context = 0; context < of_.contexts; ++context) {
      std::array<std::uint32_t, places> sums{};
      const std::size_t first = context * of_.symbols;
      for (std::size_t s = 0; s < of_.symbols; ++s)
        for (const auto& part : counts_) sums[s] += part[first + s];
      fit(std::span(sums).first(of_.symbols), std::span(frequency).subspan(first, of_.symbols));
    }
    return frequency;
  }

private:
  static constexpr unsigned symbol_limit = 16;
  template <class Code, class Symbol>
  constexpr void add(std::span<const Code> codes, Symbol symbol_of) noexcept
  {
    const auto step = [&](std::uint32_t code, unsigned& first, auto& counts) {
      const unsigned symbol = symbol_of(code) % symbol_limit;  // no effect on legal codes; others stay within the arrays
      ++counts[(first + symbol) % places];
      first = next_[symbol];
    };
    // Increments of one counter wait for each other, and zeros are many: neighbours use counters of their own.
    unsigned a = 0, b = 0;
    if (codes.size() == piece_codes) {
      for (std::size_t i = 0; i < run_codes; i += 2) {
        step(codes[i], a, counts_[0]);
        step(codes[i + run_codes], b, counts_[1]);
        step(codes[i + 1], a, counts_[2]);
        step(codes[i + run_codes + 1], b, counts_[3]);
      }
      return;
    }
    for (std::size_t i = 0; i < codes.size(); ++i) step(codes[i], i < run_codes ? a : b, counts_[0]);
  }
  alphabet of_;
  std::array<std::uint8_t, symbol_limit> next_{};
  std::array<std::array<std::uint32_t, places>, 4> counts_{};
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::rans
