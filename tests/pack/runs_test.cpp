// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/runs.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;

constexpr std::size_t runs_lengths[] = {1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1000, 4095, 4096, 4097, 4160, 9000};

/// How likely small codes are, and whether neighbours are alike.
enum class texture { noise, rectified, smooth, zeros, ones, rare };
constexpr texture textures[] = {
  texture::noise, texture::rectified, texture::smooth, texture::zeros, texture::ones, texture::rare};

template <code_unit Code>
std::vector<Code> draw(std::size_t n, int bits, texture how, test::random_source& source)
{
  std::vector<Code> codes(n);
  std::uint64_t level = 0;
  for (auto& c : codes) {
    std::uint64_t drawn = source.below(max_code(bits) + 1);
    if (how == texture::rectified) drawn = source.below(2) == 0 ? 0 : std::min(drawn, source.below(max_code(bits) + 1));
    if (how == texture::smooth) drawn = level = source.below(9) == 0 ? drawn : level;
    if (how == texture::zeros) drawn = 0;
    if (how == texture::ones) drawn = 1;
    if (how == texture::rare) drawn = source.below(300) == 0 ? max_code(bits) : 0;
    c = static_cast<Code>(drawn);
  }
  return codes;
}

template <code_unit Code>
std::vector<std::uint8_t> reference_stream(const std::vector<Code>& codes, int bits)
{
  std::vector<std::uint8_t> all;
  std::vector<std::uint8_t> block(16384);
  for (std::size_t first = 0; first < codes.size(); first += runs_block) {
    const std::span part(codes.data() + first, std::min(runs_block, codes.size() - first));
    const std::size_t size = reference::pack_runs_block(part, bits, std::span(block));
    all.insert(all.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
  }
  return all;
}

template <code_unit Code>
errc reference_codes(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes)
{
  while (!codes.empty()) {
    std::size_t size = 0;
    const auto part = codes.first(std::min(runs_block, codes.size()));
    if (stream.empty()) return errc::truncated;
    if (const auto e = reference::unpack_runs_block(stream, bits, part, size); e != errc::ok) return e;
    stream = stream.subspan(size);
    codes = codes.subspan(part.size());
  }
  return stream.empty() ? errc::ok : errc::corrupt;
}

class Runs : public testing::TestWithParam<std::tuple<const kernel_set*, int>> {
protected:
  const kernel_set& set = *std::get<0>(GetParam());
  const int bits = std::get<1>(GetParam());
  test::random_source source{test::seed + static_cast<std::uint64_t>(std::get<1>(GetParam()))};

  template <class Body>
  void with_code(Body body)
  {
    if (bits <= 8)
      body(std::uint8_t{});
    else
      body(std::uint16_t{});
  }
};

TEST_P(Runs, AreTheBytesOfTheReferenceAndComeBack)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : runs_lengths)
      for (const texture how : textures) {
        SCOPED_TRACE(
          "n " + std::to_string(n) + " texture " + std::to_string(static_cast<int>(how)) + " seed " + std::to_string(test::seed));
        const auto codes = draw<code>(n, bits, how, source);
        const auto expected = reference_stream(codes, bits);
        ASSERT_LE(expected.size(), most_runs_bytes(n, bits));
        ASSERT_GE(expected.size(), least_runs_bytes(n));
        std::vector<code> again(n);
        ASSERT_EQ(reference_codes<code>(expected, bits, again), errc::ok);
        ASSERT_EQ(again, codes);

        const guarded<code> in{std::span<const code>(codes)};
        const guarded<std::uint8_t> out(expected.size());
        const auto size = detail::pack_runs_with<code>(set, in.values(), bits, out.values());
        ASSERT_TRUE(size);
        ASSERT_EQ(*size, expected.size());
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
        const auto shorter = detail::pack_runs_with<code>(set, in.values(), bits, out.values().first(expected.size() - 1));
        ASSERT_FALSE(shorter);
        EXPECT_EQ(shorter.error(), errc::short_buffer);
        std::vector<std::uint8_t> roomy(expected.size() + 20000);
        ASSERT_TRUE(detail::pack_runs_with<code>(set, in.values(), bits, roomy));
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), roomy.begin()));

        const guarded<code> back(n);
        const guarded<std::uint8_t> stream{std::span<const std::uint8_t>(expected)};
        ASSERT_EQ(detail::unpack_runs_with<code>(set, stream.values(), bits, back.values()), errc::ok);
        ASSERT_TRUE(std::equal(codes.begin(), codes.end(), back.data()));
      }
  });
}

TEST_P(Runs, DamagedStreamsMeanTheSameToEveryKernel)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (int round = 0; round < 300; ++round) {
      SCOPED_TRACE("round " + std::to_string(round) + " seed " + std::to_string(test::seed));
      const std::size_t n = 1 + source.below(5000);
      auto bytes = reference_stream(draw<code>(n, bits, textures[source.below(std::size(textures))], source), bits);
      if (source.below(3) == 0) bytes.resize(source.below(bytes.size() + 40));
      if (source.below(8) == 0)
        for (auto& b : bytes) b = static_cast<std::uint8_t>(source.next() & source.next());
      for (std::uint64_t flips = source.below(4); flips > 0 && !bytes.empty(); --flips)
        bytes[source.below(source.below(2) == 0 ? std::min<std::size_t>(bytes.size(), 70) : bytes.size())] ^=
          static_cast<std::uint8_t>(1U << source.below(8));
      std::vector<code> expected(n);
      const errc wanted = reference_codes<code>(bytes, bits, expected);
      const guarded<std::uint8_t> stream{std::span<const std::uint8_t>(bytes)};
      std::vector<code> found(n);
      const errc got = detail::unpack_runs_with<code>(set, stream.values(), bits, std::span(found));
      ASSERT_EQ(got == errc::ok, wanted == errc::ok) << message(got) << " and " << message(wanted);
      const affine plain{1, 0};
      std::vector<float> floats(n);
      const errc of_floats = detail::unpack_dequantize_runs_with<code>(set, stream.values(), {{&plain, 1}, 1}, bits, floats);
      ASSERT_EQ(of_floats == errc::ok, wanted == errc::ok) << message(of_floats) << " and " << message(wanted);
      if (wanted == errc::ok) {
        ASSERT_EQ(found, expected);
        ASSERT_TRUE(std::equal(found.begin(), found.end(), floats.begin()));
      }
    }
  });
}

TEST_P(Runs, AnyPartOfAStreamIsTruncated)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    const auto stream = reference_stream(draw<code>(4200, bits, texture::rectified, source), bits);
    std::vector<code> back(4200);
    for (std::size_t cut = 0; cut < stream.size(); ++cut)
      ASSERT_EQ(detail::unpack_runs_with<code>(set, std::span(stream).first(cut), bits, std::span(back)), errc::truncated) << cut;
  });
}

INSTANTIATE_TEST_SUITE_P(EveryKernel, Runs,
  testing::Combine(
    testing::ValuesIn(available_kernels().begin(), available_kernels().end()), testing::Range(min_width, max_width + 1)),
  [](
    const auto& which) { return std::string(std::get<0>(which.param)->name) + "_u" + std::to_string(std::get<1>(which.param)); });

TEST(RunsStream, TensorsTravel)
{
  test::random_source source;
  const tensor x({1, 5, 31, 31}, test::relu_like(5 * 31 * 31, 4, source));
  for (const int bits : {1, 4, 8, 12}) {
    aligned_vector<std::uint8_t> dense, runs;
    const auto plain = encode(x.view(), {codec::dense, bits}, dense);
    const auto d = encode(x.view(), {codec::runs, bits}, runs);
    ASSERT_TRUE(plain && d);
    if (bits > 1) {
      ASSERT_EQ(d->coded_as, codec::runs);
    }
    ASSERT_LE(runs.size(), dense.size());
    std::vector<float> expected(x.size()), found(x.size());
    ASSERT_TRUE(decode(*plain, dense, expected));
    ASSERT_TRUE(decode(*d, runs, found));
    EXPECT_EQ(found, expected);
  }
}

TEST(RunsStream, IsTheExampleOfTheFormat)
{
  const std::vector<std::uint8_t> codes{0, 3, 0, 0, 7, 1, 0, 0, 0, 5};
  std::vector<std::uint8_t> out(most_runs_bytes(10, 4));
  const auto size = pack_runs(std::span<const std::uint8_t>(codes), 4, std::span(out));
  ASSERT_TRUE(size);
  EXPECT_EQ(out, (std::vector<std::uint8_t>{0x03, 0x32, 0x02, 0x12, 0, 0x10, 0x02, 0, 0}));
  const std::vector<std::uint8_t> in_masks{0x00, 0x32, 0x02, 0, 0x0B, 0x06, 0x01, 0, 0, 0};
  std::vector<std::uint8_t> back(10);
  ASSERT_EQ(unpack_runs(std::span<const std::uint8_t>(in_masks), 4, std::span(back)), errc::ok);
  EXPECT_EQ(back, codes);
}

TEST(RunsStream, WidthsOfOtherCodesAreRefused)
{
  std::vector<std::uint8_t> codes(10), out(100);
  EXPECT_EQ(pack_runs(std::span<const std::uint8_t>(codes), 9, std::span(out)).error(), errc::bad_width);
  EXPECT_EQ(unpack_runs(std::span<const std::uint8_t>(out), 0, std::span(codes)), errc::bad_width);
}

}  // namespace
}  // namespace narrows
