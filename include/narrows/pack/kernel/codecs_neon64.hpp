// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/codecs_scalar.hpp>
#include <narrows/pack/kernel/compress_table.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/neon64.hpp>
#include <narrows/pack/kernel/target.hpp>

#if defined(__AARCH64EL__)

#include <arm_neon.h>

#include <cstdint>

#define NARROWS_TARGET
#define NARROWS_OP [[gnu::always_inline]] inline

/// What the codecs sparse and runs have of NEON.
namespace narrows::kernel::neon64 {
inline namespace NARROWS_FLAGS {

/// Eight codes at a time through a table of byte shuffles; what is written beyond the count lies within the n codes.
inline std::size_t compress_u8(const std::uint8_t* codes, std::size_t n, std::uint8_t* mask, std::uint8_t* nonzero) noexcept
{
  constexpr std::uint8_t weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x8_t weight = vld1_u8(weights);
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const uint8x8_t eight = vld1_u8(codes + i);
    const uint8x8_t set = vand_u8(vtst_u8(eight, eight), weight);
    const std::uint8_t byte = vaddv_u8(set);
    mask[i / 8] = byte;
    vst1_u8(nonzero + count, vtbl1_u8(eight, vld1_u8(gather_nonzero[byte].data())));
    count += vaddv_u8(vcnt_u8(set));
  }
  return count + scalar::compress(codes + i, n - i, mask + i / 8, nonzero + count);
}

inline std::size_t expand_u8(const std::uint8_t* mask, std::size_t n, const std::uint8_t* nonzero,
                             std::uint8_t* codes) noexcept
{
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const std::uint8_t byte = mask[i / 8];
    vst1_u8(codes + i, vtbl1_u8(vld1_u8(nonzero + count), vld1_u8(scatter_nonzero[byte].data())));
    count += vaddv_u8(vcnt_u8(vcreate_u8(byte)));
  }
  return count + scalar::expand(mask + i / 8, n - i, nonzero + count, codes + i);
}

NARROWS_OP std::size_t count(std::uint64_t word) { return vaddv_u8(vcnt_u8(vcreate_u8(word))); }
/// Bit i: whether byte i of four registers is all ones; the others are 0.
NARROWS_OP std::uint64_t gather_64(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
  const uint8x16_t each = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
  const uint8x16_t ab = vpaddq_u8(vandq_u8(a, each), vandq_u8(b, each));
  const uint8x16_t cd = vpaddq_u8(vandq_u8(c, each), vandq_u8(d, each));
  const uint8x16_t all = vpaddq_u8(ab, cd);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}
NARROWS_OP std::uint64_t bits_of_64(const std::uint8_t* bytes, uint8x16_t tested)
{
  return gather_64(vtstq_u8(load(bytes), tested), vtstq_u8(load(bytes + 16), tested), vtstq_u8(load(bytes + 32), tested),
                   vtstq_u8(load(bytes + 48), tested));
}
NARROWS_OP std::uint64_t nonzero_of_64(const std::uint8_t* bytes) { return bits_of_64(bytes, vdupq_n_u8(0xFF)); }
NARROWS_OP std::uint64_t plane_of_64(const std::uint8_t* bytes, int t)
{
  return bits_of_64(bytes, vdupq_n_u8(static_cast<std::uint8_t>(1 << t)));
}
NARROWS_OP void add_plane_64(std::uint8_t* bytes, std::uint64_t bits, int t)
{
  const uint8x16_t each = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
  const uint8x16_t to = vdupq_n_u8(static_cast<std::uint8_t>(1 << t));
  const uint8x16_t all = vreinterpretq_u8_u64(vdupq_n_u64(bits));
  for (std::uint8_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<std::uint8_t>(2 * i);
    const uint8x16_t from = vcombine_u8(vdup_n_u8(byte), vdup_n_u8(static_cast<std::uint8_t>(byte + 1)));
    const uint8x16_t set = vandq_u8(vtstq_u8(vqtbl1q_u8(all, from), each), to);
    store(bytes + 16 * i, vorrq_u8(load(bytes + 16 * i), set));
  }
}
#include <narrows/pack/kernel/runs_body.hpp>

[[nodiscard]] constexpr kernel_set with_codecs(kernel_set t) noexcept
{
  t = scalar::with_codecs(t);
  t.compress_u8 = compress_u8;
  t.expand_u8 = expand_u8;
  return with_runs<runs_steps>(t);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::neon64

#undef NARROWS_TARGET
#undef NARROWS_OP
#endif
