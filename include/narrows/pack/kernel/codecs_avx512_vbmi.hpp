// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/codecs_avx2.hpp>
#include <narrows/pack/kernel/compress_avx512_vbmi.hpp>
#include <narrows/pack/kernel/fused_avx512_vbmi.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/rans_avx512_vbmi.hpp>
#include <narrows/pack/kernel/runs_avx512_vbmi.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

#include <cstring>

#define NARROWS_TARGET [[gnu::target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]]

/// AVX-512 with VBMI2: byte compress and expand for the codecs. Blocks are packed as avx512 does.
namespace narrows::kernel::avx512_vbmi {
inline namespace NARROWS_FLAGS {

// Compressed into a register and stored whole (what lies beyond the count lies within the n codes): the compress to
// memory is microcode on some CPUs.
NARROWS_TARGET inline std::size_t compress_u8(const std::uint8_t* codes, std::size_t n, std::uint8_t* mask,
                                              std::uint8_t* nonzero) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i v = _mm512_loadu_si512(codes + i);
    const __mmask64 set = _mm512_test_epi8_mask(v, v);
    std::memcpy(mask + i / 8, &set, 8);
    _mm512_storeu_si512(nonzero + count, compressed8(set, v));
    count += static_cast<std::size_t>(_mm_popcnt_u64(set));
  }
  return count + scalar::compress(codes + i, n - i, mask + i / 8, nonzero + count);
}

NARROWS_TARGET inline std::size_t compress_u16(const std::uint16_t* codes, std::size_t n, std::uint8_t* mask,
                                               std::uint16_t* nonzero) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512i v = _mm512_loadu_si512(codes + i);
    const __mmask32 set = _mm512_test_epi16_mask(v, v);
    std::memcpy(mask + i / 8, &set, 4);
    _mm512_storeu_si512(nonzero + count, compressed16(set, v));
    count += static_cast<std::size_t>(_mm_popcnt_u32(set));
  }
  return count + scalar::compress(codes + i, n - i, mask + i / 8, nonzero + count);
}

NARROWS_TARGET inline std::size_t expand_u8(const std::uint8_t* mask, std::size_t n, const std::uint8_t* nonzero,
                                            std::uint8_t* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    __mmask64 set;
    std::memcpy(&set, mask + i / 8, 8);
    _mm512_storeu_si512(codes + i, expanded8(set, _mm512_loadu_si512(nonzero + count)));
    count += static_cast<std::size_t>(_mm_popcnt_u64(set));
  }
  return count + scalar::expand(mask + i / 8, n - i, nonzero + count, codes + i);
}

NARROWS_TARGET inline std::size_t expand_u16(const std::uint8_t* mask, std::size_t n, const std::uint16_t* nonzero,
                                             std::uint16_t* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    __mmask32 set;
    std::memcpy(&set, mask + i / 8, 4);
    _mm512_storeu_si512(codes + i, expanded16(set, _mm512_loadu_si512(nonzero + count)));
    count += static_cast<std::size_t>(_mm_popcnt_u32(set));
  }
  return count + scalar::expand(mask + i / 8, n - i, nonzero + count, codes + i);
}

[[nodiscard]] constexpr kernel_set with_codecs(kernel_set t) noexcept
{
  t = avx2::with_codecs(t);
  t.compress_u8 = compress_u8;
  t.compress_u16 = compress_u16;
  t.expand_u8 = expand_u8;
  t.expand_u16 = expand_u16;
  t.quantize_compress = quantize_compress<0>;
  t.expand_dequantize = expand_dequantize<0>;
  t.rans_encode = rans_encode;
  t.rans_decode = rans_decode;
  return with_runs<runs_steps>(t);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::avx512_vbmi

#undef NARROWS_TARGET
#endif
