// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/rans.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/pack/reference_rans.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;
using bytes = aligned_vector<std::uint8_t>;

// Around runs, counted pieces, the least tensor that fills a register, blocks, and tensors of which a part is counted.
constexpr std::size_t lengths[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 200, 1984, 1985, 2049, 4095, 4096, 4097, 8191, 8192, 8193,
  8257, 12345, 16384, 24575, 24577, 40000};

enum class kind { smooth, even, zeros, largest };
constexpr kind kinds[] = {kind::smooth, kind::even, kind::zeros, kind::largest};

/// Codes of a tensor whose neighbours are alike, as after a ReLU; or of one that no codec should meet.
template <class Code>
std::vector<Code> some_codes(std::size_t n, int bits, kind k, test::random_source& source)
{
  if (k == kind::even) return test::random_codes<Code>(n, bits, source);
  if (k != kind::smooth) return std::vector<Code>(n, static_cast<Code>(k == kind::zeros ? 0U : max_code(bits)));
  std::vector<Code> codes(n);
  int level = 0;  // integers, since compilers fuse float sums and products as they like
  for (auto& c : codes) {
    level = std::clamp(level * 9 / 10 + static_cast<int>(source.below(451)) - 200, -1000, 1000);
    c = static_cast<Code>(static_cast<std::uint32_t>(std::max(level, 0)) * max_code(bits) / 1000);
  }
  return codes;
}

template <class Code>
bytes reference_stream(const std::vector<Code>& codes, int bits)
{
  bytes out(2 * packed_bytes(codes.size(), bits) + 1000);
  const auto size = reference::pack_rans(std::span<const Code>(codes), bits, std::span(out));
  EXPECT_TRUE(size);
  out.resize(size ? *size : 0);
  return out;
}

template <class Code>
result<std::size_t, errc> pack_by(const kernel_set& set, const std::vector<Code>& codes, int bits, std::span<std::uint8_t> out)
{
  return detail::write_rans<Code>(set, codes.size(), bits, out, [&](std::size_t first, std::size_t n, Code* to) {
    std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(first), n, to);
    return true;
  });
}

template <class Code>
errc unpack_by(const kernel_set& set, std::span<const std::uint8_t> stream, int bits, std::vector<Code>& codes)
{
  return detail::read_rans<Code>(set, stream, codes.size(), bits, [&](std::size_t first, std::size_t n, const Code* from) {
    std::copy_n(from, n, codes.begin() + static_cast<std::ptrdiff_t>(first));
  });
}

/// Calls body<code>() with the code type of the width.
template <class Body>
void with_code(int bits, Body body)
{
  if (bits <= 8)
    body(std::uint8_t{});
  else
    body(std::uint16_t{});
}

class Rans : public testing::TestWithParam<int> {
protected:
  const int bits = GetParam();
  [[nodiscard]] std::size_t of_tables() const { return rans::alphabet(bits).table_bytes(); }
  test::random_source source{test::seed + static_cast<std::uint64_t>(GetParam())};
};

TEST_P(Rans, EveryKernelWritesAndReadsTheStreamOfTheReference)
{
  with_code(bits, [&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : lengths)
      for (const kind k : kinds) {
        const auto codes = some_codes<code>(n, bits, k, source);
        const bytes expected = reference_stream(codes, bits);
        std::vector<code> back(n);
        ASSERT_EQ(reference::unpack_rans(std::span<const std::uint8_t>(expected), bits, std::span(back)), errc::ok);
        ASSERT_EQ(back, codes);
        for (const auto* set : available_kernels()) {
          SCOPED_TRACE(std::string(set->name) + " n " + std::to_string(n) + " kind " + std::to_string(static_cast<int>(k)) +
                       " seed " + std::to_string(test::seed));
          const guarded<std::uint8_t> out(expected.size());
          const auto size = pack_by(*set, codes, bits, out.values());
          ASSERT_TRUE(size);
          ASSERT_EQ(*size, expected.size());
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
          for (const auto edge : {guarded<std::uint8_t>::edge::end, guarded<std::uint8_t>::edge::start}) {
            const guarded<std::uint8_t> stream(std::span<const std::uint8_t>(expected), edge);
            std::fill(back.begin(), back.end(), code{0});
            ASSERT_EQ(unpack_by(*set, stream.values(), bits, back), errc::ok);
            ASSERT_EQ(back, codes);
          }
          if (n == 0) continue;
          for (const std::size_t less : {std::size_t{1}, expected.size() / 3, expected.size() - of_tables(), expected.size()}) {
            const guarded<std::uint8_t> small(expected.size() - less);
            const auto failed = pack_by(*set, codes, bits, small.values());
            ASSERT_FALSE(failed);
            ASSERT_EQ(failed.error(), errc::short_buffer);
          }
        }
      }
  });
}

TEST_P(Rans, DamagedStreamsAreRefusedOrDecodedAsTheReferenceDoes)
{
  with_code(bits, [&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : {1U, 100U, 300U, 2100U, 9000U}) {
      const auto codes = some_codes<code>(n, bits, kind::smooth, source);
      const bytes whole = reference_stream(codes, bits);
      const auto* const fastest = available_kernels().back();
      const auto judge = [&](std::span<const std::uint8_t> damaged) {
        const guarded<std::uint8_t> stream(damaged);
        std::vector<code> expected(n), back(n);
        const errc e = reference::unpack_rans(damaged, bits, std::span(expected));
        ASSERT_TRUE(e == errc::ok || e == errc::truncated || e == errc::corrupt);
        for (const auto* set : {find_kernels("scalar"), fastest}) {
          ASSERT_EQ(unpack_by(*set, stream.values(), bits, back), e);
          ASSERT_TRUE(std::ranges::all_of(back, [&](code c) { return c <= max_code(bits); }));
          if (e == errc::ok) {
            ASSERT_EQ(back, expected);
          }
        }
      };
      const std::size_t stride = n > 1000 ? whole.size() / 200 + 1 : 1;
      for (std::size_t cut = 0; cut < whole.size(); cut += stride) {
        SCOPED_TRACE("n " + std::to_string(n) + " cut to " + std::to_string(cut));
        judge(std::span(whole).first(cut));
        judge(std::span(whole).last(cut));
      }
      for (std::size_t i = 0; i < whole.size(); i += stride)
        for (const int change : {0x01, 0x80, 0xFF}) {
          SCOPED_TRACE("n " + std::to_string(n) + " byte " + std::to_string(i) + " xor " + std::to_string(change));
          bytes damaged = whole;
          damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ change);
          judge(damaged);
        }
      for (int round = 0; round < 50; ++round) {  // right tables and states that are none of the stream's
        bytes noise = whole;
        for (std::size_t i = of_tables(); i < noise.size(); ++i) noise[i] = static_cast<std::uint8_t>(source.next() | 1U);
        noise.resize(of_tables() + source.below(noise.size() - of_tables() + 1) + source.below(5));
        judge(noise);
      }
    }
  });
}

TEST_P(Rans, StreamsOfSeveralBlocksKeepTheirBytes)
{
  // FNV-1a of the streams of 40000 codes, as the reference of the first version wrote them.
  constexpr std::array<std::uint64_t, 16> kept{0x0CE1FA0EB9158D2C, 0xC5AD22A1020D16EF, 0xACEF21B2EB269078, 0x599504C0213BFAEF,
    0x1BA28B0A64B96F59, 0x1401BA4745F99DC4, 0xB01D7BC3C181ABEC, 0x36DE73DFD9F2AE65, 0xDE1B4198D1817ED6, 0x85E3A6BDB3257797,
    0x3E8DAE1336679FBE, 0xAF1A3A209A63BA92, 0xA6DAD892A7B8DEB4, 0xDEB3D82504843A17, 0xC79FE94E91FC5501, 0xCE00DA6AE38F9DF9};
  with_code(bits, [&](auto zero) {
    const bytes stream = reference_stream(some_codes<decltype(zero)>(40000, bits, kind::smooth, source), bits);
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const auto b : stream) hash = (hash ^ b) * 0x100000001B3U;
    EXPECT_EQ(hash, kept[static_cast<std::size_t>(bits - 1)]) << "0x" << std::hex << hash;
  });
}

TEST_P(Rans, TensorsTravelAndAreNeverLargerThanDense)
{
  for (const auto& dims : {shape{1, 3, 5, 7}, shape{1, 8, 30, 30}, shape{1, 16, 56, 56}})
    for (const int axis : {-1, 1})
      for (const bool smooth : {true, false}) {
        SCOPED_TRACE(to_string(dims) + " axis " + std::to_string(axis) + (smooth ? " smooth" : " noise"));
        tensor x(dims);
        const auto codes = some_codes<std::uint16_t>(x.size(), 12, smooth ? kind::smooth : kind::even, source);
        std::ranges::transform(codes, x.values().begin(), [](std::uint16_t c) { return static_cast<float>(c) * 0.001F; });
        aligned_vector<std::uint8_t> payload, dense;
        const auto d = encode(x.view(), {codec::rans, bits, range_rule::min_max, {axis}, {}}, payload);
        const auto plain = encode(x.view(), {codec::dense, bits, range_rule::min_max, {axis}, {}}, dense);
        ASSERT_TRUE(d && plain);
        ASSERT_EQ(check(*d, dims), errc::ok);
        EXPECT_LE(payload.size(), dense.size());
        if (smooth && x.size() > 10000) {
          EXPECT_EQ(d->coded_as, codec::rans);
          EXPECT_LT(payload.size(), dense.size() * 9 / 10);
        }
        tensor back(dims), expected(dims);
        ASSERT_TRUE(decode(*d, payload, back.values()));
        ASSERT_TRUE(decode(*plain, dense, expected.values()));
        EXPECT_TRUE(std::ranges::equal(back.values(), expected.values()));
      }
}

INSTANTIATE_TEST_SUITE_P(Every, Rans, testing::Range(min_width, max_width + 1),
  [](const auto& which) { return std::string("u").append(std::to_string(which.param)); });

TEST(RansStream, IsThatOfTheExampleInTheFormat)
{
  const bytes codes{0, 0, 1, 1, 1, 0, 0, 0, 1, 1};
  bytes out(100);
  const auto size = pack_rans(std::span<const std::uint8_t>(codes), 1, std::span(out));
  ASSERT_TRUE(size);
  out.resize(*size);
  EXPECT_EQ(out, (bytes{0xAB, 0x40, 0xC6, 0x87, 0x01}));
}

TEST(RansStream, BadTablesAndStatesAreRefused)
{
  test::random_source source;
  const auto codes = some_codes<std::uint8_t>(5000, 4, kind::smooth, source);
  const bytes whole = reference_stream(codes, 4);
  const auto after = [&](auto change) {
    bytes damaged = whole;
    change(damaged);
    bytes back(codes.size());
    return unpack_rans(std::span<const std::uint8_t>(damaged), 4, std::span(back));
  };
  EXPECT_EQ(after([](bytes&) {}), errc::ok);
  EXPECT_EQ(after([](bytes& b) { b[17] = 0; }), errc::corrupt);
  EXPECT_EQ(after([](bytes& b) { b[0] = 255; }), errc::corrupt);  // with 14 more of 1 at least
  EXPECT_EQ(after([](bytes& b) { b[b.size() - 1] = 0; }), errc::corrupt);
  EXPECT_EQ(after([](bytes& b) { b.insert(b.begin() + 120, 0); }), errc::corrupt);  // a byte that nobody asks for
  EXPECT_EQ(after([](bytes& b) { b.resize(200); }), errc::truncated);
  bytes out(whole.size());
  EXPECT_EQ(pack_rans(std::span<const std::uint8_t>(codes), 9, std::span(out)).error(), errc::bad_width);
  EXPECT_EQ(unpack_rans(std::span<const std::uint8_t>(whole), 0, std::span(out)), errc::bad_width);
}

TEST(RansStream, WhatCannotBeQuantisedTravelsRaw)
{
  test::random_source source;
  tensor x({1, 3, 50, 50}, test::relu_like(7500, 4, source));
  x.values()[600] = std::numeric_limits<float>::quiet_NaN();
  const auto scales = std::make_shared<const std::vector<affine>>(1, affine{0.1F, 0});
  aligned_vector<std::uint8_t> payload;
  const auto d = encode(x.view(), {codec::rans, 6, range_rule::calibrated, {}, scales}, payload);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->coded_as, codec::raw);
}

TEST(RansFrequencies, SumTo256WithOneForEverySymbol)
{
  test::random_source source;
  for (int round = 0; round < 2000; ++round) {
    std::array<std::uint32_t, 16> counts{};
    const std::size_t symbols = std::array{2U, 4U, 8U, 9U, 16U}[source.below(5)];
    for (std::size_t s = 0; s < symbols; ++s) counts[s] = static_cast<std::uint32_t>(source.next() >> (32 + source.below(32)));
    if (source.below(3) == 0) counts[source.below(symbols)] = 0xFFFFFFFF;
    std::array<std::uint8_t, 16> f{};
    rans::fit(std::span(counts).first(symbols), std::span(f).first(symbols));
    EXPECT_EQ(std::accumulate(f.begin(), f.end(), 0U), 256U);
    EXPECT_TRUE(std::all_of(f.begin(), f.begin() + static_cast<std::ptrdiff_t>(symbols), [](auto v) { return v > 0; }));
  }
}

// The reference serves constant evaluation too.
static_assert([] {
  const std::array<std::uint8_t, 70> codes{0, 1, 3, 3, 2, 0, 0, 1};
  std::array<std::uint8_t, 200> out{};
  const auto size = reference::pack_rans(std::span<const std::uint8_t>(codes), 2, std::span(out));
  std::array<std::uint8_t, 70> back{};
  return size &&
         reference::unpack_rans(std::span<const std::uint8_t>(out).first(*size), 2, std::span<std::uint8_t>(back)) == errc::ok &&
         back == codes;
}());

}  // namespace
}  // namespace narrows
