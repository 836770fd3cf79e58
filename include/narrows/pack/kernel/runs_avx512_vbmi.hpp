// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/codecs_avx2.hpp>
#include <narrows/pack/kernel/compress_avx512_vbmi.hpp>
#include <narrows/pack/kernel/fused_avx512_vbmi.hpp>
#include <narrows/pack/kernel/runs_block.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#  include <cstdint>
#  include <cstring>

#  define NARROWS_TARGET [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]]
#  define NARROWS_OP [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt"), gnu::always_inline]] inline

namespace narrows::kernel::avx512_vbmi {
inline namespace NARROWS_FLAGS {

/// The steps of runs_block.hpp, 64 codes or 512 bits of a mask at a time.
struct runs_steps {
  NARROWS_OP static __mmask64 first(std::size_t n) { return first_of_64(n); }
  NARROWS_OP static __m512i ones() { return _mm512_set1_epi8(1); }
  NARROWS_OP static std::uint64_t bits_at(const std::uint8_t* from)
  {
    std::uint64_t bits;
    std::memcpy(&bits, from, 8);
    return bits;
  }
  NARROWS_OP static std::size_t count(std::uint64_t bits) { return static_cast<std::size_t>(_mm_popcnt_u64(bits)); }

  NARROWS_OP static std::size_t split_64(__m512i v, __mmask64 there, std::uint8_t* mask, std::uint8_t* rest)
  {
    const __mmask64 set = _mm512_mask_test_epi8_mask(there, v, v);
    std::memcpy(mask, &set, 8);
    _mm512_storeu_si512(rest, compressed8(set, _mm512_sub_epi8(v, ones())));
    return count(set);
  }
  NARROWS_TARGET static std::size_t split(
    const std::uint8_t* codes, std::size_t n, std::uint8_t* mask, std::uint8_t* rest) noexcept
  {
    std::size_t kept = 0;
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) kept += split_64(_mm512_loadu_si512(codes + i), ~__mmask64{0}, mask + i / 8, rest + kept);
    if (i < n) kept += split_64(_mm512_loadu_si512(codes + i), first(n - i), mask + i / 8, rest + kept);
    return kept;
  }
  NARROWS_TARGET static std::size_t split(
    const std::uint16_t* codes, std::size_t n, std::uint8_t* mask, std::uint16_t* rest) noexcept
  {
    const __m512i one = _mm512_set1_epi16(1);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; i += 64) {
      const __mmask64 there = first(n - i);
      std::uint64_t both = 0;
      for (unsigned half = 0; half < 2; ++half) {
        const __m512i v = _mm512_loadu_si512(codes + i + 32 * half);
        const __mmask32 set = _mm512_mask_test_epi16_mask(static_cast<__mmask32>(there >> (32 * half)), v, v);
        both |= static_cast<std::uint64_t>(set) << (32 * half);
        _mm512_storeu_si512(rest + kept, compressed16(set, _mm512_sub_epi16(v, one)));
        kept += count(set);
      }
      std::memcpy(mask + i / 8, &both, 8);
    }
    return kept;
  }

  static constexpr auto quantize_split = quantize_compress<1>;
  static constexpr auto join_dequantize = expand_dequantize<1>;
  static constexpr auto dequantize = avx512::dequantize<std::uint8_t>;

  NARROWS_TARGET static std::size_t split_heads(
    const std::uint8_t* w, std::size_t n, int low_bits, std::uint8_t* mask, std::uint8_t* rest) noexcept
  {
    const __m128i shift = _mm_cvtsi32_si128(low_bits);
    const __m512i heads = _mm512_set1_epi8(static_cast<char>(0xFF >> low_bits));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; i += 64) {
      const __m512i v = _mm512_and_si512(_mm512_srl_epi16(_mm512_loadu_si512(w + i), shift), heads);
      kept += split_64(v, first(n - i), mask + i / 8, rest + kept);
    }
    return kept;
  }
  NARROWS_TARGET static std::size_t split_heads(
    const std::uint16_t* w, std::size_t n, int low_bits, std::uint8_t* mask, std::uint8_t* rest) noexcept
  {
    const __m128i shift = _mm_cvtsi32_si128(low_bits);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; i += 64) {
      const __m256i low = _mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, _mm512_srl_epi16(_mm512_loadu_si512(w + i), shift));
      const __m256i high = _mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, _mm512_srl_epi16(_mm512_loadu_si512(w + i + 32), shift));
      kept +=
        split_64(_mm512_maskz_inserti64x4(0xFF, _mm512_castsi256_si512(low), high, 1), first(n - i), mask + i / 8, rest + kept);
    }
    return kept;
  }

  /// Each bit XOR the one before it; `before` is what stood before this register.
  NARROWS_OP static __m512i changes(__m512i m, __m512i before)
  {
    const __m512i carried = _mm512_maskz_srli_epi64(0xFF, _mm512_maskz_alignr_epi64(0xFF, m, before, 7), 63);
    return _mm512_xor_si512(m, _mm512_or_si512(_mm512_maskz_slli_epi64(0xFF, m, 1), carried));
  }
  /// The n bits of a mask that start at a multiple of 512.
  NARROWS_OP static __m512i mask_bits(std::size_t n)
  {
    const __m512i word = _mm512_setr_epi64(0, 64, 128, 192, 256, 320, 384, 448);
    const __m512i left = _mm512_subs_epu16(_mm512_set1_epi64(static_cast<long long>(n < 512 ? n : 512)), word);
    return _mm512_sub_epi64(
      _mm512_maskz_sllv_epi64(0xFF, _mm512_set1_epi64(1), left), _mm512_set1_epi64(1));  // 1 << 64 is 0 here
  }
  /// Masks are padded with 0 to words of 64 bits only: what follows in a register is cleared here.
  NARROWS_OP static __m512i load_mask(const std::uint8_t* mask, std::size_t n)
  {
    return _mm512_and_si512(_mm512_loadu_si512(mask), mask_bits(n));
  }

  NARROWS_TARGET static std::size_t put_mask(const std::uint8_t* mask, std::size_t n, std::uint8_t* out, unsigned& form) noexcept
  {
    const std::size_t bytes = plane_bytes(n), which = plane_bytes(bytes);
    __m512i by_changes[runs_block / 512];
    std::uint64_t kept[2][runs_block / 512];
    std::size_t sizes[2] = {which, which};
    __m512i before = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 512) {
      const __m512i m = n - i >= 512 ? _mm512_loadu_si512(mask + i / 8) : load_mask(mask + i / 8, n - i);
      __m512i e = changes(m, before);
      if (n - i < 512) e = _mm512_and_si512(e, mask_bits(n - i));
      before = m;
      by_changes[i / 512] = e;
      kept[0][i / 512] = _mm512_test_epi8_mask(m, m);
      kept[1][i / 512] = _mm512_test_epi8_mask(e, e);
      sizes[0] += count(kept[0][i / 512]);
      sizes[1] += count(kept[1][i / 512]);
    }
    if (sizes[0] >= bytes && sizes[1] >= bytes) {
      form = static_cast<unsigned>(mask_form::raw);
      std::memcpy(out, mask, bytes);
      return bytes;
    }
    const unsigned chosen = sizes[1] < sizes[0] ? 1 : 0;
    form = chosen + 1;
    std::uint8_t* to = out + which;
    for (std::size_t i = 0; i < n; i += 512) {
      const __m512i v = chosen == 1 ? by_changes[i / 512] : _mm512_loadu_si512(mask + i / 8);
      const std::uint64_t set = kept[chosen][i / 512];
      _mm512_storeu_si512(to, compressed8(set, v));
      to += count(set);
    }
    std::memcpy(out, kept[chosen], which);
    return sizes[chosen];
  }

  NARROWS_OP static std::uint8_t* put_planes_64(__m512i v, __mmask64 there, std::size_t bytes, int planes, std::uint8_t* out)
  {
    __m512i bit = ones();
    for (int t = 0; t < planes; ++t) {
      const __mmask64 plane = _mm512_mask_test_epi8_mask(there, v, bit);
      std::memcpy(out, &plane, 8);
      out += bytes;
      bit = _mm512_add_epi8(bit, bit);
    }
    return out;
  }
  NARROWS_TARGET static std::size_t put_planes(const std::uint8_t* values, std::size_t n, int planes, std::uint8_t* out) noexcept
  {
    std::uint8_t* to = out;
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) to = put_planes_64(_mm512_loadu_si512(values + i), ~__mmask64{0}, 8, planes, to);
    if (i < n) to = put_planes_64(_mm512_loadu_si512(values + i), first(n - i), plane_bytes(n - i), planes, to);
    return static_cast<std::size_t>(to - out);
  }
  NARROWS_TARGET static std::size_t put_planes(const std::uint16_t* values, std::size_t n, int planes, std::uint8_t* out) noexcept
  {
    std::uint8_t* to = out;
    for (std::size_t i = 0; i < n; i += 64) {
      const __m512i a = _mm512_loadu_si512(values + i), b = _mm512_loadu_si512(values + i + 32);
      const auto low = _mm512_maskz_inserti64x4(
        0xFF, _mm512_castsi256_si512(_mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, a)), _mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, b), 1);
      const auto high =
        _mm512_maskz_inserti64x4(0xFF, _mm512_castsi256_si512(_mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, _mm512_srli_epi16(a, 8))),
          _mm512_maskz_cvtepi16_epi8(0xFFFFFFFF, _mm512_srli_epi16(b, 8)), 1);
      const std::size_t bytes = plane_bytes(n - i < 64 ? n - i : 64);
      to = put_planes_64(low, first(n - i), bytes, planes < 8 ? planes : 8, to);
      if (planes > 8) to = put_planes_64(high, first(n - i), bytes, planes - 8, to);
    }
    return static_cast<std::size_t>(to - out);
  }

  NARROWS_TARGET static bool take_mask(
    const std::uint8_t* in, std::size_t n, unsigned form, std::uint8_t* mask, std::size_t& bytes) noexcept
  {
    const std::size_t whole = plane_bytes(n), which = plane_bytes(whole);
    const auto padded = [](const std::uint8_t* bits, std::size_t length) {
      return length % 8 != 0 && (bits[length / 8] >> (length % 8)) != 0;
    };
    const std::uint8_t* from = in + which;
    if (form == static_cast<unsigned>(mask_form::raw)) {
      if (padded(in, n)) return false;
      from = in + whole;
      for (std::size_t i = 0; i < n; i += 512)
        _mm512_storeu_si512(mask + i / 8, n - i >= 512 ? _mm512_loadu_si512(in + i / 8) : load_mask(in + i / 8, n - i));
    } else {
      if (padded(in, whole)) return false;
      std::uint64_t top = 0;  // the last bit so far
      for (std::size_t i = 0; i < n; i += 512) {
        const __mmask64 set = bits_at(in + i / 64) & first(whole - i / 8);
        __m512i m = expanded8(set, _mm512_loadu_si512(from));
        from += count(set);
        if (form == static_cast<unsigned>(mask_form::changes)) {
          if (n - i < 512 && _mm512_test_epi64_mask(m, _mm512_maskz_andnot_epi64(0xFF, mask_bits(n - i), m)) != 0) return false;
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 1));
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 2));
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 4));
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 8));
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 16));
          m = _mm512_xor_si512(m, _mm512_maskz_slli_epi64(0xFF, m, 32));
          // Words whose predecessors end on: the same running XOR, of their last bits.
          auto last = static_cast<unsigned>(_mm512_cmplt_epi64_mask(m, _mm512_setzero_si512()));
          last ^= last << 1;
          last ^= last << 2;
          last ^= last << 4;
          const auto flip = static_cast<__mmask8>((last << 1) ^ (0U - static_cast<unsigned>(top)));
          m = _mm512_mask_xor_epi64(m, flip, m, _mm512_set1_epi64(-1));
          top ^= (last >> 7) & 1U;
          if (n - i < 512) m = _mm512_and_si512(m, mask_bits(n - i));
        }
        _mm512_storeu_si512(mask + i / 8, m);
      }
      if (padded(mask, n)) return false;
    }
    bytes = static_cast<std::size_t>(from - in);
    return true;
  }

  NARROWS_TARGET static std::size_t count_ones(const std::uint8_t* mask, std::size_t n) noexcept
  {
    return avx2::count_ones(mask, (n + 63) / 64 * 8);
  }

  NARROWS_OP static __m512i take_planes_64(const std::uint8_t* in, std::size_t bytes, int planes, __m512i base)
  {
    __m512i bit = ones();
    for (int t = 0; t < planes; ++t) {
      base = _mm512_mask_add_epi8(base, bits_at(in), base, bit);
      bit = _mm512_add_epi8(bit, bit);
      in += bytes;
    }
    return base;
  }
  NARROWS_OP static unsigned largest_byte(__m512i v)
  {
    std::uint8_t bytes[64];
    _mm512_storeu_si512(bytes, v);
    unsigned largest = 0;
    for (const unsigned b : bytes) largest = b > largest ? b : largest;
    return largest;
  }
  NARROWS_TARGET static unsigned take_planes(const std::uint8_t* in, std::size_t n, int planes, std::uint8_t* values) noexcept
  {
    __m512i largest = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 64) {
      const std::size_t bytes = plane_bytes(n - i < 64 ? n - i : 64);
      const __m512i v = take_planes_64(in, bytes, planes, _mm512_setzero_si512());
      largest = _mm512_mask_max_epu8(largest, first(n - i), largest, v);
      _mm512_storeu_si512(values + i, v);
      in += static_cast<std::size_t>(planes) * bytes;
    }
    return largest_byte(largest);
  }
  /// Low bytes and high bytes as one.
  NARROWS_OP static __m512i words_of(__m512i low, __m512i high, int half)
  {
    const __m256i l = half == 0 ? _mm512_maskz_extracti64x4_epi64(0xF, low, 0) : _mm512_maskz_extracti64x4_epi64(0xF, low, 1);
    const __m256i h = half == 0 ? _mm512_maskz_extracti64x4_epi64(0xF, high, 0) : _mm512_maskz_extracti64x4_epi64(0xF, high, 1);
    return _mm512_or_si512(
      _mm512_maskz_cvtepu8_epi16(0xFFFFFFFF, l), _mm512_slli_epi16(_mm512_maskz_cvtepu8_epi16(0xFFFFFFFF, h), 8));
  }
  NARROWS_TARGET static unsigned take_planes(const std::uint8_t* in, std::size_t n, int planes, std::uint16_t* values) noexcept
  {
    for (std::size_t i = 0; i < n; i += 64) {
      const std::size_t bytes = plane_bytes(n - i < 64 ? n - i : 64);
      const int low_planes = planes < 8 ? planes : 8;
      const __m512i low = take_planes_64(in, bytes, low_planes, _mm512_setzero_si512());
      const __m512i high = take_planes_64(in + 8 * bytes, bytes, planes - low_planes, _mm512_setzero_si512());
      _mm512_storeu_si512(values + i, words_of(low, high, 0));
      _mm512_storeu_si512(values + i + 32, words_of(low, high, 1));
      in += static_cast<std::size_t>(planes) * bytes;
    }
    return 0;  // planes of 16-bit codes are never checked: all their values are codes
  }

  NARROWS_TARGET static void join(const std::uint8_t* mask, std::size_t n, std::uint8_t* rest, std::uint8_t* values) noexcept
  {
    for (std::size_t i = 0; i < n; i += 64) {
      const __mmask64 set = bits_at(mask + i / 8);
      _mm512_storeu_si512(values + i, expanded8(set, _mm512_add_epi8(_mm512_loadu_si512(rest), ones())));
      rest += count(set);
    }
  }
  NARROWS_TARGET static void join(const std::uint8_t* mask, std::size_t n, std::uint16_t* rest, std::uint16_t* values) noexcept
  {
    const __m512i one = _mm512_set1_epi16(1);
    for (std::size_t i = 0; i < n; i += 32) {
      std::uint32_t set;
      std::memcpy(&set, mask + i / 8, 4);
      _mm512_storeu_si512(values + i, expanded16(set, _mm512_add_epi16(_mm512_loadu_si512(rest), one)));
      rest += count(set);
    }
  }

  NARROWS_TARGET static std::uint32_t join_heads(
    const std::uint8_t* in, const std::uint8_t* heads, std::size_t n, int low_bits, std::uint8_t* w) noexcept
  {
    const __m128i shift = _mm_cvtsi32_si128(low_bits);
    const __m512i held = _mm512_set1_epi8(static_cast<char>(0xFF << low_bits));
    __m512i largest = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 64) {
      const std::size_t bytes = plane_bytes(n - i < 64 ? n - i : 64);
      const __m512i base = _mm512_and_si512(_mm512_sll_epi16(_mm512_loadu_si512(heads + i), shift), held);
      const __m512i v = take_planes_64(in, bytes, low_bits, base);
      largest = _mm512_mask_max_epu8(largest, first(n - i), largest, v);
      _mm512_storeu_si512(w + i, v);
      in += static_cast<std::size_t>(low_bits) * bytes;
    }
    return largest_byte(largest);
  }
  NARROWS_TARGET static std::uint32_t join_heads(
    const std::uint8_t* in, const std::uint8_t* heads, std::size_t n, int low_bits, std::uint16_t* w) noexcept
  {
    take_planes(in, n, low_bits, w);
    const __m128i shift = _mm_cvtsi32_si128(low_bits);
    __m512i largest = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 32) {
      const __m512i head =
        _mm512_maskz_cvtepu8_epi16(0xFFFFFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(heads + i)));
      const __m512i v = _mm512_or_si512(_mm512_sll_epi16(head, shift), _mm512_loadu_si512(w + i));
      largest = _mm512_mask_max_epu16(largest, static_cast<__mmask32>(first(n - i)), largest, v);
      _mm512_storeu_si512(w + i, v);
    }
    std::uint16_t words[32];
    _mm512_storeu_si512(words, largest);
    std::uint32_t most = 0;
    for (const std::uint32_t word : words) most = word > most ? word : most;
    return most;
  }
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512_vbmi

#  undef NARROWS_TARGET
#  undef NARROWS_OP
#endif
