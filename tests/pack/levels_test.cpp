// SPDX-License-Identifier: BSD-3-Clause
// Reconstruction levels, against a plain loop over the codes.
#include <narrows/pack/levels.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/packed_tensor.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

using bytes = aligned_vector<std::uint8_t>;

template <class T>
std::shared_ptr<const std::vector<T>> shared(std::vector<T> values)
{
  return std::make_shared<const std::vector<T>>(std::move(values));
}

std::size_t groups_along(const shape& dims, int axis) { return axis < 0 ? 1 : static_cast<std::size_t>(dims[static_cast<std::size_t>(axis)]); }

/// Scales that differ from group to group, and levels that no scale could give.
coding coding_with_levels(codec coded_as, int bits, const shape& dims, int axis, test::random_source& source)
{
  std::vector<affine> scales;
  for (std::size_t g = 0; g < groups_along(dims, axis); ++g) scales.push_back({4.0F / static_cast<float>(1 << bits) * (1 + static_cast<float>(g % 3)), static_cast<std::int32_t>(g % 2)});
  auto levels = test::random_floats(scales.size() << bits, -1e6F, 1e6F, source);
  return {coded_as, bits, range_rule::calibrated, {axis}, shared(std::move(scales)), shared(std::move(levels))};
}

std::vector<float> expected_values(const tensor& x, const coding& how)
{
  std::size_t inner = x.size();
  if (how.group.axis >= 0) inner = static_cast<std::size_t>(x.dims().product(static_cast<std::size_t>(how.group.axis) + 1, x.dims().rank()));
  std::vector<float> values;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t group = i / inner % how.scales->size();
    values.push_back((*how.levels)[(group << how.width) + quantizer((*how.scales)[group], how.width)(x.values()[i])]);
  }
  return values;
}

TEST(ReconstructionLevels, AreWhatEveryCodecDecodesTo)
{
  test::random_source source;
  for (const shape& dims : {shape{1, 5, 7, 7}, shape{2, 3, 41, 43}, shape{1, 16, 14, 14}, shape{3, 600}, shape{1}, shape{4097}})
    for (const codec coded_as : {codec::dense, codec::sparse, codec::runs, codec::rans})
      for (int bits = min_width; bits <= max_level_width; ++bits)
        for (const int axis : {-1, 0, 1, 3}) {
          if (axis >= static_cast<int>(dims.rank())) continue;
          SCOPED_TRACE(to_string(dims) + " " + std::string(to_string(coded_as)) + " " + std::to_string(bits) + " axis " + std::to_string(axis));
          const tensor x(dims, test::relu_like(dims.elements(), 4, source));
          const auto how = coding_with_levels(coded_as, bits, dims, axis, source);
          bytes payload, without;
          const auto d = encode(x.view(), how, payload);
          ASSERT_TRUE(d);
          ASSERT_EQ(d->levels, *how.levels);
          ASSERT_EQ(check(*d, dims), errc::ok);
          auto plain = how;
          plain.levels = nullptr;
          ASSERT_TRUE(encode(x.view(), plain, without));
          ASSERT_EQ(payload, without) << "levels change no payload";
          const auto expected = expected_values(x, how);
          std::vector<float> back(x.size() + 3, 42);
          ASSERT_TRUE(decode(*d, payload, back));
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), back.begin()));
          ASSERT_EQ(back[x.size()], 42) << "what lies beyond is not touched";
          if (d->coded_as != codec::dense) continue;
          for (const std::size_t first : {x.size() / 3, x.size() / 2, std::size_t{0}}) {
            std::vector<float> part((x.size() - first + 1) / 2);
            ASSERT_TRUE(decode_part(*d, payload, first, part));
            ASSERT_TRUE(std::equal(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(first)));
          }
        }
}

TEST(ReconstructionLevels, AreConvertedForWhatEnginesKeep)
{
  test::random_source source;
  const shape dims{1, 6, 20, 33};
  const tensor x(dims, test::relu_like(dims.elements(), 4, source));
  for (const codec coded_as : {codec::dense, codec::sparse, codec::runs, codec::rans})
    for (const int axis : {-1, 1}) {
      SCOPED_TRACE(std::string(to_string(coded_as)) + " axis " + std::to_string(axis));
      const auto how = coding_with_levels(coded_as, 4, dims, axis, source);
      bytes payload;
      const auto d = encode(x.view(), how, payload);
      ASSERT_TRUE(d);
      const auto expected = expected_values(x, how);
      std::vector<float> turned(x.size());
      ASSERT_TRUE(decode(*d, payload, streamed_as(value_order::nchw, nhwc_view(turned.data(), element::float32, {1, 20, 33, 6}))));
      std::vector<std::uint16_t> halves(x.size()), wanted(x.size());
      ASSERT_TRUE(decode(*d, payload, nchw_view(halves.data(), element::bfloat16, dims)));
      const auto to_halves = value_sink::make(nchw_view(wanted.data(), element::bfloat16, dims));
      ASSERT_TRUE(to_halves);
      for (std::size_t i = 0; i < x.size(); i += piece_values)
        to_halves->write(best_kernels(), i, std::min(piece_values, x.size() - i), expected.data() + i);
      EXPECT_EQ(halves, wanted);
      for (std::size_t c = 0, i = 0; c < 6; ++c)
        for (std::size_t pixel = 0; pixel < 20 * 33; ++pixel, ++i) ASSERT_EQ(turned[pixel * 6 + c], expected[i]);
      if (d->coded_as != codec::dense) continue;
      std::vector<float> some(x.size());   // a part of the tensor into a part of a place
      ASSERT_TRUE(decode_part(*d, payload, 700, value_sink(some).part(100, 2000)));
      EXPECT_TRUE(std::equal(some.begin() + 100, some.begin() + 2100, expected.begin() + 700));
    }
}

// docs/format.md, section 2, worked out by hand.
TEST(ReconstructionLevels, OfTheFormatsExample)
{
  descriptor d;
  d.order = value_order::as_given;
  d.dims = shape{2, 3};
  d.coded_as = codec::dense;
  d.width = 2;
  d.group.axis = 0;
  d.scales = {{1, 0}, {0.5F, 3}};
  d.levels = {-1.5F, 0.25F, 1, 3, 10, 20, 40, 80};
  constexpr std::array<std::uint8_t, 2> payload{0xE4, 0x01};
  d.payload_bytes = payload.size();
  std::vector<float> out(6);
  ASSERT_TRUE(decode(d, payload, out));
  EXPECT_EQ(out, (std::vector<float>{-1.5F, 0.25F, 1, 80, 20, 10}));
}

TEST(ReconstructionLevels, ThatBreakTheRulesAreRefused)
{
  const tensor x({1, 3, 20, 20}, std::vector<float>(1200, 0.5F));
  test::random_source source;
  const auto good = coding_with_levels(codec::dense, 4, x.dims(), 1, source);
  bytes payload;
  const auto sent = encode(x.view(), good, payload);
  ASSERT_TRUE(sent);
  const auto refused = [&](auto change) {
    descriptor d = *sent;
    change(d);
    std::vector<float> out(1200);
    const auto decoded = decode(d, payload, out);
    const errc e = check(d, x.dims());
    EXPECT_EQ(decoded ? errc::ok : decoded.error(), e);
    EXPECT_EQ(decode_part(d, payload, 0, std::span(out).first(10)).has_value(), e == errc::ok);
    return e;
  };
  EXPECT_EQ(refused([](auto&) {}), errc::ok);
  EXPECT_EQ(refused([](auto& d) { d.levels.pop_back(); }), errc::bad_descriptor);
  EXPECT_EQ(refused([](auto& d) { d.levels.push_back(0); }), errc::bad_descriptor);
  EXPECT_EQ(refused([](auto& d) { d.levels.resize(16); }), errc::bad_descriptor);
  EXPECT_EQ(refused([](auto& d) { d.levels.resize(64); }), errc::bad_descriptor);
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
    EXPECT_EQ(refused([odd](auto& d) { d.levels[47] = odd; }), errc::bad_scale);
  EXPECT_EQ(refused([](auto& d) {
    d.width = 9;
    d.levels.resize(3 * 512);
    d.payload_bytes = packed_bytes(1200, 9);
  }), errc::bad_width);
  EXPECT_EQ(refused([](auto& d) {
    d.coded_as = codec::raw;
    d.width = 0;
    d.group = {};
    d.scales.clear();
    d.payload_bytes = 4800;
  }), errc::bad_descriptor) << "raw has no codes";

  const auto asked = [&](auto change) {
    auto how = good;
    change(how);
    const auto d = encode(x.view(), how, payload);
    return d ? errc::ok : d.error();
  };
  EXPECT_EQ(asked([](coding& how) { how.levels = shared(std::vector<float>{}); }), errc::ok);
  EXPECT_EQ(asked([](coding& how) { how.levels = shared(std::vector<float>(16)); }), errc::bad_descriptor);
  EXPECT_EQ(asked([](coding& how) { how.levels = shared(std::vector<float>(48, NAN)); }), errc::bad_scale);
  EXPECT_EQ(asked([](coding& how) { how.width = 9, how.levels = shared(std::vector<float>(3 * 512)); }), errc::bad_width);
  EXPECT_EQ(asked([](coding& how) { how.rule = range_rule::min_max; }), errc::bad_descriptor);
}

TEST(ReconstructionLevels, AreLeftOutWhereATensorTravelsRawOrIsEmpty)
{
  tensor x({1, 3, 5, 5}, std::vector<float>(75, 0.5F));
  x.values()[7] = std::numeric_limits<float>::infinity();
  test::random_source source;
  bytes payload;
  const auto d = encode(x.view(), coding_with_levels(codec::dense, 3, x.dims(), 1, source), payload);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->coded_as, codec::raw);
  EXPECT_TRUE(d->levels.empty());
  for (const shape& dims : {shape{0}, shape{1, 0, 7, 7}, shape{1, 4, 0, 7}}) {
    const tensor none(dims);
    const auto empty = encode(none.view(), coding_with_levels(codec::dense, 3, dims, dims.rank() > 1 ? 1 : -1, source), payload);
    ASSERT_TRUE(empty);
    EXPECT_EQ(check(*empty, dims), errc::ok);
    EXPECT_TRUE(decode(*empty, payload, {}));
  }
}

}  // namespace
}  // namespace narrows
