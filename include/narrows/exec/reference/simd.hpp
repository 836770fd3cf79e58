// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <xsimd/xsimd.hpp>

#include <narrows/exec/reference/isa.hpp>

/// Before a loop of few steps, known to the compiler, over registers: without it they would live in memory.
#if defined(__clang__)
#  define NARROWS_EXEC_UNROLLED _Pragma("unroll")
#else
#  define NARROWS_EXEC_UNROLLED _Pragma("GCC unroll 16")
#endif

/// The few vector operations that the executor is made of, each with the same bits on every instruction set for
/// every input. xsimd supplies them wherever its definition is that strict; its `/` and `sqrt` on NEON are estimates
/// and its min/max follow the hardware's view of NaN and -0, so those are spelt out here. For AVX-512, intrinsics are
/// taken in their masked form (all lanes): the plain ones warn of an uninitialised '__Y' in g++ 12 (GCC bug 105593).
namespace narrows::exec::inline NARROWS_EXEC_ISA {

using vec = xsimd::batch<float>;
using int_vec = xsimd::batch<std::int32_t>;
inline constexpr std::size_t lanes = vec::size;

[[nodiscard, gnu::always_inline]] inline vec load(const float* p) noexcept { return vec::load_unaligned(p); }
[[gnu::always_inline]] inline void store(float* p, const vec& v) noexcept { v.store_unaligned(p); }

/// a * b + c, rounded once where the hardware has it.
[[nodiscard, gnu::always_inline]] inline vec madd(const vec& a, const vec& b, const vec& c) noexcept
{
#if defined(__aarch64__)
  return vec(vfmaq_f32(c, a, b));
#elif defined(__AVX512F__)
  return vec(_mm512_fmadd_ps(a, b, c));  // xsimd 8.1 has no fma for AVX-512: its own rounds twice
#else
  return xsimd::fma(a, b, c);
#endif
}
template <class Float>
[[nodiscard, gnu::always_inline]] inline Float madd_one(Float a, Float b, Float c) noexcept
{
  if constexpr (fused) return std::fma(a, b, c);
  else return a * b + c;
}

/// a > b ? a : b in each lane: the second where either is NaN, as x86's own maximum.
[[nodiscard, gnu::always_inline]] inline vec larger(const vec& a, const vec& b) noexcept
{
#if defined(__aarch64__)
  return vec(vbslq_f32(vcgtq_f32(a, b), a, b));
#elif defined(__AVX512F__)
  return vec(_mm512_mask_max_ps(a, 0xFFFF, a, b));
#else
  return xsimd::max(a, b);
#endif
}
/// a < b ? a : b in each lane.
[[nodiscard, gnu::always_inline]] inline vec smaller(const vec& a, const vec& b) noexcept
{
#if defined(__aarch64__)
  return vec(vbslq_f32(vcltq_f32(a, b), a, b));
#elif defined(__AVX512F__)
  return vec(_mm512_mask_min_ps(a, 0xFFFF, a, b));
#else
  return xsimd::min(a, b);
#endif
}
[[nodiscard, gnu::always_inline]] inline vec divide(const vec& a, const vec& b) noexcept
{
#if defined(__aarch64__)
  return vec(vdivq_f32(a, b));
#else
  return a / b;
#endif
}
[[nodiscard, gnu::always_inline]] inline vec square_root(const vec& a) noexcept
{
#if defined(__aarch64__)
  return vec(vsqrtq_f32(a));
#elif defined(__AVX512F__)
  return vec(_mm512_maskz_sqrt_ps(0xFFFF, a));
#else
  return xsimd::sqrt(a);
#endif
}
[[nodiscard, gnu::always_inline]] inline vec to_float(const int_vec& v) noexcept
{
#if defined(__AVX512F__)
  return vec(_mm512_maskz_cvtepi32_ps(0xFFFF, v));
#else
  return xsimd::to_float(v);
#endif
}
[[nodiscard, gnu::always_inline]] inline vec round_down(const vec& v) noexcept
{
#if defined(__AVX512F__)
  return vec(_mm512_maskz_roundscale_ps(0xFFFF, v, _MM_FROUND_TO_NEG_INF));
#else
  return xsimd::floor(v);
#endif
}
[[nodiscard, gnu::always_inline]] inline vec round_up(const vec& v) noexcept
{
#if defined(__AVX512F__)
  return vec(_mm512_maskz_roundscale_ps(0xFFFF, v, _MM_FROUND_TO_POS_INF));
#else
  return xsimd::ceil(v);
#endif
}

[[nodiscard, gnu::always_inline]] inline int_vec bits_of(const vec& v) noexcept
{
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<std::int32_t>(v);
#else
  return xsimd::bitwise_cast<int_vec>(v);
#endif
}
[[nodiscard, gnu::always_inline]] inline vec float_of(const int_vec& v) noexcept
{
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<float>(v);
#else
  return xsimd::bitwise_cast<vec>(v);
#endif
}

template <int Bits>
[[nodiscard, gnu::always_inline]] inline int_vec shift_left(const int_vec& v) noexcept
{
#if defined(__AVX512F__)
  return int_vec(_mm512_maskz_slli_epi32(0xFFFF, v, Bits));
#else
  return v << Bits;
#endif
}
/// The sign moves in from the left.
template <int Bits>
[[nodiscard, gnu::always_inline]] inline int_vec shift_right(const int_vec& v) noexcept
{
#if defined(__AVX512F__)
  return int_vec(_mm512_maskz_srai_epi32(0xFFFF, v, Bits));
#else
  return v >> Bits;
#endif
}

/// The first n (0 < n <= lanes) values from p; the other lanes are 0. Reads nothing beyond them.
[[nodiscard, gnu::always_inline]] inline vec load_part(const float* p, std::size_t n) noexcept
{
#if defined(__AVX512F__)
  return vec(_mm512_maskz_loadu_ps(static_cast<__mmask16>(0xFFFFU >> (16 - n)), p));
#else
  alignas(64) float part[lanes] = {};
  std::copy_n(p, n, part);
  return vec::load_aligned(part);
#endif
}
/// Writes the first n (0 < n <= lanes) lanes to p, and nothing beyond them.
[[gnu::always_inline]] inline void store_part(float* p, const vec& v, std::size_t n) noexcept
{
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(0xFFFFU >> (16 - n)), v);
#else
  alignas(64) float part[lanes];
  v.store_aligned(part);
  std::copy_n(part, n, p);
#endif
}

/// out[i] = f(in[i]) for n values; `in` may be `out`. The last few go through the same vector code.
template <class F>
[[gnu::always_inline]] inline void map(const float* in, float* out, std::size_t n, F&& f)
{
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, f(load(in + i)));
  if (i < n) store_part(out + i, f(load_part(in + i, n - i)), n - i);
}

/// Sum of n values in an order that depends on n alone: sixteen interleaved running sums, added pairwise at the end.
[[nodiscard]] inline float sum(const float* p, std::size_t n) noexcept
{
  static_assert(16 % lanes == 0);
  constexpr std::size_t parts = 16 / lanes;
  vec running[parts];
  for (auto& r : running) r = vec(0.0F);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t j = 0; j < parts; ++j) running[j] = running[j] + load(p + i + j * lanes);
  alignas(64) float all[16];
  for (std::size_t j = 0; j < parts; ++j) running[j].store_aligned(all + j * lanes);
  for (std::size_t j = 0; i < n; ++i, ++j) all[j] += p[i];
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) all[j] += all[j + half];
  return all[0];
}

/// Largest (smallest) of n values, in the order of `sum`; -infinity (+infinity) of none.
template <bool Largest>
[[nodiscard]] inline float extreme(const float* p, std::size_t n) noexcept
{
  constexpr std::size_t parts = 16 / lanes;
  const float worst = Largest ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  const auto better = [](float a, float b) { return Largest ? (a > b ? a : b) : (a < b ? a : b); };
  vec running[parts];
  for (auto& r : running) r = vec(worst);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t j = 0; j < parts; ++j) {
      const vec x = load(p + i + j * lanes);
      running[j] = Largest ? larger(running[j], x) : smaller(running[j], x);
    }
  alignas(64) float all[16];
  for (std::size_t j = 0; j < parts; ++j) running[j].store_aligned(all + j * lanes);
  for (std::size_t j = 0; i < n; ++i, ++j) all[j] = better(all[j], p[i]);
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) all[j] = better(all[j], all[j + half]);
  return all[0];
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
