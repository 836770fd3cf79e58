// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/json/calibration.hpp>
#include <narrows/json/plan.hpp>
#include <narrows/json/profile.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

machine_profile sample()
{
  machine_profile p;
  p.layers.model_hash = std::string(64, 'e');
  p.layers.machine = p.codecs.machine = "A \"processor\" \xE2\x84\xA2";
  p.layers.level = "reference-fma";
  p.layers.threads = 2;
  p.layers.repeats = 30;
  p.layers.nodes = {{"conv 1", {1.0 / 3, 0.1, 0.7}}, {"x/y:0", {1e-9, 0, 1e-3}}};
  p.layers.whole = {0.4, 0.3, 0.8};
  p.codecs.entries = {{codec::raw, 0, 1e-6, 1e-10, 2e-6, 3e-10}, {codec::sparse, 11, 0, 1.0 / 7e9, 0, 1e-9}};
  return p;
}

calibration calibrated()
{
  const coded_cost cost{codec::rans, 1234.5, 1100.25, 1.0 / 3e6, 1.0 / 7e6};
  calibration c;
  c.model_hash = std::string(64, 'f');
  c.model_name = "net.onnx";
  c.machine = "A \"processor\"";
  c.level = "reference-fma";
  c.inputs = 200;
  c.forms = {{90, {{100, 88}, {100, 90}}, {codec::image, 15600, 15500, 1e-3, 2e-3}}, {0, {{100, 100}, {100, 100}}, {codec::pixels, 150700, 150528, 0, 1e-3}},
    {0, {{100, 100}, {100, 100}}, {codec::predicted, 62000, 61900, 3e-4, 1e-3}}};
  c.rows = {{"pool/x:0", shape{1, 2, 5, 5}, true, 1.0 / 3, {codec::raw, 300, 200, 1e-7, 1e-7}, {}}};
  c.rows[0].cells = {{{8, level_rule::picture, 0}, {{100, 99}, {100, 100}}, 0.25, {}, {cost}},
    {{4, level_rule::step, 2.5}, {{25, 3}, {25, 4}}, 1.0 / 7, {{0.1F, -7}}, {cost, {codec::dense, 1, 1, 0, 0}}},
    {{3, level_rule::channel_clip, 0}, {{100, 90}, {100, 95}}, 0, {{0.1F, 0}, {1.0F / 3, 32000}}, {}},
    {{1, level_rule::channel_clip, 0, true}, {{100, 90}, {100, 95}}, 0, {{0.1F, 0}, {1.0F / 3, 32000}}, {}, {-1.0F / 3, 3e38F, 1e-45F, -0.5F}}};
  return c;
}

TEST(ProfileJson, RoundTripsToTheBit)
{
  const auto p = sample();
  const auto text = to_json(p).dump();
  const auto parsed = parse_json(text, "p.json");
  ASSERT_TRUE(parsed);
  const auto back = machine_profile_from_json(*parsed);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, p);
}

TEST(ProfileJson, NamesTheFileAndTheFieldThatIsWrong)
{
  const auto good = to_json(sample());
  const auto refusal = [](const nlohmann::json& bad) {
    const auto read = machine_profile_from_json(bad, "p.json");
    return read ? std::string() : read.error().what;
  };
  auto bad = good;
  bad.erase("level");
  EXPECT_EQ(refusal(bad), "p.json: 'level' is missing");
  bad = good;
  bad["nodes"][1]["median_s"] = -1;
  EXPECT_EQ(refusal(bad), "p.json: node 1: 'median_s' is not a number in its range");
  bad = good;
  bad["codecs"][0]["codec"] = "zip";
  EXPECT_EQ(refusal(bad), "p.json: codec 0: 'codec' is not known");
  bad = good;
  bad["kind"] = "calibration";
  EXPECT_EQ(refusal(bad), "p.json: 'kind' is not \"profile\"");
  bad = good;
  bad["schema"] = 2;
  EXPECT_NE(refusal(bad), "");
}

/// Every value of a document replaced by every kind of wrong value: refused or read, never a crash or an exception.
void replace_each(nlohmann::json& at, nlohmann::json& root, int& refused)
{
  const std::vector<nlohmann::json> wrong{nullptr, true, -1, 1e300, "text", nlohmann::json::array(), nlohmann::json::object()};
  for (const auto& w : wrong) {
    const auto kept = at;
    at = w;
    if (!machine_profile_from_json(root)) ++refused;
    if (!calibration_from_json(root)) ++refused;
    at = kept;
  }
  if (at.is_structured())
    for (auto& child : at) replace_each(child, root, refused);
}

TEST(ProfileJson, SurvivesAnyFieldOfAnyType)
{
  auto root = to_json(sample());
  int refused = 0;
  replace_each(root, root, refused);
  EXPECT_GT(refused, 100);
  auto measured = to_json(calibrated());
  replace_each(measured, measured, refused);
}

TEST(ParseJson, AnswersBrokenTextWithAnError)
{
  for (const char* text : {"", "{", "[1,]", "{\"a\":\xff}", "nan"}) EXPECT_EQ(parse_json(text, "x").error().code, errc::bad_input) << text;
  EXPECT_FALSE(parse_json(std::string(200'000, '['), "x"));
}

TEST(CalibrationJson, RoundTripsToTheBit)
{
  const auto c = calibrated();
  const auto parsed = parse_json(to_json(c).dump(), "c.json");
  ASSERT_TRUE(parsed);
  const auto back = calibration_from_json(*parsed);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, c);
}

TEST(CalibrationJson, NamesTheFileAndTheFieldThatIsWrong)
{
  const auto good = to_json(calibrated());
  const auto refusal = [](const nlohmann::json& bad) {
    const auto read = calibration_from_json(bad, "c.json");
    return read ? std::string() : read.error().what;
  };
  auto bad = good;
  bad["kind"] = "profile";
  EXPECT_EQ(refusal(bad), "c.json: 'kind' is not \"calibration\"");
  bad = good;
  bad["cuts"][0].erase("cut");
  EXPECT_EQ(refusal(bad), "c.json: cut 0: 'cut' is missing");
  bad = good;
  bad["cuts"][0]["cells"][1]["score"]["selection"]["agree"] = 101;
  EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 1: selection: 'agree' is not a number in its range");
  bad = good;
  bad["cuts"][0]["cells"][0]["codecs"][0]["codec"] = "zip";
  EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 0: codec: 'codec' is not known");
  for (const auto& scale : {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(1e300), nlohmann::json(1e-300)}) {
    bad = good;
    bad["cuts"][0]["cells"][1]["scales"][0][0] = scale;
    EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 1: 'scales' holds something that is not a scale and a zero point") << scale;
  }
  bad = good;
  bad["cuts"][0]["cells"][1]["scales"][0][1] = 40000;
  EXPECT_NE(refusal(bad), "");
  for (const auto& level : {nlohmann::json("x"), nlohmann::json(), nlohmann::json(1e39), nlohmann::json(-1e39)}) {
    bad = good;
    bad["cuts"][0]["cells"][3]["levels"][1] = level;
    EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 3: 'levels' holds something that is no finite number") << level;
  }
  bad = good;
  bad["cuts"][0]["cells"][3]["levels"] = 1;
  EXPECT_NE(refusal(bad), "");
  for (const auto& [field, value] : {std::pair{"rule", nlohmann::json("picture")}, {"bits", nlohmann::json(9)}}) {
    bad = good;
    bad["cuts"][0]["cells"][3][field] = value;
    EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 3: 'levels' is not for this rule and width") << field;
  }
  bad = good;
  bad["cuts"][0]["cells"][1]["step_of"] = 2.75;
  EXPECT_EQ(refusal(bad), "c.json: cut 0: cell 1: 'step_of' is not a number of halves");
  bad = good;
  bad["cuts"][0]["shape"] = nlohmann::json::array({1 << 30, 1 << 30, 1 << 30});
  EXPECT_NE(refusal(bad), "");
  bad = good;
  bad["forms"][0]["cost"]["codec"] = "dense";
  EXPECT_EQ(refusal(bad), "c.json: form 0: 'cost' is not that of a picture");
}

TEST(PlanJson, RoundTripsEveryCutAndNamesTheEnds)
{
  const auto g = test::small_network();
  for (const auto& at : single_tensor_cuts(*g)) {
    plan p;
    p.at = at;
    coding how;
    how.coded_as = codec::sparse;
    how.width = 5;
    p.codings.assign(at.tensors.size(), how);
    const auto written = to_json(*g, p);
    const auto back = plan_from_json(written, *g);
    ASSERT_TRUE(back) << written << back.error().text();
    EXPECT_EQ(back->at, p.at);
    EXPECT_EQ(back->codings.size(), p.codings.size());
    EXPECT_EQ(to_json(*g, *back), written);
  }
  EXPECT_EQ(to_json(*g, plan{input_cut(*g), {coding{}}, 0})["cut"], nlohmann::json({"input"}));
  EXPECT_EQ(to_json(*g, plan{end_cut(*g), {}, 0})["cut"], nlohmann::json({"none"}));
}

TEST(PlanJson, RefusesWhatDoesNotFitTheGraph)
{
  const auto g = test::small_network();
  const auto code = [&](const char* text) {
    const auto p = plan_from_json(*parse_json(text, "t"), *g);
    return p ? errc::ok : p.error().code;
  };
  EXPECT_EQ(code(R"({"cut":["narrow"],"bits":[4],"codec":["dense"]})"), errc::ok);
  EXPECT_EQ(code(R"({"cut":["nowhere"],"bits":[4],"codec":["dense"]})"), errc::bad_cut);
  EXPECT_EQ(code(R"({"cut":["narrow"],"bits":[17],"codec":["dense"]})"), errc::bad_width);
  EXPECT_EQ(code(R"({"cut":["narrow"],"bits":[4.5],"codec":["dense"]})"), errc::bad_width);
  EXPECT_EQ(code(R"({"cut":["narrow"],"bits":[],"codec":[]})"), errc::bad_input);
  EXPECT_EQ(code(R"({"cut":["narrow"],"bits":[4],"codec":["zip"]})"), errc::bad_input);
  EXPECT_EQ(code(R"({"cut":[3],"bits":[4],"codec":["dense"]})"), errc::bad_input);
  EXPECT_EQ(code(R"([])"), errc::bad_input);
}

}  // namespace
}  // namespace narrows
