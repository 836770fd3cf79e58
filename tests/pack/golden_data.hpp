// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <narrows/core/shape.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/bits.hpp>

/// What the golden streams hold; docs/format.md, section "Test vectors", says the same in words.
namespace narrows::test {

inline const shape golden_shapes[] = {
  {1}, {9}, {31}, {1, 3, 13, 13}, {1, 512}, {1, 27, 19}, {1, 16, 7, 7}, {1, 10, 12, 11}};

[[nodiscard]] inline affine golden_affine(int bits)
{
  return {3.7F / static_cast<float>(max_code(bits)), static_cast<std::int32_t>(max_code(bits) / 8)};
}

/// Values in [-1, 3), every seventh exactly 0; nothing here is rounded.
[[nodiscard]] inline std::vector<float> golden_values(std::size_t n)
{
  std::vector<float> x(n);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    const auto level = static_cast<std::int32_t>(state >> 8) - 4194304;
    x[i] = i % 7 == 6 ? 0.0F : static_cast<float>(level) * 0x1p-22F;
  }
  return x;
}

[[nodiscard]] inline std::string golden_name(int bits, const shape& dims)
{
  std::string name = "u";
  name += std::to_string(bits);
  name += '_';
  name += to_string(dims);
  return name;
}

}  // namespace narrows::test
