// SPDX-License-Identifier: BSD-3-Clause
// Whole blocks stand for themselves: any thread may pack or unpack any of them, and a reader may want only some.
#include <narrows/pack/packed_tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/half.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

/// Runs work(first, n) for parts of whole blocks on threads of its own.
template <class Work>
void on_threads(std::size_t values, std::size_t threads, Work work)
{
  const std::size_t each = (block_count(values) + threads - 1) / threads * block_values;
  std::vector<std::thread> running;
  for (std::size_t first = 0; first < values; first += each)
    running.emplace_back([=] { work(first, std::min(each, values - first)); });
  for (auto& t : running) t.join();
}

std::vector<affine> some_scales(std::size_t n)
{
  std::vector<affine> scales;
  for (std::size_t i = 0; i < n; ++i)
    scales.push_back({0.01F + 0.003F * static_cast<float>(i), static_cast<std::int32_t>(i % 3)});
  return scales;
}

TEST(Blocks, ThreadsPackAndUnpackOneTensorTogether)
{
  test::random_source source;
  const std::size_t n = 3 * 14 * 37 * 41;  // no whole number of blocks
  auto floats = test::relu_like(n, 3, source);
  std::vector<std::uint16_t> halves(n);
  for (std::size_t i = 0; i < n; ++i) {
    halves[i] = half_of_float(floats[i]);
    floats[i] = float_of_half(halves[i]);
  }
  const auto view = nchw_view(halves.data(), element::float16, {3, 14, 37, 41});
  const auto from = value_source::make(view);
  ASSERT_TRUE(from);
  for (const int bits : {1, 4, 7, 8, 12})
    for (const auto& scales : {some_scales(1), some_scales(14)})
      for (const std::size_t threads : {2U, 3U, 7U}) {
        SCOPED_TRACE(
          std::to_string(bits) + " bits, " + std::to_string(scales.size()) + " scales, " + std::to_string(threads) + " threads");
        std::vector<std::uint8_t> once(packed_bytes(n, bits)), together(once.size());
        ASSERT_EQ(quantize_pack(floats, scale_map{scales, 37 * 41}, bits, once), errc::ok);
        on_threads(n, threads, [&](std::size_t first, std::size_t some) {
          const scale_map map{scales, 37 * 41, first};
          const auto to = std::span(together).subspan(block_offset(first / block_values, bits));
          if (first % 3 == 0)
            EXPECT_EQ(quantize_pack(from->part(first, some), map, bits, to), errc::ok);
          else
            EXPECT_EQ(quantize_pack(std::span<const float>(floats).subspan(first, some), map, bits, to), errc::ok);
        });
        ASSERT_EQ(together, once);

        std::vector<float> answer(n), parts(n);
        ASSERT_EQ(unpack_dequantize(once, scale_map{scales, 37 * 41}, bits, answer), errc::ok);
        on_threads(n, threads, [&](std::size_t first, std::size_t some) {
          const auto in = std::span<const std::uint8_t>(once).subspan(block_offset(first / block_values, bits));
          EXPECT_EQ(unpack_dequantize(in, {scales, 37 * 41, first}, bits, std::span(parts).subspan(first, some)), errc::ok);
        });
        ASSERT_EQ(std::memcmp(parts.data(), answer.data(), n * sizeof(float)), 0);
      }
}

TEST(Blocks, CodesPackBlockByBlockToo)
{
  test::random_source source;
  const std::size_t n = 5 * block_values + 77;
  for (const int bits : {3, 8}) {
    const auto codes = test::random_codes<std::uint8_t>(n, bits, source);
    std::vector<std::uint8_t> once(packed_bytes(n, bits)), parts(once.size());
    ASSERT_EQ(pack(std::span<const std::uint8_t>(codes), bits, once), errc::ok);
    for (std::size_t k = block_count(n); k-- > 0;) {
      const std::size_t first = k * block_values;
      const auto some = std::span<const std::uint8_t>(codes).subspan(first, std::min(block_values, n - first));
      ASSERT_EQ(pack(some, bits, std::span(parts).subspan(block_offset(k, bits))), errc::ok);
    }
    EXPECT_EQ(parts, once);
  }
}

TEST(Blocks, AnyPartOfADenseOrRawPayloadDecodesAlone)
{
  test::random_source source;
  const tensor x({2, 3, 23, 29}, test::relu_like(2 * 3 * 23 * 29, 3, source));  // 4002 values: 7 blocks and 418
  const std::size_t n = x.size();
  for (const codec coded_as : {codec::raw, codec::dense})
    for (const int bits : {4, 12})
      for (const int axis : {-1, 1}) {
        aligned_vector<std::uint8_t> payload;
        const auto d = encode(x.view(), {coded_as, bits, range_rule::min_max, {axis}, {}}, payload);
        ASSERT_TRUE(d);
        std::vector<float> whole(n);
        ASSERT_TRUE(decode(*d, payload, whole));
        for (int i = 0; i < 300; ++i) {
          const std::size_t first = source.below(3) == 0 ? source.below(8) * block_values : source.below(n + 1);
          const std::size_t some = source.below(3) == 0 ? n - first : source.below(n - first + 1);
          SCOPED_TRACE(
            "first " + std::to_string(first) + ", " + std::to_string(some) + " values, seed " + std::to_string(test::seed));
          std::vector<float> part(some + 1, 42);
          ASSERT_TRUE(decode_part(*d, payload, first, std::span(part).first(some)));
          ASSERT_TRUE(std::equal(part.begin(), part.end() - 1, whole.begin() + static_cast<std::ptrdiff_t>(first)));
          ASSERT_EQ(part[some], 42);
          std::vector<std::uint16_t> halves(some);
          const auto to = value_sink::make(contiguous_view(halves.data(), element::float16, {static_cast<std::int64_t>(some)}));
          ASSERT_TRUE(decode_part(*d, payload, first, *to));
          for (std::size_t k = 0; k < some; ++k) ASSERT_EQ(halves[k], half_of_float(whole[first + k]));
        }
        const auto refused = [&](std::size_t first, std::size_t some) {
          std::vector<float> out(some);
          return decode_part(*d, payload, first, std::span(out)).error();
        };
        EXPECT_EQ(refused(n, 1), errc::short_buffer);
        EXPECT_EQ(refused(n - 1, 2), errc::short_buffer);
        EXPECT_EQ(refused(std::numeric_limits<std::size_t>::max(), 2), errc::short_buffer);
        EXPECT_EQ(decode_part(*d, std::span(payload).first(payload.size() - 1), 0, std::span(whole)).error(), errc::truncated);
      }
  aligned_vector<std::uint8_t> payload;
  const auto d = encode(x.view(), {codec::sparse, 4, {}, {}, {}}, payload);
  float one = 0;
  EXPECT_EQ(decode_part(*d, payload, 0, std::span(&one, 1)).error(), errc::unsupported_codec);
}

}  // namespace
}  // namespace narrows
