// SPDX-License-Identifier: BSD-3-Clause
// One scale per channel where channels are innermost: against the plain definition, for numbers of channels around the borders of
// what is handled at once.
#include <narrows/pack/packed_tensor.hpp>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

/// Scales and zero points from one end of what is allowed to the other.
std::vector<affine> odd_scales(std::size_t n, int bits, test::random_source& source)
{
  std::vector<affine> scales;
  for (std::size_t c = 0; c < n; ++c) {
    const float scale = source.below(10) == 0 ? min_scale : source.below(10) == 0 ? max_scale : source.uniform(0.01F, 2);
    const auto zeros = 2 * static_cast<std::uint64_t>(source.below(2) == 0 ? max_zero(bits) : 20);
    scales.push_back({scale, static_cast<std::int32_t>(source.below(zeros + 1)) - static_cast<std::int32_t>(zeros / 2)});
  }
  return scales;
}

template <class Code>
void compare(int bits)
{
  test::random_source source;
  for (const std::size_t channels : {2U, 3U, 7U, 64U, 255U, 256U, 257U, 511U, 1000U})
    for (const std::size_t n : {1U, 5U, 512U, 513U, 5000U})
      for (const std::size_t first : {0U, 512U, 77824U}) {
        SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(n) + " values from " + std::to_string(first) +
                     ", " + std::to_string(bits) + " bits, seed " + std::to_string(test::seed));
        const auto scales = odd_scales(channels, bits, source);
        std::vector<float> x(n);
        std::vector<Code> codes(n);
        std::vector<float> values(n);
        bool finite = true;
        for (std::size_t i = 0; i < n; ++i) {
          const affine& a = scales[(first + i) % channels];
          const auto code =
            static_cast<std::int64_t>(source.below(2 * max_code(bits) + 4)) - static_cast<std::int64_t>(max_code(bits) / 2 + 1);
          x[i] = (static_cast<float>(code - a.zero) + (source.below(3) == 0 ? 0.5F : source.uniform(-0.6F, 0.6F))) * a.scale;
          if (first == 512 && source.below(40) == 0) x[i] = test::hostile_floats[source.below(std::size(test::hostile_floats))];
          codes[i] = static_cast<Code>(quantizer(a, bits)(x[i]));
          values[i] = value_of(codes[i], a);
          finite = finite && is_finite(x[i]);
        }
        const scale_map map{scales, 1, first};
        std::vector<std::uint8_t> expected(packed_bytes(n, bits)), packed(expected.size());
        ASSERT_EQ(pack(std::span<const Code>(codes), bits, expected), errc::ok);
        ASSERT_EQ(quantize_pack(x, map, bits, packed), finite ? errc::ok : errc::not_finite);
        ASSERT_EQ(packed, expected);
        std::vector<float> back(n);
        ASSERT_EQ(unpack_dequantize(packed, map, bits, back), errc::ok);
        ASSERT_EQ(std::memcmp(back.data(), values.data(), n * sizeof(float)), 0);
      }
}

TEST(ChannelsLast, CodesAndValuesAreThoseOfEachChannelsScale)
{
  for (const int bits : {1, 4, 8}) compare<std::uint8_t>(bits);
  for (const int bits : {9, 12, 16}) compare<std::uint16_t>(bits);
}

TEST(ChannelsLast, RangesAreThoseOfEachChannel)
{
  test::random_source source;
  for (const std::size_t channels : {2U, 3U, 64U, 256U, 257U, 700U})
    for (const std::size_t n : {1U, 5U, 699U, 4096U, 9001U}) {
      SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(n) + " values");
      auto x = test::random_floats(n, -3, 5, source);
      std::vector<affine> scales(channels);
      ASSERT_EQ(fit_min_max(x, 1, 6, scales), errc::ok);
      for (std::size_t c = 0; c < channels; ++c) {
        std::vector<float> own;
        for (std::size_t i = c; i < n; i += channels) own.push_back(x[i]);
        EXPECT_EQ(scales[c], own.empty() ? affine{} : *fit_min_max(own, 6)) << c;
      }
      for (const float odd : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        x[source.below(n)] = odd;
        EXPECT_EQ(fit_min_max(x, 1, 6, scales), errc::not_finite);
      }
    }
}

}  // namespace
}  // namespace narrows
