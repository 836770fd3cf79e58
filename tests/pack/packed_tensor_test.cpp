// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/packed_tensor.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace test {
bool works_without_exceptions();  // no_exceptions.cpp
}
namespace {

using bytes = aligned_vector<std::uint8_t>;

tensor relu_tensor(const shape& dims, test::random_source& source)
{
  return tensor(dims, test::relu_like(dims.elements(), 4, source));
}

TEST(PackedTensor, DecodesToWithinHalfAStepForEveryCodecWidthAndGroup)
{
  test::random_source source;
  for (const shape& dims : {shape{1, 5, 7, 7}, shape{2, 3, 16, 16}, shape{1, 2, 32, 32}, shape{600}, shape{}})
    for (const codec coded_as : {codec::raw, codec::dense, codec::sparse})
      for (int bits = min_width; bits <= max_width; ++bits)
        for (int axis = -1; axis < static_cast<int>(dims.rank()); ++axis) {
          SCOPED_TRACE(to_string(dims) + " " + std::string(to_string(coded_as)) + " " + std::to_string(bits) + " axis " + std::to_string(axis));
          const tensor x = relu_tensor(dims, source);
          bytes payload;
          const auto d = encode(x.view(), {coded_as, bits, range_rule::min_max, {axis}, {}}, payload);
          ASSERT_TRUE(d);
          ASSERT_EQ(d->dims, dims);
          ASSERT_EQ(d->payload_bytes, payload.size());
          ASSERT_EQ(check(*d, dims), errc::ok);
          tensor back(dims);
          ASSERT_TRUE(decode(*d, payload, back.values()));
          const std::size_t inner = axis < 0 ? dims.elements() : static_cast<std::size_t>(dims.product(static_cast<std::size_t>(axis) + 1, dims.rank()));
          for (std::size_t i = 0; i < x.size(); ++i) {
            const float error = std::abs(back.values()[i] - x.values()[i]);
            const float step = d->coded_as == codec::raw ? 0 : d->scales[i / inner % d->scales.size()].scale;
            ASSERT_LE(error, 0.51F * step);
          }
        }
}

TEST(PackedTensor, CodecsOfOneWidthDecodeToTheSameValues)
{
  test::random_source source;
  for (const int bits : {3, 8, 11}) {
    const tensor x = relu_tensor({1, 16, 14, 14}, source);
    bytes dense;
    bytes sparse;
    const auto a = encode(x.view(), {codec::dense, bits, range_rule::min_max, {1}, {}}, dense);
    const auto b = encode(x.view(), {codec::sparse, bits, range_rule::min_max, {1}, {}}, sparse);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(b->coded_as, codec::sparse);
    EXPECT_LT(sparse.size(), dense.size());
    tensor first(x.dims());
    tensor second(x.dims());
    ASSERT_TRUE(decode(*a, dense, first.values()));
    ASSERT_TRUE(decode(*b, sparse, second.values()));
    EXPECT_TRUE(std::ranges::equal(first.values(), second.values()));
  }
}

TEST(PackedTensor, SparseFallsBackToDenseWhereItDoesNotPay)
{
  test::random_source source;
  const tensor x({1, 8, 20, 20}, test::random_floats(3200, 1, 2, source));
  bytes payload;
  const auto scales = std::make_shared<const std::vector<affine>>(1, affine{0.01F, 0});  // no code is 0
  const auto d = encode(x.view(), {codec::sparse, 8, range_rule::calibrated, {}, scales}, payload);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->coded_as, codec::dense);
  EXPECT_EQ(payload.size(), packed_bytes(3200, 8));
  tensor back(x.dims());
  EXPECT_TRUE(decode(*d, payload, back.values()));
}

TEST(PackedTensor, WhatCannotBeQuantisedTravelsRaw)
{
  test::random_source source;
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 3e38F, -0.0F})
    for (const auto rule : {range_rule::min_max, range_rule::calibrated})
      for (const codec coded_as : {codec::dense, codec::sparse})
        for (const int axis : {-1, 1}) {
          tensor x = relu_tensor({1, 3, 15, 15}, source);
          x.values()[600] = odd;
          const auto scales = std::make_shared<const std::vector<affine>>(axis < 0 ? 1 : 3, affine{0.1F, 0});
          bytes payload;
          const auto d = encode(x.view(), {coded_as, 6, rule, {axis}, scales}, payload);
          ASSERT_TRUE(d);
          const bool quantised = odd == 0 || (odd == 3e38F && rule == range_rule::calibrated);
          EXPECT_EQ(d->coded_as == codec::raw, !quantised) << odd;
          ASSERT_EQ(check(*d, x.dims()), errc::ok);
          tensor back(x.dims());
          ASSERT_TRUE(decode(*d, payload, back.values()));
          if (!quantised) {
            EXPECT_EQ(std::memcmp(back.values().data(), x.values().data(), payload.size()), 0);
          }
        }
}

TEST(PackedTensor, EmptyTensorsAreLegal)
{
  for (const shape& dims : {shape{0}, shape{1, 0, 7, 7}, shape{1, 4, 0, 7}})
    for (const codec coded_as : {codec::raw, codec::dense, codec::sparse})
      for (const int axis : {-1, 0}) {
        const tensor x(dims);
        bytes payload(10);
        const auto d = encode(x.view(), {coded_as, 4, range_rule::min_max, {axis}, {}}, payload);
        ASSERT_TRUE(d) << to_string(dims);
        EXPECT_TRUE(payload.empty());
        EXPECT_EQ(check(*d, dims), errc::ok) << to_string(dims);
        EXPECT_TRUE(decode(*d, payload, {}));
      }
}

TEST(PackedTensor, CodingsThatMakeNoSenseAreRefused)
{
  const tensor x({1, 3, 8, 8});
  bytes payload;
  const auto refused = [&](const coding& how) {
    const auto d = encode(x.view(), how, payload);
    return d ? errc::ok : d.error();
  };
  const auto scales = [](std::size_t n, affine a) { return std::make_shared<const std::vector<affine>>(n, a); };
  EXPECT_EQ(refused({codec::pixels, 8, {}, {}, {}}), errc::unsupported_codec);
  EXPECT_EQ(refused({codec::image, 8, {}, {}, {}}), errc::unsupported_codec);
  EXPECT_EQ(refused({codec{99}, 8, {}, {}, {}}), errc::unsupported_codec);
  EXPECT_EQ(refused({codec::dense, 0, {}, {}, {}}), errc::bad_width);
  EXPECT_EQ(refused({codec::dense, 17, {}, {}, {}}), errc::bad_width);
  EXPECT_EQ(refused({codec::dense, 8, range_rule::min_max, {4}, {}}), errc::bad_descriptor);
  EXPECT_EQ(refused({codec::dense, 8, range_rule::min_max, {-2}, {}}), errc::bad_descriptor);
  EXPECT_EQ(refused({codec::dense, 8, range_rule::calibrated, {}, {}}), errc::bad_descriptor);
  EXPECT_EQ(refused({codec::dense, 8, range_rule::calibrated, {1}, scales(2, {})}), errc::bad_descriptor);
  EXPECT_EQ(refused({codec::dense, 8, range_rule::calibrated, {1}, scales(3, {0, 0})}), errc::bad_scale);
}

class Descriptor : public testing::Test {
protected:
  const tensor x{{1, 4, 20, 20}, std::vector<float>(1600, 0.5F)};
  bytes payload;
  descriptor good = *encode(x.view(), {codec::dense, 6, range_rule::min_max, {1}, {}}, payload);

  template <class Change>
  errc after(Change change)
  {
    descriptor d = good;
    change(d);
    const errc e = check(d, x.dims());
    std::vector<float> out(1600);
    const auto decoded = decode(d, payload, out);
    if (e != errc::ok && d.dims == good.dims && d.order == good.order) {
      EXPECT_FALSE(decoded);
    }
    return e;
  }
};

TEST_F(Descriptor, EveryFieldIsChecked)
{
  EXPECT_EQ(after([](auto&) {}), errc::ok);
  EXPECT_EQ(after([](auto& d) { d.version = 2; }), errc::unsupported_version);
  EXPECT_EQ(after([](auto& d) { d.version = -1; }), errc::unsupported_version);
  EXPECT_EQ(after([](auto& d) { d.coded_as = codec::pixels; }), errc::unsupported_codec);
  EXPECT_EQ(after([](auto& d) { d.coded_as = codec{200}; }), errc::unsupported_codec);
  EXPECT_EQ(after([](auto& d) { d.order = value_order::nhwc; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.order = value_order{77}; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.order = value_order::as_given; }), errc::ok);
  EXPECT_EQ(after([](auto& d) { d.width = 0; }), errc::bad_width);
  EXPECT_EQ(after([](auto& d) { d.width = 17; }), errc::bad_width);
  EXPECT_EQ(after([](auto& d) { d.width = 7; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.group.axis = 4; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.group.axis = -2; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.group.axis = 0; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.scales.pop_back(); }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.scales.clear(); }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.scales[2].scale = 0; }), errc::bad_scale);
  EXPECT_EQ(after([](auto& d) { d.scales[3].zero = 40000; }), errc::bad_scale);
  EXPECT_EQ(after([](auto& d) { d.payload_bytes -= 1; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.payload_bytes = UINT64_MAX; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.coded_as = codec::raw; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.coded_as = codec::sparse; d.payload_bytes = 199; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.coded_as = codec::sparse; d.payload_bytes += 65; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.dims = shape{1, 4, 20, 21}; }), errc::bad_descriptor);
  EXPECT_EQ(after([](auto& d) { d.dims = shape{4, 400}; }), errc::bad_descriptor);
}

TEST_F(Descriptor, PayloadsOfTheWrongLengthAreRefused)
{
  std::vector<float> out(1600);
  EXPECT_EQ(decode(good, std::span(payload).first(payload.size() - 1), out).error(), errc::truncated);
  EXPECT_EQ(decode(good, {}, out).error(), errc::truncated);
  bytes longer(payload);
  longer.push_back(0);
  EXPECT_EQ(decode(good, longer, out).error(), errc::corrupt);
  EXPECT_EQ(decode(good, payload, std::span(out).first(1599)).error(), errc::short_buffer);
  std::vector<float> roomy(1700, 42);
  ASSERT_TRUE(decode(good, payload, roomy));
  EXPECT_EQ(roomy[1600], 42);
}

TEST(PackedTensor, WorksWithoutExceptionsAndRtti) { EXPECT_TRUE(test::works_without_exceptions()); }

}  // namespace
}  // namespace narrows
