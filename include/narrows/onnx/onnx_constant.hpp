// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/tensor.hpp>

namespace narrows {

/// Element types of ONNX tensors, by their number in the format.
enum class onnx_type : std::int32_t {
  undefined = 0, float32 = 1, uint8 = 2, int8 = 3, uint16 = 4, int16 = 5, int32 = 6, int64 = 7, string = 8, boolean = 9,
  float16 = 10, float64 = 11, uint32 = 12, uint64 = 13, complex64 = 14, complex128 = 15, bfloat16 = 16,
};

[[nodiscard]] inline std::string name_of(onnx_type type)
{
  static constexpr const char* names[] = {"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
    "bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16"};
  const auto number = static_cast<std::int32_t>(type);
  if (number >= 0 && number < static_cast<std::int32_t>(std::size(names))) return names[number];
  return "type " + std::to_string(number);
}

[[nodiscard]] constexpr bool is_integer(onnx_type type) noexcept
{
  using enum onnx_type;
  return type == uint8 || type == int8 || type == uint16 || type == int16 || type == int32 || type == int64 || type == boolean ||
         type == uint32 || type == uint64;
}
[[nodiscard]] constexpr bool is_real(onnx_type type) noexcept
{
  using enum onnx_type;
  return type == float32 || type == float16 || type == bfloat16 || type == float64;
}

/// A tensor known before the network runs: weights, or the integers of shape arithmetic. Which member holds the values
/// follows from `type`: `floats` for float32, float16 and bfloat16; `doubles` for float64; `integers` for the rest.
struct onnx_constant {
  onnx_type type = onnx_type::undefined;
  shape dims{0};
  std::shared_ptr<const tensor> floats;
  std::vector<std::int64_t> integers;
  std::vector<double> doubles;

  [[nodiscard]] static onnx_constant of(tensor t)
  {
    return {onnx_type::float32, t.dims(), std::make_shared<const tensor>(std::move(t)), {}, {}};
  }
  [[nodiscard]] static onnx_constant of(const shape& dims, std::vector<std::int64_t> values)
  {
    return {onnx_type::int64, dims, nullptr, std::move(values), {}};
  }
  /// A list of integers, as shapes and axes are given.
  [[nodiscard]] static onnx_constant list(std::vector<std::int64_t> values)
  {
    const shape dims{static_cast<std::int64_t>(values.size())};
    return of(dims, std::move(values));
  }
};

}  // namespace narrows
