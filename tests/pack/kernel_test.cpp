// SPDX-License-Identifier: BSD-3-Clause
// Every kernel set that this CPU can run against reference.hpp, in memory between guard pages.
#include <algorithm>
#include <cfenv>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/sparse.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;

constexpr std::size_t lengths[] = {0, 1, 7, 8, 9, 15, 31, 33, 64, 200, 511, 512, 513, 1024, 1543, 3136, 4096, 4101, 9217};

class Kernel : public testing::TestWithParam<std::tuple<const kernel_set*, int>> {
protected:
  const kernel_set& set = *std::get<0>(GetParam());
  const int bits = std::get<1>(GetParam());
  test::random_source source{test::seed + static_cast<std::uint64_t>(std::get<1>(GetParam()))};

  /// Calls body<code>() with the code type of the width.
  template <class Body>
  void with_code(Body body)
  {
    if (bits <= 8) body(std::uint8_t{});
    else body(std::uint16_t{});
  }

  [[nodiscard]] std::vector<affine> mappings() const
  {
    std::vector<affine> list{{1, 0}, {0.0371F, 0}, {0x1p-125F, 1}, {0x1p109F, 0}, {0.25F, static_cast<std::int32_t>(max_code(bits) / 2)},
                             {3.1F, -7}, {0.5F, max_zero(bits)}, {1.7F, -max_zero(bits)}};
    if (bits > 8) list.insert(list.end(), {{0.5F, 0x7FFF}, {0.5F, 0x8000}});   // the last one that 16-bit sums hold, and the next
    for (const auto& a : list) EXPECT_EQ(check(a, bits), errc::ok);
    return list;
  }

  /// Levels around the whole code range and beyond, a third of them exactly half-way between two codes.
  [[nodiscard]] std::vector<float> values(std::size_t n, const affine& a, bool hostile)
  {
    std::vector<float> x(n);
    for (auto& v : x) {
      const auto code = static_cast<std::int64_t>(source.below(2 * max_code(bits) + 4)) - static_cast<std::int64_t>(max_code(bits) / 2 + 1);
      const float fraction = source.below(3) == 0 ? 0.5F : source.uniform(-0.6F, 0.6F);
      v = (static_cast<float>(code - a.zero) + fraction) * a.scale;
      if (hostile && source.below(5) == 0) v = test::hostile_floats[source.below(std::size(test::hostile_floats))];
    }
    return x;
  }

  /// Packs and unpacks values of several scales between guard pages, and quantises them alone.
  template <class Code>
  void expect_like_the_reference(const scale_map& map, std::span<const float> drawn)
  {
    const std::size_t n = drawn.size();
    SCOPED_TRACE("inner " + std::to_string(map.inner) + " groups " + std::to_string(map.scales.size()) + " first " + std::to_string(map.first) +
                 " n " + std::to_string(n) + " seed " + std::to_string(test::seed));
    const guarded<float> x(drawn);
    std::vector<Code> codes(n);
    std::vector<float> expected_values(n);
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) {
      const affine& a = map.scales[(map.first + i) / map.inner % map.scales.size()];
      codes[i] = static_cast<Code>(quantizer(a, bits)(drawn[i]));
      expected_values[i] = value_of(codes[i], a);
      finite = finite && is_finite(drawn[i]);
    }
    std::vector<std::uint8_t> expected(packed_bytes(n, bits));
    reference::pack(std::span<const Code>(codes), bits, std::span(expected));
    const guarded<std::uint8_t> out(expected.size());
    ASSERT_EQ(detail::quantize_pack_with<Code>(set, x.values(), map, bits, out.data()), finite);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
    const guarded<float> back(n);
    detail::unpack_dequantize_with<Code>(set, out.data(), map, bits, back.values());
    ASSERT_TRUE(std::equal(expected_values.begin(), expected_values.end(), back.data()));
    const guarded<Code> alone(n);
    ASSERT_EQ(detail::quantize_range<Code>(set, x.data(), 0, n, map, bits, alone.data()), finite);
    ASSERT_TRUE(std::equal(codes.begin(), codes.end(), alone.data()));
  }
};

TEST_P(Kernel, PacksAndUnpacksCodesLikeTheReference)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : lengths) {
      SCOPED_TRACE("n " + std::to_string(n) + " seed " + std::to_string(test::seed));
      for (const auto edge : {guarded<code>::edge::end, guarded<code>::edge::start}) {
        const auto codes = test::random_codes<code>(n, bits, source);
        const guarded<code> in(codes, edge);
        std::vector<std::uint8_t> expected(packed_bytes(n, bits));
        reference::pack(std::span<const code>(codes), bits, std::span(expected));
        const guarded<std::uint8_t> out(expected.size(), static_cast<guarded<std::uint8_t>::edge>(edge));
        detail::pack_with<code>(set, in.values(), bits, out.data());
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
        const guarded<code> back(n, edge);
        detail::unpack_with<code>(set, out.data(), bits, back.values());
        ASSERT_TRUE(std::equal(codes.begin(), codes.end(), back.data()));
      }
    }
  });
}

// Every length of the narrower last block, alone: from too few lanes to read a row as a full one up to all but one.
TEST_P(Kernel, DoesTailsOfAnyLengthLikeTheReference)
{
  const auto width = static_cast<std::size_t>(bits - 1);
  const auto kinds = mappings();
  with_code([&](auto zero) {
    using code = decltype(zero);
    const guarded<float> values_end(block_values), back_end(block_values);
    const guarded<code> codes_end(block_values);
    const guarded<std::uint8_t> out_end(block_bytes(bits)), again_end(block_bytes(bits));
    for (std::size_t n = 1; n < block_values; ++n) {
      const auto& a = kinds[n % kinds.size()];
      SCOPED_TRACE("n " + std::to_string(n) + " scale " + std::to_string(a.scale) + " zero " + std::to_string(a.zero));
      const auto x = values_end.values().last(n), back = back_end.values().last(n);
      std::ranges::copy(values(n, a, false), x.begin());
      std::vector<std::uint8_t> expected(packed_bytes(n, bits));
      reference::quantize_pack(x, a, bits, expected);
      const auto out = out_end.values().last(expected.size()), again = again_end.values().last(expected.size());
      EXPECT_TRUE(set.quantize_pack[width](x.data(), n, quantizer(a, bits), out.data()));
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));

      std::vector<code> codes(n);
      reference::unpack(std::span<const std::uint8_t>(expected), bits, std::span(codes));
      const auto unpacked = codes_end.values().last(n);
      detail::unpack_with<code>(set, out.data(), bits, unpacked);
      ASSERT_TRUE(std::equal(codes.begin(), codes.end(), unpacked.begin()));
      detail::pack_with<code>(set, std::span<const code>(unpacked), bits, again.data());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), again.data()));

      std::vector<float> wanted(n);
      reference::unpack_dequantize(expected, a, bits, wanted);
      set.unpack_dequantize[width](out.data(), n, a, back.data());
      ASSERT_EQ(std::memcmp(back.data(), wanted.data(), n * sizeof(float)), 0);
    }
  });
}

TEST_P(Kernel, UnpacksAnyBytesLikeTheReference)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : {5U, 512U, 1300U}) {
      const auto bytes = test::random_codes<std::uint8_t>(packed_bytes(n, bits), 8, source);
      std::vector<code> expected(n);
      std::vector<code> codes(n);
      reference::unpack(std::span<const std::uint8_t>(bytes), bits, std::span(expected));
      detail::unpack_with<code>(set, bytes.data(), bits, std::span(codes));
      EXPECT_EQ(codes, expected);
    }
  });
}

TEST_P(Kernel, QuantisesLikeTheReference)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const bool hostile : {false, true})
      for (const auto& a : mappings())
        for (const std::size_t n : lengths) {
          if (n > 1600 && a.zero != 0) continue;
          SCOPED_TRACE("n " + std::to_string(n) + " scale " + std::to_string(a.scale) + " zero " + std::to_string(a.zero) +
                       (hostile ? " hostile" : "") + " seed " + std::to_string(test::seed));
          const guarded<float> x(values(n, a, hostile));
          std::vector<std::uint8_t> expected(packed_bytes(n, bits));
          const bool finite = reference::quantize_pack(x.values(), a, bits, expected);
          const guarded<std::uint8_t> out(expected.size());
          const scale_map map{{&a, 1}, 1};
          ASSERT_EQ(detail::quantize_pack_with<code>(set, x.values(), map, bits, out.data()), finite);
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));

          std::vector<code> codes(n);
          reference::quantize(std::span<const float>(x.values()), a, bits, std::span(codes));
          const guarded<code> some(n);
          ASSERT_EQ(detail::quantize_range<code>(set, x.data(), 0, n, map, bits, some.data()), finite);
          ASSERT_TRUE(std::equal(codes.begin(), codes.end(), some.data()));

          if (n == 0) continue;
          float low = 0;
          float high = 0;
          ASSERT_EQ(set.min_max(x.data(), n, low, high), finite);
          if (!finite) continue;
          EXPECT_EQ(low, *std::min_element(x.values().begin(), x.values().end()));
          EXPECT_EQ(high, *std::max_element(x.values().begin(), x.values().end()));
        }
  });
}

// Groups shorter than a register and longer than a block, and lengths that end within one.
TEST_P(Kernel, QuantisesAndDequantisesGroupsLikeTheReference)
{
  with_code([&](auto zero) {
    for (const std::size_t inner : {1U, 7U, 49U, 64U, 100U, 700U, 5000U})
      for (const std::size_t n : {5U, 64U, 511U, 1300U, 4096U, 9001U})
        for (const int zeros : {0, 1, 2})
          for (const bool hostile : {false, true}) {
            SCOPED_TRACE("zeros " + std::to_string(zeros));
            std::vector<affine> scales(3);
            for (auto& a : scales) {
              a.scale = source.uniform(0.01F, 2.0F);
              if (zeros > 0) a.zero = static_cast<std::int32_t>(source.below(max_code(bits) + 1)) - (zeros == 2 ? 20 : 0);
            }
            expect_like_the_reference<decltype(zero)>({scales, inner}, values(n, scales[0], hostile));
          }
  });
}

// As many blocks as pay a kernel that serves several scales of one zero at once: groups around the lengths that it does serve, any number
// of them, from the tensor's first value on or from a later one; and runs of blocks with values that it leaves to others.
TEST_P(Kernel, PacksAndUnpacksBlocksOfSeveralScalesLikeTheReference)
{
  with_code([&](auto zero) {
    for (const std::size_t inner : {31U, 32U, 33U, 49U, 64U, 196U, 256U, 257U, 511U, 512U, 513U, 784U, 1600U, 32768U, 32769U}) {
      const std::size_t n = (inner <= 256 ? 8 + inner / 4 : inner < 10000 ? 20 : 70) * block_values + 37;
      for (const std::size_t count : {std::size_t{2}, 3 + source.below(14), 17 + source.below(80)})
        for (const std::int32_t one : {0, static_cast<std::int32_t>(source.below(max_code(bits) + 1)), -3}) {
          std::vector<affine> scales(count);
          for (auto& a : scales) a = {source.uniform(0.01F, 2.0F), one};
          if (source.below(8) == 0) scales.back().zero += 1;
          auto x = values(n, scales[0], false);
          if (source.below(4) == 0) x[source.below(n)] = test::hostile_floats[source.below(std::size(test::hostile_floats))];
          const std::size_t firsts[] = {0, block_values * source.below(100), 16 * source.below(4000), source.below(70000)};
          expect_like_the_reference<decltype(zero)>({scales, inner, firsts[source.below(std::size(firsts))]}, x);
        }
    }
  });
}

// Kernels may take a quick way for runs of blocks and repeat a run that holds what the quick way cannot convert: products
// beyond an int32, which are finite, and what is not. Neither may leak into the runs beside it.
TEST_P(Kernel, QuantisesRunsOfBlocksWithRareValuesLikeTheReference)
{
  constexpr std::size_t n = 40 * block_values + 300;
  const auto width = static_cast<std::size_t>(bits - 1);
  std::vector<affine> kinds{{0.25F, 3}, {0.25F, 0}};   // with a zero point and without
  if (bits > 8) kinds.insert(kinds.end(), {{0.25F, 0x9000}, {0.25F, max_zero(bits)}});
  for (const auto& a : kinds)
    for (const float rare : {0.0F, 0x1p28F, 0x1.fffffep28F, 0x1p33F, -0x1p33F, 3e38F, -3e38F, std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
      for (const std::size_t at : {std::size_t{0}, std::size_t{17 * block_values + 5}, n - 1})
        for (const int before : {0, FE_INVALID}) {
          SCOPED_TRACE("rare " + std::to_string(rare) + " at " + std::to_string(at) + " zero " + std::to_string(a.zero));
          auto x = values(n, a, false);
          x[at] = rare;
          std::vector<std::uint8_t> expected(packed_bytes(n, bits)), out(expected.size());
          const bool finite = reference::quantize_pack(x, a, bits, expected);
          std::feclearexcept(FE_ALL_EXCEPT);
          std::feraiseexcept(before);
          EXPECT_EQ(set.quantize_pack[width](x.data(), n, quantizer(a, bits), out.data()), finite);
          EXPECT_TRUE(std::fetestexcept(before) == before) << "a flag that was raised stays raised";
          ASSERT_EQ(out, expected);
          with_code([&](auto zero) {
            using code = decltype(zero);
            std::vector<code> codes(n), unpacked(n);
            EXPECT_EQ(detail::quantize_range<code>(set, x.data(), 0, n, {{&a, 1}, 1}, bits, codes.data()), finite);
            reference::unpack(std::span<const std::uint8_t>(expected), bits, std::span(unpacked));
            ASSERT_EQ(codes, unpacked);
          });
        }
  std::feclearexcept(FE_ALL_EXCEPT);
}

TEST_P(Kernel, DequantisesLikeTheReference)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const auto& a : mappings())
      for (const std::size_t n : {1U, 31U, 513U, 1543U}) {
        SCOPED_TRACE("n " + std::to_string(n) + " scale " + std::to_string(a.scale) + " zero " + std::to_string(a.zero));
        const guarded<std::uint8_t> packed(test::random_codes<std::uint8_t>(packed_bytes(n, bits), 8, source));
        std::vector<float> expected(n);
        reference::unpack_dequantize(packed.values(), a, bits, expected);
        const guarded<float> out(n);
        detail::unpack_dequantize_with<code>(set, packed.data(), {{&a, 1}, 1}, bits, out.values());
        ASSERT_EQ(std::memcmp(out.data(), expected.data(), n * sizeof(float)), 0);
      }
  });
}

// What is part of a large output is written around the caches, where it lies on a line's border.
TEST_P(Kernel, DequantisesPartsOfLargeOutputsAsItDoesSmallOnes)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    const affine a{0.37F, 5};
    for (const std::size_t n : {1U, 64U, 100U, 4096U, 5000U})
      for (const std::size_t offset : {0U, 3U}) {
        const auto codes = test::random_codes<code>(n, bits, source);
        std::vector<float> expected(n);
        reference::dequantize(std::span<const code>(codes), a, expected);
        aligned_vector<float> out(n + 2 * 16, -1.0F);
        detail::dequantize_range<code>(set, codes.data(), 0, n, {{&a, 1}, 1}, out.data() + offset, true);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<std::ptrdiff_t>(offset)));
        for (std::size_t i = 0; i < offset; ++i) EXPECT_EQ(out[i], -1.0F);
        for (std::size_t i = offset + n; i < out.size(); ++i) EXPECT_EQ(out[i], -1.0F);
      }
  });
}

#if defined(__x86_64__)   // others have no such size, and an emulator takes its time
// From some size on kernels write around the caches, where the output starts on a line's border. Short runs, held against
// the reference above, say what is right.
TEST_P(Kernel, DequantisesLargeOutputsAsItDoesSmallOnes)
{
  constexpr std::size_t blocks = (std::size_t{32} << 20) / (block_values * sizeof(float)) + 1, few = 64;
  const auto width = static_cast<std::size_t>(bits - 1);
  const affine a{0.37F, 5};
  auto packed = test::random_codes<std::uint8_t>(few * block_bytes(bits), 8, source);
  packed.resize(blocks * block_bytes(bits));
  for (std::size_t i = few * block_bytes(bits); i < packed.size(); ++i) packed[i] = static_cast<std::uint8_t>(packed[i - few * block_bytes(bits)] + 1);
  aligned_vector<float> out(blocks * block_values + 1);
  std::vector<float> expected(few * block_values);
  for (const std::size_t offset : {0U, 1U}) {   // on a border, and off
    set.unpack_dequantize[width](packed.data(), blocks * block_values, a, out.data() + offset);
    for (std::size_t b = 0; b < blocks; b += few) {
      const std::size_t n = std::min(few, blocks - b);
      set.unpack_dequantize[width](packed.data() + b * block_bytes(bits), n * block_values, a, expected.data());
      ASSERT_EQ(std::memcmp(out.data() + offset + b * block_values, expected.data(), n * block_values * sizeof(float)), 0) << "block " << b;
    }
  }
}
#endif

TEST_P(Kernel, SparseStreamsAreThoseOfTheReference)
{
  with_code([&](auto zero) {
    using code = decltype(zero);
    for (const std::size_t n : lengths)
      for (const std::uint64_t zeros : {0U, 1U, 5U, 10U}) {  // of ten
        SCOPED_TRACE("n " + std::to_string(n) + " zeros " + std::to_string(zeros) + "0 % seed " + std::to_string(test::seed));
        auto codes = test::random_codes<code>(n, bits, source);
        for (auto& c : codes)
          if (source.below(10) < zeros) c = 0;
        std::vector<code> scratch(n);
        std::vector<std::uint8_t> expected(mask_bytes(n) + packed_bytes(n, bits));
        expected.resize(reference::pack_sparse(std::span<const code>(codes), bits, std::span(scratch), expected));
        const guarded<std::uint8_t> out(expected.size());
        const guarded<code> in{std::span<const code>(codes)};
        const auto size = detail::pack_sparse_with<code>(set, in.values(), bits, out.values());
        ASSERT_TRUE(size);
        ASSERT_EQ(*size, expected.size());
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
        const guarded<code> back(n);
        ASSERT_EQ(detail::unpack_sparse_with<code>(set, out.values(), bits, back.values()), errc::ok);
        ASSERT_TRUE(std::equal(codes.begin(), codes.end(), back.data()));
      }
  });
}

INSTANTIATE_TEST_SUITE_P(Every, Kernel,
  testing::Combine(testing::ValuesIn(available_kernels().begin(), available_kernels().end()), testing::Range(min_width, max_width + 1)),
  [](const auto& which) { return std::string(std::get<0>(which.param)->name) + "_u" + std::to_string(std::get<1>(which.param)); });

}  // namespace
}  // namespace narrows
