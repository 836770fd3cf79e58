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

/// Unroll registers in turn; Ahead bytes of software prefetch (0: none).
template <int Unroll, bool Stream, int Ahead>
NARROWS_BENCH_TARGET void read_much(const float* x, std::size_t n, int bits, std::uint8_t* out)
{
  __m512i seen[Unroll];
  for (auto& s : seen) s = _mm512_setzero_si512();
  const auto* from = reinterpret_cast<const std::uint8_t*>(x);
  for (std::size_t b = 0; b < n; b += 512) {
#pragma GCC unroll 32
    for (int i = 0; i < 32; ++i) {
      if constexpr (Ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(from) + i * 64 + Ahead, _MM_HINT_T0);
      seen[i % Unroll] = _mm512_or_si512(seen[i % Unroll], _mm512_load_si512(from + i * 64));
    }
    from += 2048;
    for (int i = 0; i < bits; ++i, out += 64) put<Stream>(out, seen[0]);
  }
  for (const auto& s : seen) asm volatile("" ::"v"(s));   // all are wanted, also those that no store needs
  if constexpr (Stream) _mm_sfence();
}

template <int Unroll, bool Stream, int Ahead>
NARROWS_BENCH_TARGET void write_much(const std::uint8_t* packed, std::size_t n, int bits, float* out)
{
  __m512i seen = _mm512_setzero_si512();
  auto* to = reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t b = 0; b < n; b += 512, to += 2048) {
    for (int i = 0; i < bits; ++i, packed += 64) {
      if constexpr (Ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(packed) + Ahead, _MM_HINT_T0);
      seen = _mm512_or_si512(seen, _mm512_load_si512(packed));
    }
#pragma GCC unroll 32
    for (int i = 0; i < 32; ++i) put<Stream>(to + i * 64, seen);
  }
  if constexpr (Stream) _mm_sfence();
}

template <int Unroll, bool Stream, int Ahead>
void add(contenders& to, const std::string& name)
{
  for (int bits = 1; bits <= 16; ++bits) {
    to.pack.push_back({name, bits, task_levels(bits), promise::nothing, [bits](const float* x, std::size_t n, std::uint8_t* out) { read_much<Unroll, Stream, Ahead>(x, n, bits, out); }});
    to.unpack.push_back({name, bits, task_levels(bits), promise::nothing, [bits](const std::uint8_t* packed, std::size_t n, float* out) { write_much<Unroll, Stream, Ahead>(packed, n, bits, out); }});
  }
}

}  // namespace

void add_limit(contenders& to)
{
  if (!__builtin_cpu_supports("avx512f")) return;
  add<1, false, 0>(to, "limit_1");
  add<4, false, 0>(to, "limit_4");
  add<4, false, 2048>(to, "limit_4_prefetch");
  add<4, true, 0>(to, "limit_4_stream");
  add<4, true, 2048>(to, "limit_4_stream_prefetch");
}

}  // namespace narrows::bench
#else
namespace narrows::bench {
void add_limit(contenders&) {}
}  // namespace narrows::bench
#endif
