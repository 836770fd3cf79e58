// SPDX-License-Identifier: BSD-3-Clause
// What users write today: one value after the other, a 64-bit buffer, a linear stream of bits. Fixed: figures in documents
// compare with this file, compiled with -O2.
#include <algorithm>
#include <cmath>

#include "contender.hpp"

namespace narrows::bench {

namespace {

void pack_scalar(const float* x, std::size_t n, int bits, affine levels, std::uint8_t* out)
{
  const float inverse = 1.0F / levels.scale;
  const float largest = static_cast<float>((1 << bits) - 1);
  std::uint64_t buffer = 0;
  int filled = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float level = std::nearbyint(x[i] * inverse) + static_cast<float>(levels.zero);
    const auto code = static_cast<std::uint64_t>(std::clamp(level, 0.0F, largest));
    buffer |= code << filled;
    filled += bits;
    while (filled >= 8) {
      *out++ = static_cast<std::uint8_t>(buffer);
      buffer >>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) *out = static_cast<std::uint8_t>(buffer);
}

void unpack_scalar(const std::uint8_t* packed, std::size_t n, int bits, affine levels, float* out)
{
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  std::uint64_t buffer = 0;
  int filled = 0;
  for (std::size_t i = 0; i < n; ++i) {
    while (filled < bits) {
      buffer |= std::uint64_t{*packed++} << filled;
      filled += 8;
    }
    out[i] = static_cast<float>(static_cast<std::int32_t>(buffer & mask) - levels.zero) * levels.scale;
    buffer >>= bits;
    filled -= bits;
  }
}

}  // namespace

void add_scalar_loop(contenders& to)
{
  for (int bits = 1; bits <= 16; ++bits) {
    const auto levels = task_levels(bits);
    to.pack.push_back({"scalar_loop", bits, task_levels(bits), promise::linear_layout, [=](const float* x, std::size_t n, std::uint8_t* out) { pack_scalar(x, n, bits, levels, out); }});
    to.unpack.push_back({"scalar_loop", bits, task_levels(bits), promise::linear_layout, [=](const std::uint8_t* packed, std::size_t n, float* out) { unpack_scalar(packed, n, bits, levels, out); }});
  }
}

}  // namespace narrows::bench
