// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/codecs.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/packed_tensor.hpp>

#include "chunk.hpp"
#include "golden_data.hpp"
#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using bytes = std::vector<std::uint8_t>;
using test::chunk;
using test::guarded;

constexpr codec library_codecs[] = {codec::lz4, codec::zstd, codec::huffman};

template <class Code>
result<std::size_t, errc> pack(codec c, std::span<const Code> codes, int bits, std::span<std::uint8_t> out)
{
  return c == codec::lz4 ? pack_lz4(codes, bits, out) : c == codec::zstd ? pack_zstd(codes, bits, out) : pack_huffman(codes, bits, out);
}
template <class Code>
errc unpack(codec c, std::span<const std::uint8_t> stream, int bits, std::span<Code> codes)
{
  return c == codec::lz4    ? unpack_lz4(stream, bits, codes)
         : c == codec::zstd ? unpack_zstd(stream, bits, codes)
                            : unpack_huffman(stream, bits, codes);
}
errc unpack_dequantize(codec c, std::span<const std::uint8_t> stream, const scale_map& map, int bits, std::span<float> out)
{
  return c == codec::lz4    ? unpack_dequantize_lz4(stream, map, bits, out)
         : c == codec::zstd ? unpack_dequantize_zstd(stream, map, bits, out)
                            : unpack_dequantize_huffman(stream, map, bits, out);
}

/// Two zeros in three, so that there is something to compress.
template <class Code>
std::vector<Code> some_codes(std::size_t n, int bits, test::random_source& source)
{
  auto codes = test::random_codes<Code>(n, bits, source);
  for (auto& c : codes)
    if (source.below(3) != 0) c = 0;
  return codes;
}

template <class Code>
bytes packed(codec c, const std::vector<Code>& codes, int bits)
{
  bytes out(codes.size() * sizeof(Code) * 2 + 1000);
  const auto size = pack(c, std::span<const Code>(codes), bits, std::span(out));
  EXPECT_TRUE(size);
  out.resize(size ? *size : 0);
  return out;
}

template <class Code>
void expect_round_trip(codec c, std::size_t n, int bits, test::random_source& source)
{
  SCOPED_TRACE(std::string(to_string(c)) + " n " + std::to_string(n) + " bits " + std::to_string(bits) + " seed " +
               std::to_string(test::seed));
  const auto codes = some_codes<Code>(n, bits, source);
  const bytes stream = packed(c, codes, bits);
  const guarded<std::uint8_t> from{std::span<const std::uint8_t>(stream)};
  const guarded<Code> back(n);
  ASSERT_EQ(unpack(c, std::span<const std::uint8_t>(from.values()), bits, back.values()), errc::ok);
  EXPECT_TRUE(std::ranges::equal(back.values(), codes));
}

TEST(LibraryCodecs, ComeBackForEveryWidthAndAroundTheBordersOfChunks)
{
  test::random_source source;
  for (const codec c : library_codecs)
    for (int bits = min_width; bits <= max_width; ++bits)
      for (const int n : {0, 1, 2, 13, 512, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 135169})
        if (bits <= 8)
          expect_round_trip<std::uint8_t>(c, static_cast<std::size_t>(n), bits, source);
        else
          expect_round_trip<std::uint16_t>(c, static_cast<std::size_t>(n), bits, source);
}

TEST(LibraryCodecs, RefuseAWidthOfTheOtherCodeAndASmallBuffer)
{
  const std::vector<std::uint8_t> codes(70000, 1);
  for (const codec c : library_codecs) {
    bytes out(1000);
    EXPECT_EQ(pack(c, std::span<const std::uint8_t>(codes), 9, std::span(out)).error(), errc::bad_width);
    const std::size_t size = packed(c, codes, 4).size();
    for (std::size_t room = 0; room < size; room += size / 1000 + 1) {
      guarded<std::uint8_t> small(room);
      const auto done = pack(c, std::span<const std::uint8_t>(codes), 4, small.values());
      ASSERT_FALSE(done) << room << " of " << size;
      ASSERT_EQ(done.error(), errc::short_buffer);
    }
  }
}

/// docs/format.md, section 7: the examples there, byte by byte.
TEST(LibraryCodecs, ReadTheStreamsOfTheFormat)
{
  const std::vector<std::uint8_t> codes{0, 3, 0, 0, 7, 1, 0, 0, 0, 5};
  std::vector<std::uint8_t> back(10);
  const bytes as_block{6, 0, 0, 0, 0x50, 0x30, 0x00, 0x17, 0x00, 0x50};
  EXPECT_EQ(unpack_lz4(as_block, 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, codes);
  const bytes as_frame{14, 0, 0, 0, 0x28, 0xB5, 0x2F, 0xFD, 0x20, 5, 0x29, 0, 0, 0x30, 0x00, 0x17, 0x00, 0x50};
  back.assign(10, 0);
  EXPECT_EQ(unpack_zstd(as_frame, 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, codes);
  const bytes as_literals{12, 0, 0, 0, 0x63, 0x60, 0x66, 0x60, 0x60, 0x67, 0x64, 0x60, 0x60, 0x60, 0x05, 0x00};
  back.assign(10, 0);
  EXPECT_EQ(unpack_huffman(as_literals, 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, codes);
  EXPECT_EQ(unpack_huffman(as_literals, 2, std::span(back)), errc::corrupt) << "7 has 3 bits";
  const bytes wide{4, 0, 0, 0, 0x30, 0x34, 0x02, 0xF1};
  std::vector<std::uint16_t> two(2);
  EXPECT_EQ(unpack_lz4(wide, 12, std::span(two)), errc::ok);
  EXPECT_EQ(two, (std::vector<std::uint16_t>{0x134, 0xF02}));
  EXPECT_EQ(unpack_lz4(wide, 11, std::span(two)), errc::corrupt) << "0xF02 has 12 bits";
  const bytes wide_literals{6, 0, 0, 0, 0x33, 0x61, 0x62, 0xE4, 0x07, 0x00};
  two.assign(2, 0);
  EXPECT_EQ(unpack_huffman(wide_literals, 12, std::span(two)), errc::ok);
  EXPECT_EQ(two, (std::vector<std::uint16_t>{0x134, 0xF02}));
  EXPECT_EQ(unpack_huffman(wide_literals, 11, std::span(two)), errc::corrupt) << "0xF02 has 12 bits";
}

TEST(LibraryCodecs, ReadTheCommittedStreams)
{
  const shape dims{1, 10, 12, 11};
  for (const int bits : {2, 4, 8, 12})
    for (const codec c : library_codecs) {
      const std::string name = test::golden_name(bits, dims) + "." + std::string(to_string(c));
      std::ifstream file(std::string(NARROWS_SOURCE_DIR) + "/tests/pack/golden/" + name, std::ios::binary);
      ASSERT_TRUE(file.good()) << name << " cannot be read";
      const bytes stream(std::istreambuf_iterator<char>(file), {});
      const auto x = test::golden_values(dims.elements());
      const affine a{test::golden_affine(bits).scale, 0};
      std::vector<std::uint16_t> codes(x.size());
      static_cast<void>(reference::quantize(std::span<const float>(x), a, bits, std::span(codes)));
      std::vector<float> expected(x.size()), got(x.size());
      reference::dequantize(std::span<const std::uint16_t>(codes), a, std::span(expected));
      const scale_map map{{&a, 1}, 1};
      ASSERT_EQ(unpack_dequantize(c, stream, map, bits, got), errc::ok) << name;
      EXPECT_EQ(got, expected) << name;
    }
}

TEST(LibraryCodecs, AreUnknownToAProgramUntilItAsksForThem)
{
  for (auto& c : detail::library_coders) c = nullptr;
  const tensor x({1, 2, 5, 5});
  aligned_vector<std::uint8_t> payload;
  descriptor d = *encode(x.view(), {codec::dense, 4, {}, {}, {}}, payload);
  for (const codec c : library_codecs) {
    EXPECT_FALSE(can_code(c));
    EXPECT_TRUE(needs_library(c));
    EXPECT_EQ(encode(x.view(), {c, 4, {}, {}, {}}, payload).error(), errc::unsupported_codec);
    d.coded_as = c;
    d.payload_bytes = 20;
    EXPECT_EQ(check(d, x.dims()), errc::unsupported_codec);
  }
  for (const codec c : all_codecs) EXPECT_EQ(needs_library(c), has_codes(c) && !can_code(c)) << to_string(c);
  {
    std::vector<std::jthread> several;
    for (int i = 0; i < 4; ++i) several.emplace_back(use_library_codecs);
  }
  for (const codec c : library_codecs) {
    EXPECT_TRUE(can_code(c));
    d.coded_as = c;
    EXPECT_EQ(check(d, x.dims()), errc::ok);
    d.payload_bytes = 4;
    EXPECT_EQ(check(d, x.dims()), errc::bad_descriptor) << "no chunk is that short";
    d.payload_bytes = 20;
  }
}

TEST(LibraryCodecs, TensorsDecodeToTheValuesOfDense)
{
  use_library_codecs();
  test::random_source source;
  for (const shape& dims : {shape{1, 7, 20, 20}, shape{1, 3, 200, 200}, shape{600}})
    for (int bits = min_width; bits <= max_width; ++bits)
      for (const int axis : {-1, 0}) {
        tensor x(dims, test::relu_like(dims.elements(), 4, source));
        for (std::size_t i = 0; i < x.size(); ++i)
          if (i / 16 % 4 != 0) x.values()[i] = 0;  // runs of zeros, so that both pay
        aligned_vector<std::uint8_t> dense, payload;
        const auto plain = encode(x.view(), {codec::dense, bits, range_rule::min_max, {axis}, {}}, dense);
        ASSERT_TRUE(plain);
        std::vector<float> expected(x.size()), got(x.size());
        ASSERT_TRUE(decode(*plain, dense, expected));
        for (const codec c : library_codecs) {
          SCOPED_TRACE(
            to_string(dims) + " " + std::string(to_string(c)) + " " + std::to_string(bits) + " axis " + std::to_string(axis));
          const auto d = encode(x.view(), {c, bits, range_rule::min_max, {axis}, {}}, payload);
          ASSERT_TRUE(d);
          // A Huffman code spends a bit on each code at least, and some on its table.
          EXPECT_EQ(d->coded_as, c == codec::huffman && bits == 1 ? codec::dense : c);
          EXPECT_LE(payload.size(), dense.size());
          EXPECT_EQ(check(*d, dims), errc::ok);
          ASSERT_TRUE(decode(*d, payload, got));
          EXPECT_EQ(got, expected);
          if (bits > max_level_width) continue;
          auto dense_by_levels = *plain, by_levels = *d;   // which no payload knows of
          dense_by_levels.levels = by_levels.levels = test::random_floats(d->scales.size() << bits, -9, 9, source);
          std::vector<float> looked_up(x.size());
          ASSERT_TRUE(decode(dense_by_levels, dense, looked_up));
          ASSERT_TRUE(decode(by_levels, payload, got));
          EXPECT_EQ(got, looked_up);
        }
      }
}

TEST(LibraryCodecs, NoiseTravelsDenseAndWhatIsNotFiniteRaw)
{
  use_library_codecs();
  test::random_source source;
  for (const codec c : library_codecs) {
    tensor x({1, 8, 100, 100}, test::random_floats(80000, -1, 1, source));
    aligned_vector<std::uint8_t> payload;
    const auto noise = encode(x.view(), {c, 8, {}, {}, {}}, payload);
    ASSERT_TRUE(noise);
    EXPECT_EQ(noise->coded_as, codec::dense);
    std::ranges::fill(x.values(), 0.0F);
    x.values()[70000] = std::numeric_limits<float>::infinity();
    const auto scales = std::make_shared<const std::vector<affine>>(1);
    const auto raw = encode(x.view(), {c, 8, range_rule::calibrated, {}, scales}, payload);
    ASSERT_TRUE(raw);
    EXPECT_EQ(raw->coded_as, codec::raw);
  }
}

TEST(LibraryCodecs, StreamsThatAreNoneAreRefused)
{
  test::random_source source;
  for (const codec c : library_codecs) {
    const auto codes = some_codes<std::uint8_t>(66000, 5, source);
    const bytes stream = packed(c, codes, 5);
    std::vector<std::uint8_t> back(codes.size());
    for (std::size_t cut = 0; cut < stream.size(); cut += cut < 40 || cut + 300 > stream.size() ? 1 : 97)
      ASSERT_EQ(unpack(c, std::span(stream).first(cut), 5, std::span(back)), errc::truncated) << cut;
    bytes longer(stream);
    longer.push_back(0);
    EXPECT_EQ(unpack(c, std::span<const std::uint8_t>(longer), 5, std::span(back)), errc::corrupt);
    EXPECT_EQ(unpack(c, std::span<const std::uint8_t>(stream), 4, std::span(back)), errc::corrupt) << "codes of 5 bits";
    EXPECT_EQ(unpack(c, std::span<const std::uint8_t>(stream), 5, std::span(back).first(65999)), errc::corrupt);
    back.resize(66001);
    EXPECT_EQ(unpack(c, std::span<const std::uint8_t>(stream), 5, std::span(back)), errc::corrupt);
    back.resize(200000);
    EXPECT_EQ(unpack(c, std::span<const std::uint8_t>(stream), 5, std::span(back)), errc::corrupt);
    for (int round = 0; round < 4000; ++round) {
      guarded<std::uint8_t> damaged{std::span<const std::uint8_t>(stream)};
      for (std::uint64_t flips = source.below(3) + 1; flips > 0; --flips)
        damaged.values()[source.below(source.below(2) == 0 ? stream.size() : 64)] ^=
          static_cast<std::uint8_t>(1U << source.below(8));
      const guarded<std::uint8_t> out(codes.size());
      const errc e = unpack(c, std::span<const std::uint8_t>(damaged.values()), 5, out.values());
      if (e == errc::ok) {
        EXPECT_TRUE(std::ranges::all_of(out.values(), [](int code) { return code < 32; }));
      } else {
        EXPECT_TRUE(e == errc::truncated || e == errc::corrupt);
      }
    }
  }
}

TEST(LibraryCodecs, CodesOfMoreBitsAndUnusedBitsThatAreSetAreRefused)
{
  const auto read = [](int bits, std::size_t n, const bytes& fields) {
    bytes block{static_cast<std::uint8_t>(fields.size() << 4)};  // all literals
    block.insert(block.end(), fields.begin(), fields.end());
    std::vector<std::uint8_t> narrow(n);
    std::vector<std::uint16_t> wide(n);
    return bits <= 8 ? unpack_lz4(chunk(block), bits, std::span(narrow)) : unpack_lz4(chunk(block), bits, std::span(wide));
  };
  EXPECT_EQ(read(1, 5, {0x1F}), errc::ok);
  EXPECT_EQ(read(1, 5, {0x20}), errc::corrupt);
  EXPECT_EQ(read(2, 3, {0x3F}), errc::ok);
  EXPECT_EQ(read(2, 3, {0x40}), errc::corrupt);
  EXPECT_EQ(read(3, 3, {0x77, 0x07}), errc::ok);
  EXPECT_EQ(read(3, 3, {0x87, 0x07}), errc::corrupt);
  EXPECT_EQ(read(3, 3, {0x77, 0x08}), errc::corrupt);
  EXPECT_EQ(read(3, 3, {0x77, 0x17}), errc::corrupt);
  EXPECT_EQ(read(4, 3, {0xFF, 0x0F}), errc::ok);
  EXPECT_EQ(read(4, 3, {0xFF, 0x1F}), errc::corrupt);
  for (const int bits : {5, 6, 7}) {
    EXPECT_EQ(read(bits, 2, {static_cast<std::uint8_t>((1 << bits) - 1), 0}), errc::ok);
    EXPECT_EQ(read(bits, 2, {0, static_cast<std::uint8_t>(1 << bits)}), errc::corrupt);
  }
  EXPECT_EQ(read(8, 1, {0xFF}), errc::ok);
  EXPECT_EQ(read(9, 2, {0xFF, 0xFF, 0x03}), errc::ok);
  EXPECT_EQ(read(9, 2, {0xFF, 0xFF, 0x04}), errc::corrupt);
  EXPECT_EQ(read(13, 1, {0xFF, 0x1F}), errc::ok);
  EXPECT_EQ(read(13, 1, {0xFF, 0x20}), errc::corrupt);
  EXPECT_EQ(read(16, 1, {0xFF, 0xFF}), errc::ok);
}

TEST(LibraryCodecs, FieldsAreTheLinearStream)
{
  test::random_source source;
  const auto expect_same = [&]<int Width>(std::integral_constant<int, Width>) {
    for (std::size_t n = 0; n < 70; ++n) {
      const auto codes = test::random_codes<std::uint8_t>(n, Width, source);
      bytes expected(linear_bytes(n, Width)), back(n);
      const guarded<std::uint8_t> fields(expected.size());
      detail::write_linear(std::span<const std::uint8_t>(codes), Width, expected.data());
      detail::write_fields<Width>(codes, fields.values().data());
      ASSERT_TRUE(std::ranges::equal(fields.values(), expected)) << "width " << Width << " n " << n;
      detail::read_fields<Width>(fields.values().data(), back);
      ASSERT_EQ(back, codes) << "width " << Width << " n " << n;
    }
  };
  expect_same(std::integral_constant<int, 1>{});
  expect_same(std::integral_constant<int, 2>{});
  expect_same(std::integral_constant<int, 4>{});
}

TEST(LibraryCodecs, FramesThatAskForMoreThanTheTensorAreRefused)
{
  std::vector<std::uint8_t> back(10);
  const auto refused = [&](const bytes& frame) { return unpack_zstd(chunk(frame), 8, std::span(back)); };
  const bytes magic{0x28, 0xB5, 0x2F, 0xFD}, block{0x51, 0, 0, 0, 3, 0, 0, 7, 1, 0, 0, 0, 5};
  const auto with = [&](std::initializer_list<bytes> parts) {
    bytes all;
    for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
    return all;
  };
  ASSERT_EQ(refused(with({magic, {0x20, 10}, block})), errc::ok);
  EXPECT_EQ(refused(with({magic, {0x20, 11}, block})), errc::corrupt) << "says 11 bytes";
  EXPECT_EQ(refused(with({magic, {0xE0, 10, 0, 0, 0, 0, 0, 0, 0x10}, block})), errc::corrupt) << "says 2^60 bytes";
  EXPECT_EQ(refused(with({magic, {0x00, 0xA8}, block})), errc::corrupt) << "size not given, window of 2^31";
  EXPECT_EQ(refused(with({magic, {0x00, 0xFF}, block})), errc::corrupt) << "size not given, window above the limit";
  EXPECT_EQ(refused(with({magic, {0x21, 7, 10}, block})), errc::corrupt) << "asks for a dictionary";
  EXPECT_EQ(refused(with({magic, {0x20, 10}, {0x03, 0, 0x20, 0}})), errc::corrupt) << "a block of 256 KiB of one byte";
  EXPECT_EQ(refused(with({magic, {0x20, 10}, block, magic, {0x20, 0, 1, 0, 0}})), errc::corrupt) << "a second frame";
  EXPECT_EQ(refused(with({{0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9}, magic, {0x20, 10}, block})), errc::corrupt)
    << "a skippable frame";
  for (std::uint8_t old = 0x22; old < 0x28; ++old)
    EXPECT_EQ(refused(with({{old, 0xB5, 0x2F, 0xFD, 0x20, 10}, block})), errc::corrupt) << "format " << +old;
  // A frame may declare a window larger than it needs: it is read where it lies, without one.
  EXPECT_EQ(refused(with({magic, {0x80, 0xA8, 10, 0, 0, 0}, block})), errc::ok);
}

}  // namespace
}  // namespace narrows
