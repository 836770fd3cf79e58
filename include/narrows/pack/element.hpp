// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace narrows {

/// What the buffers of inference engines hold. No part of the packed format: payloads are made from, and give, the float32
/// values that these stand for.
enum class element : std::uint8_t {
  float32,   ///< IEEE 754 binary32
  float16,   ///< IEEE 754 binary16
  bfloat16,  ///< the upper half of a binary32
  int8,      ///< (code - zero) * scale, code from -128 to 127
  uint8,     ///< (code - zero) * scale, code from 0 to 255
};

/// 0 for what is no element type.
[[nodiscard]] constexpr std::size_t element_bytes(element type) noexcept
{
  switch (type) {
  case element::float32: return 4;
  case element::float16:
  case element::bfloat16: return 2;
  case element::int8:
  case element::uint8: return 1;
  }
  return 0;
}

/// Whether values need a scale and a zero point to mean something.
[[nodiscard]] constexpr bool has_levels(element type) noexcept { return type == element::int8 || type == element::uint8; }

[[nodiscard]] constexpr std::string_view to_string(element type) noexcept
{
  switch (type) {
  case element::float32: return "float32";
  case element::float16: return "float16";
  case element::bfloat16: return "bfloat16";
  case element::int8: return "int8";
  case element::uint8: return "uint8";
  }
  return "unknown";
}

}  // namespace narrows
