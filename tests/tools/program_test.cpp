// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <set>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "npy.hpp"
#include "process.hpp"

namespace narrows {
namespace {

using nlohmann::json;
using test::bundled;
using test::narrows;
using testing::HasSubstr;

const std::string network = bundled("shapes.onnx");
const std::string pictures = bundled("pictures");
const std::string labels = bundled("pictures/labels.csv");

TEST(Program, SaysWhatItIsAndHowItIsUsed)
{
  const auto version = narrows({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("narrows [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const auto help = narrows({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  for (const std::string command : {"inspect", "infer", "serve", "run", "profile", "calibrate", "plan", "simulate", "cut", "tile", "selftest", "keygen"}) {
    EXPECT_THAT(help.out, HasSubstr("\n  " + command));
    const auto one = narrows({command, "--help"});
    EXPECT_EQ(one.code, 0) << command;
    EXPECT_EQ(one.err, "") << command;
    EXPECT_GT(one.out.size(), 100U) << command;
  }
}

TEST(Program, RefusesWrongUsageWithCodeTwoAndOneLine)
{
  const std::vector<std::vector<std::string>> wrong{{}, {"nosuch"}, {"infer"}, {"infer", network}, {"infer", network, pictures, "--nosuch"},
    {"infer", network, pictures, "--bits", "17", "--at", "input"}, {"infer", network, pictures, "--codec", "zip", "--at", "input"},
    {"infer", network, pictures, "-o", "xml"}, {"infer", network, pictures, "--resize", "0"}, {"infer", network, pictures, "--mean", "1,2"},
    {"run", network, pictures, "--deadline", "5"}, {"run", network, pictures, "--deadline", "0ms"}, {"run", network, pictures, "--fallback", "maybe"},
    {"run", network, pictures, "--bandwidth", "fast"}, {"plan", network, "--limit", "latency"}, {"plan", network, "--objective", "beauty"}, {"cut", network}};
  for (const auto& arguments : wrong) {
    std::string shown;
    for (const auto& a : arguments) shown += " " + a;
    SCOPED_TRACE(shown);
    const auto f = narrows(arguments);
    test::expect_one_error(f, 2, "--help");
    EXPECT_EQ(f.out, "");
  }
  test::expect_one_error(narrows({"infer", network, pictures, "--at", "nosuch"}), 2, "nosuch");
  test::expect_one_error(narrows({"infer", network, pictures, "--bits", "4"}), 2, "--at");
}

TEST(Program, InspectsAsJson)
{
  const auto f = narrows({"inspect", network, "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  const auto all = json::parse(f.out);
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_GT(all.at("parameters").get<int>(), 200'000);
  EXPECT_GT(all.at("macs").get<std::uint64_t>(), 1'000'000U);
  std::uint64_t sum = 0;
  for (const auto& n : all.at("nodes")) sum += n.at("macs").get<std::uint64_t>();
  EXPECT_EQ(sum, all.at("macs").get<std::uint64_t>());
  const auto& cuts = all.at("cuts");
  ASSERT_GT(cuts.size(), 5U);
  EXPECT_EQ(cuts.front().at("name"), "input");
  EXPECT_EQ(cuts.front().at("macs_head"), 0);
  EXPECT_EQ(cuts.back().at("name"), "none");
  EXPECT_EQ(cuts.back().at("macs_head"), all.at("macs"));
  EXPECT_TRUE(cuts.back().at("tensors").empty());
  for (const auto& c : cuts) {
    std::uint64_t values = 0;
    for (const auto& t : c.at("tensors")) {
      std::uint64_t n = 1;
      for (const auto& e : t.at("shape")) n *= e.get<std::uint64_t>();
      values += n;
    }
    ASSERT_EQ(c.at("bytes").size(), 17U);
    EXPECT_EQ(c.at("bytes").at("float32"), 4 * values);
    for (int b = 1; b <= 16; ++b) {
      const auto bytes = c.at("bytes").at(std::to_string(b)).get<std::uint64_t>();
      EXPECT_GE(8 * bytes, values * static_cast<std::uint64_t>(b)) << b;
      EXPECT_LE(8 * bytes, (values + 16 * c.at("tensors").size()) * static_cast<std::uint64_t>(b)) << b;
    }
  }
}

TEST(Program, InspectsPublishedNetworksWithoutAFile)
{
  const auto f = narrows({"inspect", "zoo:resnet50", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto all = json::parse(f.out);
  EXPECT_EQ(all.at("macs"), 4'089'184'256U);
  EXPECT_EQ(all.at("cuts").size(), 23U);
  const auto table = narrows({"inspect", "zoo:vgg16"});
  EXPECT_THAT(table.out, HasSubstr("conv5_3"));
  EXPECT_EQ(table.out.find("sha256"), std::string::npos) << "there is no file";
  test::expect_one_error(narrows({"inspect", "zoo:resnet51"}), 3, "there are alexnet");
}

TEST(Program, InspectsAsTableCsvAndGraph)
{
  const auto table = narrows({"inspect", network});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, HasSubstr("CUT AT"));
  EXPECT_EQ(table.out.find('\x1B'), std::string::npos) << "colours are for terminals";
  const auto csv = narrows({"inspect", network, "-o", "csv"});
  EXPECT_EQ(csv.code, 0);
  EXPECT_EQ(csv.out.rfind("cut,tensors,shapes,macs_head,bytes_1,", 0), 0U);
  const auto dot = narrows({"inspect", network, "--dot"});
  EXPECT_EQ(dot.code, 0);
  EXPECT_EQ(dot.out.rfind("digraph ", 0), 0U);
  EXPECT_EQ(std::count(dot.out.begin(), dot.out.end(), '{'), std::count(dot.out.begin(), dot.out.end(), '}'));
}

TEST(Program, RecognisesTheBundledPictures)
{
  const auto f = narrows({"infer", network, pictures, "--labels", labels, "-o", "json", "--top", "3"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  const auto all = json::parse(f.out);
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("model").at("name"), "shapes.onnx");
  EXPECT_EQ(all.at("model").at("hash").get<std::string>().size(), 64U);
  EXPECT_EQ(all.at("plan"), json::parse(R"({"cut": ["none"], "bits": [], "codec": []})"));
  const auto& results = all.at("results");
  const auto& summary = all.at("summary");
  const auto inputs = summary.at("inputs").get<std::size_t>();
  EXPECT_EQ(results.size(), inputs);
  EXPECT_EQ(inputs, 20U);
  EXPECT_GE(summary.at("top1").get<double>(), 0.9 * static_cast<double>(inputs));
  EXPECT_EQ(summary.at("fallback"), 0);
  EXPECT_EQ(summary.at("errors"), 0);
  EXPECT_TRUE(summary.at("agreement").is_null());
  EXPECT_TRUE(std::is_sorted(results.begin(), results.end(), [](const json& a, const json& b) { return a.at("input") < b.at("input"); }));
  for (const auto& r : results) {
    EXPECT_TRUE(r.at("label").is_number_integer());
    ASSERT_EQ(r.at("top").size(), 3U);
    EXPECT_GE(r.at("top")[0].at("score").get<double>(), r.at("top")[1].at("score").get<double>());
    EXPECT_TRUE(r.at("top")[0].at("name").is_string());
    EXPECT_EQ(r.at("source"), "local");
    EXPECT_EQ(r.at("bytes_sent"), 0);
    for (const auto* part : {"total", "device", "encode", "link", "decode", "server"}) EXPECT_TRUE(r.at("latency_ms").at(part).is_number()) << part;
  }
}

TEST(Program, CountsAgreementAndBytesOfACut)
{
  const auto cuts = json::parse(narrows({"inspect", network, "-o", "json"}).out).at("cuts");
  const auto& middle = cuts[cuts.size() / 2];
  const auto name = middle.at("name").get<std::string>();
  const auto f = narrows({"infer", network, pictures, "--limit", "10", "--at", name, "--bits", "8", "--compare-float", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto all = json::parse(f.out);
  EXPECT_EQ(all.at("plan"), json({{"cut", {name}}, {"bits", {8}}, {"codec", {"dense"}}}));
  EXPECT_EQ(all.at("summary").at("inputs"), 10);
  EXPECT_GE(all.at("summary").at("agreement").get<int>(), 9);
  EXPECT_EQ(all.at("summary").at("bytes_per_input").get<double>(), middle.at("bytes").at("8").get<double>());
  EXPECT_EQ(all.at("summary").at("float32_bytes_per_input").get<double>(), middle.at("bytes").at("float32").get<double>());
}

TEST(Program, EveryCutRunsInOneProcessToTheSameBits)
{
  const test::scratch folder;
  const auto picture = bundled("pictures/0000.png");
  ASSERT_EQ(narrows({"infer", network, picture, "--save-output", folder / "whole"}).code, 0);
  const auto saved = [](const std::filesystem::path& in) {
    std::string all;
    std::vector<std::filesystem::path> files;
    for (const auto& e : std::filesystem::directory_iterator(in)) files.push_back(e.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) all += test::text_of(file);
    return all;
  };
  const auto whole = saved(folder / "whole");
  ASSERT_GT(whole.size(), 128U);
  const auto cuts = json::parse(narrows({"inspect", network, "-o", "json"}).out).at("cuts");
  for (const auto& c : cuts) {
    const auto name = c.at("name").get<std::string>();
    const auto f = narrows({"infer", network, picture, "--at", name, "--codec", "raw", "--save-output", folder / ("cut_" + std::to_string(&c - &cuts[0]))});
    ASSERT_EQ(f.code, 0) << name << f.err;
    EXPECT_EQ(saved(folder / ("cut_" + std::to_string(&c - &cuts[0]))), whole) << name;
  }
}

TEST(Program, ShowsTablesAndCsvToo)
{
  const auto table = narrows({"infer", network, pictures, "--limit", "3", "--labels", labels});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, HasSubstr("ANSWER"));
  EXPECT_THAT(table.out, HasSubstr("top-1"));
  const auto csv = narrows({"infer", network, pictures, "--limit", "3", "-o", "csv"});
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 4);
  EXPECT_EQ(csv.out.rfind("input,label,class,score,", 0), 0U);
}

TEST(Program, WritesBothHalvesOfACutOrNone)
{
  const test::scratch folder;
  const auto cuts = json::parse(narrows({"inspect", network, "-o", "json"}).out).at("cuts");
  const auto name = cuts[cuts.size() / 2].at("name").get<std::string>();
  const auto head = folder / "head.onnx", tail = folder / "tail.onnx";
  const auto f = narrows({"cut", network, "--at", name, "--head", head, "--tail", tail});
  ASSERT_EQ(f.code, 0) << f.err;
  // The halves are networks of their own, and together the whole.
  const auto picture = bundled("pictures/0001.png");
  ASSERT_EQ(narrows({"infer", network, picture, "--save-output", folder / "whole"}).code, 0);
  test::write_text(folder / "head.json", test::text_of(bundled("shapes.json")));
  test::write_text(folder / "shapes_classes.csv", test::text_of(bundled("shapes_classes.csv")));
  const auto first = narrows({"infer", head, picture, "--save-output", folder / "crossing"});
  ASSERT_EQ(first.code, 0) << first.err;
  std::vector<std::string> crossing;
  for (const auto& e : std::filesystem::directory_iterator(folder / "crossing")) crossing.push_back(e.path().string());
  ASSERT_EQ(crossing.size(), 1U);
  const auto second = narrows({"infer", tail, crossing[0], "--save-output", folder / "answer"});
  ASSERT_EQ(second.code, 0) << second.err;
  const auto only = [](const std::filesystem::path& in) { return test::text_of(std::filesystem::directory_iterator(in)->path()); };
  EXPECT_EQ(only(folder / "answer"), only(folder / "whole"));

  const auto failed = narrows({"cut", network, "--at", name, "--head", folder / "h2.onnx", "--tail", folder / "nosuch/t2.onnx"});
  test::expect_one_error(failed, 3, "t2.onnx");
  EXPECT_FALSE(std::filesystem::exists(folder / "h2.onnx"));
  EXPECT_EQ(std::count_if(std::filesystem::directory_iterator(folder.path()), {}, [](const auto& e) { return e.path().filename().string().find("h2") != std::string::npos; }), 0)
    << "no temporary file is left";
}

TEST(Program, TestsItself)
{
  const auto f = narrows({"selftest"});
  EXPECT_EQ(f.code, 0) << f.out << f.err;
  EXPECT_THAT(f.out, HasSubstr("all parts agree"));
  EXPECT_THAT(f.out, HasSubstr("kernels scalar"));
}

TEST(Program, TakesTheKernelsThatTheEnvironmentNames)
{
  ASSERT_EQ(::setenv("NARROWS_ISA", "scalar", 1), 0);
  const auto forced = narrows({"selftest", "-o", "json"});
  ::setenv("NARROWS_ISA", "nosuch", 1);
  const auto unknown = narrows({"selftest"});
  ::unsetenv("NARROWS_ISA");
  ASSERT_EQ(forced.code, 0) << forced.err;
  const auto all = json::parse(forced.out);
  for (const auto& part : all.at("parts"))
    if (part.at("part").get<std::string>().rfind("kernels ", 0) == 0) {
      EXPECT_EQ(part.at("in_use").get<bool>(), part.at("part") == "kernels scalar");
    }
  test::expect_one_error(unknown, 2, "nosuch");
}

TEST(Program, MakesKeysThatOnlyTheirOwnerReads)
{
  const test::scratch folder;
  const auto f = narrows({"keygen", folder / "edge.key"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out.size(), 41U) << "the public key and a line feed";
  struct ::stat about {};
  ASSERT_EQ(::stat((folder / "edge.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  test::expect_one_error(narrows({"keygen", folder / "edge.key"}), 3, "edge.key");
}

TEST(Program, NamesTheCauseOfEveryBadModel)
{
  const test::scratch folder;
  const auto whole = test::text_of(network);
  const auto picture = bundled("pictures/0000.png");
  test::expect_one_error(narrows({"infer", folder / "nosuch.onnx", picture}), 3, "nosuch.onnx");
  test::expect_one_error(narrows({"inspect", folder.path().string()}), 3, folder.path().filename().string());
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(n);
    test::write_text(folder / "cut.onnx", whole.substr(0, n));
    test::expect_one_error(narrows({"infer", folder / "cut.onnx", picture}), 3, "cut.onnx");
  }
  test::write_text(folder / "text.onnx", "this is no model\n");
  test::expect_one_error(narrows({"inspect", folder / "text.onnx"}), 3, "text.onnx");
  // One letter of an operator's name: Conv becomes Conw.
  auto renamed = whole;
  const auto at = renamed.find("Conv");
  ASSERT_NE(at, std::string::npos);
  auto where = at;
  while (where != std::string::npos && !(renamed[where - 1] == 4 && renamed[where - 2] == 0x22)) where = renamed.find("Conv", where + 1);   // field 4, length 4
  ASSERT_NE(where, std::string::npos);
  renamed[where + 3] = 'w';
  test::write_text(folder / "renamed.onnx", renamed);
  test::expect_one_error(narrows({"inspect", folder / "renamed.onnx"}), 3, "Conw");
}

// A field of a protobuf message that holds text or another message: short ones only.
std::string field(int number, const std::string& content)
{
  std::string out;
  out += static_cast<char>(number << 3 | 2);
  out += static_cast<char>(content.size());
  return out + content;
}

TEST(Program, NamesTheCycleOfAModel)
{
  // Two Relu nodes that read each other: ModelProto.graph (7) with nodes (1: input 1, output 2, name 3, op_type 4),
  // an input (11) and an output (12) of type (2) tensor (1) float (1 = 1) of shape 2, and the opset (8: version 2).
  const auto node = [](const char* in, const char* out) { return field(1, field(1, in) + field(2, out) + field(3, std::string("to_") + out) + field(4, "Relu")); };
  const auto value = [](int number, const char* name) {
    const std::string dims = field(2, field(1, std::string("\x08\x02", 2)));
    return field(number, field(1, name) + field(2, field(1, std::string("\x08\x01", 2) + dims)));
  };
  const auto graph = node("b", "a") + node("a", "b") + field(2, "round") + value(11, "x") + value(12, "b");
  const auto model = std::string("\x08\x08", 2) + field(7, graph) + field(8, std::string("\x10\x0D", 2));
  const test::scratch folder;
  test::write_text(folder / "cycle.onnx", model);
  const auto f = narrows({"inspect", folder / "cycle.onnx"});
  test::expect_one_error(f, 3, "cycle.onnx: ");
  EXPECT_THAT(f.err, testing::AnyOf(HasSubstr("a cycle"), HasSubstr("'to_a'"), HasSubstr("'to_b'")));
}

TEST(Program, NamesTheCauseOfEveryBadInput)
{
  const test::scratch folder;
  test::expect_one_error(narrows({"infer", network, folder / "nosuch.png"}), 3, "nosuch.png");
  test::expect_one_error(narrows({"infer", network, folder.path().string()}), 3, "folder without");
  const auto whole = test::text_of(bundled("pictures/0000.png"));
  test::write_text(folder / "short.png", whole.substr(0, whole.size() / 2));
  test::expect_one_error(narrows({"infer", network, folder / "short.png"}), 3, "short.png");
  test::write_text(folder / "text.txt", "hello");
  test::expect_one_error(narrows({"infer", network, folder / "text.txt"}), 3, "text.txt");
  const auto wrong = tool::to_npy(tensor(shape{1, 3, 8, 8}).view());
  test::write_text(folder / "wrong.npy", {reinterpret_cast<const char*>(wrong.data()), wrong.size()});
  test::expect_one_error(narrows({"infer", network, folder / "wrong.npy"}), 3, "1x3x8x8");
  test::expect_one_error(narrows({"infer", network, bundled("pictures/0000.png"), "--crop", "32"}), 3, "32 x 32");
  test::expect_one_error(narrows({"infer", network, bundled("pictures/0000.png"), "--labels", folder / "nosuch.csv"}), 3, "nosuch.csv");
  test::write_text(folder / "labels.csv", "a,b\n1,2\n");
  test::expect_one_error(narrows({"infer", network, bundled("pictures/0000.png"), "--labels", folder / "labels.csv"}), 3, "class_index");
}

TEST(Program, GoesOnAfterABadPictureAmongGoodOnes)
{
  const test::scratch folder;
  const auto whole = test::text_of(bundled("pictures/0000.png"));
  test::write_text(folder / "a.png", whole);
  test::write_text(folder / "b.png", whole.substr(0, whole.size() / 2));
  test::write_text(folder / "c.png", whole);
  test::write_text(folder / "notes.txt", "not a picture, not looked at");
  const auto f = narrows({"infer", network, folder.path().string(), "-o", "json"});
  test::expect_one_error(f, 3, "b.png");
  const auto all = json::parse(f.out);
  EXPECT_EQ(all.at("summary").at("inputs"), 3);
  EXPECT_EQ(all.at("summary").at("errors"), 1);
  EXPECT_EQ(all.at("results")[1].at("source"), "error");
  EXPECT_EQ(all.at("results")[2].at("source"), "local");
}

TEST(Program, StopsOnAnInterruptWithItsCode)
{
  // More work than the test waits for; the interrupt ends it between two nodes.
  test::process p({"profile", network, "--repeats", "100000"});
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  p.signal(SIGINT);
  EXPECT_EQ(p.wait(std::chrono::seconds(30)), 130) << p.err();
}

}  // namespace
}  // namespace narrows
