// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/predicted.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/reference_rans.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;
using bytes = aligned_vector<std::uint8_t>;

constexpr picture_extents picture_shapes[] = {{1, 1, 1}, {1, 1, 3}, {1, 37, 1}, {53, 1, 1}, {1, 64, 3}, {65, 1, 4}, {2, 2, 3}, {7, 5, 2}, {31, 33, 3}, {33, 31, 4}, {28, 28, 1},
  {3, 1031, 1}, {40, 513, 1}, {61, 67, 3}, {224, 223, 3}};

enum class picture_kind { random, constant, black, white, ramp, smooth, extremes };
constexpr picture_kind picture_kinds[] = {picture_kind::random, picture_kind::constant, picture_kind::black, picture_kind::white, picture_kind::ramp, picture_kind::smooth, picture_kind::extremes};

bytes some_pixels(const picture_extents& of, picture_kind k, test::random_source& source)
{
  bytes made(of.height * of.width * of.channels);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::size_t c = i % of.channels, x = i / of.channels % of.width, y = i / of.channels / of.width;
    const auto noise = static_cast<std::size_t>(source.below(256));
    std::size_t v = noise;
    if (k == picture_kind::constant) v = 201;
    if (k == picture_kind::black) v = 0;
    if (k == picture_kind::white) v = 255;
    if (k == picture_kind::ramp) v = 3 * x + 2 * y + 40 * c;   // runs over 255 here and there
    if (k == picture_kind::smooth) v = 90 + 20 * c + (2 * x + 3 * y) / 8 % 100 + noise % 3;
    if (k == picture_kind::extremes) v = noise < 128 ? 0 : 255;
    made[i] = static_cast<std::uint8_t>(v % 256);
  }
  return made;
}

/// The definition of docs/format.md, as plainly as it reads.
int plane_value(const bytes& pixels, const picture_extents& of, std::size_t c, std::size_t y, std::size_t x)
{
  const auto at = [&](std::size_t k) { return static_cast<int>(pixels[(y * of.width + x) * of.channels + k]); };
  if (of.channels >= 3 && (c == 0 || c == 2)) return (at(c) - at(1) + 128 + 256) % 256;
  return at(c);
}
bytes reference_codes(const bytes& pixels, const picture_extents& of)
{
  bytes codes;
  for (std::size_t c = 0; c < of.channels; ++c)
    for (std::size_t y = 0; y < of.height; ++y)
      for (std::size_t x = 0; x < of.width; ++x) {
        const auto value = [&](std::size_t dy, std::size_t dx) { return plane_value(pixels, of, c, y - dy, x - dx); };
        int predicted = 128;
        if (y == 0 && x > 0) predicted = value(0, 1);
        else if (y > 0 && x == 0) predicted = value(1, 0);
        else if (y > 0) {
          const int left = value(0, 1), up = value(1, 0), corner = value(1, 1);
          if (corner >= std::max(left, up)) predicted = std::min(left, up);
          else if (corner <= std::min(left, up)) predicted = std::max(left, up);
          else predicted = left + up - corner;
        }
        int d = (value(0, 0) - predicted + 512) % 256;
        if (d > 127) d -= 256;
        codes.push_back(static_cast<std::uint8_t>(d >= 0 ? 2 * d : -2 * d - 1));
      }
  return codes;
}
bytes reference_stream(const bytes& pixels, const picture_extents& of)
{
  bytes classes, rest;
  std::size_t bits = 0;
  for (const int code : reference_codes(pixels, of)) {
    int high = 0;   // place of the highest bit
    while (code >> (high + 1) != 0) ++high;
    classes.push_back(static_cast<std::uint8_t>(code < 2 ? code : 2 * high + (code >> (high - 1) & 1)));
    for (int b = 0; b < high - 1; ++b, ++bits) {
      if (bits % 8 == 0) rest.push_back(0);
      rest.back() = static_cast<std::uint8_t>(rest.back() | (code >> b & 1) << (bits % 8));
    }
  }
  bytes stream;
  for (int k = 0; k < 4; ++k) stream.push_back(static_cast<std::uint8_t>(rest.size() >> (8 * k)));
  stream.insert(stream.end(), rest.begin(), rest.end());
  bytes coded(2 * classes.size() + 1000);
  const auto size = reference::pack_rans(std::span<const std::uint8_t>(classes), 4, std::span(coded));
  EXPECT_TRUE(size);
  stream.insert(stream.end(), coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(size ? *size : 0));
  return stream;
}

std::string picture_name(const picture_extents& of, picture_kind k)
{
  return std::to_string(of.height) + "x" + std::to_string(of.width) + "x" + std::to_string(of.channels) + " kind " + std::to_string(static_cast<int>(k));
}

TEST(Predicted, StreamsAreThoseOfTheDefinitionAndComeBack)
{
  test::random_source source(test::seed);
  for (const auto& of : picture_shapes)
    for (const picture_kind k : picture_kinds) {
      const auto pixels = some_pixels(of, k, source);
      const auto expected = reference_stream(pixels, of);
      for (const auto edge : {guarded<std::uint8_t>::edge::end, guarded<std::uint8_t>::edge::start}) {
        const guarded<std::uint8_t> given(std::span<const std::uint8_t>(pixels), edge), scratch(pixels.size(), edge), out(expected.size(), edge), back(pixels.size(), edge);
        const auto size = pack_predicted(given.values(), of, scratch.values(), out.values());
        ASSERT_TRUE(size) << picture_name(of, k) << " " << message(size.error());
        ASSERT_EQ(bytes(out.data(), out.data() + *size), expected) << picture_name(of, k);
        ASSERT_EQ(unpack_predicted(out.values(), of, scratch.values(), back.values()), errc::ok) << picture_name(of, k);
        ASSERT_EQ(bytes(back.data(), back.data() + pixels.size()), pixels) << picture_name(of, k);
      }
    }
}

/// Each step of each kernel set on memory that ends, or starts, where it may be touched.
TEST(Predicted, EveryKernelHasTheBytesOfTheScalarOne)
{
  test::random_source source(test::seed);
  const kernel_set& plain = *find_kernels("scalar");
  using bytes_here = guarded<std::uint8_t>;
  for (const std::size_t height : {1U, 2U, 5U})
    for (const std::size_t width : {1U, 2U, 31U, 32U, 33U, 34U, 63U, 64U, 65U, 66U, 97U, 224U})
      for (const std::size_t channels : {1U, 2U, 3U, 4U})
        for (const picture_kind k : picture_kinds) {
          const picture_extents of{height, width, channels};
          const auto pixels = some_pixels(of, k, source);
          const std::size_t n = pixels.size(), plane = height * width;
          bytes codes(n), classes(n);
          plain.split_planes[channels - 1](pixels.data(), plane, codes.data());
          const bytes values = codes;
          for (std::size_t c = 0; c < channels; ++c) plain.predict_plane(codes.data() + c * plane, height, width);
          ASSERT_EQ(codes, reference_codes(pixels, of)) << picture_name(of, k);
          plain.classes_of(codes.data(), n, classes.data());
          const std::size_t bits = plain.rest_bits(codes.data(), n), room = (bits + 7) / 8;
          ASSERT_EQ(plain.rest_bits_of_classes(classes.data(), n), bits);
          bytes rest(room);
          plain.write_rest(codes.data(), n, rest.data(), room);
          for (const auto* const set : available_kernels())
            for (const auto edge : {bytes_here::edge::end, bytes_here::edge::start}) {
              SCOPED_TRACE(std::string(set->name) + " " + picture_name(of, k));
              const auto same = [](const bytes_here& got, const bytes& as) { return std::equal(as.begin(), as.end(), got.values().begin(), got.values().end()); };
              const bytes_here given(std::span<const std::uint8_t>(pixels), edge), made(n, edge), of_codes(n, edge), bits_out(room, edge), back(n, edge);
              set->split_planes[channels - 1](given.data(), plane, made.data());
              ASSERT_TRUE(same(made, values));
              for (std::size_t c = 0; c < channels; ++c) set->predict_plane(made.data() + c * plane, height, width);
              ASSERT_TRUE(same(made, codes));
              set->classes_of(made.data(), n, of_codes.data());
              ASSERT_TRUE(same(of_codes, classes));
              ASSERT_EQ(set->rest_bits(made.data(), n), bits);
              ASSERT_EQ(set->rest_bits_of_classes(of_codes.data(), n), bits);
              set->write_rest(made.data(), n, bits_out.data(), room);
              ASSERT_TRUE(same(bits_out, rest));
              set->read_rest(bits_out.data(), room, 0, of_codes.data(), n, back.data());
              ASSERT_TRUE(same(back, codes));
            }
        }
}

/// All 256 codes, at every place of a register, and streams that start within a byte.
TEST(Predicted, EveryKernelKnowsEveryCode)
{
  const kernel_set& plain = *find_kernels("scalar");
  bytes codes(256 * 33), classes(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i % 33 == 0 ? i / 33 : (i * 7 + i / 256) % 256);
  plain.classes_of(codes.data(), codes.size(), classes.data());
  bytes rest((plain.rest_bits(codes.data(), codes.size()) + 7) / 8);
  plain.write_rest(codes.data(), codes.size(), rest.data(), rest.size());
  for (const auto* const set : available_kernels()) {
    SCOPED_TRACE(set->name);
    bytes made(codes.size());
    set->classes_of(codes.data(), codes.size(), made.data());
    EXPECT_EQ(made, classes);
    for (std::size_t first = 0; first < 100; ++first) {
      const std::size_t before = plain.rest_bits(codes.data(), first), n = codes.size() - first;
      bytes back(n);
      set->read_rest(rest.data(), rest.size(), before, classes.data() + first, n, back.data());
      ASSERT_TRUE(std::equal(back.begin(), back.end(), codes.begin() + static_cast<std::ptrdiff_t>(first))) << first;
    }
  }
}

TEST(Predicted, SmoothPicturesBecomeLessThanHalf)
{
  test::random_source source(test::seed);
  const picture_extents of{224, 224, 3};
  const auto pixels = some_pixels(of, picture_kind::smooth, source);
  EXPECT_LT(2 * reference_stream(pixels, of).size(), pixels.size());
}

TEST(Predicted, TheExampleOfTheFormatHasItsBytes)
{
  const picture_extents of{2, 2, 3};
  const bytes pixels{100, 110, 90, 104, 112, 95, 101, 115, 92, 90, 113, 99};
  EXPECT_EQ(reference_codes(pixels, of), (bytes{19, 4, 7, 21, 35, 4, 10, 3, 39, 6, 5, 12}));
  bytes scratch(12), out(400);
  const auto size = pack_predicted(pixels, of, scratch, out);
  ASSERT_TRUE(size);
  out.resize(*size);
  const bytes start{3, 0, 0, 0, 0xB3, 0xC3, 0x13};
  EXPECT_TRUE(std::equal(start.begin(), start.end(), out.begin()));
  EXPECT_EQ(out, reference_stream(pixels, of));
}

TEST(Predicted, TheGoldenStreamIsWrittenAndRead)
{
  const picture_extents of{17, 24, 3};
  bytes pixels;
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < 17 * 24 * 3; ++i) {
    state = state * 1664525U + 1013904223U;
    pixels.push_back(static_cast<std::uint8_t>(60 * (i % 3) + 2 * (i / 3 % 24) + 3 * (i / 72) + state / (1U << 24) % 16));
  }
  std::ifstream file(std::string(NARROWS_SOURCE_DIR) + "/tests/pack/golden/17x24x3.predicted", std::ios::binary);
  const bytes golden(std::istreambuf_iterator<char>(file), {});
  bytes scratch(pixels.size()), out(pixels.size() - 1), back(pixels.size());
  const auto size = pack_predicted(pixels, of, scratch, out);
  ASSERT_TRUE(size);
  out.resize(*size);
  if (const char* const to = std::getenv("NARROWS_WRITE_GOLDEN")) std::ofstream(to, std::ios::binary).write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size()));
  ASSERT_FALSE(golden.empty());
  EXPECT_EQ(out, golden);
  ASSERT_EQ(unpack_predicted(golden, of, scratch, back), errc::ok);
  EXPECT_EQ(back, pixels);
}

TEST(Predicted, ShortBuffersAreRefusedAtEveryLength)
{
  test::random_source source(test::seed);
  const picture_extents of{9, 11, 3};
  const auto pixels = some_pixels(of, picture_kind::random, source);
  bytes scratch(pixels.size());
  const auto whole = reference_stream(pixels, of).size();
  for (std::size_t n = 0; n < whole; ++n) {
    const guarded<std::uint8_t> out(n);
    const auto size = pack_predicted(pixels, of, scratch, out.values());
    ASSERT_FALSE(size) << n;
    ASSERT_EQ(size.error(), errc::short_buffer) << n;
  }
  bytes out(whole), back(pixels.size());
  EXPECT_EQ(pack_predicted(pixels, of, std::span(scratch).first(pixels.size() - 1), out).error(), errc::short_buffer);
  ASSERT_TRUE(pack_predicted(pixels, of, scratch, out));
  EXPECT_EQ(unpack_predicted(out, of, std::span(scratch).first(pixels.size() - 1), back), errc::short_buffer);
}

TEST(Predicted, ShapesThatNoPictureHasAreRefused)
{
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  bytes four(4), out(100);
  for (const picture_extents of : {picture_extents{2, 2, 0}, {2, 2, 5}, {most, 1, 1}, {1, most, 1}, {most, most, 1}, {most / 2 + 1, 2, 1}, {std::size_t{1} << 31, 2, 1}, {most, most, 4}, {2, 1, 1}}) {
    EXPECT_EQ(pack_predicted(four, of, four, out).error(), errc::bad_shape) << of.height << " " << of.width;
    EXPECT_EQ(unpack_predicted(out, of, four, four), errc::bad_shape) << of.height << " " << of.width;
  }
  EXPECT_FALSE(picture_of(shape{1, 5, 2, 2}));
  EXPECT_FALSE(picture_of(shape{2, 3, 2, 2}));
  EXPECT_FALSE(picture_of(shape{3, 2, 2}));
  EXPECT_FALSE(picture_of(shape{1, 3, 1 << 20, 1 << 20}));
  ASSERT_TRUE(picture_of(shape{1, 3, 5, 7}));
  EXPECT_EQ(picture_of(shape{1, 3, 5, 7})->width, 7U);
  EXPECT_EQ(*pack_predicted({}, {0, 3, 3}, {}, {}), 0U);
  EXPECT_EQ(unpack_predicted({}, {0, 3, 3}, {}, {}), errc::ok);
  EXPECT_EQ(unpack_predicted(out, {0, 3, 3}, {}, {}), errc::corrupt);
}

TEST(Predicted, DamagedStreamsAreRefusedOrStayWithinTheirBuffers)
{
  test::random_source source(test::seed);
  const picture_extents of{29, 31, 3};
  const auto pixels = some_pixels(of, picture_kind::smooth, source);
  const auto good = reference_stream(pixels, of);
  const guarded<std::uint8_t> scratch(pixels.size()), back(pixels.size());
  const auto read = [&](const bytes& stream) {
    const guarded<std::uint8_t> in{std::span<const std::uint8_t>(stream)};
    return unpack_predicted(in.values(), of, scratch.values(), back.values());
  };
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(read(bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n))), errc::ok) << n;
  for (int k = 0; k < 4; ++k)   // how many bytes of rest bits
    for (const int by : {1, 2, 128, 255}) {
      auto bad = good;
      bad[static_cast<std::size_t>(k)] = static_cast<std::uint8_t>(bad[static_cast<std::size_t>(k)] + by);
      EXPECT_NE(read(bad), errc::ok) << k << " " << by;
    }
  auto longer = good;
  longer.push_back(0);
  EXPECT_NE(read(longer), errc::ok);
  longer = good;   // a byte of rest bits too many
  ++longer[0];
  longer.insert(longer.begin() + 4, 0);
  EXPECT_EQ(read(longer), errc::corrupt);
  for (int times = 0; times < 3000; ++times) {
    auto bad = good;
    for (std::size_t changes = 1 + source.below(3); changes > 0; --changes) bad[source.below(bad.size())] = static_cast<std::uint8_t>(source.below(256));
    static_cast<void>(read(bad));
  }
}

TEST(Predicted, UnusedRestBitsAreRefused)
{
  const picture_extents of{1, 1, 1};
  const bytes pixels{132};   // residual 4, code 8: class 6, two rest bits of a byte
  auto stream = reference_stream(pixels, of);
  bytes scratch(1), back(1);
  ASSERT_EQ(unpack_predicted(stream, of, scratch, back), errc::ok);
  EXPECT_EQ(back, pixels);
  stream[4] |= 4;
  EXPECT_EQ(unpack_predicted(stream, of, scratch, back), errc::corrupt);
}

}  // namespace
}  // namespace narrows
