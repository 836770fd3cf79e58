// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/onnx/onnx.pb.h>
#include <narrows/onnx/onnx_constant.hpp>

/// From the format's TensorProto to onnx_constant.
namespace narrows::detail {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

/// IEEE binary16 widened; exact.
inline float widen_half(std::uint16_t half) noexcept
{
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16, exponent = half >> 10 & 31U, fraction = half & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24F;
  return sign ? -small : small;
}
inline float widen_bfloat(std::uint16_t bits) noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

constexpr std::size_t bytes_per_element(onnx_type type) noexcept
{
  using enum onnx_type;
  switch (type) {
  case uint8: case int8: case boolean: return 1;
  case uint16: case int16: case float16: case bfloat16: return 2;
  case float32: case int32: case uint32: return 4;
  case int64: case uint64: case float64: return 8;
  default: return 0;
  }
}

/// Calls `store(i, value)` for each little-endian T in `raw`.
template <class T, class Store>
void for_each_raw(std::span<const std::uint8_t> raw, Store&& store)
{
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i) {
    T x;
    std::memcpy(&x, raw.data() + i * sizeof(T), sizeof(T));
    store(i, x);
  }
}

/// The values of a constant from packed little-endian bytes of the right length.
inline result<void> fill_from_raw(onnx_constant& c, std::span<const std::uint8_t> raw)
{
  using enum onnx_type;
  const auto count = c.dims.elements();
  const auto integers = [&]<class T>(T) {
    c.integers.resize(count);
    bool fits = true;
    for_each_raw<T>(raw, [&](std::size_t i, T x) {
      if constexpr (std::is_same_v<T, std::uint64_t>) fits = fits && x <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      c.integers[i] = static_cast<std::int64_t>(x);
    });
    return fits;
  };
  tensor t;
  switch (c.type) {
  case float32:
    t = tensor(c.dims);
    if (count != 0) std::memcpy(t.values().data(), raw.data(), raw.size());
    break;
  case float16:
    t = tensor(c.dims);
    for_each_raw<std::uint16_t>(raw, [&](std::size_t i, std::uint16_t x) { t.values()[i] = widen_half(x); });
    break;
  case bfloat16:
    t = tensor(c.dims);
    for_each_raw<std::uint16_t>(raw, [&](std::size_t i, std::uint16_t x) { t.values()[i] = widen_bfloat(x); });
    break;
  case float64:
    c.doubles.resize(count);
    for_each_raw<double>(raw, [&](std::size_t i, double x) { c.doubles[i] = x; });
    return {};
  case boolean: case uint8: integers(std::uint8_t{}); return {};
  case int8: integers(std::int8_t{}); return {};
  case uint16: integers(std::uint16_t{}); return {};
  case int16: integers(std::int16_t{}); return {};
  case int32: integers(std::int32_t{}); return {};
  case uint32: integers(std::uint32_t{}); return {};
  case int64: integers(std::int64_t{}); return {};
  case uint64:
    if (!integers(std::uint64_t{})) return error(errc::bad_model, "a uint64 value is above 2^63");
    return {};
  default: return error(errc::unknown_op, "element type " + name_of(c.type));
  }
  c.floats = std::make_shared<const tensor>(std::move(t));
  return {};
}

/// Element type and shape, and that the tensor is not larger than `max_bytes`. Nothing is allocated.
inline result<onnx_constant> read_tensor_head(const onnx_wire::Tensor& t, std::uint64_t max_bytes)
{
  onnx_constant c;
  c.type = static_cast<onnx_type>(t.data_type());
  if (bytes_per_element(c.type) == 0) return error(errc::unknown_op, "tensor '" + t.name() + "' is of " + name_of(c.type));
  const auto dims = shape::make({t.dims().data(), static_cast<std::size_t>(t.dims_size())});
  if (!dims) return error(errc::bad_model, "tensor '" + t.name() + "': its shape is out of range");
  c.dims = *dims;
  // In memory an integer takes 8 bytes and a short float 4.
  const std::uint64_t each = is_integer(c.type) || c.type == onnx_type::float64 ? 8 : 4;
  if (c.dims.elements() > max_bytes / each)
    return error(errc::limit_exceeded, "tensor '" + t.name() + "' of " + to_string(c.dims) + " is larger than " + std::to_string(max_bytes) + " bytes");
  return c;
}

/// Decodes a tensor that carries its own data and frees that data. Errors: bad_model, unknown_op (element type),
/// limit_exceeded.
inline result<onnx_constant> take_tensor(onnx_wire::Tensor& t, std::uint64_t max_bytes)
{
  using enum onnx_type;
  auto c = read_tensor_head(t, max_bytes);
  if (!c) return c;
  const auto count = c->dims.elements();
  const auto wrong_count = [&](std::size_t found, const char* unit) {
    return error(errc::bad_model, "tensor '" + t.name() + "' of " + to_string(c->dims) + " has " + std::to_string(found) + " " + unit);
  };
  const auto with_name = [&](error e) { return error(e.code, "tensor '" + t.name() + "': " + e.what); };
  if (t.has_raw_data()) {
    const std::unique_ptr<std::string> raw(t.release_raw_data());
    if (raw->size() != count * bytes_per_element(c->type)) return wrong_count(raw->size(), "bytes");
    if (auto done = fill_from_raw(*c, {reinterpret_cast<const std::uint8_t*>(raw->data()), raw->size()}); !done) return with_name(done.error());
    return c;
  }
  const auto size = [](const auto& list) { return static_cast<std::size_t>(list.size()); };
  const auto widened = [&](const auto& list, auto&& convert) {
    tensor out(c->dims);
    for (std::size_t i = 0; i < count; ++i) out.values()[i] = convert(list[static_cast<int>(i)]);
    c->floats = std::make_shared<const tensor>(std::move(out));
  };
  switch (c->type) {
  case float32:
    if (size(t.float_data()) != count) return wrong_count(size(t.float_data()), "values");
    c->floats = std::make_shared<const tensor>(c->dims, std::span(t.float_data().data(), count));
    break;
  case float64:
    if (size(t.double_data()) != count) return wrong_count(size(t.double_data()), "values");
    c->doubles.assign(t.double_data().begin(), t.double_data().end());
    break;
  case float16:
  case bfloat16: {
    if (size(t.int32_data()) != count) return wrong_count(size(t.int32_data()), "values");
    const bool half = c->type == float16;
    widened(t.int32_data(), [&](std::int32_t x) { const auto bits = static_cast<std::uint16_t>(x); return half ? widen_half(bits) : widen_bfloat(bits); });
    break;
  }
  case int64:
    if (size(t.int64_data()) != count) return wrong_count(size(t.int64_data()), "values");
    c->integers.assign(t.int64_data().begin(), t.int64_data().end());
    break;
  case uint32:
  case uint64:
    if (size(t.uint64_data()) != count) return wrong_count(size(t.uint64_data()), "values");
    for (const auto x : t.uint64_data()) {
      if (x > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return with_name({errc::bad_model, "a uint64 value is above 2^63"});
      c->integers.push_back(static_cast<std::int64_t>(x));
    }
    break;
  default:
    if (size(t.int32_data()) != count) return wrong_count(size(t.int32_data()), "values");
    c->integers.assign(t.int32_data().begin(), t.int32_data().end());
    break;
  }
  t.Clear();
  return c;
}

}  // namespace narrows::detail
