// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/avx512.hpp>
#include <narrows/pack/kernel/compress_avx512_vbmi.hpp>
#include <narrows/pack/kernel/fetch_ahead.hpp>
#include <narrows/pack/kernel/invalid_flag.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#  include <cstddef>
#  include <cstdint>
#  include <cstring>

#  define NARROWS_TARGET [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]]
#  define NARROWS_OP [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt"), gnu::always_inline]] inline

/// Floats to a mask and the codes that are not 0, and back, for codes of up to 8 bits: what sparse and runs begin and end with.
/// One pass, so that codes never leave registers and, in large outputs, memory has something to do all the time.
namespace narrows::kernel::avx512_vbmi {
inline namespace NARROWS_FLAGS {

/// The first n of 64 bits, n > 0; all of them from 64 on.
NARROWS_OP __mmask64 first_of_64(std::size_t n) { return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }
NARROWS_OP std::size_t count_of(__mmask64 bits) { return static_cast<std::size_t>(_mm_popcnt_u64(bits)); }

template <int Less, class Levels>
NARROWS_OP std::size_t compress_64(const float* x, __mmask64 there, Levels& by, __mmask64& set, std::uint8_t* rest)
{
  const __m512i codes = avx512::transpose_pieces(avx512::quantize8<any_width>(x, by));
  set = _mm512_mask_test_epi8_mask(there, codes, codes);
  const __m512i less = Less == 0 ? codes : _mm512_sub_epi8(codes, _mm512_set1_epi8(Less));
  _mm512_storeu_si512(rest, compressed8(set, less));
  return count_of(set);
}

template <int Less, class Levels>
NARROWS_OP std::size_t compress_values(const float* x, std::size_t n, Levels& by, std::uint8_t* mask, std::uint8_t* rest)
{
  const bool ahead = fetching_ahead_pays();
  std::size_t count = 0;
  std::size_t i = 0;
  __mmask64 set;
  for (; i + 64 <= n; i += 64) {
    if (ahead) fetch_lines_ahead<64>(x + i);
    count += compress_64<Less>(x + i, ~__mmask64{0}, by, set, rest + count);
    std::memcpy(mask + i / 8, &set, 8);
  }
  if (i == n) return count;
  float last[64]{};
  std::memcpy(last, x + i, (n - i) * sizeof(float));
  count += compress_64<Less>(last, first_of_64(n - i), by, set, rest + count);
  std::memcpy(mask + i / 8, &set, (n - i + 7) / 8);
  return count;
}

/// As in kernel_set, quantize_compress; the codes that are not 0 less `Less`.
template <int Less>
NARROWS_TARGET bool quantize_compress(
  const float* x, std::size_t n, const quantizer& q, std::uint8_t* mask, std::uint8_t* rest, std::size_t& count) noexcept
{
  {
    invalid_flag flag;
    if (q.zero == 0) {
      avx512::quick_levels<false> by(q);
      count = compress_values<Less>(x, n, by, mask, rest);
    } else {
      avx512::quick_levels<true> by(q);
      count = compress_values<Less>(x, n, by, mask, rest);
    }
    if (!flag.raised()) return true;
  }
  avx512::levels careful(q);
  count = compress_values<Less>(x, n, careful, mask, rest);
  return careful.all_finite();
}

template <int More>
NARROWS_OP __m512i expand_64(__mmask64 set, const std::uint8_t* rest)
{
  const __m512i v = _mm512_loadu_si512(rest);
  return expanded8(set, More == 0 ? v : _mm512_add_epi8(v, _mm512_set1_epi8(More)));
}

template <int More, bool Stream>
NARROWS_OP std::size_t expand_values(
  const std::uint8_t* mask, std::size_t n, const std::uint8_t* rest, const affine& a, float* out)
{
  const avx512::values<Stream> by(a);
  std::size_t count = 0;
  std::size_t i = 0;
  __mmask64 set;
  for (; i + 64 <= n; i += 64) {
    std::memcpy(&set, mask + i / 8, 8);
    avx512::dequantize8<8>(avx512::in_lanes8(expand_64<More>(set, rest + count)), by, out + i);
    count += count_of(set);
  }
  if (i == n) return count;
  set = 0;
  std::memcpy(&set, mask + i / 8, (n - i + 7) / 8);
  set &= first_of_64(n - i);
  float last[64];
  avx512::dequantize8<8>(avx512::in_lanes8(expand_64<More>(set, rest + count)), avx512::values<false>(a), last);
  std::memcpy(out + i, last, (n - i) * sizeof(float));
  return count + count_of(set);
}

/// As in kernel_set, expand_dequantize; `rest` holds the codes less `More`.
template <int More>
NARROWS_TARGET std::size_t expand_dequantize(
  const std::uint8_t* mask, std::size_t n, const std::uint8_t* rest, const affine& a, float* out, bool stream) noexcept
{
  if (stream && avx512::on_line_border(out)) return expand_values<More, true>(mask, n, rest, a, out);
  return expand_values<More, false>(mask, n, rest, a, out);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512_vbmi

#  undef NARROWS_TARGET
#  undef NARROWS_OP
#endif
