// SPDX-License-Identifier: BSD-3-Clause
// narrows calibrate against the same measurement done plainly with the library.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
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

const std::string bundled = test::bundled("");

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

// pool1 lies at 7 % of the work: 2 and 4 bits take a clip per channel from the other half, 6 bits each picture's range. Levels come from
// the half of their scales.
TEST(NarrowsCalibrate, CountsWhatAPlainLoopCounts)
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
  std::vector<histogram> whole_halves(2, histogram(2048));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(halves[i % 2].add(std::as_const(crossing[i]).values()), errc::ok);
    ASSERT_EQ(whole_halves[i % 2].add(std::as_const(crossing[i]).values()), errc::ok);
  }

  const auto f = test::narrows({"calibrate", bundled + "shapes.onnx", bundled + "pictures", "--limit", "20", "--cut", "pool1", "--precision", "2,4,6,4:step-2.5,3:clip+levels,3:channel-clip+levels",
    "--jobs", "2", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto card = json::parse(f.out);
  EXPECT_EQ(card.at("kind"), "calibration");
  EXPECT_EQ(card.at("inputs"), 20);
  ASSERT_EQ(card.at("cuts").size(), 1U);
  const auto& row = card.at("cuts")[0];
  EXPECT_EQ(row.at("cut"), "pool1");
  EXPECT_NEAR(row.at("macs_share").get<double>(), 0.066, 0.001);
  ASSERT_EQ(row.at("cells").size(), 6U);
  const std::vector<std::string> rules{"channel-clip", "channel-clip", "picture", "step", "clip", "channel-clip"};
  for (std::size_t which = 0; which < rules.size(); ++which) {
    const auto& cell = row.at("cells")[which];
    const int bits = cell.at("bits");
    EXPECT_EQ(cell.at("rule"), rules[which]);
    const bool step = rules[which] == "step", clip = rules[which] == "clip", channels = rules[which] == "channel-clip", levels = which >= 4;
    int agree[2] = {}, zeros = 0;
    double dense = 0, rans = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      coding how{codec::dense, bits};
      if (channels) how.scales = std::make_shared<const std::vector<affine>>(*fit_mse(halves[1 - i % 2], bits));
      if (step) how.scales = std::make_shared<const std::vector<affine>>(1, *fit_step(whole_halves[1 - i % 2], bits, 2.5));
      if (clip) how.scales = std::make_shared<const std::vector<affine>>(1, *fit_mse(whole_halves[1 - i % 2], bits));
      if (levels && clip) how.levels = std::make_shared<const std::vector<float>>(*fit_levels(whole_halves[1 - i % 2], (*how.scales)[0], bits));
      if (levels && channels) how.levels = std::make_shared<const std::vector<float>>(*fit_levels(halves[1 - i % 2], *how.scales, bits));
      if (how.scales) how.rule = range_rule::calibrated;
      if (channels) how.group.axis = 1;
      aligned_vector<std::uint8_t> payload;
      how.coded_as = codec::rans;
      ASSERT_TRUE(encode(std::as_const(crossing[i]).view(), how, payload));
      rans += static_cast<double>(payload.size()) / 20;
      how.coded_as = codec::dense;
      const auto d = encode(std::as_const(crossing[i]).view(), how, payload);
      ASSERT_TRUE(d);
      dense += static_cast<double>(payload.size()) / 20;
      tensor back(dims);
      ASSERT_TRUE(decode(*d, payload, back.values()));
      zeros += static_cast<int>(std::count(back.values().begin(), back.values().end(), 0.0F));
      agree[i % 2] += first_class(run(*engine, tail_slice(m->network, *at), std::as_const(back).view())) == whole[i];
    }
    EXPECT_EQ(cell.at("score").at("selection"), json({{"inputs", 10}, {"agree", agree[0]}})) << bits;
    EXPECT_EQ(cell.at("score").at("confirmation"), json({{"inputs", 10}, {"agree", agree[1]}})) << bits;
    EXPECT_NEAR(cell.at("zero_share").get<double>(), zeros / (20.0 * static_cast<double>(crossing[0].size())), 1e-9);
    EXPECT_EQ(cell.contains("scales"), bits < 5);
    if (channels) {   // for a plan: of all inputs
      grouped_histogram all = halves[0];
      all.merge(halves[1]);
      const auto fitted = *fit_mse(all, bits);
      ASSERT_EQ(cell.at("scales").size(), fitted.size());
      for (std::size_t c = 0; c < fitted.size(); ++c) EXPECT_EQ(cell.at("scales")[c], json({fitted[c].scale, fitted[c].zero}));
      if (levels) { EXPECT_EQ(cell.at("levels"), json(*fit_levels(all, fitted, bits))); }
    }
    EXPECT_EQ(cell.contains("levels"), levels);
    for (const auto& cost : cell.at("codecs")) {
      const double payload = cost.at("payload_bytes"), message = cost.at("bytes");
      if (cost.at("codec") == "dense") { EXPECT_NEAR(payload, dense, 1e-6); }
      if (cost.at("codec") == "rans") { EXPECT_NEAR(payload, rans, 1e-6); }
      // An envelope of less than 150 bytes, at most 12 for each of the 24 channels' scales, and 4 for each of 8 levels by a scale.
      const double groups = channels ? 24 : 1, for_levels = levels ? 8 * 4 * groups : 0;
      EXPECT_GT(message, payload + 50 + for_levels);
      EXPECT_LT(message, payload + 150 + (channels ? 24 * 12 : 0) + for_levels);
      EXPECT_GT(cost.at("encode_s"), 0.0);
    }
  }
  const double values = static_cast<double>(crossing[0].size());
  EXPECT_GT(row.at("raw").at("bytes"), 4 * values + 50);
  EXPECT_LT(row.at("raw").at("bytes"), 4 * values + 150);
  ASSERT_EQ(card.at("forms").size(), 10U);
  for (const auto& form : card.at("forms"))
    if (form.at("name") == "pixels" || form.at("name") == "predicted" || form.at("name") == "PNG") {
      EXPECT_EQ(form.at("score").at("selection").at("agree"), 10);
      EXPECT_EQ(form.at("score").at("confirmation").at("agree"), 10);
    }
}

TEST(NarrowsCalibrate, GivesUpWhatIsHopelessAndSaysSo)
{
  const std::string pictures = bundled + "pictures";   // three times, for a trial and more
  const auto scored = [&](const std::string& give_up) {
    const auto f = test::narrows({"calibrate", bundled + "shapes.onnx", pictures, pictures, pictures, "--cut", "input", "--precision", "1,8", "--give-up", give_up, "--codec", "dense", "-o", "json"});
    EXPECT_EQ(f.code, 0) << f.err;
    std::vector<int> inputs;
    const auto card = json::parse(f.out);
    for (const auto& cell : card.at("cuts")[0].at("cells"))
      inputs.push_back(cell.at("score").at("selection").at("inputs").get<int>() + cell.at("score").at("confirmation").at("inputs").get<int>());
    inputs.push_back(card.at("inputs"));
    return inputs;
  };
  const auto some = scored("0.9"), all = scored("0");
  ASSERT_GT(some[2], 50) << "too few bundled pictures for a trial";
  EXPECT_EQ(some, (std::vector<int>{50, some[2], some[2]}));
  EXPECT_EQ(all, std::vector<int>(3, some[2]));
}

TEST(NarrowsCalibrate, RefusesWhatItCannotScore)
{
  const std::string network = bundled + "shapes.onnx", pictures = bundled + "pictures";
  test::expect_one_error(test::narrows({"calibrate", network, pictures, "--cut", "nowhere"}), 2, "nowhere");
  test::expect_one_error(test::narrows({"calibrate", network, pictures, "--limit", "1"}), 3, "two inputs");
  for (const std::string bad : {"17", "4:step", "4:step-5", "4:step-2.25", "4:middle", "x", "4+levels", "4:picture+levels", "9:clip+levels", "4:clip+levels+levels", "4:upper-end+levels"})
    test::expect_one_error(test::narrows({"calibrate", network, pictures, "--precision", bad}), 2, bad);
}

TEST(NarrowsCalibrate, WritesWhatAPlanIsChosenBy)
{
  const std::string network = bundled + "shapes.onnx", pictures = bundled + "pictures";
  const test::scratch folder;
  const auto profile = folder / "device.json";
  ASSERT_EQ(test::narrows({"profile", network, "--repeats", "1", "--write", profile, "-o", "csv"}).code, 0);
  const auto calibration = folder / "calibration.json";
  const auto c = test::narrows({"calibrate", network, pictures, "--limit", "8", "--cut", "pool1", "--precision", "8,4:step-3", "--codec", "dense,rans", "--write", calibration});
  ASSERT_EQ(c.code, 0) << c.err;
  EXPECT_THAT(c.out, testing::HasSubstr("4:step-3"));
  EXPECT_THAT(c.out, testing::HasSubstr("JPEG q90"));
  const auto gated = test::narrows({"plan", network, "--device", profile, "--calibration", calibration, "--require", "agreement=0.5", "--show", "0", "-o", "json"});
  ASSERT_EQ(gated.code, 0) << gated.err;
  std::set<std::string> coded;
  const auto plans = json::parse(gated.out);
  for (const auto& each : plans.at("candidates")) {
    const auto& codecs = each.at("plan").at("codec");
    if (codecs != json::array() && codecs != json({"raw"})) coded.insert(each.at("plan").dump());
  }
  EXPECT_EQ(coded, (std::set<std::string>{R"({"bits":[4],"codec":["dense"],"cut":["pool1"]})", R"({"bits":[4],"codec":["rans"],"cut":["pool1"]})",
    R"({"bits":[8],"codec":["dense"],"cut":["pool1"]})", R"({"bits":[8],"codec":["rans"],"cut":["pool1"]})"}));
  auto doubtful = json::parse(test::text_of(calibration));   // a picture that is small and changes half of the answers
  for (auto& form : doubtful.at("forms"))
    if (form.at("jpeg_quality") == 20) form["score"]["confirmation"]["agree"] = 2;
  test::write_text(calibration, doubtful.dump());
  const auto world = test::narrows({"simulate", network, "--device", profile, "--calibration", calibration, "--require", "agreement=0.6", "--for", "1s", "--every", "100ms", "-o", "json"});
  ASSERT_EQ(world.code, 0) << world.err;
  const auto policies = json::parse(world.out);
  for (const auto& row : policies.at("policies")) EXPECT_EQ(row.at("missed_limits"), 0) << row.at("policy") << " is held to the gate too";
  auto foreign = json::parse(test::text_of(calibration));
  foreign["model"]["hash"] = std::string(64, '0');
  test::write_text(calibration, foreign.dump());
  test::expect_one_error(test::narrows({"plan", network, "--device", profile, "--calibration", calibration}), 3, "hash");
}

TEST(NarrowsCalibrate, AddsToACalibration)
{
  const std::string network = bundled + "shapes.onnx", pictures = bundled + "pictures";
  const test::scratch folder;
  const auto first = folder / "first.json", grown = folder / "grown.json";
  const auto calibrated = [&](std::vector<std::string> with) {
    with.insert(with.begin(), {"calibrate", network, pictures});
    return test::narrows(with);
  };
  const auto c = calibrated({"--limit", "8", "--cut", "pool2", "--precision", "8,4:step-3", "--codec", "dense,rans", "--write", first});
  ASSERT_EQ(c.code, 0) << c.err;
  const auto more = calibrated({"--limit", "8", "--cut", "pool1,pool2", "--precision", "4:step-3,4:clip+levels", "--codec", "dense,runs", "--add-to", first, "--write", grown});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_THAT(more.out, testing::HasSubstr("4:clip+levels"));
  EXPECT_THAT(more.out, testing::HasSubstr("8:picture")) << "the table is of all";
  const auto before = json::parse(test::text_of(first)), after = json::parse(test::text_of(grown));
  EXPECT_EQ(after.at("forms"), before.at("forms")) << "kept, times and all";
  ASSERT_EQ(after.at("cuts").size(), 2U);
  EXPECT_EQ(after.at("cuts")[0].at("cut"), "pool1");
  EXPECT_EQ(after.at("cuts")[0].at("cells").size(), 2U);
  const auto& cells = after.at("cuts")[1].at("cells");
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[0], before.at("cuts")[0].at("cells")[0]);
  EXPECT_EQ(cells[1].at("scales"), before.at("cuts")[0].at("cells")[1].at("scales"));
  EXPECT_EQ(cells[1].at("codecs").back().at("codec"), "runs") << "measured again";
  EXPECT_TRUE(cells[2].contains("levels"));

  // What grew is planned with.
  const auto profile = folder / "device.json";
  ASSERT_EQ(test::narrows({"profile", network, "--repeats", "1", "--write", profile, "-o", "csv"}).code, 0);
  const auto plans = test::narrows({"plan", network, "--device", profile, "--calibration", grown, "--show", "0", "-o", "csv"});
  EXPECT_EQ(plans.code, 0) << plans.err;

  const std::vector<std::string> further{"--limit", "8", "--cut", "pool1", "--precision", "8", "--codec", "dense", "--write", folder / "none.json", "--add-to"};
  const auto refused = [&](const std::string& field, const json& value, const std::string& text) {
    auto other = before;
    other[json::json_pointer(field)] = value;
    test::write_text(folder / "other.json", other.dump());
    auto with = further;
    with.push_back(folder / "other.json");
    test::expect_one_error(calibrated(with), 3, text);
  };
  refused("/inputs", 9, "number of inputs is '9', not '8'");
  refused("/machine", "a toaster", "a toaster");
  refused("/level", "reference-none", "reference-none");
  refused("/model/hash", std::string(64, '0'), "hash");
  refused("/cuts/0/cells", 3, "cells");
  auto missing = further;
  missing.push_back(folder / "nowhere.json");
  test::expect_one_error(calibrated(missing), 3, "nowhere.json");
  EXPECT_FALSE(std::filesystem::exists(folder / "none.json"));
}

// t296 holds the scores of mcunet: the span below the largest score is the middle one of those of twenty that keep most
// answers of the other half, here by sending the codes through the real thing.
TEST(NarrowsCalibrate, HangsTheRangeOfClassScoresFromTheLargest)
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
  const auto f = test::narrows({"calibrate", file, photographs, "--resize", "164", "--crop", "144", "--mean", "127", "--std", "127.5", "--limit", std::to_string(count),
                                "--cut", "t296", "--precision", std::to_string(bits), "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto card = json::parse(f.out);
  const auto& cell = card.at("cuts")[0].at("cells")[0];
  EXPECT_EQ(cell.at("rule"), "upper-end");
  EXPECT_EQ(cell.at("score").at("selection").at("agree").get<int>() + cell.at("score").at("confirmation").at("agree").get<int>(), agree);
}

}  // namespace
}  // namespace narrows
