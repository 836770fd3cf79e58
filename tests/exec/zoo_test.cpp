// SPDX-License-Identifier: BSD-3-Clause
// Networks of the zoo with seeded weights, at input sizes that a test can afford.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/seeded_weights.hpp>
#include <narrows/graph/zoo/zoo.hpp>

#include "exec/networks.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

struct small_run {
  std::string name;
  result<std::shared_ptr<const graph>> (*make)(std::int64_t side);
  std::int64_t side;
  std::uint64_t bits;  ///< FNV-1a of the output's bits where a step of a sum rounds once
};

void PrintTo(const small_run& r, std::ostream* out) { *out << r.name; }

std::uint64_t hash_of(std::span<const float> values)
{
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const float v : values) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &v, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ ((bits >> shift) & 0xff)) * 0x100000001b3;
  }
  return hash;
}

double root_mean_square(std::span<const float> values)
{
  double sum = 0;
  for (const float v : values) sum += double(v) * double(v);
  return std::sqrt(sum / double(values.size()));
}

/// A picture of mean square 1. The product is rounded to a float before the sum, so that a compiler which contracts the two (g++
/// where the target has fused multiply-add) gives the same bits.
std::vector<tensor> picture(const graph& g)
{
  test::random_source source;
  std::vector<tensor> in{tensor(g[g.inputs()[0]].dims)};
  for (float& v : in[0].values()) v = -1.75F + static_cast<float>(3.5 * 0x1p-24 * static_cast<double>(source.next() >> 40));
  return in;
}

class ZooRuns : public ::testing::TestWithParam<small_run> {
protected:
  static std::shared_ptr<const graph> seeded()
  {
    auto shapes = GetParam().make(GetParam().side);
    EXPECT_TRUE(shapes) << shapes.error().text();
    return *fuse(**with_seeded_weights(**shapes, 1));
  }
};

TEST_P(ZooRuns, WithSeededWeightsAndTheSameBitsForAnyNumberOfThreads)
{
  const auto network = seeded();
  const auto in = picture(*network);
  for (const auto& [level, engine] : test::all_levels()) {
    SCOPED_TRACE(level);
    auto executor = engine.load(whole_slice(network));
    ASSERT_TRUE(executor) << executor.error().text();
    run_options how;
    how.threads = 1;
    const auto one = test::run(*executor, in, how);
    how.threads = 2;
    const auto two = test::run(*executor, in, how);
    EXPECT_FALSE(test::first_difference(one[0].values(), two[0].values()));
    for (const float v : one[0].values()) ASSERT_TRUE(std::isfinite(v));
    const auto [least, most] = std::minmax_element(one[0].values().begin(), one[0].values().end());
    EXPECT_GT(*most - *least, 0.1F * *most);
    if (network->find("prob")) {
      EXPECT_LT(*most, 0.9F) << "one class has it all";
    }
    if (engine.level() == "reference-fma") {
      EXPECT_EQ(hash_of(one[0].values()), GetParam().bits);
    }
  }
}

/// Behind every tensor that all data passes, up to the classifier.
TEST_P(ZooRuns, WithActivationsThatNeitherVanishNorBlowUp)
{
  const auto network = seeded();
  auto slice = whole_slice(network);
  slice.outputs.clear();
  for (const auto& c : single_tensor_cuts(*network))
    if (c.tensors.size() == 1 && (*network)[c.tensors[0]].dims.rank() == 4 && (*network)[c.tensors[0]].producer)
      slice.outputs.push_back(c.tensors[0]);
  const auto out = test::load_and_run(test::all_levels().front().engine, slice, picture(*network));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto size = root_mean_square(out[i].values());
    EXPECT_TRUE(size > 0.1 && size < 20) << (*network)[slice.outputs[i]].name << " " << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, ZooRuns,
  ::testing::Values(small_run{"squeezenet1_1", zoo::squeezenet1_1, 65, 0xa212663f146436ceU},
    small_run{"mobilenet_v2", zoo::mobilenet_v2, 64, 0xb88cd5ba5bc9c6b2U},
    small_run{"resnet18", zoo::resnet18, 64, 0x053acdc619286511U}, small_run{"resnet50", zoo::resnet50, 64, 0x9829a55b78da9d53U},
    small_run{"inception_v3", zoo::inception_v3, 75, 0xf076021185e0784fU},
    small_run{"yolov2_tiny", zoo::yolov2_tiny, 64, 0xc0f762692c0273ecU}),
  [](const auto& one) { return one.param.name; });

TEST(ZooWithoutWeights, IsRefusedByTheExecutor)
{
  const auto shapes = *zoo::squeezenet1_1(65);
  const auto loaded = test::all_levels().front().engine.load(whole_slice(shapes));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, errc::bad_graph);
  EXPECT_THAT(loaded.error().what, testing::HasSubstr("node 'conv1' reads 'conv1/weight', weights without values"));
}

}  // namespace
}  // namespace narrows
