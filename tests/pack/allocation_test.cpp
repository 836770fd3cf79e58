// SPDX-License-Identifier: BSD-3-Clause
// pack works in the caller's buffers. A program of its own, since it replaces operator new.
#include <narrows/pack/linear.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/count_allocations.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::allocations_of;

constexpr std::size_t n = 3 * 20 * 33 * 35;
const shape dims{3, 20, 33, 35};

struct Allocations : testing::Test {
  test::random_source source;
  std::vector<float> x = test::relu_like(n, 3, source), back = std::vector<float>(n);
  std::vector<std::uint8_t> codes = test::random_codes<std::uint8_t>(n, 7, source);
  std::vector<std::uint16_t> wide = test::random_codes<std::uint16_t>(n, 11, source), halves = std::vector<std::uint16_t>(n);
  std::vector<std::uint8_t> packed = std::vector<std::uint8_t>(4 * n);
  std::vector<affine> scales = std::vector<affine>(20, affine{0.02F, 1});
};

TEST_F(Allocations, AreCounted)
{
  const auto seen = allocations_of([] { const std::vector<char> some(test::large_bytes); });
  EXPECT_EQ(seen.count, 1U);
  EXPECT_EQ(seen.large, 1U);
}

TEST_F(Allocations, PackAndUnpackMakeNone)
{
  const scale_map map{scales, 33 * 35};
  EXPECT_EQ(allocations_of([&] {
    std::size_t failed = 0;
    const auto good = [&failed](errc e) { failed += e != errc::ok; };
    good(pack(std::span<const std::uint8_t>(codes), 7, packed));
    good(unpack(packed, 7, std::span<std::uint8_t>(codes)));
    good(pack(std::span<const std::uint16_t>(wide), 11, packed));
    good(unpack(packed, 11, std::span<std::uint16_t>(wide)));
    for (const int bits : {1, 4, 8, 12}) {
      good(fit_min_max(x, 33 * 35, bits, scales));
      good(quantize_pack(x, map, bits, packed));
      good(unpack_dequantize(packed, map, bits, back));
      const auto sparse = quantize_pack_sparse(x, map, bits, packed);
      good(sparse ? unpack_dequantize_sparse(std::span(packed).first(*sparse), map, bits, back) : sparse.error());
      const auto runs = quantize_pack_runs(x, map, bits, packed);
      good(runs ? unpack_dequantize_runs(std::span(packed).first(*runs), map, bits, back) : runs.error());
    }
    if (failed > 0) throw failed;
  }).count,
    0U);
}

TEST_F(Allocations, ViewsMakeNone)
{
  const scale_map map{scales, 33 * 35};
  EXPECT_EQ(allocations_of([&] {
    std::size_t failed = 0;
    for (const element type : {element::float16, element::bfloat16, element::int8, element::uint8, element::float32})
      for (const bool planar : {false, true}) {
        void* const memory = type == element::float32 ? static_cast<void*>(back.data()) : halves.data();
        auto view = nhwc_view(memory, type, {3, 33, 35, 20}, {0.02F, 1});
        if (planar) view = streamed_as(value_order::nchw, view);
        const auto to = value_sink::make(view);
        const auto from = value_source::make(view);
        const scale_map by{scales, planar ? std::size_t{33 * 35} : 1};
        failed += !to || !from;
        failed += quantize_pack(x, map, 5, packed) != errc::ok;
        failed += unpack_dequantize(packed, by, 5, *to) != errc::ok;
        failed += fit_min_max(*from, by.inner, 5, scales) != errc::ok;
        failed += quantize_pack(*from, by, 5, packed) != errc::ok;
        const auto runs = quantize_pack_runs(*from, by, 5, packed);
        failed += !runs || unpack_dequantize_runs(std::span(packed).first(*runs), by, 5, *to) != errc::ok;
      }
    if (failed > 0) throw failed;
  }).count,
    0U);
}

TEST_F(Allocations, EncodeFillsTheCallersVectorsAndThenMakesNone)
{
  const tensor_view values(x, dims);
  const auto calibrated = std::make_shared<const std::vector<affine>>(scales);
  for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs})
    for (const auto rule : {range_rule::min_max, range_rule::calibrated}) {
      SCOPED_TRACE(std::string(to_string(coded_as)));
      const coding how{coded_as, 6, rule, {1}, calibrated};
      aligned_vector<std::uint8_t> payload;
      descriptor d;
      bool good = true;
      const auto once = [&] {
        good = encode(values, how, payload, d).has_value() && decode(d, payload, back).has_value() && good;
      };
      const std::size_t scales_made = coded_as == codec::raw ? 0 : 1;
      EXPECT_EQ(allocations_of(once).count, 1 + scales_made) << "payload, scales";
      EXPECT_EQ(allocations_of([&] {
        for (int i = 0; i < 5; ++i) once();
      }).count,
        0U);
      EXPECT_EQ(allocations_of([&] { good = good && encode(values, how, payload).has_value(); }).count, scales_made)
        << "a descriptor of its own";
      EXPECT_EQ(allocations_of([&] { good = good && encode(values, how, packed, d).has_value(); }).count, 0U);
      auto out = nhwc_view(halves.data(), element::float16, {3, 33, 35, 20});
      EXPECT_EQ(allocations_of([&] {
        good = good && decode(d, std::span(packed).first(d.payload_bytes), streamed_as(value_order::nchw, out)).has_value();
      }).count,
        0U);
      ASSERT_TRUE(good);
    }
}

TEST_F(Allocations, LevelsMakeOneForTheDescriptorAndThenNone)
{
  const tensor_view values(x, dims);
  const auto calibrated = std::make_shared<const std::vector<affine>>(scales);
  const auto levels = std::make_shared<const std::vector<float>>(20U << 6U, 0.5F);
  for (const codec coded_as : {codec::dense, codec::sparse, codec::runs, codec::rans}) {
    SCOPED_TRACE(std::string(to_string(coded_as)));
    const coding how{coded_as, 6, range_rule::calibrated, {1}, calibrated, levels};
    aligned_vector<std::uint8_t> payload;
    descriptor d;
    bool good = true;
    const auto once = [&] {
      good = encode(values, how, payload, d).has_value() && decode(d, payload, back).has_value() && good;
      const auto to = nchw_view(halves.data(), element::float16, dims);
      good = decode(d, payload, to).has_value() && good;
    };
    EXPECT_EQ(allocations_of(once).count, 3U) << "payload, scales, levels";
    EXPECT_EQ(allocations_of(once).count, 0U);
    EXPECT_TRUE(good);
  }
}

TEST_F(Allocations, NaNsSentRawMakeNoneInASteadyLoop)
{
  x[77] = std::numeric_limits<float>::quiet_NaN();
  aligned_vector<std::uint8_t> payload;
  descriptor d;
  bool good = true;
  const auto once = [&] {
    good = encode(tensor_view(x, dims), {codec::runs, 4, range_rule::min_max, {1}, {}}, payload, d).has_value() && good;
  };
  once();
  EXPECT_EQ(allocations_of(once).count, 0U);
  EXPECT_EQ(d.coded_as, codec::raw);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace narrows
