// SPDX-License-Identifier: BSD-3-Clause
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/seeded_weights.hpp>

namespace narrows {
namespace {

/// Convolution, normalisation, ReLU, convolution with a bias, all with weights known by shape alone.
std::shared_ptr<const graph> two_convolutions()
{
  graph_builder b("two");
  const auto take = [](auto r) { return test::sure_builder::sure(std::move(r)); };
  const auto weights = [&](const char* name, const shape& dims) { return take(b.constant(name, dims)); };
  const auto x = take(b.input("x", shape{1, 16, 8, 8}));
  const auto c = take(b.add({"", "", op::conv{}, {x, weights("w", shape{32, 16, 1, 1})}, {"c"}}))[0];
  const auto n = take(b.add({"", "", op::batch_norm{},
    {c, weights("scale", shape{32}), weights("shift", shape{32}), weights("mean", shape{32}), weights("variance", shape{32})},
    {"n"}}))[0];
  const auto r = take(b.add({"", "", op::unary{op::unary::kind::relu}, {n}, {"r"}}))[0];
  const auto y =
    take(b.add({"", "", op::conv{{{3, 3}}, 1}, {r, weights("v", shape{8, 32, 3, 3}), weights("bias", shape{8})}, {"y"}}))[0];
  return take(b.finish({y}));
}

std::span<const float> at(const graph& g, const char* name) { return g[*g.find(name)].constant->values(); }

double mean_square(std::span<const float> values)
{
  double sum = 0;
  for (const float v : values) sum += double(v) * double(v);
  return sum / double(values.size());
}

/// The rule of the docstring in other words: hash of the name, one number per value, odd 25-bit integers.
TEST(SeededWeights, FollowFromSeedAndName)
{
  const auto g = *with_seeded_weights(*two_convolutions(), 7);
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  };
  const std::uint64_t golden = 0x9E3779B97F4A7C15U, name = (0xcbf29ce484222325U ^ 'w') * 0x100000001b3U;
  const auto range = static_cast<float>(std::sqrt(3.0 / 16));
  for (std::uint64_t i = 0; i < 512; ++i) {
    const auto top = static_cast<double>(mix((mix(7 + golden) ^ name) + (i + 1) * golden) >> 40);
    EXPECT_EQ(at(*g, "w")[i], static_cast<float>((2 * top + 1 - 0x1p24) * double(range) * 0x1p-24)) << i;
  }
}

// These bits are what other machines must give too.
TEST(SeededWeights, HaveTheCommittedBits)
{
  const auto g = *with_seeded_weights(*two_convolutions(), 7);
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto& v : g->values())
    if (v.constant)
      for (const float x : v.constant->values())
        for (auto bits = std::bit_cast<std::uint32_t>(x), i = 0U; i < 4; ++i, bits >>= 8)
          hash = (hash ^ (bits & 0xff)) * 0x100000001b3;
  EXPECT_EQ(hash, 0x9867e7426bae5907U);
}

TEST(SeededWeights, KeepTheMeanSquareNearOne)
{
  const auto g = *with_seeded_weights(*two_convolutions(), 7);
  EXPECT_NEAR(mean_square(at(*g, "w")) * 16, 1, 0.1);
  EXPECT_NEAR(mean_square(at(*g, "v")) * 32 * 9, 2, 0.1);  // a ReLU before halves what the product reads
  for (const char* name : {"scale", "variance"})
    for (const float v : at(*g, name)) EXPECT_NEAR(v, 1, 0.25F) << name;
  for (const char* name : {"shift", "mean", "bias"})
    for (const float v : at(*g, name)) {
      EXPECT_NEAR(v, 0, 0.125F) << name;
      EXPECT_NE(v, 0) << name;
    }
}

TEST(SeededWeights, DependOnTheSeedAndLeaveTheGraphAlone)
{
  const auto shapes = two_convolutions();
  const auto a = *with_seeded_weights(*shapes, 7), b = *with_seeded_weights(*shapes, 8);
  EXPECT_NE(at(*a, "w")[0], at(*b, "w")[0]);
  EXPECT_EQ((*shapes)[*shapes->find("w")].constant, nullptr);
  EXPECT_EQ(parameters(*a), parameters(*shapes));
  EXPECT_EQ(a->find("y"), shapes->find("y"));
  EXPECT_EQ(a->nodes().size(), shapes->nodes().size());
}

TEST(SeededWeights, LeaveValuesThatAreThere)
{
  graph_builder b(*two_convolutions());
  tensor ours(shape{8});
  ours.values()[3] = 5;
  ASSERT_TRUE(b.fill(*b.find("bias"), ours));
  const auto mixed = *b.finish({*b.find("y")});
  const auto g = *with_seeded_weights(*mixed, 7);
  EXPECT_THAT(at(*g, "bias"), testing::ElementsAre(0, 0, 0, 5, 0, 0, 0, 0));
  EXPECT_EQ((*g)[*g->find("bias")].constant, (*mixed)[*mixed->find("bias")].constant);
}

}  // namespace
}  // namespace narrows
