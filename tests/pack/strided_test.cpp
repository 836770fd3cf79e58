// SPDX-License-Identifier: BSD-3-Clause
// What engines keep, at the door: every element type and layout gives the bytes of the equal contiguous float32 tensor, and the
// way back gives the float32 answer, converted.
#include <narrows/pack/packed_tensor.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/half.hpp>

#include "support/random_data.hpp"

namespace narrows {
namespace {

using bytes = aligned_vector<std::uint8_t>;

constexpr element elements[] = {element::float32, element::float16, element::bfloat16, element::int8, element::uint8};

affine levels_of(element type)
{
  if (type == element::int8) return {0.037F, -3};
  if (type == element::uint8) return {0.021F, 5};
  return {};
}

/// One value in and out of an element, as the definitions read.
float read_plain(element type, const affine& a, const std::uint8_t* at)
{
  std::uint16_t two = 0;
  float four = 0;
  switch (type) {
  case element::float32: std::memcpy(&four, at, 4); return four;
  case element::float16: std::memcpy(&two, at, 2); return float_of_half(two);
  case element::bfloat16: std::memcpy(&two, at, 2); return float_of_bfloat(two);
  case element::int8: return static_cast<float>((*at < 128 ? *at : *at - 256) - a.zero) * a.scale;
  case element::uint8: return static_cast<float>(*at - a.zero) * a.scale;
  }
  return 0;
}

void write_plain(element type, const affine& a, float x, std::uint8_t* at)
{
  const auto code = [&](float least) {
    const float rounded = std::nearbyint(x * (1 / a.scale)) + static_cast<float>(a.zero);
    return static_cast<int>(std::isnan(x) ? least : std::min(std::max(rounded, least), least + 255));
  };
  std::uint16_t two = 0;
  switch (type) {
  case element::float32: std::memcpy(at, &x, 4); return;
  case element::float16:
    two = half_of_float(x);
    std::memcpy(at, &two, 2);
    return;
  case element::bfloat16:
    two = bfloat_of_float(x);
    std::memcpy(at, &two, 2);
    return;
  case element::int8: *at = static_cast<std::uint8_t>(code(-128)); return;
  case element::uint8: *at = static_cast<std::uint8_t>(code(0)); return;
  }
}

/// A buffer and a view of it; the buffer holds more than the view shows.
struct engine_tensor {
  aligned_vector<std::uint8_t> buffer;
  mutable_strided_view view;

  [[nodiscard]] std::uint8_t* at(std::size_t i) const  // stream index, row-major over dims
  {
    std::int64_t offset = 0;
    for (std::size_t axis = view.dims.rank(); axis-- > 0;) {
      const auto n = static_cast<std::size_t>(view.dims[axis]);
      offset += static_cast<std::int64_t>(i % n) * view.strides[axis];
      i /= n;
    }
    return static_cast<std::uint8_t*>(view.data) + offset * static_cast<std::int64_t>(element_bytes(view.type));
  }
  [[nodiscard]] tensor floats() const
  {
    tensor made(view.dims);
    for (std::size_t i = 0; i < made.size(); ++i) made.values()[i] = read_plain(view.type, view.levels, at(i));
    return made;
  }
};

constexpr const char* layouts[] = {"nchw", "nhwc", "nhwc streamed as nchw", "nchw streamed as nhwc", "channel slice of nchw",
  "channel slice of nhwc", "rows upside down", "columns mirrored", "every second column", "one picture"};

/// A batch of three pictures with values as a ReLU leaves them, in layout number `layout`.
engine_tensor make(
  element type, std::size_t layout, test::random_source& source, std::int64_t c = 10, std::int64_t h = 11, std::int64_t w = 13)
{
  engine_tensor made;
  const std::size_t size = element_bytes(type);
  const auto values = static_cast<std::size_t>(3 * (c + 5) * h * 2 * w);
  made.buffer.resize(values * size);
  const affine a = levels_of(type);
  for (std::size_t i = 0; i < values; ++i)
    write_plain(type, a, source.below(2) == 0 ? 0.0F : source.uniform(0, 3), made.buffer.data() + i * size);
  const auto start = [&](std::int64_t element_index) {
    return made.buffer.data() + element_index * static_cast<std::int64_t>(size);
  };
  auto& v = made.view;
  switch (layout) {
  case 0: v = nchw_view(start(0), type, {3, c, h, w}, a); break;
  case 1: v = nhwc_view(start(0), type, {3, h, w, c}, a); break;
  case 2: v = streamed_as(value_order::nchw, nhwc_view(start(0), type, {3, h, w, c}, a)); break;
  case 3: v = streamed_as(value_order::nhwc, nchw_view(start(0), type, {3, c, h, w}, a)); break;
  case 4: v = *slice(nchw_view(start(0), type, {3, c + 5, h, w}, a), 1, 2, c); break;
  case 5: v = *slice(nhwc_view(start(0), type, {3, h, w, c + 5}, a), 3, 4, c); break;
  case 6:
    v = nchw_view(start((h - 1) * w), type, {3, c, h, w}, a);
    v.strides[2] = -w;
    break;
  case 7:
    v = nchw_view(start(w - 1), type, {3, c, h, w}, a);
    v.strides[3] = -1;
    break;
  case 8:
    v = nchw_view(start(1), type, {3, c, h, w}, a);
    v.strides = {c * h * 2 * w, h * 2 * w, 2 * w, 2};
    break;
  default: v = *slice(nchw_view(start(0), type, {3, c, h, w}, a), 0, 1, 1); break;
  }
  return made;
}

TEST(Strided, EveryElementTypeAndLayoutPacksToTheBytesOfTheEqualFloatTensor)
{
  test::random_source source;
  for (const element type : elements)
    for (std::size_t layout = 0; layout < std::size(layouts); ++layout) {
      const auto from = make(type, layout, source);
      ASSERT_EQ(check(from.view), errc::ok);
      const tensor x = from.floats();
      const int channels = from.view.order == value_order::nhwc ? 3 : 1;
      for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs})
        for (const int bits : {1, 4, 8, 12})
          for (const int axis : {-1, channels}) {
            SCOPED_TRACE(std::string(to_string(type)) + ", " + layouts[layout] + ", " + std::string(to_string(coded_as)) + ", " +
                         std::to_string(bits) + " bits, axis " + std::to_string(axis) + ", seed " + std::to_string(test::seed));
            const coding how{coded_as, bits, range_rule::min_max, {axis}, {}};
            bytes expected, payload;
            const auto plain = encode(x.view(), how, expected);
            const auto d = encode(from.view, how, payload);
            ASSERT_TRUE(plain && d);
            ASSERT_EQ(payload, expected);
            ASSERT_EQ(d->order, from.view.order);
            auto same = *d;
            same.order = plain->order;
            ASSERT_EQ(same, *plain);

            tensor answer(x.dims());
            ASSERT_TRUE(decode(*plain, expected, answer.values()));
            for (const element to : elements) {
              auto back = make(to, layout, source);
              auto wanted = back.buffer;
              ASSERT_TRUE(decode(*d, payload, back.view));
              for (std::size_t i = 0; i < answer.size(); ++i)
                write_plain(to, back.view.levels, answer.values()[i], wanted.data() + (back.at(i) - back.buffer.data()));
              ASSERT_EQ(back.buffer, wanted) << "to " << to_string(to);  // what the view does not show included
            }
          }
    }
}

TEST(Strided, LargeTensorsGoByPiecesAndSegmentsOfAllLengths)
{
  test::random_source source;
  for (const element type : elements)
    for (const std::size_t layout : {0U, 1U, 2U, 4U, 5U, 7U})
      for (const std::int64_t width : {64, 97}) {
        const auto from = make(type, layout, source, 7, 41, width);  // about 56000 to 83000 values: pieces, and what is left
        const tensor x = from.floats();
        const int channels = from.view.order == value_order::nhwc ? 3 : 1;
        for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs})
          for (const int axis : {-1, channels}) {
            SCOPED_TRACE(std::string(to_string(type)) + ", " + layouts[layout] + ", " + std::string(to_string(coded_as)) +
                         ", axis " + std::to_string(axis));
            const coding how{coded_as, 5, range_rule::min_max, {axis}, {}};
            bytes expected, payload;
            const auto plain = encode(x.view(), how, expected);
            const auto d = encode(from.view, how, payload);
            ASSERT_TRUE(plain && d);
            ASSERT_EQ(payload, expected);
            tensor answer(x.dims());
            ASSERT_TRUE(decode(*plain, expected, answer.values()));
            auto back = make(type, layout, source, 7, 41, width);
            ASSERT_TRUE(decode(*d, payload, back.view));
            std::uint8_t one[4];
            for (std::size_t i = 0; i < answer.size(); ++i) {
              write_plain(type, back.view.levels, answer.values()[i], one);
              ASSERT_EQ(std::memcmp(one, back.at(i), element_bytes(type)), 0) << i;
            }
          }
      }
}

TEST(Strided, RepeatedValuesAndEmptyTensorsAreInputsToo)
{
  const std::vector<float> row{0, 0.5F, 1, 2};
  strided_view v = contiguous_view(row.data(), element::float32, {1000, 4});
  v.strides[0] = 0;
  tensor x({1000, 4});
  for (std::size_t i = 0; i < x.size(); ++i) x.values()[i] = row[i % 4];
  bytes expected, payload;
  ASSERT_TRUE(encode(v, {}, payload) && encode(x.view(), {}, expected));
  EXPECT_EQ(payload, expected);

  for (const shape& dims : {shape{0}, shape{3, 0, 7}}) {
    const auto d =
      encode(contiguous_view(static_cast<const void*>(nullptr), element::float16, dims), {codec::sparse, 4, {}, {}, {}}, payload);
    ASSERT_TRUE(d);
    EXPECT_TRUE(payload.empty());
    EXPECT_TRUE(decode(*d, payload, contiguous_view(static_cast<void*>(nullptr), element::int8, dims, {1, 0})));
  }
  const std::uint16_t half = 0x3C00;
  ASSERT_TRUE(encode(contiguous_view(&half, element::float16, shape{}), {codec::raw, 0, {}, {}, {}}, payload));
  float one = 0;
  std::memcpy(&one, payload.data(), 4);
  EXPECT_EQ(one, 1);
}

TEST(Strided, HalvesThatAreNotFiniteTravelRaw)
{
  test::random_source source;
  for (const int code : {0x7C00, 0xFC00, 0x7E01})
    for (const element type : {element::float16, element::bfloat16})
      for (const codec coded_as : {codec::dense, codec::sparse, codec::runs})
        for (const auto rule : {range_rule::min_max, range_rule::calibrated}) {
          auto from = make(type, 2, source);
          const auto bits = static_cast<std::uint16_t>(type == element::float16 ? code
                                                       : code == 0x7C00         ? 0x7F80
                                                       : code == 0xFC00         ? 0xFF80
                                                                                : 0x7FC1);
          std::memcpy(from.at(4000), &bits, 2);
          bytes payload;
          const auto scales = std::make_shared<const std::vector<affine>>(1, affine{0.1F, 0});
          const auto d = encode(from.view, {coded_as, 6, rule, {}, scales}, payload);
          ASSERT_TRUE(d);
          EXPECT_EQ(d->coded_as, codec::raw);
          auto back = make(type, 2, source);
          ASSERT_TRUE(decode(*d, payload, back.view));
          for (std::size_t i = 0; i < 4290; ++i) ASSERT_EQ(std::memcmp(back.at(i), from.at(i), 2), 0) << i;
        }
}

TEST(Strided, ViewsThatCannotBeAreRefused)
{
  alignas(64) std::uint8_t memory[256]{};
  const auto refused = [&](auto change, auto view) {
    change(view);
    bytes payload;
    const auto e = check(view);
    if constexpr (std::is_same_v<decltype(view), strided_view>) {
      const auto d = encode(view, {}, payload);
      EXPECT_EQ(d ? errc::ok : d.error(), e);
    } else {
      EXPECT_EQ(value_sink::make(view) ? errc::ok : value_sink::make(view).error(), e);
    }
    return e;
  };
  constexpr auto most = std::numeric_limits<std::int64_t>::max(), least = std::numeric_limits<std::int64_t>::min();
  const strided_view good = nchw_view(static_cast<const void*>(memory), element::float16, {1, 2, 4, 4});
  const mutable_strided_view out = nchw_view(static_cast<void*>(memory), element::float16, {1, 2, 4, 4});
  EXPECT_EQ(refused([](auto&) {}, good), errc::ok);
  EXPECT_EQ(refused([](auto& v) { v.data = nullptr; }, good), errc::bad_input);
  EXPECT_EQ(refused([&](auto& v) { v.data = memory + 1; }, good), errc::bad_input);
  EXPECT_EQ(refused(
              [&](auto& v) {
                v.type = element::float32;
                v.data = memory + 2;
              },
              good),
    errc::bad_input);
  EXPECT_EQ(refused([](auto& v) { v.type = element{17}; }, good), errc::bad_input);
  EXPECT_EQ(refused([](auto& v) { v.order = value_order{9}; }, good), errc::bad_input);
  EXPECT_EQ(refused([](auto& v) { v.strides[2] = 0; }, good), errc::ok);
  EXPECT_EQ(refused([](auto& v) { v.strides[2] = 0; }, out), errc::bad_input);
  EXPECT_EQ(refused([](auto& v) { v.strides[0] = least; }, good), errc::ok) << "of one index, whose stride is never used";
  for (const std::int64_t stride : {most, least, least + 1, most / 2, most / 4, -most / 4, std::int64_t{1} << 62}) {
    SCOPED_TRACE(stride);
    EXPECT_EQ(refused([&](auto& v) { v.strides[2] = stride; }, good), errc::bad_shape);
    EXPECT_EQ(refused(
                [&](auto& v) {
                  v.strides[1] = stride;
                  v.strides[3] = stride;
                },
                good),
      errc::bad_shape);
  }
  EXPECT_EQ(refused(
              [](auto& v) {
                v.dims = shape{std::int64_t{1} << 44};
                v.strides[0] = std::int64_t{1} << 40;
              },
              good),
    errc::bad_shape);
  EXPECT_EQ(refused([](auto& v) { v.strides[2] = -(std::int64_t{1} << 60); }, good), errc::bad_shape) << "below address 0";
  for (const element type : {element::int8, element::uint8}) {
    const auto with = [&](affine a) {
      return [=](auto& v) {
        v.type = type;
        v.levels = a;
      };
    };
    const std::int32_t low = type == element::int8 ? -128 : 0;
    EXPECT_EQ(refused(with({1, low}), good), errc::ok);
    EXPECT_EQ(refused(with({1, low + 255}), good), errc::ok);
    EXPECT_EQ(refused(with({1, low - 1}), good), errc::bad_scale);
    EXPECT_EQ(refused(with({1, low + 256}), good), errc::bad_scale);
    for (const float scale :
      {0.0F, -1.0F, 1e-39F, 1e38F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      EXPECT_EQ(refused(with({scale, 0}), good), errc::bad_scale) << scale;
  }
  EXPECT_EQ(slice(good, 4, 0, 1).error(), errc::bad_shape);
  EXPECT_EQ(slice(good, 1, 0, 3).error(), errc::bad_shape);
  EXPECT_EQ(slice(good, 1, -1, 1).error(), errc::bad_shape);
  EXPECT_EQ(slice(good, 1, 3, 0).error(), errc::bad_shape);
  EXPECT_EQ(slice(good, 1, 1, most).error(), errc::bad_shape);
  EXPECT_TRUE(slice(good, 1, 2, 0));
}

TEST(Strided, AnswersGoOnlyWhereTheyFit)
{
  test::random_source source;
  const auto from = make(element::float16, 1, source);
  bytes payload;
  const auto d = encode(from.view, {}, payload);
  ASSERT_TRUE(d);
  const auto refused = [&](mutable_strided_view to) {
    const auto e = decode(*d, payload, to);
    return e ? errc::ok : e.error();
  };
  auto back = make(element::float16, 1, source);
  EXPECT_EQ(refused(back.view), errc::ok);
  EXPECT_EQ(refused(make(element::float16, 2, source).view), errc::bad_descriptor);
  auto wrong = back.view;
  wrong.order = value_order::nchw;
  EXPECT_EQ(refused(wrong), errc::bad_descriptor);
  wrong.order = value_order::as_given;
  EXPECT_EQ(refused(wrong), errc::ok);
  wrong.data = nullptr;
  EXPECT_EQ(refused(wrong), errc::bad_input);
}

TEST(Strided, PayloadsGoIntoMemoryOfTheCaller)
{
  test::random_source source;
  const auto from = make(element::bfloat16, 2, source);
  const std::size_t n = from.view.dims.elements();
  for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs}) {
    const coding how{coded_as, 6, range_rule::min_max, {1}, {}};
    bytes expected;
    const auto wanted = encode(from.view, how, expected);
    std::vector<std::uint8_t> room(most_payload_bytes(n, how.width), 0xAA);
    descriptor d;
    ASSERT_TRUE(encode(from.view, how, room, d));
    ASSERT_EQ(d, *wanted);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), room.begin()));
    const std::size_t needed = coded_as == codec::raw ? 4 * n : packed_bytes(n, 6);
    EXPECT_TRUE(encode(from.view, how, std::span(room).first(needed), d));
    const auto e = encode(from.view, how, std::span(room).first(needed - 1), d);
    EXPECT_FALSE(e);
    EXPECT_EQ(e.error(), errc::short_buffer);
  }
  EXPECT_EQ(most_payload_bytes(std::numeric_limits<std::size_t>::max() / 2, 0), std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(most_payload_bytes(1, 16), 32U);
}

}  // namespace
}  // namespace narrows
