// SPDX-License-Identifier: BSD-3-Clause
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
  bad["kind"] = "accuracy";
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
    (void)accuracy_table_from_json(root);
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
  auto table = to_json(accuracy_table("", {{"pool", 4, 0.9, 100, 0.5}}));
  replace_each(table, table, refused);
}

TEST(ParseJson, AnswersBrokenTextWithAnError)
{
  for (const char* text : {"", "{", "[1,]", "{\"a\":\xff}", "nan"}) EXPECT_EQ(parse_json(text, "x").error().code, errc::bad_input) << text;
  EXPECT_FALSE(parse_json(std::string(200'000, '['), "x"));
}

TEST(AccuracyJson, RoundTrips)
{
  const accuracy_table t(std::string(64, 'f'), {{"pool", 4, 0.9, 100, 0.5}, {"pool", 8, 0.99, 100, {}}});
  const auto back = accuracy_table_from_json(to_json(t));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->entries(), t.entries());
  EXPECT_EQ(back->model_hash(), t.model_hash());
  EXPECT_EQ(back->agreement("pool", 5), 0.9);
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
