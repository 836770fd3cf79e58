// SPDX-License-Identifier: BSD-3-Clause
// narrows_accuracy against the same measurement done plainly with the library, and its report against hand-made scores.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include "input.hpp"
#include "models.hpp"
#include "process.hpp"

namespace narrows {
namespace {

using nlohmann::json;

const std::string bundled = NARROWS_SOURCE_DIR "/examples/data/";

std::vector<tensor> load_pictures(const std::string& model, const std::string& folder, const shape& expected, tool::preprocessing settings, std::size_t most)
{
  const auto how = tool::beside_model(model);
  EXPECT_TRUE(how);
  settings.fill_from(*how);
  tool::input_loader loader(expected, settings);
  const auto list = tool::list_inputs({folder}, expected);
  EXPECT_TRUE(list);
  std::vector<tensor> all;
  for (std::size_t i = 0; i < std::min(most, list->size()); ++i) all.push_back(loader.load((*list)[i])->values);
  return all;
}

tensor run(const any_engine& engine, const graph_slice& slice, tensor_view in)
{
  auto executor = engine.load(slice);
  EXPECT_TRUE(executor);
  std::vector<tensor> made;
  std::vector<mutable_tensor_view> out;
  for (const auto& t : executor->outputs()) made.emplace_back(t.dims);
  for (auto& t : made) out.push_back(t.view());
  EXPECT_TRUE(executor->run(std::span(&in, 1), out, {}));
  return made[0];
}

std::ptrdiff_t first_class(const tensor& scores)
{
  const auto x = scores.values();
  return std::max_element(x.begin(), x.end()) - x.begin();
}

// pool1 lies at 7 % of the work: 2 and 4 bits take a clip per channel from the other half, 6 bits each picture's range.
TEST(NarrowsAccuracy, CountsWhatAPlainLoopCounts)
{
  const auto m = load_onnx(bundled + "shapes.onnx");
  ASSERT_TRUE(m);
  const auto engine = load_engine();
  ASSERT_TRUE(engine);
  const auto& g = *m->network;
  const std::vector<std::string> names{"pool1"};
  const auto at = find_cut(g, names);
  ASSERT_TRUE(at);
  const auto inputs = load_pictures(bundled + "shapes.onnx", bundled + "pictures", g[g.inputs()[0]].dims, {}, 20);
  ASSERT_EQ(inputs.size(), 20U);

  std::vector<tensor> crossing;
  std::vector<std::ptrdiff_t> whole;
  for (const auto& in : inputs) {
    crossing.push_back(run(*engine, head_slice(m->network, *at), in.view()));
    whole.push_back(first_class(run(*engine, whole_slice(m->network), in.view())));
  }
  const auto& dims = crossing[0].dims();
  std::vector<grouped_histogram> halves(2, grouped_histogram(static_cast<std::size_t>(dims[1]), static_cast<std::size_t>(dims.product(2, 4)), 512));
  for (std::size_t i = 0; i < inputs.size(); ++i) ASSERT_EQ(halves[i % 2].add(std::as_const(crossing[i]).values()), errc::ok);

  const auto f = test::narrows({"score", bundled + "shapes.onnx", bundled + "pictures", "--cuts", "pool1", "--bits", "2,4,6", "--jobs", "2"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto card = json::parse(f.out);
  ASSERT_EQ(card.at("rows").size(), 1U);
  const auto& row = card.at("rows")[0];
  EXPECT_EQ(row.at("cut"), "pool1");
  EXPECT_NEAR(row.at("macs_share").get<double>(), 0.066, 0.001);
  ASSERT_EQ(row.at("cells").size(), 3U);
  for (const auto& cell : row.at("cells")) {
    const int bits = cell.at("bits");
    int agree = 0;
    double payloads = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      coding how{codec::dense, bits};
      if (bits < 5) {
        how.scales = std::make_shared<const std::vector<affine>>(*fit_mse(halves[1 - i % 2], bits));
        how.rule = range_rule::calibrated;
        how.group.axis = 1;
      }
      aligned_vector<std::uint8_t> payload;
      const auto d = encode(std::as_const(crossing[i]).view(), how, payload);
      ASSERT_TRUE(d);
      payloads += static_cast<double>(payload.size()) / 20;
      tensor back(dims);
      ASSERT_TRUE(decode(*d, payload, back.values()));
      agree += first_class(run(*engine, tail_slice(m->network, *at), std::as_const(back).view())) == whole[i];
    }
    EXPECT_EQ(cell.at("rule"), bits < 5 ? "clip per channel" : "picture");
    EXPECT_EQ(cell.at("agree"), agree) << bits;
    EXPECT_EQ(cell.at("scored"), 20);
    // An envelope of less than 150 bytes, and at most 12 for each of the 24 channels' scales.
    EXPECT_GT(cell.at("dense_bytes"), payloads + 50);
    EXPECT_LT(cell.at("dense_bytes"), payloads + 150 + (bits < 5 ? 24 * 12 : 0));
    EXPECT_LT(cell.at("sparse_bytes"), cell.at("dense_bytes")) << "pool1 follows a ReLU";
  }
  const double values = static_cast<double>(crossing[0].size());
  EXPECT_GT(row.at("raw_bytes"), 4 * values + 50);
  EXPECT_LT(row.at("raw_bytes"), 4 * values + 150);
}

// t296 holds the scores of mcunet: the span below the largest score is the middle one of those of twenty that keep most
// answers of the other half, here by sending the codes through the real thing.
TEST(NarrowsAccuracy, HangsTheRangeOfClassScoresFromTheLargest)
{
  const auto file = test::shared("models/imagenet/mcunet_144.onnx"), photographs = test::shared("images/photos");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no shared models beside this checkout";
  const auto m = load_onnx(file);
  ASSERT_TRUE(m);
  const auto engine = load_engine();
  ASSERT_TRUE(engine);
  const auto& g = *m->network;
  const std::vector<std::string> names{"t296"};
  const auto at = find_cut(g, names);
  ASSERT_TRUE(at);
  tool::preprocessing settings;
  settings.resize = tool::preprocessing::size{164, 0};
  settings.crop = 144;
  settings.mean = std::array{127.0F, 127.0F, 127.0F};
  settings.std = std::array{127.5F, 127.5F, 127.5F};
  constexpr std::size_t count = 16;
  constexpr int bits = 3;
  std::vector<tensor> scores;
  for (const auto& in : load_pictures(file, photographs, g[g.inputs()[0]].dims, settings, count)) scores.push_back(run(*engine, head_slice(m->network, *at), in.view()));
  ASSERT_EQ(scores.size(), count);

  const auto keeps = [&](std::size_t i, float span) {
    const auto x = std::as_const(scores[i]).values();
    const float scale = span / 7, highest = *std::max_element(x.begin(), x.end());
    const auto levels = std::make_shared<const std::vector<affine>>(1, affine{scale, static_cast<std::int32_t>(std::lrint((span - highest) / scale))});
    aligned_vector<std::uint8_t> payload;
    const auto d = encode(std::as_const(scores[i]).view(), {codec::dense, bits, range_rule::calibrated, {}, levels}, payload);
    EXPECT_TRUE(d);
    tensor back(scores[i].dims());
    EXPECT_TRUE(decode(*d, payload, back.values()));
    return first_class(back) == first_class(scores[i]);
  };
  int agree = 0;
  for (const std::size_t half : {0U, 1U}) {
    float low = 1e9F, high = -1e9F;
    for (std::size_t i = 1 - half; i < count; i += 2)
      for (const float x : std::as_const(scores[i]).values()) low = std::min(low, x), high = std::max(high, x);
    std::vector<std::vector<float>> spans(count + 1);   // by answers kept
    for (int part = 1; part <= 20; ++part) {
      const float span = (high - low) * static_cast<float>(part) / 20;
      std::size_t kept = 0;
      for (std::size_t i = 1 - half; i < count; i += 2) kept += keeps(i, span);
      spans[kept].push_back(span);
    }
    const auto most = std::find_if(spans.rbegin(), spans.rend(), [](const auto& s) { return !s.empty(); });
    for (std::size_t i = half; i < count; i += 2) agree += keeps(i, (*most)[most->size() / 2]);
  }
  const auto f = test::narrows({"score", file, photographs, "--resize", "164", "--crop", "144", "--mean", "127", "--std", "127.5", "--pictures", std::to_string(count),
                                "--cuts", "t296", "--bits", std::to_string(bits)});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto card = json::parse(f.out);
  const auto& cell = card.at("rows")[0].at("cells")[0];
  EXPECT_EQ(cell.at("rule"), "upper end");
  EXPECT_EQ(cell.at("agree"), agree);
}

json cell(int bits, int agree, int scored)
{
  return {{"bits", bits}, {"rule", "picture"}, {"agree", agree}, {"scored", scored}, {"dense_bytes", 100.0 * bits}, {"sparse_bytes", 90.0 * bits}};
}
json row(const std::string& cut, double share, json cells)
{
  return {{"cut", cut}, {"shape", "1x2x5x5"}, {"macs_share", share}, {"float_bytes", 200}, {"raw_bytes", 300}, {"sign", 1}, {"cells", std::move(cells)}};
}
json card(const std::string& model, json rows)
{
  return {{"schema", 1}, {"kind", "scores"}, {"tool_version", "0"}, {"model", {{"name", model}, {"hash", std::string(64, 'a')}}},
          {"level", "reference-fma"}, {"inputs", 200}, {"rows", std::move(rows)}};
}

class Report : public testing::Test {
protected:
  std::string file(const std::string& name, const std::string& text)
  {
    test::write_text(folder_ / name, text);
    return folder_ / name;
  }
  test::scratch folder_;
};

// 190 and 180 of 200 have the Wilson intervals 91-97 and 85-93 (Brown, Cai and DasGupta, 2001, give the formula).
TEST_F(Report, StatesMedianWorstAndAverages)
{
  const auto a = file("a.json", card("a.onnx", {row("early", 0.1, {cell(4, 100, 200), cell(8, 200, 200)}), row("middle", 0.5, {cell(4, 180, 200), cell(8, 200, 200)}),
                                                 row("late", 0.9, {cell(4, 190, 200), cell(8, 198, 200)})}).dump());
  const auto b = file("b.json", card("b.onnx", {row("only", 0.3, {cell(4, 200, 200), cell(8, 200, 200)})}).dump());
  const auto f = test::narrows({"report", a, b});
  ASSERT_EQ(f.code, 0) << f.err;
  for (const std::string line : {
         "| a | 3 | 100.0 | 99.0 (96-100) | `late`, 90 % of the work | 90.0 | 50.0 (43-57) | `early`, 10 % of the work |\n",
         "| b | 1 | 100.0 | 100.0 (98-100) | `only`, 30 % of the work | 100.0 | 100.0 (98-100) | `only`, 30 % of the work |\n",
         "| up to 20 % of the multiply-adds | 1 | 50.0 | 100.0 |\n",
         "| past 20 % of the multiply-adds | 3 | 95.0 | 99.7 |\n",
         "| `middle` | 1x2x5x5 | 50 | 90.0 (85-93) | 100.0 (98-100) |\n",
         "| `late` | 1x2x5x5 | 90 | 95.0 (91-97) | 99.0 (96-100) |\n",
         "| `early` | 50 | 300 | 400 / 360 | 800 / 720 |\n"})
    EXPECT_NE(f.out.find(line), std::string::npos) << line << f.out;
}

TEST_F(Report, RefusesScoresThatCannotBeTrue)
{
  auto bad = card("a.onnx", {row("only", 0.3, {cell(8, 201, 200)})});
  auto f = test::narrows({"report", file("bad.json", bad.dump())});
  EXPECT_NE(f.code, 0);
  EXPECT_NE(f.err.find("bad.json"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("agree"), std::string::npos) << f.err;
  bad["kind"] = "profile";
  f = test::narrows({"report", file("bad.json", bad.dump())});
  EXPECT_NE(f.code, 0);
  EXPECT_NE(f.err.find("kind"), std::string::npos) << f.err;
  f = test::narrows({"report", folder_ / "absent.json"});
  EXPECT_NE(f.code, 0);
  EXPECT_TRUE(f.out.empty()) << f.out;
}

}  // namespace
}  // namespace narrows
