// SPDX-License-Identifier: BSD-3-Clause
// The sections that narrows_accuracy writes, against hand-made calibrations.
#include <initializer_list>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace narrows {
namespace {

using nlohmann::json;

json half(int inputs, int agree) { return {{"inputs", inputs}, {"agree", agree}}; }
json score(int selection, int confirmation) { return {{"selection", half(100, selection)}, {"confirmation", half(100, confirmation)}}; }
json cost(const std::string& codec, double bytes) { return {{"codec", codec}, {"bytes", bytes}, {"payload_bytes", bytes - 100}, {"encode_s", 1e-6}, {"decode_s", 2e-6}}; }
json cell(int bits, int selection, int confirmation)
{
  return {{"bits", bits}, {"rule", "picture"}, {"score", score(selection, confirmation)}, {"zero_share", 0.5},
          {"codecs", {cost("dense", 100 * bits), cost("sparse", 90 * bits)}}};
}
json row(const std::string& cut, double share, json cells)
{
  return {{"cut", cut}, {"shape", {1, 2, 5, 5}}, {"macs_share", share}, {"signed", false}, {"raw", cost("raw", 300)}, {"cells", std::move(cells)}};
}
json form(const std::string& codec, int quality, int selection, int confirmation, double bytes)
{
  return {{"jpeg_quality", quality}, {"score", score(selection, confirmation)}, {"cost", cost(codec, bytes)}};
}
json card(const std::string& model, json rows)
{
  return {{"schema", 1}, {"kind", "calibration"}, {"tool_version", "0"}, {"model", {{"name", model}, {"hash", std::string(64, 'a')}}}, {"machine", "a machine"},
          {"level", "reference-fma"}, {"inputs", 200}, {"cuts", std::move(rows)},
          {"forms", {form("pixels", 0, 100, 100, 20100), form("image", 0, 100, 100, 9100), form("image", 95, 98, 99, 3100), form("image", 75, 97, 99, 1100)}}};
}

class Report : public testing::Test {
protected:
  std::string file(const std::string& name, const std::string& text)
  {
    test::write_text(folder_ / name, text);
    return folder_ / name;
  }
  void expect_lines(const test::finished& f, std::initializer_list<std::string> lines)
  {
    ASSERT_EQ(f.code, 0) << f.err;
    for (const auto& line : lines) EXPECT_NE(f.out.find(line), std::string::npos) << line << f.out;
  }
  test::scratch folder_;
};

// 190 and 180 of 200 have the Wilson intervals 91-97 and 85-93 (Brown, Cai and DasGupta, 2001, give the formula).
TEST_F(Report, StatesMedianWorstAndAverages)
{
  const auto a = file("a.json", card("a.onnx", {row("early", 0.1, {cell(4, 40, 60), cell(8, 100, 100)}), row("middle", 0.5, {cell(4, 90, 90), cell(8, 100, 100)}),
                                                 row("late", 0.9, {cell(4, 95, 95), cell(8, 99, 99)})}).dump());
  const auto b = file("b.json", card("b.onnx", {row("only", 0.3, {cell(4, 100, 100), cell(8, 100, 100)})}).dump());
  expect_lines(test::narrows({"low-widths", a, b}), {
    "| a | 3 | 100.0 | 99.0 (96-100) | `late`, 90 % of the work | 90.0 | 50.0 (43-57) | `early`, 10 % of the work |\n",
    "| b | 1 | 100.0 | 100.0 (98-100) | `only`, 30 % of the work | 100.0 | 100.0 (98-100) | `only`, 30 % of the work |\n",
    "| up to 20 % of the multiply-adds | 1 | 50.0 | 100.0 |\n",
    "| past 20 % of the multiply-adds | 3 | 95.0 | 99.7 |\n",
    "| `middle` | 1x2x5x5 | 50 | 90.0 (85-93) | 100.0 (98-100) |\n",
    "| `late` | 1x2x5x5 | 90 | 95.0 (91-97) | 99.0 (96-100) |\n",
    "| `early` | 50 | 300 | 400 / 360 | 800 / 720 |\n"});
}

TEST_F(Report, StatesTheSmallestRequestsThatPass)
{
  const auto a = file("a.json", card("resnet18.onnx", {row("early", 0.5, {cell(4, 99, 97), cell(8, 98, 99)}), row("late", 0.9, {cell(4, 100, 100)})}).dump());
  const auto b = file("b.json", card("b.onnx", {row("only", 0.3, {cell(4, 90, 99)})}).dump());
  expect_lines(test::narrows({"bytes", a, b}), {
    "| resnet18 | gate | `early` | 50 | 8 bits, picture | sparse | 620 | 720 | 98 | 99 | 98.5 (96-99) | 9.0 kB: reached; 7.0 kB: reached |\n",
    "| resnet18 | gate, dense | `early` | 50 | 8 bits, picture | dense | 700 | 800 | 98 | 99 | 98.5 (96-99) |  |\n",
    "| resnet18 | all | `early` | 50 | 4 bits, picture | sparse | 260 | 360 | 99 | 97 | 98.0 (95-99) | 9.0 kB: reached; 7.0 kB: reached |\n",
    "| b | gate | nothing passes |", "| b | gate, dense | nothing passes |", "| b | all | nothing passes |",
    "| resnet18 | 129 (80000 B) | 32 (20000 B) | 15 (9000 B) | 4.8 (JPEG q95, 3000 B) | 98.5 (96-99) | 0.3 (200 B) |\n",
    "60 times below the float32 input: all; by the rows *all*: all. 5 times below a JPEG of equal agreement: all but resnet18.\n",
    "| JPEG q75 | 1000: 98.0 (95-99) | 1000: 98.0 (95-99) |\n",
    "| `late` | 1x2x5x5 | 90 | 4 bits, picture | sparse | 260 | 360 | 100 | 100 | 100.0 (98-100) | 1 | 2 |\n"});
}

TEST_F(Report, RefusesCalibrationsThatCannotBeTrue)
{
  auto bad = card("a.onnx", {row("only", 0.3, {cell(8, 101, 100)})});
  auto f = test::narrows({"low-widths", file("bad.json", bad.dump())});
  EXPECT_NE(f.code, 0);
  EXPECT_NE(f.err.find("bad.json"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("agree"), std::string::npos) << f.err;
  bad["kind"] = "profile";
  f = test::narrows({"bytes", file("bad.json", bad.dump())});
  EXPECT_NE(f.code, 0);
  EXPECT_NE(f.err.find("kind"), std::string::npos) << f.err;
  f = test::narrows({"low-widths", folder_ / "absent.json"});
  EXPECT_NE(f.code, 0);
  EXPECT_TRUE(f.out.empty()) << f.out;
}

}  // namespace
}  // namespace narrows
