// SPDX-License-Identifier: BSD-3-Clause
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/onnx/tensor_proto.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

onnx_wire::Tensor wire(onnx_type type, std::vector<std::int64_t> dims)
{
  onnx_wire::Tensor t;
  t.set_name("t");
  t.set_data_type(static_cast<int>(type));
  for (const auto d : dims) t.add_dims(d);
  return t;
}
result<named_constant> read(const onnx_wire::Tensor& t, std::uint64_t limit = 1 << 20)
{
  const auto s = t.SerializeAsString();
  return read_tensor_proto({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, limit);
}

TEST(TensorProto, ReadsEveryWayToStoreNumbers)
{
  auto f = wire(onnx_type::float32, {2});
  f.add_float_data(1.5F);
  f.add_float_data(-2);
  const auto floats = read(f);
  ASSERT_TRUE(floats);
  EXPECT_EQ(floats->name, "t");
  EXPECT_THAT(floats->values.floats->values(), ElementsAre(1.5F, -2));

  auto raw = wire(onnx_type::int32, {3});
  raw.set_raw_data(std::string("\x01\0\0\0\xFF\xFF\xFF\xFF\0\0\0\x80", 12));
  EXPECT_THAT(read(raw)->values.integers, ElementsAre(1, -1, INT32_MIN));

  auto bytes = wire(onnx_type::uint8, {2});
  bytes.set_raw_data(std::string("\xFF\x7F", 2));
  EXPECT_THAT(read(bytes)->values.integers, ElementsAre(255, 127));

  auto half = wire(onnx_type::float16, {5});
  for (const auto bits : {0x3C00, 0xC000, 0x0001, 0x7C00, 0x8000}) half.add_int32_data(bits);
  const auto h = read(half)->values.floats;
  EXPECT_THAT(h->values(), ElementsAre(1, -2, 0x1p-24F, INFINITY, 0));
  EXPECT_TRUE(std::signbit(h->values()[4]));

  auto brain = wire(onnx_type::bfloat16, {1});
  brain.set_raw_data(std::string("\x80\x3F", 2));
  EXPECT_THAT(read(brain)->values.floats->values(), ElementsAre(1));

  auto wide = wire(onnx_type::float64, {});
  wide.add_double_data(0.1);
  EXPECT_THAT(read(wide)->values.doubles, ElementsAre(0.1));

  auto none = wire(onnx_type::int64, {0, 3});
  EXPECT_EQ(read(none)->values.dims, (shape{0, 3}));
}

TEST(TensorProto, WidensEveryHalfExactly)
{
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = detail::widen_half(static_cast<std::uint16_t>(bits));
    const auto exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction != 0);
      EXPECT_EQ(std::isinf(value), fraction == 0);
      continue;
    }
    const double expected = exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
    ASSERT_EQ(double(value), expected) << bits;
  }
}

TEST(TensorProto, RefusesWhatDoesNotAddUp)
{
  auto few = wire(onnx_type::float32, {3});
  few.add_float_data(1);
  EXPECT_EQ(read(few).error().code, errc::bad_model);
  auto odd = wire(onnx_type::float32, {1});
  odd.set_raw_data("abc");
  EXPECT_THAT(read(odd).error().what, HasSubstr("3 bytes"));
  EXPECT_EQ(read(wire(onnx_type::string, {1})).error().code, errc::unknown_op);
  EXPECT_EQ(read(wire(static_cast<onnx_type>(77), {1})).error().code, errc::unknown_op);
  EXPECT_EQ(read(wire(onnx_type::float32, {-1})).error().code, errc::bad_model);
  EXPECT_EQ(read(wire(onnx_type::float32, {INT64_MAX, INT64_MAX})).error().code, errc::bad_model);
  EXPECT_EQ(read(wire(onnx_type::float32, std::vector<std::int64_t>(9, 1))).error().code, errc::bad_model);
  EXPECT_EQ(read(wire(onnx_type::float32, {1 << 20})).error().code, errc::limit_exceeded);
  auto beyond = wire(onnx_type::uint64, {1});
  beyond.add_uint64_data(UINT64_MAX);
  EXPECT_EQ(read(beyond).error().code, errc::bad_model);
  auto elsewhere = wire(onnx_type::float32, {1});
  elsewhere.set_data_location(1);
  EXPECT_EQ(read(elsewhere).error().code, errc::bad_model);
  const std::vector<std::uint8_t> noise{0x0A, 0x7F, 1, 2};
  EXPECT_EQ(read_tensor_proto(noise).error().code, errc::truncated);
}

}  // namespace
}  // namespace narrows
