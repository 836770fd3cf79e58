// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/avx512.hpp>

#if defined(__x86_64__)

#  include <cstddef>
#  include <cstdint>

#  define NARROWS_TARGET [[gnu::target("avx512f,avx512bw")]]
#  define NARROWS_OP [[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline

/// Blocks of several scales and one zero, packed and unpacked in one pass: a lane finds its scale in two registers, of 16 scales each, by
/// the number of its group. That is one instruction per register of values. (Zeros of their own would cost one more, and adding them as
/// words a third: that is quicker than codes at 7x7 planes alone.)
namespace narrows::kernel::avx512 {
inline namespace NARROWS_FLAGS {

inline constexpr std::size_t block_registers = block_values / floats;
static_assert(sizeof(affine) == 8 && offsetof(affine, scale) == 0 && offsetof(affine, zero) == 4);   // they are read by registers

/// The scales, or their inverses, of 32 groups, and for each lane of a block the number of its own.
struct lane_scales {
  const std::int32_t* numbers;
  vecf low, high;
};

/// Those of the registers of a row. (Not a type for each row: a compiler would take a third longer.)
struct row_scales {
  const std::int32_t* numbers;
  const vecf &low, &high;
  NARROWS_OP row_scales(const lane_scales& block, std::size_t first) : numbers(block.numbers + first), low(block.low), high(block.high) {}
  template <int Part>
  NARROWS_OP vecf of() const
  {
    return _mm512_permutex2var_ps(low, _mm512_load_si512(numbers + Part * floats), high);
  }
};

/// The lane_scales of block after block, in groups of `inner` values.
///
/// Short groups begin anew with a register after each 16, so that inner + 31 registers of numbers have those of every block. A block of
/// long ones has one border at most: of numbers that are all 0 and then all 16 the block's begin where that puts the border.
template <bool Inverse>
class block_scales {
public:
  /// Whether it pays, the numbers being written first, and very long groups being as quick by themselves.
  [[nodiscard]] static constexpr bool serves(std::size_t inner, std::size_t first, std::size_t n) noexcept
  {
    if (first % floats != 0 || inner < block_registers || inner > longest_long) return false;
    return inner <= longest_short ? n >= 128 * (inner + block_registers) : inner >= block_values && n >= 16 * block_values;
  }
  NARROWS_OP block_scales(const level_map& of, std::size_t first, lane_scales& to) : of_(of), short_(of.inner <= longest_short)
  {
    if (short_) {
      const std::size_t end = (of.inner + block_registers) * floats;
      for (std::size_t g = 0, v = 0; v < end; ++g, v = g * of.inner)
        for (const std::size_t border = v + of.inner; v < border && v < end; v += floats) number(v, static_cast<int>(g));
      group_ = first / (of.inner * floats) * floats % of.count;
      at_ = first % (of.inner * floats) / floats;
    } else {
      for (std::size_t r = 0; r < block_registers; ++r) {
        number(r * floats, 0);
        number((block_registers + 1 + r) * floats, floats);
      }
      group_ = first / of.inner % of.count;
      at_ = of.inner - first % of.inner;
    }
    take();
    to.high = next_;
    take();
    pass(to);
  }
  NARROWS_OP void next_block(lane_scales& to)
  {
    if (short_) {
      if (at_ >= of_.inner) {
        at_ -= of_.inner;
        pass(to);
      }
      to.numbers = numbers_ + at_ * floats;
      at_ += block_registers;
      return;
    }
    if (border_) pass(to);
    border_ = at_ <= block_values;
    if (!border_) {
      to.numbers = numbers_;
      at_ -= block_values;
      return;
    }
    const auto later = lanes_from(static_cast<int>(at_ % floats));
    _mm512_store_si512(numbers_ + block_values, _mm512_maskz_mov_epi32(later, all_ints(floats)));
    to.numbers = numbers_ + (block_registers - at_ / floats) * floats;
    at_ = of_.inner - (block_values - at_);
  }
  /// Whether the block's values have all the same, the low ones.
  NARROWS_OP bool one_scale() const { return !short_ && !border_; }

private:
  static constexpr std::size_t longest_short = 256;   // 18 KiB of numbers stay in the first cache
  static constexpr std::size_t longest_long = 64 * block_values;

  NARROWS_OP void number(std::size_t at, int group) { _mm512_storeu_si512(numbers_ + at, all_ints(group)); }

  /// What was high is low from now on. What becomes high was made the last time, since all that follows waits for it.
  NARROWS_OP void pass(lane_scales& to)
  {
    to.low = to.high;
    to.high = next_;
    take();
  }
  /// The next groups: 16, or one for every lane.
  NARROWS_OP void take()
  {
    if (!short_) {
      const float scale = of_.scales[group_].scale;
      next_ = all_floats(Inverse ? 1.0F / scale : scale);
      group_ = group_ + 1 == of_.count ? 0 : group_ + 1;
    } else if (of_.count - group_ > floats) {
      set_next(of_.scales + group_);
      group_ += floats;
    } else {
      affine some[floats];
      for (affine& a : some) {
        a = of_.scales[group_];
        group_ = group_ + 1 == of_.count ? 0 : group_ + 1;
      }
      set_next(some);
    }
  }
  NARROWS_OP void set_next(const affine* some)
  {
    const vec even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const vecf scales = as_floats(_mm512_permutex2var_epi32(_mm512_loadu_si512(some), even, _mm512_loadu_si512(some + floats / 2)));
    next_ = Inverse ? _mm512_div_ps(all_floats(1), scales) : scales;
  }

  level_map of_;
  bool short_;
  bool border_ = false;   // long groups: the block before has one, or ends with one
  std::size_t group_;     // the one that is taken next
  std::size_t at_;        // short groups: the register of numbers that the next block begins with; long ones: values until the border
  vecf next_;
  alignas(64) std::int32_t numbers_[(longest_short + block_registers + 1) * floats];
};

/// Levels of any zero: that 0 has none of its own costs next to nothing beside the scales, and a compiler half the time.
using scaled_levels = fetched<quick_levels<true>>;

/// As float_rows.
template <int Bits>
struct scaled_rows {
  const float* from;
  const lane_scales& scales;
  const scaled_levels& levels;
  template <int Row>
  NARROWS_OP vec row() const
  {
    const float* const x = from + Row * block_lanes(Bits);
    if (levels.ahead) fetch_lines_ahead<vec_lanes<Bits>>(x);
    const quick_levels<true, row_scales> by(levels, {scales, Row * block_lanes(Bits)});
    if constexpr (Bits <= 8) return quantize8<Bits>(x, by);
    else return quantize16<Bits>(x, by);
  }
  NARROWS_OP void put(std::uint8_t* to, vec word) const { put_words<Bits>(to, word); }
};

/// Whether the groups of values [first, first + n) have all the zero `one`.
NARROWS_TARGET inline bool have_zero(const level_map& of, std::size_t first, std::size_t n, std::int32_t one) noexcept
{
  const std::size_t begin = first / of.inner % of.count;
  const std::size_t groups = (first % of.inner + n - 1) / of.inner + 1;
  const std::size_t end = begin + (groups < of.count ? groups : of.count);
  const vec expected = _mm512_set1_epi64(static_cast<long long>(static_cast<std::uint64_t>(static_cast<std::uint32_t>(one)) << 32));
  constexpr std::size_t some = vec_bytes / sizeof(affine);
  vec differ = zero();
  for (std::size_t g = begin; g < end;) {
    // Up to where the list begins anew.
    const std::size_t at = g < of.count ? g : g - of.count;
    const std::size_t last = g < of.count && end > of.count ? of.count : end;
    const auto there = static_cast<__mmask8>(last - g < some ? (1U << (last - g)) - 1 : 0xFFU);
    differ = either(differ, _mm512_maskz_xor_epi64(there, _mm512_maskz_loadu_epi64(there, of.scales + at), expected));
    g = last - g < some ? last : g + some;
  }
  return _mm512_mask_test_epi32_mask(0xAAAA, differ, differ) == 0;   // zeros are the odd ones
}

template <int Bits>
NARROWS_TARGET std::size_t quantize_pack_each(
  const float* x, std::size_t first, std::size_t n, const level_map& of, std::uint8_t* out) noexcept
{
  n = n / block_values * block_values;
  if (!block_scales<true>::serves(of.inner, first, n)) return 0;
  const affine& a = of.scales[first / of.inner % of.count];
  if (!quick_zero<Bits>(a.zero) || !have_zero(of, first, n, a.zero)) return 0;
  scaled_levels levels(quantizer(a, Bits));
  lane_scales here;
  block_scales<true> scales(of, first, here);
  for (std::size_t i = 0; i < n;) {
    const std::size_t end = n - i < quick_values ? n : i + quick_values;
    invalid_flag flag;
    for (std::size_t j = i; j < end; j += block_values, out += block_bytes(Bits)) {
      scales.next_block(here);
      if (scales.one_scale()) {
        levels.scales.inverse = here.low;
        pack_rows<Bits>(float_rows<Bits, scaled_levels>{full_block<Bits>(x + j), 0, levels}, out, all_rows<Bits>);
      } else {
        pack_rows<Bits>(scaled_rows<Bits>{x + j, here, levels}, out, all_rows<Bits>);
      }
    }
    if (flag.raised()) return i;
    i = end;
  }
  return n;
}

/// As `values`, of a row.
struct scaled_values {
  static constexpr int second_byte = values<false>::second_byte;
  const values<false>& zeros;
  row_scales scales;
  template <int Part, int S>
  NARROWS_OP void put(float* to, vecf raised) const
  {
    store_float(to + Part * floats, product(zeros.code<S>(raised), scales.of<Part>()));
  }
};

/// As float_sink.
template <int Bits>
struct scaled_sink {
  float* to;
  const lane_scales& scales;
  const values<false>& zeros;
  static constexpr bool masks = masks_fields && Bits <= 8;
  NARROWS_OP vec get(const std::uint8_t* from) const { return get_words<Bits>(from); }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    const scaled_values by{zeros, {scales, Row * block_lanes(Bits)}};
    if constexpr (Bits <= 8) dequantize8<Bits>(code, by, to + Row * block_lanes(Bits));
    else dequantize16(code, by, to + Row * block_lanes(Bits));
  }
};

template <int Bits>
NARROWS_TARGET std::size_t unpack_dequantize_each(
  const std::uint8_t* packed, std::size_t first, std::size_t n, const level_map& of, float* out) noexcept
{
  n = n / block_values * block_values;
  if (!block_scales<false>::serves(of.inner, first, n)) return 0;
  const affine& a = of.scales[first / of.inner % of.count];
  if (!have_zero(of, first, n, a.zero)) return 0;
  values<false> zeros(a);
  lane_scales here;
  block_scales<false> scales(of, first, here);
  for (std::size_t i = 0; i < n; i += block_values, packed += block_bytes(Bits)) {
    scales.next_block(here);
    if (scales.one_scale()) {
      zeros.scale = here.low;
      unpack_rows<Bits>(float_sink<Bits, values<false>>{full_block<Bits>(out + i), 0, zeros}, packed, all_rows<Bits>);
    } else {
      unpack_rows<Bits>(scaled_sink<Bits>{out + i, here, zeros}, packed, all_rows<Bits>);
    }
  }
  return n;
}

/// As `kernels`, and these.
struct kernels_of_scales : kernels {
  template <int Bits>
  static constexpr auto quantize_pack_each_of = quantize_pack_each<Bits>;
  template <int Bits>
  static constexpr auto unpack_dequantize_each_of = unpack_dequantize_each<Bits>;
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512

#  undef NARROWS_TARGET
#  undef NARROWS_OP
#endif
