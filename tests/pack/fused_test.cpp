// SPDX-License-Identifier: BSD-3-Clause
// Codecs from floats and to floats, as a kernel set does it in one pass, against quantising first and dequantising last.
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/runs.hpp>
#include <narrows/pack/sparse.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;
using bytes = std::vector<std::uint8_t>;

constexpr std::size_t fused_lengths[] = {1, 63, 64, 65, 255, 256, 1000, 4095, 4096, 4097, 9000};

/// `far`: beyond what an int32 holds once divided by the scale. `hostile`: values that are not finite among others.
enum class content { rectified, both_signs, far, hostile };
constexpr content contents[] = {content::rectified, content::both_signs, content::far, content::hostile};

class Fused : public testing::TestWithParam<std::tuple<const kernel_set*, int>> {
protected:
  const kernel_set& set = *std::get<0>(GetParam());
  const int bits = std::get<1>(GetParam());
  test::random_source source{test::seed + static_cast<std::uint64_t>(std::get<1>(GetParam()))};

  [[nodiscard]] std::vector<float> draw(std::size_t n, content what)
  {
    auto x = what == content::rectified ? test::relu_like(n, 1, source) : test::random_floats(n, -1, 1, source);
    for (auto& v : x) {
      if (what == content::far && source.below(7) == 0) v *= 1e30F;
      if (what == content::hostile && source.below(7) == 0)
        v = test::hostile_floats[source.below(std::size(test::hostile_floats))];
    }
    return x;
  }

  /// Calls body(x, codes of x, whether all were finite, their levels) for every length, content and kind of levels.
  template <class Body>
  void for_each_tensor(Body body)
  {
    for (const std::size_t n : fused_lengths)
      for (const content what : contents)
        for (const std::int32_t zero : {0, 1 << (bits - 1), -3}) {
          SCOPED_TRACE("n " + std::to_string(n) + " content " + std::to_string(static_cast<int>(what)) + " zero " +
                       std::to_string(zero) + " seed " + std::to_string(test::seed));
          const auto x = draw(n, what);
          const affine levels{1.0F / static_cast<float>(max_code(bits)), zero};
          bytes codes(n);
          const bool finite = reference::quantize(std::span<const float>(x), levels, bits, std::span(codes));
          body(x, codes, finite, levels);
          if (testing::Test::HasFatalFailure()) return;
        }
  }

  /// The floats of codes from a stream, by `decode(map, out)`: also where the output is part of a large one, or not on a line's
  /// border.
  template <class Decode>
  void expect_floats(const bytes& codes, const affine& levels, Decode decode)
  {
    std::vector<float> expected(codes.size());
    reference::dequantize(std::span<const std::uint8_t>(codes), levels, std::span(expected));
    for (const auto edge : {guarded<float>::edge::end, guarded<float>::edge::start}) {
      const guarded<float> out(codes.size(), edge);
      ASSERT_EQ(decode(scale_map{{&levels, 1}, 1}, out.values()), errc::ok);
      ASSERT_EQ(std::memcmp(out.data(), expected.data(), expected.size() * sizeof(float)), 0);
    }
  }
};

template <class Encoded>
void expect_stream(const Encoded& size, bool finite, const bytes& expected, const std::uint8_t* found)
{
  ASSERT_EQ(static_cast<bool>(size), finite);
  if (!finite) {
    EXPECT_EQ(size.error(), errc::not_finite);
    return;
  }
  ASSERT_EQ(*size, expected.size());
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), found));
}

TEST_P(Fused, SparseIsThatOfTheCodes)
{
  for_each_tensor([&](const std::vector<float>& x, const bytes& codes, bool finite, const affine& levels) {
    bytes scratch(x.size()), expected(mask_bytes(x.size()) + packed_bytes(x.size(), bits));
    expected.resize(reference::pack_sparse(std::span<const std::uint8_t>(codes), bits, std::span(scratch), expected));
    const guarded<float> in{std::span<const float>(x)};
    const guarded<std::uint8_t> out(expected.size());
    const scale_map map{{&levels, 1}, 1};
    expect_stream(
      detail::quantize_pack_sparse_with<std::uint8_t>(set, in.values(), map, bits, out.values()), finite, expected, out.data());
    const guarded<std::uint8_t> stream{std::span<const std::uint8_t>(expected)};
    expect_floats(codes, levels, [&](const scale_map& by, std::span<float> to) {
      return detail::unpack_dequantize_sparse_with<std::uint8_t>(set, stream.values(), by, bits, to);
    });
  });
}

TEST_P(Fused, RunsAreThoseOfTheCodes)
{
  for_each_tensor([&](const std::vector<float>& x, const bytes& codes, bool finite, const affine& levels) {
    bytes expected;
    for (std::size_t first = 0; first < codes.size(); first += runs_block) {
      bytes block(kernel::runs_room);
      const std::span part(codes.data() + first, std::min(runs_block, codes.size() - first));
      block.resize(reference::pack_runs_block(std::span<const std::uint8_t>(part), bits, std::span(block)));
      expected.insert(expected.end(), block.begin(), block.end());
    }
    const guarded<float> in{std::span<const float>(x)};
    const guarded<std::uint8_t> out(expected.size());
    const scale_map map{{&levels, 1}, 1};
    expect_stream(
      detail::quantize_pack_runs_with<std::uint8_t>(set, in.values(), map, bits, out.values()), finite, expected, out.data());
    const guarded<std::uint8_t> stream{std::span<const std::uint8_t>(expected)};
    expect_floats(codes, levels, [&](const scale_map& by, std::span<float> to) {
      return detail::unpack_dequantize_runs_with<std::uint8_t>(set, stream.values(), by, bits, to);
    });
  });
}

// What is part of a large output is written around the caches, where it lies on a line's border.
TEST_P(Fused, PartsOfLargeOutputsAreThoseOfSmallOnes)
{
  if (set.expand_dequantize == nullptr || set.decode_runs_floats == nullptr) {
    EXPECT_EQ(set.quantize_compress, nullptr);  // both ways or none
    EXPECT_EQ(set.encode_runs_floats, nullptr);
    return;
  }
  const affine levels{0.37F, 5};
  for (const std::size_t n : {1U, 64U, 100U, 4096U})
    for (const std::size_t offset : {0U, 3U}) {
      bytes codes = test::random_codes<std::uint8_t>(n, bits, source);
      std::vector<float> expected(n);
      reference::dequantize(std::span<const std::uint8_t>(codes), levels, std::span(expected));
      const auto expect = [&](const aligned_vector<float>& out) {
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<std::ptrdiff_t>(offset)));
        for (std::size_t i = 0; i < offset; ++i) EXPECT_EQ(out[i], -1.0F);
        for (std::size_t i = offset + n; i < out.size(); ++i) EXPECT_EQ(out[i], -1.0F);
      };
      bytes mask(mask_bytes(n)), rest(n + 64);
      set.compress_u8(codes.data(), n, mask.data(), rest.data());
      aligned_vector<float> sparse(n + 2 * 16, -1.0F), runs(n + 2 * 16, -1.0F);
      set.expand_dequantize(mask.data(), n, rest.data(), levels, sparse.data() + offset, true);
      expect(sparse);
      bytes block(kernel::runs_room), padded(codes);
      padded.resize(n + kernel::runs_slack);
      const std::size_t size = set.encode_runs_u8(padded.data(), n, bits, block.data());
      EXPECT_EQ(set.decode_runs_floats(block.data(), n, bits, levels, runs.data() + offset, true), size);
      expect(runs);
    }
}

INSTANTIATE_TEST_SUITE_P(EveryKernel, Fused,
  testing::Combine(testing::ValuesIn(available_kernels().begin(), available_kernels().end()), testing::Range(min_width, 9)),
  [](
    const auto& which) { return std::string(std::get<0>(which.param)->name) + "_u" + std::to_string(std::get<1>(which.param)); });

}  // namespace
}  // namespace narrows
