// SPDX-License-Identifier: BSD-3-Clause
// Every kernel against the bytes in golden/, which no build of this day made.
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/rans.hpp>
#include <narrows/pack/runs.hpp>
#include <narrows/pack/sparse.hpp>

#include "golden_data.hpp"

namespace narrows {
namespace {

std::optional<std::vector<std::uint8_t>> read(const std::string& name)
{
  std::ifstream file(std::string(NARROWS_SOURCE_DIR) + "/tests/pack/golden/" + name, std::ios::binary);
  if (!file) return std::nullopt;
  return std::vector<std::uint8_t>(std::istreambuf_iterator<char>(file), {});
}

template <class Check>
void for_each_stream(const std::string& kind, Check check)
{
  for (int bits = min_width; bits <= max_width; ++bits)
    for (const auto& dims : test::golden_shapes) {
      const std::string name = test::golden_name(bits, dims) + kind;
      const auto expected = read(name);
      ASSERT_TRUE(expected.has_value()) << name << " cannot be read";
      for (const auto* set : available_kernels()) {
        SCOPED_TRACE(name + " by " + std::string(set->name));
        check(*set, bits, test::golden_values(dims.elements()), *expected);
      }
    }
}

TEST(Golden, EveryKernelQuantisesAndPacksToTheCommittedBytes)
{
  for_each_stream(".dense", [](const kernel_set& set, int bits, const std::vector<float>& x, const auto& expected) {
    const affine a = test::golden_affine(bits);
    std::vector<std::uint8_t> bytes(packed_bytes(x.size(), bits));
    const scale_map map{{&a, 1}, 1};
    const bool finite = bits <= 8 ? detail::quantize_pack_with<std::uint8_t>(set, x, map, bits, bytes.data())
                                  : detail::quantize_pack_with<std::uint16_t>(set, x, map, bits, bytes.data());
    EXPECT_TRUE(finite);
    EXPECT_EQ(bytes, expected);
  });
}

TEST(Golden, EveryKernelPacksTheCommittedSparseStreams)
{
  for_each_stream(".sparse", [](const kernel_set& set, int bits, const std::vector<float>& x, const auto& expected) {
    const affine a{test::golden_affine(bits).scale, 0};
    std::vector<std::uint8_t> bytes(mask_bytes(x.size()) + packed_bytes(x.size(), bits));
    const scale_map map{{&a, 1}, 1};
    const auto size = bits <= 8 ? detail::quantize_pack_sparse_with<std::uint8_t>(set, x, map, bits, bytes)
                                : detail::quantize_pack_sparse_with<std::uint16_t>(set, x, map, bits, bytes);
    ASSERT_TRUE(size);
    bytes.resize(*size);
    EXPECT_EQ(bytes, expected);
  });
}

TEST(Golden, EveryKernelWritesAndReadsTheCommittedRuns)
{
  for_each_stream(".runs", [](const kernel_set& set, int bits, const std::vector<float>& x, const auto& expected) {
    const affine a{test::golden_affine(bits).scale, 0};
    std::vector<std::uint8_t> bytes(most_runs_bytes(x.size(), bits));
    std::vector<float> back(x.size()), again(x.size());
    const scale_map map{{&a, 1}, 1};
    const auto size = bits <= 8 ? detail::quantize_pack_runs_with<std::uint8_t>(set, x, map, bits, bytes)
                                : detail::quantize_pack_runs_with<std::uint16_t>(set, x, map, bits, bytes);
    ASSERT_TRUE(size);
    bytes.resize(*size);
    EXPECT_EQ(bytes, expected);
    EXPECT_EQ(bits <= 8 ? detail::unpack_dequantize_runs_with<std::uint8_t>(set, expected, map, bits, back)
                        : detail::unpack_dequantize_runs_with<std::uint16_t>(set, expected, map, bits, back), errc::ok);
    std::vector<std::uint16_t> codes(x.size());
    static_cast<void>(reference::quantize(std::span<const float>(x), a, bits, std::span(codes)));
    reference::dequantize(std::span<const std::uint16_t>(codes), a, std::span(again));
    EXPECT_EQ(back, again);
  });
}

TEST(Golden, EveryKernelPacksTheCommittedRansStreams)
{
  for_each_stream(".rans", [](const kernel_set& set, int bits, const std::vector<float>& x, const auto& expected) {
    const affine a{test::golden_affine(bits).scale, 0};
    std::vector<std::uint8_t> bytes(expected.size());
    const scale_map map{{&a, 1}, 1};
    const auto size = bits <= 8 ? detail::quantize_pack_rans_with<std::uint8_t>(set, x, map, bits, bytes)
                                : detail::quantize_pack_rans_with<std::uint16_t>(set, x, map, bits, bytes);
    ASSERT_TRUE(size);
    bytes.resize(*size);
    EXPECT_EQ(bytes, expected);
  });
}

}  // namespace
}  // namespace narrows
