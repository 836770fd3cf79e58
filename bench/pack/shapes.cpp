// SPDX-License-Identifier: BSD-3-Clause
// Rows shape_pack_u<bits>/<shape> and shape_unpack_u<bits>/<shape>: through the public functions, as an engine calls them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <narrows/pack/quantize.hpp>

#include "contender.hpp"

namespace narrows::bench {

namespace {

struct shape_row {
  const char* name;
  std::size_t inner;   // values that share a scale; 0: all do
  std::size_t values;
};
constexpr std::size_t most = std::size_t{1} << 18;
constexpr shape_row shapes[] = {
  {"per_tensor", 0, most}, {"planes_7x7", 49, most / 49 * 49}, {"planes_14x14", 196, most / 196 * 196},
  {"planes_28x28", 784, most / 784 * 784}, {"planes_56x56", 3136, most / 3136 * 3136},
  {"n_1024", 0, 1024}, {"n_1000", 0, 1000}, {"n_1280", 0, 1280},
};

/// The reference's bytes of values with several scales.
std::vector<std::uint8_t> expected(const float* x, std::size_t n, const std::vector<affine>& scales, std::size_t inner, int bits)
{
  std::vector<std::uint8_t> bytes(packed_bytes(n, bits));
  const auto by = [&](auto zero) {
    std::vector<decltype(zero)> codes(n);
    for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<decltype(zero)>(quantizer(scales[i / inner % scales.size()], bits)(x[i]));
    reference::pack(std::span<const decltype(zero)>(codes), bits, bytes);
  };
  if (code_bytes(bits) == 1) by(std::uint8_t{});
  else by(std::uint16_t{});
  return bytes;
}

}  // namespace

std::vector<timed> shape_rows(const float* x, std::uint8_t* packed, float* back)
{
  std::vector<timed> rows;
  for (const int bits : {4, 12})
    for (const auto& [name, inner, n] : shapes) {
      const std::size_t group = inner == 0 ? n : inner;
      std::vector<affine> scales(n / group);
      for (std::size_t g = 0; g < scales.size(); ++g) {
        scales[g] = task_levels(bits);
        scales[g].scale *= 1 + static_cast<float>(g % 7) / 8;
      }
      const std::size_t bytes = packed_bytes(n, bits);
      const auto pack_it = [=] { static_cast<void>(quantize_pack(std::span(x, n), scale_map{scales, group}, bits, std::span(packed, bytes))); };
      const auto unpack_it = [=] { static_cast<void>(unpack_dequantize(std::span<const std::uint8_t>(packed, bytes), scale_map{scales, group}, bits, std::span(back, n))); };
      pack_it();
      const auto right = expected(x, n, scales, group, bits);
      unpack_it();
      bool good = std::equal(right.begin(), right.end(), packed);
      for (std::size_t i = 0; i < n && good; ++i) {
        const auto& a = scales[i / group];
        const auto code = static_cast<std::int32_t>(quantizer(a, bits)(x[i]));
        good = back[i] == static_cast<float>(code - a.zero) * a.scale;
      }
      if (!good) {
        std::fprintf(stderr, "shape %s at %d bits: not the answer of the reference\n", name, bits);
        std::exit(1);
      }
      const std::string at = "_u" + std::to_string(bits) + "/" + name + "/L2";
      rows.push_back({"shape_pack" + at, n, pack_it});
      rows.push_back({"shape_unpack" + at, n, unpack_it});
    }
  return rows;
}

}  // namespace narrows::bench
