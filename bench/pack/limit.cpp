// SPDX-License-Identifier: BSD-3-Clause
// The limit: every float of a block is read and ORed into a register, and as many bytes as its codes would take are
// written (and the other way round). No kernel can move the same bytes faster; which of the ways is the fastest differs by
// working set.
#include <utility>

#include "contender.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace narrows::bench {

namespace {

#define NARROWS_BENCH_TARGET [[gnu::target("avx512f")]]

template <bool Stream>
NARROWS_BENCH_TARGET inline void put(std::uint8_t* to, __m512i v)
{
  if constexpr (Stream) _mm512_stream_si512(reinterpret_cast<__m512i*>(to), v);
  else _mm512_store_si512(to, v);
}

enum class order {
  in_bursts,   ///< a whole block is read, then written
  spread,      ///< what is written lies between what is read, as in kernels
};

/// Whether the last of `done` of a block's 32 registers of floats brings a further register of codes of `bits` bits.
constexpr bool completes(int done, int bits) { return done * bits / 32 != (done - 1) * bits / 32; }

/// 64 bytes in so many loads: two or four keep an AMD EPYC's at the pace of its prefetcher.
template <int Loads>
NARROWS_BENCH_TARGET inline __m512i in_parts(const std::uint8_t* from)
{
  if constexpr (Loads == 1) {
    return _mm512_load_si512(from);
  } else if constexpr (Loads == 2) {
    const auto* at = reinterpret_cast<const __m256i*>(from);
    return _mm512_castsi256_si512(_mm256_or_si256(_mm256_load_si256(at), _mm256_load_si256(at + 1)));
  } else {
    const auto* at = reinterpret_cast<const __m128i*>(from);
    const __m128i a = _mm_or_si128(_mm_load_si128(at), _mm_load_si128(at + 1));
    return _mm512_castsi128_si512(_mm_or_si128(a, _mm_or_si128(_mm_load_si128(at + 2), _mm_load_si128(at + 3))));
  }
}

/// Unroll registers in turn; Ahead bytes of software prefetch (0: none); Loads for 64 bytes.
template <int Bits, int Unroll, order Order, bool Stream, int Ahead, int Loads = 1>
NARROWS_BENCH_TARGET void read_much(const float* x, std::size_t n, std::uint8_t* out)
{
  __m512i seen[Unroll];
  for (auto& s : seen) s = _mm512_setzero_si512();
  const auto* from = reinterpret_cast<const std::uint8_t*>(x);
  for (std::size_t b = 0; b < n; b += 512) {
#pragma GCC unroll 32
    for (int i = 0; i < 32; ++i) {
      if constexpr (Ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(from) + i * 64 + Ahead, _MM_HINT_T0);
      seen[i % Unroll] = _mm512_or_si512(seen[i % Unroll], in_parts<Loads>(from + i * 64));
      if (Order == order::spread && completes(i + 1, Bits)) put<Stream>(std::exchange(out, out + 64), seen[0]);
    }
    from += 2048;
    if constexpr (Order == order::in_bursts)
      for (int i = 0; i < Bits; ++i, out += 64) put<Stream>(out, seen[0]);
  }
  for (const auto& s : seen) asm volatile("" ::"v"(s));   // all are wanted, also those that no store needs
  if constexpr (Stream) _mm_sfence();
}

template <int Ahead>
NARROWS_BENCH_TARGET inline __m512i taken(const std::uint8_t* from, __m512i seen)
{
  if constexpr (Ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(from) + Ahead, _MM_HINT_T0);
  return _mm512_or_si512(seen, _mm512_load_si512(from));
}

template <int Bits, order Order, bool Stream, int Ahead>
NARROWS_BENCH_TARGET void write_much(const std::uint8_t* packed, std::size_t n, float* out)
{
  __m512i seen = _mm512_setzero_si512();
  auto* to = reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t b = 0; b < n; b += 512, to += 2048) {
    if constexpr (Order == order::in_bursts)
      for (int i = 0; i < Bits; ++i, packed += 64) seen = taken<Ahead>(packed, seen);
#pragma GCC unroll 32
    for (int i = 0; i < 32; ++i) {
      if (Order == order::spread && completes(i + 1, Bits)) seen = taken<Ahead>(std::exchange(packed, packed + 64), seen);
      put<Stream>(to + i * 64, seen);
    }
  }
  if constexpr (Stream) _mm_sfence();
}

template <int Bits, int Unroll, order Order, bool Stream, int Ahead>
void add(contenders& to, const char* name)
{
  to.pack.push_back({name, Bits, task_levels(Bits), promise::nothing, read_much<Bits, Unroll, Order, Stream, Ahead>});
  to.unpack.push_back({name, Bits, task_levels(Bits), promise::nothing, write_much<Bits, Order, Stream, Ahead>});
}

template <int Bits>
void add_ways(contenders& to)
{
  add<Bits, 1, order::in_bursts, false, 0>(to, "limit_1");
  add<Bits, 4, order::in_bursts, false, 0>(to, "limit_4");
  add<Bits, 4, order::in_bursts, false, 2048>(to, "limit_4_prefetch");
  add<Bits, 4, order::in_bursts, true, 0>(to, "limit_4_stream");
  add<Bits, 4, order::in_bursts, true, 2048>(to, "limit_4_stream_prefetch");
  add<Bits, 4, order::spread, false, 0>(to, "limit_4_spread");
  add<Bits, 4, order::spread, false, 1024>(to, "limit_4_spread_prefetch");
  add<Bits, 4, order::spread, true, 0>(to, "limit_4_spread_stream");
  to.pack.push_back({"limit_halves_spread", Bits, task_levels(Bits), promise::nothing, read_much<Bits, 1, order::spread, false, 0, 2>});
  to.pack.push_back({"limit_quarters_spread", Bits, task_levels(Bits), promise::nothing, read_much<Bits, 1, order::spread, false, 0, 4>});
}

}  // namespace

void add_limit(contenders& to)
{
  if (!__builtin_cpu_supports("avx512f")) return;
  [&]<int... Less>(std::integer_sequence<int, Less...>) { (add_ways<Less + 1>(to), ...); }(std::make_integer_sequence<int, 16>{});
}

}  // namespace narrows::bench
#else
namespace narrows::bench {
void add_limit(contenders&) {}
}  // namespace narrows::bench
#endif
