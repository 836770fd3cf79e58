// SPDX-License-Identifier: BSD-3-Clause
// Tiles of published networks, from the input to the last map that can be tiled: the bits of the untiled network.
// All grids, and two stacks in place of one, take minutes: NARROWS_EVERY_GRID=1, as tools/test --more has it.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/fuse.hpp>
#include <narrows/graph/seeded_weights.hpp>
#include <narrows/graph/zoo/zoo.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/partition/stacking.hpp>

#include "exec/tile_stacks.hpp"

namespace narrows {
namespace {

constexpr std::array every_grid{tile_grid{1, 2}, tile_grid{2, 1}, tile_grid{1, 3}, tile_grid{3, 1}, tile_grid{2, 2}, tile_grid{2, 3}, tile_grid{3, 2}, tile_grid{3, 3}};

/// A file of ../shared, or else a network of the zoo with seeded weights.
class TiledNetwork : public testing::TestWithParam<const char*> {
protected:
  void SetUp() override
  {
    const std::string name = GetParam();
    if (name.ends_with(".onnx")) {
      const auto file = std::filesystem::path(NARROWS_SHARED_DIR) / "models/imagenet" / name;
      if (!std::filesystem::exists(file)) GTEST_SKIP() << "no real models: " << file.string() << " is absent";
      auto loaded = load_onnx(file);
      ASSERT_TRUE(loaded) << loaded.error().text();
      network_ = loaded->network;
    } else {
      const auto shapes = zoo::make(name);
      ASSERT_TRUE(shapes) << shapes.error().text();
      network_ = *fuse(**with_seeded_weights(**shapes, 1));
    }
    auto ends = stack_ends(*network_);
    ASSERT_TRUE(ends) << ends.error().text();
    // Back from the output to a map that a 3x3 grid fits, with no barrier before it.
    while (ends->size() > 1 && !(extents_of(ends->back()) && tile_stack(stack(ends->front(), ends->back()), *equal_lines(stack(ends->front(), ends->back()), {3, 3})))) ends->pop_back();
    ASSERT_GT(ends->size(), 3U);
    ends_ = *ends;
    auto engine = load_engine();
    ASSERT_TRUE(engine) << engine.error().text();
    engine_ = std::make_unique<any_engine>(*engine);
    test::random_values random(20261121);
    input_.push_back(random.filled((*network_)[ends_.front()].dims, -2, 2));
    expected_ = test::load_and_run(*engine_, stack(ends_.front(), ends_.back()), input_);
  }

  [[nodiscard]] bool extents_of(value_id v) const
  {
    const auto& dims = (*network_)[v].dims;
    return dims.rank() == 4 && dims[2] >= 3 && dims[3] >= 3;
  }
  [[nodiscard]] graph_slice stack(value_id from, value_id to) const
  {
    const value_id inputs[] = {from};
    return *stack_between(network_, inputs, to);
  }
  [[nodiscard]] std::vector<tensor> tiled(value_id from, value_id to, tile_grid grid, const std::vector<tensor>& in) const
  {
    const auto s = stack(from, to);
    const auto lines = *equal_lines(s, grid);
    std::vector<tensor> out;
    out.push_back(test::run_tiles(*engine_, s, in, lines.rows, lines.columns));
    return out;
  }
  void expect_same(const std::vector<tensor>& got) const
  {
    const auto at = test::first_difference(expected_[0].values(), got[0].values());
    EXPECT_FALSE(at) << "value " << *at << " of " << to_string(got[0].dims()) << ": " << expected_[0].values()[*at] << " untiled, " << got[0].values()[*at] << " tiled";
  }

  std::shared_ptr<const graph> network_;
  std::unique_ptr<any_engine> engine_;
  std::vector<value_id> ends_;
  std::vector<tensor> input_, expected_;
};

/// One grid; with NARROWS_EVERY_GRID set all of them, and two stacks in place of one too.
TEST_P(TiledNetwork, HasTheBitsOfTheWhole)
{
  if (std::getenv("NARROWS_EVERY_GRID") == nullptr) return expect_same(tiled(ends_.front(), ends_.back(), {2, 2}, input_));
  for (const auto grid : every_grid) {
    SCOPED_TRACE(::testing::Message() << grid.rows << "x" << grid.columns);
    expect_same(tiled(ends_.front(), ends_.back(), grid, input_));
    const auto middle = ends_[ends_.size() / 2];
    if (extents_of(middle)) expect_same(tiled(middle, ends_.back(), grid, tiled(ends_.front(), middle, grid, input_)));
  }
}

INSTANTIATE_TEST_SUITE_P(Published, TiledNetwork,
  testing::Values("squeezenet1_1.onnx", "mobilenet_v2_1.0_224.onnx", "resnet18.onnx", "tiny_darknet.onnx", "mcunet_144.onnx", "vgg16", "darknet53", "inception_v4"),
  [](const auto& which) {
    std::string stem = std::filesystem::path(which.param).stem().string();
    for (char& c : stem)
      if (c == '.') c = '_';
    return stem;
  });

}  // namespace
}  // namespace narrows
