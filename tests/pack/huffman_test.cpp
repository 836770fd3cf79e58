// SPDX-License-Identifier: BSD-3-Clause
// What is the Huffman codec's alone: its size, and the DEFLATE streams that it takes and refuses. The rest of it is in codecs_test.cpp.
#include <narrows/pack/codecs.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "chunk.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using bytes = std::vector<std::uint8_t>;
using test::chunk;

bytes join(std::initializer_list<bytes> parts)
{
  bytes all;
  for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

/// Another writer's stream of the same bytes.
bytes deflated(const bytes& from, int level, int strategy, int window_bits = -15)
{
  z_stream z{};
  bytes to(2 * from.size() + 1000);
  EXPECT_EQ(deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, strategy), Z_OK);
  z.next_in = const_cast<Bytef*>(from.data());
  z.avail_in = static_cast<uInt>(from.size());
  z.next_out = to.data();
  z.avail_out = static_cast<uInt>(to.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  to.resize(to.size() - z.avail_out);
  deflateEnd(&z);
  return to;
}

/// A block that holds its bytes as they are.
bytes stored(const bytes& what, bool last = true)
{
  const auto low = static_cast<std::uint8_t>(what.size()), high = static_cast<std::uint8_t>(what.size() >> 8);
  return join({{static_cast<std::uint8_t>(last), low, high, static_cast<std::uint8_t>(~low), static_cast<std::uint8_t>(~high)}, what});
}

/// Bits of the shortest prefix code for symbols of these counts: what joining the two rarest, over and over, adds up to. One
/// symbol alone takes a bit.
std::uint64_t shortest_code(const std::vector<std::uint64_t>& counts)
{
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> open;
  for (const auto n : counts)
    if (n > 0) open.push(n);
  if (open.size() == 1) return open.top();
  std::uint64_t bits = 0;
  while (open.size() > 1) {
    const auto least = open.top();
    open.pop();
    const auto both = least + open.top();
    open.pop();
    open.push(both);
    bits += both;
  }
  return bits;
}

TEST(Huffman, TakesNoMoreThanTheShortestPrefixCodeAndItsTables)
{
  test::random_source source;
  for (int bits = min_width; bits <= 8; ++bits)
    for (const std::size_t n : {1000U, 16000U, 65536U, 150000U}) {
      SCOPED_TRACE("bits " + std::to_string(bits) + " n " + std::to_string(n) + " seed " + std::to_string(test::seed));
      auto codes = test::random_codes<std::uint8_t>(n, bits, source);
      for (auto& c : codes) c = static_cast<std::uint8_t>(c >> source.below(static_cast<std::uint64_t>(bits) + 2));  // small ones often
      bytes out(2 * n + 1000);
      const auto size = pack_huffman(std::span<const std::uint8_t>(codes), bits, std::span(out));
      ASSERT_TRUE(size);
      // A block ends with a symbol of its own, and its code is the shortest for its own symbols: together no longer than one
      // code for the chunk would be. With the ends, at most five blocks of 16383 symbols; a table takes at most 7 bits a symbol.
      const std::size_t blocks = 5, table = 40 + (std::size_t{1} << bits);
      std::size_t most = 0;
      for (std::size_t first = 0; first < n; first += 65536) {
        const std::size_t count = std::min<std::size_t>(65536, n - first), used = std::min(blocks, count / 16383 + 1);
        std::vector<std::uint64_t> counts(257);
        for (std::size_t i = first; i < first + count; ++i) ++counts[codes[i]];
        counts[256] = used;
        most += 4 + static_cast<std::size_t>(shortest_code(counts)) / 8 + used * table;
      }
      EXPECT_LE(*size, most);
    }
}

TEST(Huffman, LooksForNoRepetitions)
{
  const std::vector<std::uint8_t> zeros(65536);
  bytes out(70000);
  const auto size = pack_huffman(std::span<const std::uint8_t>(zeros), 4, std::span(out));
  ASSERT_TRUE(size);
  EXPECT_GE(*size, 65536U / 8) << "a prefix code has no shorter word than a bit";
  EXPECT_LE(*size, 65536U / 8 + 200);
  std::vector<std::uint8_t> back(65536, 1);
  ASSERT_EQ(unpack_huffman(std::span<const std::uint8_t>(out).first(*size), 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, zeros);
}

TEST(Huffman, NeedsNoMoreRoomThanItsSizeAndAByte)
{
  test::random_source source;
  const auto codes = test::random_codes<std::uint8_t>(70000, 5, source);
  bytes out(100000);
  const auto size = pack_huffman(std::span<const std::uint8_t>(codes), 5, std::span(out));
  ASSERT_TRUE(size);
  bytes little(*size + 1);
  const auto again = pack_huffman(std::span<const std::uint8_t>(codes), 5, std::span(little));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *size);
  EXPECT_TRUE(std::equal(little.begin(), little.end() - 1, out.begin()));
}

TEST(Huffman, TakesTheStreamsOfEveryWriter)
{
  test::random_source source;
  for (const int bits : {4, 8, 12}) {
    const std::size_t n = 50000;
    auto codes = test::random_codes<std::uint16_t>(n, bits, source);
    for (std::size_t i = 0; i < n; ++i)
      if (i / 64 % 3 != 0) codes[i] = 1;   // something to match
    bytes plain(n);
    for (std::size_t i = 0; i < n; ++i) plain[i] = static_cast<std::uint8_t>(codes[i]);
    if (bits > 8)
      for (const auto c : codes) plain.push_back(static_cast<std::uint8_t>(c >> 8));
    const auto expect_read = [&](const bytes& stream, const char* what) {
      if (bits > 8) {
        std::vector<std::uint16_t> back(n);
        EXPECT_EQ(unpack_huffman(chunk(stream), bits, std::span(back)), errc::ok) << what << " bits " << bits;
        EXPECT_EQ(back, codes) << what;
      } else {
        std::vector<std::uint8_t> back(n);
        EXPECT_EQ(unpack_huffman(chunk(stream), bits, std::span(back)), errc::ok) << what << " bits " << bits;
        EXPECT_EQ(back, plain) << what;
      }
    };
    expect_read(deflated(plain, 9, Z_DEFAULT_STRATEGY), "matches");
    expect_read(deflated(plain, 6, Z_FIXED), "fixed tables");
    expect_read(deflated(plain, 6, Z_RLE), "runs");
    expect_read(deflated(plain, 0, Z_DEFAULT_STRATEGY), "stored");
    expect_read(join({stored({}, false), stored({}, false), deflated(plain, 9, Z_DEFAULT_STRATEGY)}), "empty blocks first");
  }
}

TEST(Huffman, ChunksThatAreNotExactlyOneStreamAreRefused)
{
  const bytes ten{0, 3, 0, 0, 7, 1, 0, 0, 0, 5};
  const auto read = [](const bytes& stream) {
    std::vector<std::uint8_t> back(10);
    return unpack_huffman(chunk(stream), 4, std::span(back));
  };
  const bytes good = deflated(ten, 6, Z_HUFFMAN_ONLY);
  ASSERT_EQ(read(good), errc::ok);
  ASSERT_EQ(read(stored(ten)), errc::ok);
  ASSERT_EQ(read(join({stored({0, 3, 0}, false), stored({0, 7, 1, 0, 0, 0, 5})})), errc::ok);
  EXPECT_EQ(read({}), errc::corrupt) << "no bytes at all";
  for (std::size_t some = 1; some < good.size(); ++some)
    EXPECT_EQ(read(bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(some))), errc::corrupt) << "ends after " << some;
  EXPECT_EQ(read(join({good, {0}})), errc::corrupt) << "a byte left over";
  EXPECT_EQ(read(join({good, good})), errc::corrupt) << "a second stream";
  EXPECT_EQ(read(join({good, stored({})})), errc::corrupt) << "a second stream of nothing";
  EXPECT_EQ(read(stored(ten, false)), errc::corrupt) << "no last block";
  EXPECT_EQ(read(deflated({0, 3, 0, 0, 7, 1, 0, 0, 0}, 6, Z_HUFFMAN_ONLY)), errc::corrupt) << "9 codes";
  EXPECT_EQ(read(deflated({0, 3, 0, 0, 7, 1, 0, 0, 0, 5, 0}, 6, Z_HUFFMAN_ONLY)), errc::corrupt) << "11 codes";
  EXPECT_EQ(read(deflated(bytes(60000), 9, Z_DEFAULT_STRATEGY)), errc::corrupt) << "60000 codes in 80 bytes";
  EXPECT_EQ(read(deflated(ten, 6, Z_HUFFMAN_ONLY, 15)), errc::corrupt) << "zlib's header";
  EXPECT_EQ(read(deflated(ten, 6, Z_HUFFMAN_ONLY, 31)), errc::corrupt) << "gzip's header";
  EXPECT_EQ(read({0x07, 0, 0, 0}), errc::corrupt) << "a block of type 3";
  EXPECT_EQ(read({0x01, 10, 0, 0, 0, 0, 3, 0, 0, 7, 1, 0, 0, 0, 5}), errc::corrupt) << "a stored length that contradicts itself";
  EXPECT_EQ(read({0xFD, 0, 0, 0, 0, 0}), errc::corrupt) << "288 symbols";
  EXPECT_EQ(read({0x03, 0x02, 0x00}), errc::corrupt) << "a match before the first byte";
}

TEST(Huffman, CodesOfMoreBitsAreRefused)
{
  const auto read = [](int bits, std::size_t n, const bytes& what) {
    std::vector<std::uint8_t> narrow(n);
    std::vector<std::uint16_t> wide(n);
    return bits <= 8 ? unpack_huffman(chunk(stored(what)), bits, std::span(narrow)) : unpack_huffman(chunk(stored(what)), bits, std::span(wide));
  };
  for (int bits = 1; bits <= 8; ++bits)
    for (std::size_t at = 0; at < 45; ++at) {
      bytes codes(45);
      codes[at] = static_cast<std::uint8_t>((1 << bits) - 1);
      EXPECT_EQ(read(bits, 45, codes), errc::ok) << "bits " << bits << " at " << at;
      if (bits == 8) continue;
      codes[at] = static_cast<std::uint8_t>(1 << bits);
      EXPECT_EQ(read(bits, 45, codes), errc::corrupt) << "bits " << bits << " at " << at;
    }
  for (int bits = 9; bits <= 15; ++bits) {
    EXPECT_EQ(read(bits, 2, {0xFF, 0xFF, 0, static_cast<std::uint8_t>((1 << (bits - 8)) - 1)}), errc::ok) << bits;
    EXPECT_EQ(read(bits, 2, {0xFF, 0xFF, 0, static_cast<std::uint8_t>(1 << (bits - 8))}), errc::corrupt) << bits;
  }
  EXPECT_EQ(read(16, 1, {0xFF, 0xFF}), errc::ok);
}

}  // namespace
}  // namespace narrows
