// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/avx2.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/predicted_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#  include <array>
#  include <cstddef>
#  include <cstdint>
#  include <cstring>

#  define NARROWS_TARGET [[gnu::target("avx2,fma,popcnt")]]
#  define NARROWS_OP [[gnu::target("avx2,fma,popcnt"), gnu::always_inline]] inline

/// Codec predicted, 32 values at a time. Fields close up, and come apart, by products and shifts of lanes: pext and pdep do that
/// in one instruction, but AMD's CPUs before Zen 3 take a hundred cycles and more for it.
namespace narrows::kernel::avx2 {
inline namespace NARROWS_FLAGS {

using table16 = std::array<std::uint8_t, 16>;

/// Entries of a table by bytes below 16.
NARROWS_OP vec looked_up(const table16& t, vec by)
{
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(t.data()))), by);
}
template <int S>
NARROWS_OP vec bytes_shifted_right(vec v)
{
  return both(shift_right<S>(v), all_bytes(0xFF >> S));
}

template <unsigned Step>
inline constexpr table16 class_by_steps = [] {
  table16 made{};
  for (unsigned i = 0; i < 16; ++i) made[i] = scalar::class_of(Step * i);
  return made;
}();
/// Classes grow with the codes and start at multiples of 2 from 4 on, of 16 from 32 on: the largest is right of the classes of
/// three codes that are no larger, each the largest of its kind.
NARROWS_OP vec classes(vec codes)
{
  const vec of_few = smaller_bytes(codes, all_bytes(3));  // classes of themselves
  const vec of_even = looked_up(class_by_steps<2>, smaller_bytes(bytes_shifted_right<1>(codes), all_bytes(15)));
  const vec of_sixteens = looked_up(class_by_steps<16>, bytes_shifted_right<4>(codes));
  return _mm256_max_epu8(_mm256_max_epu8(of_few, of_even), of_sixteens);
}
NARROWS_OP vec rest_of(vec classes) { return looked_up(scalar::class_rest, classes); }

NARROWS_TARGET inline void classes_of(const std::uint8_t* codes, std::size_t n, std::uint8_t* to) noexcept
{
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) store(to + i, classes(load(codes + i)));
  scalar::classes_of(codes + i, n - i, to + i);
}

NARROWS_OP std::size_t sum_of_words(vec v)
{
  const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two))));
}
NARROWS_TARGET inline std::size_t rest_bits(const std::uint8_t* codes, std::size_t n) noexcept
{
  vec sum = zero();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) sum = _mm256_add_epi64(sum, _mm256_sad_epu8(rest_of(classes(load(codes + i))), zero()));
  return sum_of_words(sum) + scalar::rest_bits(codes + i, n - i);
}
NARROWS_TARGET inline std::size_t rest_bits_of_classes(const std::uint8_t* classes, std::size_t n) noexcept
{
  vec sum = zero();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) sum = _mm256_add_epi64(sum, _mm256_sad_epu8(rest_of(load(classes + i)), zero()));
  return sum_of_words(sum) + scalar::rest_bits_of_classes(classes + i, n - i);
}

/// How many bits two, four and eight fields have together, each sum in the lowest bytes of its lane.
struct field_widths {
  vec one, two, four, eight;
  NARROWS_OP explicit field_widths(vec of)
      : one(of), two(_mm256_maddubs_epi16(of, all_bytes(1))), four(_mm256_madd_epi16(two, all_words(1))), eight(_mm256_sad_epu8(of, zero()))
  {}
  // Those of the lower half of each lane, by which the upper half moves.
  NARROWS_OP vec low_two() const { return both(two, all_ints(0xFFFF)); }
  NARROWS_OP vec low_four() const { return both(four, _mm256_set1_epi64x(0xFFFFFFFF)); }
};

/// Room for the four words that 32 fields fill, and the bits of each: those of the fields are at most 48, and 7 stand before them.
struct field_words {
  alignas(32) std::array<std::uint64_t, 4> words, bits;
};

/// The upper half of each lane goes to where the lower one ends, by a product in lanes of 16 bits, by a shift in wider ones.
NARROWS_OP void close_up(vec codes, field_words& to)
{
  constexpr table16 power{1, 2, 4, 8, 16, 32, 64};
  const vec k = classes(codes);
  const field_widths widths(rest_of(k));
  const vec fields = _mm256_sub_epi8(codes, looked_up(scalar::class_base, k));
  const vec by = either(shift_left<8>(looked_up(power, widths.one)), all_words(1));
  const vec twos = _mm256_maddubs_epi16(fields, by);
  const vec fours = either(both(twos, all_ints(0xFFFF)), _mm256_sllv_epi32(_mm256_srli_epi32(twos, 16), widths.low_two()));
  const vec eights =
    either(both(fours, _mm256_set1_epi64x(0xFFFFFFFF)), _mm256_sllv_epi64(_mm256_srli_epi64(fours, 32), widths.low_four()));
  _mm256_store_si256(reinterpret_cast<vec*>(to.words.data()), eights);
  _mm256_store_si256(reinterpret_cast<vec*>(to.bits.data()), widths.eight);
}
NARROWS_TARGET inline void write_rest(const std::uint8_t* codes, std::size_t n, std::uint8_t* out, std::size_t room) noexcept
{
  scalar::rest_place to;
  std::size_t i = 0;
  // The fourth word starts at most 18 bytes after the first.
  for (; i + 32 <= n && room - to.at >= 32; i += 32) {
    field_words closed;
    close_up(load(codes + i), closed);
    for (std::size_t k = 0; k < 4; ++k) {
      to.held |= closed.words[k] << to.count;
      to.count += static_cast<unsigned>(closed.bits[k]);
      std::memcpy(out + to.at, &to.held, 8);
      to.at += to.count / 8;
      to.held >>= to.count & 56U;
      to.count &= 7U;
    }
  }
  scalar::write_rest_from(to, codes + i, n - i, out, room);
}

/// Inverse: what stands above a field is cleared at the end only.
NARROWS_OP vec come_apart(vec eights, vec k, const field_widths& widths)
{
  constexpr table16 up_to_bit_7{128, 64, 32, 16, 8, 4, 2}, mask{0, 1, 3, 7, 15, 31, 63};
  const vec fours = _mm256_blend_epi32(eights, _mm256_slli_epi64(_mm256_srlv_epi64(eights, widths.low_four()), 32), 0xAA);
  const vec twos = _mm256_blend_epi16(fours, _mm256_slli_epi32(_mm256_srlv_epi32(fours, widths.low_two()), 16), 0xAA);
  // Words have no shifts of their own: the first bit of the upper field goes to bit 8.
  const vec low_bytes = all_words(0xFF);
  const vec upper = _mm256_mullo_epi16(shift_left<1>(twos), both(looked_up(up_to_bit_7, widths.one), low_bytes));
  const vec ones = either(both(twos, low_bytes), _mm256_andnot_si256(low_bytes, upper));
  return _mm256_add_epi8(looked_up(scalar::class_base, k), both(ones, looked_up(mask, widths.one)));
}
NARROWS_TARGET inline void read_rest(const std::uint8_t* from, std::size_t size, std::uint64_t at, const std::uint8_t* classes,
  std::size_t n, std::uint8_t* codes) noexcept
{
  std::size_t i = 0;
  for (; i + 32 <= n && size - at / 8 >= 32; i += 32) {
    const vec k = load(classes + i);
    const field_widths widths(rest_of(k));
    field_words closed;
    _mm256_store_si256(reinterpret_cast<vec*>(closed.bits.data()), widths.eight);
    for (std::size_t w = 0; w < 4; ++w) {
      closed.words[w] = scalar::load_word(from + at / 8) >> (at % 8);
      at += closed.bits[w];
    }
    const vec eights = _mm256_load_si256(reinterpret_cast<const vec*>(closed.words.data()));
    store(codes + i, come_apart(eights, k, widths));
  }
  scalar::read_rest(from, size, at, classes + i, n - i, codes + i);
}

NARROWS_OP vec folded(vec residuals)
{
  return _mm256_xor_si256(_mm256_add_epi8(residuals, residuals), _mm256_cmpgt_epi8(zero(), residuals));
}
template <bool Top>
NARROWS_OP vec residuals(const std::uint8_t* values, std::size_t width)
{
  const vec left = load(values - 1);
  const vec ahead = _mm256_sub_epi8(load(values), left);
  if constexpr (Top) return folded(ahead);
  const vec up = load(values - width), corner = load(values - width - 1);
  const vec middle = _mm256_max_epu8(smaller_bytes(left, up), smaller_bytes(_mm256_max_epu8(left, up), corner));
  return folded(_mm256_add_epi8(_mm256_sub_epi8(ahead, up), middle));
}
/// A row of more than 32. Its second to 33rd value wait in a register, since they overlap what is written before them.
template <bool Top>
NARROWS_OP void predict_row(std::uint8_t* row, std::size_t width)
{
  const vec first = residuals<Top>(row + 1, width);
  for (std::size_t end = width; end > 32; end -= 32) store(row + end - 32, residuals<Top>(row + end - 32, width));
  store(row + 1, first);
}
NARROWS_TARGET inline void predict_plane(std::uint8_t* plane, std::size_t height, std::size_t width) noexcept
{
  if (width <= 32) return scalar::predict_plane(plane, height, width);
  for (std::size_t y = height; y-- > 0;) {
    std::uint8_t* const row = plane + y * width;
    if (y == 0) predict_row<true>(row, width);
    else predict_row<false>(row, width);
    scalar::predict_first(row, width, y == 0);
  }
}

/// By channel and piece of 16 bytes: which of them are values of that channel, in order; 0x80 leaves a 0.
template <std::size_t Channels>
inline constexpr auto channel_order = [] {
  std::array<std::array<table16, Channels>, Channels> made{};
  for (std::size_t c = 0; c < Channels; ++c)
    for (std::size_t piece = 0; piece < Channels; ++piece)
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t at = Channels * i + c;
        made[c][piece][i] = static_cast<std::uint8_t>(at / 16 == piece ? at % 16 : 0x80);
      }
  return made;
}();
/// Both halves of a register hold 16 pixels each, or a piece of their bytes. (At -O2, g++ 12 keeps them in memory unless it is
/// told to unroll: three times as slow.)
template <std::size_t Channels>
NARROWS_TARGET void split_planes(const std::uint8_t* pixels, std::size_t n, std::uint8_t* planes) noexcept
{
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    vec pieces[Channels], values[Channels];
#  pragma GCC unroll 4
    for (std::size_t k = 0; k < Channels; ++k) {
      const auto* const from = reinterpret_cast<const __m128i*>(pixels + Channels * i) + k;
      pieces[k] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(from)), _mm_loadu_si128(from + Channels), 1);
    }
#  pragma GCC unroll 4
    for (std::size_t c = 0; c < Channels; ++c) {
      values[c] = zero();
#  pragma GCC unroll 4
      for (std::size_t k = 0; k < Channels; ++k) {
        const auto& t = channel_order<Channels>[c][k];
        const vec order = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(t.data())));
        values[c] = either(values[c], _mm256_shuffle_epi8(pieces[k], order));
      }
    }
    if constexpr (Channels >= 3) {
      const vec off = _mm256_xor_si256(values[1], all_bytes(-128));  // less 128
      values[0] = _mm256_sub_epi8(values[0], off);
      values[2] = _mm256_sub_epi8(values[2], off);
    }
#  pragma GCC unroll 4
    for (std::size_t c = 0; c < Channels; ++c) store(planes + c * n + i, values[c]);
  }
  scalar::split_planes_from<Channels>(i, pixels, n, planes);
}

[[nodiscard]] constexpr kernel_set with_predicted(kernel_set t) noexcept
{
  t.split_planes = {scalar::split_planes<1>, split_planes<2>, split_planes<3>, split_planes<4>};
  t.predict_plane = predict_plane;
  t.classes_of = classes_of;
  t.rest_bits = rest_bits;
  t.rest_bits_of_classes = rest_bits_of_classes;
  t.write_rest = write_rest;
  t.read_rest = read_rest;
  return t;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx2

#  undef NARROWS_TARGET
#  undef NARROWS_OP
#endif
