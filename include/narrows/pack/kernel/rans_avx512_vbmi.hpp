// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/compress_avx512_vbmi.hpp>
#include <narrows/pack/kernel/rans_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>
#include <narrows/pack/rans_model.hpp>

#if defined(__x86_64__)

#  include <algorithm>
#  include <array>
#  include <cstddef>
#  include <cstdint>
#  include <cstring>

#  define NARROWS_TARGET [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]]
#  define NARROWS_OP [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt"), gnu::always_inline]] inline

/// Codec rans, 64 lanes at a time. Low and high bytes of the states fill a register each: the low ones are what tables are
/// looked up by and what moves, by byte compress and expand; products take them as words of even and of odd lanes.
namespace narrows::kernel::avx512_vbmi {
inline namespace NARROWS_FLAGS {

inline constexpr std::size_t rans_vectors = rans::lanes / 64;

/// Element k of row i becomes element i of row k, within each 128-bit lane: four rounds that interleave the bytes of rows i
/// and i + 8 move the number of a row into the number of a byte.
NARROWS_OP void transpose_16x16(__m512i (&rows)[16])
{
  for (int round = 0; round < 4; ++round) {
    __m512i woven[16];
    for (int i = 0; i < 8; ++i) {
      woven[2 * i] = _mm512_unpacklo_epi8(rows[i], rows[i + 8]);
      woven[2 * i + 1] = _mm512_unpackhi_epi8(rows[i], rows[i + 8]);
    }
    for (int i = 0; i < 16; ++i) rows[i] = woven[i];
  }
}

NARROWS_OP __m128i load_piece(const std::uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
NARROWS_OP void store_piece(std::uint8_t* to, __m128i piece) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), piece); }

/// 64 runs to a row of 64 lanes per step; the rows are `lanes` bytes apart.
NARROWS_TARGET inline void rans_to_steps(const std::uint8_t* runs, std::uint8_t* steps) noexcept
{
  for (std::size_t column = 0; column < rans::run_codes; column += 16) {
    __m512i rows[16];
    for (std::size_t i = 0; i < 16; ++i) {
      const std::uint8_t* const from = runs + i * rans::run_codes + column;
      rows[i] = _mm512_castsi128_si512(load_piece(from));
      rows[i] = _mm512_maskz_inserti32x4(0xFFFF, rows[i], load_piece(from + 16 * rans::run_codes), 1);
      rows[i] = _mm512_maskz_inserti32x4(0xFFFF, rows[i], load_piece(from + 32 * rans::run_codes), 2);
      rows[i] = _mm512_maskz_inserti32x4(0xFFFF, rows[i], load_piece(from + 48 * rans::run_codes), 3);
    }
    transpose_16x16(rows);
    for (std::size_t i = 0; i < 16; ++i) _mm512_store_si512(steps + (column + i) * rans::lanes, rows[i]);
  }
}

NARROWS_TARGET inline void rans_to_runs(const std::uint8_t* steps, std::uint8_t* runs) noexcept
{
  for (std::size_t column = 0; column < rans::run_codes; column += 16) {
    __m512i rows[16];
    for (std::size_t i = 0; i < 16; ++i) rows[i] = _mm512_load_si512(steps + (column + i) * rans::lanes);
    transpose_16x16(rows);
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint8_t* const to = runs + i * rans::run_codes + column;
      store_piece(to, _mm512_maskz_extracti32x4_epi32(0xF, rows[i], 0));
      store_piece(to + 16 * rans::run_codes, _mm512_maskz_extracti32x4_epi32(0xF, rows[i], 1));
      store_piece(to + 32 * rans::run_codes, _mm512_maskz_extracti32x4_epi32(0xF, rows[i], 2));
      store_piece(to + 48 * rans::run_codes, _mm512_maskz_extracti32x4_epi32(0xF, rows[i], 3));
    }
  }
}

/// Lanes of vector v that have a code.
NARROWS_OP __mmask64 rans_active(std::size_t n, std::size_t step, std::size_t v)
{
  const std::size_t count = scalar::rans_lanes_at(n, step);
  if (count <= 64 * v) return 0;
  return count >= 64 * (v + 1) ? ~std::uint64_t{0} : (std::uint64_t{1} << (count - 64 * v)) - 1;
}

/// A table in registers: two for 16 symbols, whose contexts have more than 64 places.
template <int Registers>
struct lookup {
  __m512i part[Registers];

  /// The values some places further on.
  NARROWS_OP explicit lookup(const rans::place_table& t, std::size_t further = 0)
  {
    std::array<std::uint8_t, rans::places + 16> padded{};
    std::memcpy(padded.data(), t.data(), t.size());
    for (int i = 0; i < Registers; ++i) part[i] = _mm512_loadu_si512(padded.data() + further + 64 * i);
  }
  NARROWS_OP __m512i operator()(__m512i place) const
  {
    if constexpr (Registers == 1)
      return _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, place, part[0]);
    else
      return _mm512_permutex2var_epi8(part[0], place, part[1]);
  }
};
NARROWS_OP __m512i state_part(const std::array<std::uint8_t, rans::lanes>& part, std::size_t v)
{
  return _mm512_load_si512(part.data() + 64 * v);
}

/// Words of even or odd lanes from two registers of bytes, and back.
struct words {
  __m512i even, odd;
};
NARROWS_OP words widen(__m512i low) { return {_mm512_and_si512(low, _mm512_set1_epi16(0xFF)), _mm512_srli_epi16(low, 8)}; }
NARROWS_OP words join_bytes(__m512i low, __m512i high)
{
  const __m512i first = _mm512_set1_epi16(0xFF);
  return {_mm512_ternarylogic_epi32(first, low, _mm512_slli_epi16(high, 8), 0xCA),
    _mm512_ternarylogic_epi32(first, _mm512_srli_epi16(low, 8), high, 0xCA)};
}
NARROWS_OP __m512i low_bytes(words w)
{
  return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xFF), w.even, _mm512_slli_epi16(w.odd, 8), 0xCA);
}
NARROWS_OP __m512i high_bytes(words w)
{
  return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xFF), _mm512_srli_epi16(w.even, 8), w.odd, 0xCA);
}

template <int Registers>
struct rans_encoder {
  lookup<Registers> frequency, start, reciprocal_low, reciprocal_high;

  /// A word of states below 256 f becomes quotient * 256 + remainder. The reciprocal is rounded down, so that the quotient may be
  /// one short: the remainder tells.
  NARROWS_OP static __m512i divide(__m512i x, __m512i f, __m512i reciprocal)
  {
    const __m512i q = _mm512_mulhi_epu16(x, reciprocal);
    const __m512i r = _mm512_sub_epi16(x, _mm512_mullo_epi16(q, f));
    const __m512i y = _mm512_add_epi16(_mm512_slli_epi16(q, 8), r);
    return _mm512_mask_add_epi16(y, _mm512_cmpge_epu16_mask(r, f), y, _mm512_sub_epi16(_mm512_set1_epi16(256), f));
  }
  template <bool Whole>
  NARROWS_OP std::size_t step(__m512i place, __mmask64 active, __m512i& low, __m512i& high, std::uint8_t* out) const
  {
    const __m512i f = frequency(place);
    const __mmask64 full = Whole ? _mm512_cmpge_epu8_mask(high, f) : _mm512_mask_cmpge_epu8_mask(active, high, f);
    _mm512_storeu_si512(out, compressed8(full, low));
    const words x = join_bytes(_mm512_mask_mov_epi8(low, full, high), _mm512_maskz_mov_epi8(~full, high));
    const words by = widen(f);
    const words reciprocal = join_bytes(reciprocal_low(place), reciprocal_high(place));
    const words y{divide(x.even, by.even, reciprocal.even), divide(x.odd, by.odd, reciprocal.odd)};
    const __m512i moved = _mm512_add_epi8(low_bytes(y), start(place));  // within the byte
    low = Whole ? moved : _mm512_mask_mov_epi8(low, active, moved);
    high = Whole ? high_bytes(y) : _mm512_mask_mov_epi8(high, active, high_bytes(y));
    return static_cast<std::size_t>(_mm_popcnt_u64(full));
  }
};

template <int Registers, bool Whole>
NARROWS_TARGET inline std::size_t rans_encode_block(
  const rans::tables& with, const std::uint8_t* symbols, std::size_t n, rans::state_bytes& states, std::uint8_t* out) noexcept
{
  alignas(64) std::array<std::uint8_t, rans::block_codes> steps;
  alignas(64) rans::place_table reciprocal_low, reciprocal_high;
  for (std::size_t p = 0; p < rans::places; ++p) {
    const unsigned reciprocal = with.frequency[p] == 1 ? 0xFFFFU : 0x10000U / with.frequency[p];
    reciprocal_low[p] = static_cast<std::uint8_t>(reciprocal & 0xFF);
    reciprocal_high[p] = static_cast<std::uint8_t>(reciprocal >> 8);
  }
  const lookup<Registers> next(with.next);
  for (std::size_t v = 0; v < rans_vectors; ++v) {
    std::uint8_t* const row = steps.data() + 64 * v;
    rans_to_steps(symbols + 64 * v * rans::run_codes, row);
    __m512i first = _mm512_setzero_si512();
    for (std::size_t step = 0; step < rans::run_codes; ++step) {
      const __m512i place = _mm512_add_epi8(first, _mm512_load_si512(row + step * rans::lanes));
      _mm512_store_si512(row + step * rans::lanes, place);
      first = next(place);
    }
  }
  const rans_encoder<Registers> encoder{lookup<Registers>(with.frequency), lookup<Registers>(with.start),
    lookup<Registers>(reciprocal_low), lookup<Registers>(reciprocal_high)};
  __m512i low[rans_vectors], high[rans_vectors];
  for (std::size_t v = 0; v < rans_vectors; ++v) low[v] = state_part(states.low, v), high[v] = state_part(states.high, v);
  std::size_t at = 0;
  for (std::size_t step = rans::run_codes; step-- > 0;)
    for (std::size_t v = 0; v < rans_vectors; ++v) {
      const __mmask64 active = Whole ? ~std::uint64_t{0} : rans_active(n, step, v);
      at += encoder.template step<Whole>(
        _mm512_load_si512(steps.data() + step * rans::lanes + 64 * v), active, low[v], high[v], out + at);
    }
  for (std::size_t v = 0; v < rans_vectors; ++v) {
    _mm512_store_si512(states.low.data() + 64 * v, low[v]);
    _mm512_store_si512(states.high.data() + 64 * v, high[v]);
  }
  return at;
}

template <int Registers>
NARROWS_TARGET inline std::size_t rans_encode_with(
  const rans::tables& with, const std::uint8_t* symbols, std::size_t n, rans::state_bytes& states, std::uint8_t* out) noexcept
{
  return n == rans::block_codes ? rans_encode_block<Registers, true>(with, symbols, n, states, out)
                                : rans_encode_block<Registers, false>(with, symbols, n, states, out);
}

NARROWS_TARGET inline std::size_t rans_encode(
  const rans::tables& with, const std::uint8_t* symbols, std::size_t n, rans::state_bytes& states, std::uint8_t* out) noexcept
{
  return with.symbols == 16 ? rans_encode_with<2>(with, symbols, n, states, out)
                            : rans_encode_with<1>(with, symbols, n, states, out);
}

NARROWS_OP __m512i bytes_from_0()
{
  const __m128i sixteen = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i of_quarter = _mm512_setr_epi32(0, 0, 0, 0, 0x10101010, 0x10101010, 0x10101010, 0x10101010, 0x20202020, 0x20202020,
    0x20202020, 0x20202020, 0x30303030, 0x30303030, 0x30303030, 0x30303030);
  return _mm512_add_epi8(_mm512_maskz_broadcast_i32x4(0xFFFF, sixteen), of_quarter);
}

/// What a step of decoding finds.
struct rans_found {
  __m512i place, symbol, start, frequency;
};

/// Finds the symbol of each low byte: the last in its context that starts at or before it, by steps of half the way, which leave
/// its start and that of the symbol after it. (To look those up would take longer.)
///
/// A step looks up by what is known so far of a place, its upper bits, so that one register holds what two would by whole places;
/// lookups in two take three times as long, and the steps of a lane wait for each other. With 9 symbols, whose places do fit one
/// register, a step of 1 comes first, which tells 0 from the rest and leaves 8.
template <int Symbols>
struct symbol_finder {
  static constexpr bool by_halves = Symbols != 9;
  static constexpr int first_step = by_halves ? Symbols / 2 : 4;
  __m512i further[5];  ///< by 1, 2, 4 and 8 places, and for 9 symbols by 1 at first
  __m512i next;

  NARROWS_OP explicit symbol_finder(const rans::tables& with)
  {
    const lookup<2> start(with.start);
    for (int i = 0; i < 4; ++i) {
      const int step = 1 << i;
      const __m512i upper = by_halves ? _mm512_slli_epi16(bytes_from_0(), static_cast<unsigned>(i + 1))
                                      : bytes_from_0();  // what overflows stands for places there are none of
      further[i] = start(_mm512_add_epi8(upper, _mm512_set1_epi8(static_cast<char>(step))));
    }
    // What comes next depends on the symbol alone.
    const __m512i first = _mm512_load_si512(with.next.data());
    if constexpr (by_halves) {
      constexpr int shift = Symbols == 2 ? 1 : Symbols == 4 ? 2 : Symbols == 8 ? 3 : 4;
      const __m512i contexts = _mm512_and_si512(_mm512_srli_epi16(first, shift), _mm512_set1_epi8(7));
      next = _mm512_maskz_permutexvar_epi8(
        ~std::uint64_t{0}, _mm512_and_si512(bytes_from_0(), _mm512_set1_epi8(Symbols - 1)), contexts);
    } else {
      next = first;
    }
  }
  template <int Step>
  NARROWS_OP void advance(rans_found& f, __m512i& end, __m512i slot) const
  {
    constexpr int at = Step == 1 ? 0 : Step == 2 ? 1 : Step == 4 ? 2 : 3;
    const __m512i middle = _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, f.place, further[at]);
    const __mmask64 there = _mm512_cmpge_epu8_mask(slot, middle);
    f.start = _mm512_mask_mov_epi8(f.start, there, middle);
    end = _mm512_mask_mov_epi8(middle, there, end);
    if constexpr (by_halves) f.place = _mm512_add_epi8(f.place, f.place);
    f.place = _mm512_mask_add_epi8(f.place, there, f.place, _mm512_set1_epi8(by_halves ? 1 : Step));
  }
  /// `first` is the context, or, with 9 symbols, the first place of it.
  NARROWS_OP rans_found find(__m512i first, __m512i slot) const
  {
    rans_found f{first, first, _mm512_setzero_si512(), first};
    __m512i end = _mm512_setzero_si512();  // 256
    if constexpr (!by_halves) advance<1>(f, end, slot);
    if constexpr (first_step >= 8) advance<8>(f, end, slot);
    if constexpr (first_step >= 4) advance<4>(f, end, slot);
    if constexpr (first_step >= 2) advance<2>(f, end, slot);
    advance<1>(f, end, slot);
    f.symbol = by_halves ? _mm512_and_si512(f.place, _mm512_set1_epi8(Symbols - 1)) : _mm512_sub_epi8(f.place, first);
    f.frequency = _mm512_sub_epi8(end, f.start);
    return f;
  }
};

template <int Symbols, bool Whole>
NARROWS_TARGET inline std::size_t rans_decode_block(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom,
  std::size_t at, std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept
{
  alignas(64) std::array<std::uint8_t, rans::block_codes> steps;
  const symbol_finder<Symbols> finder(with);
  __m512i low[rans_vectors], high[rans_vectors], first[rans_vectors];
  for (std::size_t v = 0; v < rans_vectors; ++v) {
    low[v] = state_part(states.low, v);
    high[v] = state_part(states.high, v);
    first[v] = _mm512_setzero_si512();
  }
  for (std::size_t step = 0; step < rans::run_codes; ++step)
    for (std::size_t v = rans_vectors; v-- > 0;) {
      const __mmask64 active = Whole ? ~std::uint64_t{0} : rans_active(n, step, v);
      const rans_found found = finder.find(first[v], low[v]);
      _mm512_store_si512(steps.data() + step * rans::lanes + 64 * v, found.symbol);
      first[v] = _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, found.place, finder.next);
      const words f = widen(found.frequency), h = widen(high[v]);
      const words offset = widen(_mm512_sub_epi8(low[v], found.start));
      const words y{_mm512_add_epi16(_mm512_mullo_epi16(f.even, h.even), offset.even),
        _mm512_add_epi16(_mm512_mullo_epi16(f.odd, h.odd), offset.odd)};
      const __m512i y_low = low_bytes(y), y_high = high_bytes(y);
      const __mmask64 empty =
        Whole ? _mm512_testn_epi8_mask(y_high, y_high) : _mm512_mask_testn_epi8_mask(active, y_high, y_high);
      const auto count = static_cast<std::size_t>(_mm_popcnt_u64(empty));
      if (count > at - bottom) return rans::underflow;
      at -= count;
      const __m512i shifted = _mm512_mask_mov_epi8(y_high, empty, y_low);
      const __m512i filled = _mm512_mask_expand_epi8(y_low, empty, _mm512_loadu_si512(stream + at));
      low[v] = Whole ? filled : _mm512_mask_mov_epi8(low[v], active, filled);
      high[v] = Whole ? shifted : _mm512_mask_mov_epi8(high[v], active, shifted);
    }
  for (std::size_t v = 0; v < rans_vectors; ++v) {
    _mm512_store_si512(states.low.data() + 64 * v, low[v]);
    _mm512_store_si512(states.high.data() + 64 * v, high[v]);
    rans_to_runs(steps.data() + 64 * v, symbols + 64 * v * rans::run_codes);
  }
  return at;
}

template <int Symbols>
NARROWS_TARGET inline std::size_t rans_decode_symbols(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom,
  std::size_t at, std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept
{
  return n == rans::block_codes ? rans_decode_block<Symbols, true>(with, stream, bottom, at, n, states, symbols)
                                : rans_decode_block<Symbols, false>(with, stream, bottom, at, n, states, symbols);
}

NARROWS_TARGET inline std::size_t rans_decode(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom,
  std::size_t at, std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept
{
  switch (with.symbols) {
  case 2: return rans_decode_symbols<2>(with, stream, bottom, at, n, states, symbols);
  case 4: return rans_decode_symbols<4>(with, stream, bottom, at, n, states, symbols);
  case 8: return rans_decode_symbols<8>(with, stream, bottom, at, n, states, symbols);
  case 9: return rans_decode_symbols<9>(with, stream, bottom, at, n, states, symbols);
  default: return rans_decode_symbols<16>(with, stream, bottom, at, n, states, symbols);
  }
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512_vbmi

#  undef NARROWS_TARGET
#  undef NARROWS_OP
#endif
