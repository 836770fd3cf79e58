// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/avx2.hpp>
#include <narrows/pack/kernel/codecs_scalar.hpp>
#include <narrows/pack/kernel/compress_table.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/predicted_avx2.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstdint>
#include <cstring>

#define NARROWS_TARGET [[gnu::target("avx2,fma,popcnt")]]
#define NARROWS_OP [[gnu::target("avx2,fma,popcnt"), gnu::always_inline]] inline

/// What the codecs sparse, runs and predicted have of AVX2.
namespace narrows::kernel::avx2 {
inline namespace NARROWS_FLAGS {

/// Eight codes at a time through a table of byte shuffles; what is written beyond the count lies within the n codes.
NARROWS_TARGET inline std::size_t compress_u8(const std::uint8_t* codes, std::size_t n, std::uint8_t* mask,
                                              std::uint8_t* nonzero) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const vec zeros = _mm256_cmpeq_epi8(load(codes + i), zero());
    const auto bits = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(zeros));
    std::memcpy(mask + i / 8, &bits, 4);
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint32_t byte = (bits >> (8 * k)) & 0xFF;
      const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i + 8 * k));
      const __m128i order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(gather_nonzero[byte].data()));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(nonzero + count), _mm_shuffle_epi8(eight, order));
      count += static_cast<std::size_t>(_mm_popcnt_u32(byte));
    }
  }
  return count + scalar::compress(codes + i, n - i, mask + i / 8, nonzero + count);
}

NARROWS_TARGET inline std::size_t expand_u8(const std::uint8_t* mask, std::size_t n, const std::uint8_t* nonzero,
                                            std::uint8_t* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const std::uint8_t byte = mask[i / 8];
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(nonzero + count));
    const __m128i order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scatter_nonzero[byte].data()));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + i), _mm_shuffle_epi8(eight, order));
    count += static_cast<std::size_t>(_mm_popcnt_u32(byte));
  }
  return count + scalar::expand(mask + i / 8, n - i, nonzero + count, codes + i);
}

NARROWS_OP std::size_t count(std::uint64_t word) { return static_cast<std::size_t>(_mm_popcnt_u64(word)); }
NARROWS_TARGET inline std::size_t count_ones(const std::uint8_t* bytes, std::size_t n) noexcept
{
  std::size_t ones = 0;
  std::size_t i = 0;
  // Four in a round, of which CPUs count up to four per cycle.
  for (; i + 32 <= n; i += 32)
    ones += count(scalar::load_word(bytes + i)) + count(scalar::load_word(bytes + i + 8)) + count(scalar::load_word(bytes + i + 16)) +
            count(scalar::load_word(bytes + i + 24));
  for (; i + 8 <= n; i += 8) ones += count(scalar::load_word(bytes + i));
  for (; i < n; ++i) ones += count(bytes[i]);
  return ones;
}
NARROWS_OP std::uint64_t signs_of_64(vec first, vec second)
{
  const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(first));
  const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(second));
  return low | static_cast<std::uint64_t>(high) << 32;
}
NARROWS_OP std::uint64_t nonzero_of_64(const std::uint8_t* bytes)
{
  return ~signs_of_64(_mm256_cmpeq_epi8(load(bytes), zero()), _mm256_cmpeq_epi8(load(bytes + 32), zero()));
}
NARROWS_OP std::uint64_t plane_of_64(const std::uint8_t* bytes, int t)
{
  const __m128i up = _mm_cvtsi32_si128(7 - t);
  return signs_of_64(_mm256_sll_epi16(load(bytes), up), _mm256_sll_epi16(load(bytes + 32), up));
}
NARROWS_OP void add_plane_64(std::uint8_t* bytes, std::uint64_t bits, int t)
{
  const vec each = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201U));   // bit k of a byte for value k of its eight
  const vec to = _mm256_set1_epi8(static_cast<char>(1 << t));
  const vec all = _mm256_set1_epi64x(static_cast<long long>(bits));
  const vec from = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const vec low = _mm256_shuffle_epi8(all, from);
  const vec high = _mm256_shuffle_epi8(all, _mm256_add_epi8(from, _mm256_set1_epi8(4)));
  store(bytes, either(load(bytes), both(to, _mm256_cmpeq_epi8(both(low, each), each))));
  store(bytes + 32, either(load(bytes + 32), both(to, _mm256_cmpeq_epi8(both(high, each), each))));
}
#include <narrows/pack/kernel/runs_body.hpp>

[[nodiscard]] constexpr kernel_set with_codecs(kernel_set t) noexcept
{
  t = scalar::with_codecs(t);
  t.compress_u8 = compress_u8;
  t.expand_u8 = expand_u8;
  t.count_ones = count_ones;
  t = with_predicted(t);
  return with_runs<runs_steps>(t);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx2

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
