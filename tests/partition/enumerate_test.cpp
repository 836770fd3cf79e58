// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/enumerate.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

struct Enumerate : testing::Test {
  Enumerate()
  {
    device.layers = assumed_node_times(*g, 1e8);
    server.layers = assumed_node_times(*g, 1e10);
    device.codecs.entries = {{codec::dense, 4, 1e-6, 1e-9, 2e-6, 2e-9}};
    server.codecs.entries = {{codec::dense, 4, 5e-6, 5e-9, 7e-6, 7e-9}};
  }
  std::vector<candidate> all(const calibration* measured = nullptr)
  {
    auto made = enumerate_candidates(*g, cuts, {&device, &server, measured}, how);
    EXPECT_TRUE(made) << made.error().text();
    return made ? *made : std::vector<candidate>{};
  }
  const candidate* find(const std::vector<candidate>& in, const std::string& cut_name, codec coded_as, int width)
  {
    const auto it = std::find_if(in.begin(), in.end(), [&](const candidate& c) {
      return name_of(*g, c.what.at) == cut_name && !c.what.codings.empty() && c.what.codings[0].coded_as == coded_as &&
             c.what.codings[0].width == width;
    });
    return it == in.end() ? nullptr : &*it;
  }

  std::shared_ptr<const graph> g = test::small_network();
  std::vector<cut> cuts = single_tensor_cuts(*g);
  machine_profile device, server;
  enumerate_options how;
};

TEST_F(Enumerate, CostsACutByHand)
{
  const auto made = all();
  const auto* c = find(made, "narrow", codec::dense, 4);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->where, placement::split);
  const double first = 8 * 16 * 16 * 27, narrow = 4 * 8 * 8 * 72, wide = 16 * 8 * 8 * 36, scores = 160;
  EXPECT_NEAR(c->cost.device_s, (first + narrow) / 1e8 + 3 * 2e-6, 1e-12);
  EXPECT_NEAR(c->cost.server_s, (wide + scores) / 1e10 + 4 * 2e-6, 1e-12);
  EXPECT_NEAR(c->cost.encode_s, 1e-6 + 256e-9, 1e-15);       // the device's codec
  EXPECT_NEAR(c->cost.decode_s, 7e-6 + 7 * 256e-9, 1e-15);   // the server's
  EXPECT_EQ(c->cost.payload_bytes, 128);                     // 4 x 8 x 8 values of 4 bits
  EXPECT_EQ(c->cost.bytes, 128 + how.envelope_bytes);
  EXPECT_EQ(c->cost.return_bytes, 40 + how.envelope_bytes);
  EXPECT_FALSE(c->cost.agreement);
  EXPECT_EQ(c->what.at.macs_head, static_cast<std::uint64_t>(first + narrow));
}

TEST_F(Enumerate, HasBothEndsOnceAndLossless)
{
  how.pixels = true;
  how.image_bytes = 700;
  how.image_decode_s = 0.25;
  const auto made = all();
  EXPECT_EQ(std::count_if(made.begin(), made.end(), [](const candidate& c) { return c.where == placement::device; }), 1);
  const auto end = std::find_if(made.begin(), made.end(), [](const candidate& c) { return c.where == placement::device; });
  EXPECT_EQ(end->cost.bytes, 0);
  EXPECT_EQ(end->cost.return_bytes, 0);
  EXPECT_EQ(end->cost.agreement, 1.0);
  EXPECT_TRUE(end->what.codings.empty());
  EXPECT_EQ(evaluate(*end, {bit_rate{0}, 1}).latency(), end->cost.device_s);

  const auto* raw = find(made, "input", codec::raw, 0);
  ASSERT_NE(raw, nullptr);
  EXPECT_EQ(raw->where, placement::cloud);
  EXPECT_EQ(raw->cost.device_s, 0);
  EXPECT_EQ(raw->cost.payload_bytes, 4 * 768);
  EXPECT_EQ(raw->cost.agreement, 1.0);
  EXPECT_EQ(find(made, "input", codec::pixels, 0)->cost.payload_bytes, 768);
  EXPECT_EQ(find(made, "input", codec::image, 0)->cost.payload_bytes, 700);
  EXPECT_EQ(find(made, "input", codec::image, 0)->cost.decode_s, 0.25);
  EXPECT_EQ(find(made, "pooled", codec::pixels, 0), nullptr);
  EXPECT_EQ(find(made, "input", codec::predicted, 0), nullptr) << "not asked for";
  how.predicted = true;
  const auto more = all();
  const auto* predicted = find(more, "input", codec::predicted, 0);
  ASSERT_NE(predicted, nullptr);
  EXPECT_EQ(predicted->cost.payload_bytes, 338) << "0.44 of the pixels";
  EXPECT_EQ(predicted->cost.agreement, 1.0);
  EXPECT_EQ(find(more, "pooled", codec::predicted, 0), nullptr);
}

TEST_F(Enumerate, LeavesOutWhatCannotPay)
{
  how.widths = {1, 4, 8};
  const auto made = all();
  EXPECT_NE(find(made, "pooled", codec::dense, 1), nullptr);
  EXPECT_EQ(find(made, "narrow", codec::dense, 1), nullptr);   // signed
  EXPECT_NE(find(made, "pooled", codec::sparse, 4), nullptr);
  EXPECT_EQ(find(made, "narrow", codec::sparse, 8), nullptr);  // hardly any zeros, so a mask only adds
  EXPECT_LT(find(made, "pooled", codec::runs, 4)->cost.payload_bytes, find(made, "pooled", codec::sparse, 4)->cost.payload_bytes);
  EXPECT_EQ(find(made, "pooled", codec::sparse, 1), nullptr);  // a mask is as large as the codes
}

/// Of "pooled": 4 bits by dense and rans on every input, 3 given up after 50; of the input: 8 bits, a PNG and a JPEG.
calibration calibrated()
{
  calibration c;
  c.machine = "here";
  c.inputs = 200;
  c.forms = {{0, {{100, 100}, {100, 100}}, {codec::pixels, 900, 768, 0, 0.5}}, {0, {{100, 100}, {100, 100}}, {codec::image, 800, 700, 2, 3}},
    {90, {{100, 91}, {100, 89}}, {codec::image, 400, 300, 4, 5}}};
  c.rows = {{"pooled", shape{1, 8, 8, 8}, false, 0.5, {codec::raw, 2200, 2048, 0, 0}, {}}, {"input", shape{1, 3, 16, 16}, true, 0, {codec::raw, 3200, 3072, 0, 0}, {}}};
  c.rows[0].cells = {
    {{4, level_rule::step, 2.5}, {{100, 99}, {100, 97}}, 0.5, {{0.25F, 0}}, {{codec::dense, 400, 256, 11, 12}, {codec::rans, 250, 106, 13, 14}}},
    {{3, level_rule::clip, 0}, {{25, 25}, {25, 25}}, 0.5, {{0.25F, 0}}, {{codec::dense, 300, 192, 1, 1}}},
    {{8, level_rule::upper_end, 0}, {{100, 100}, {100, 100}}, 0, {}, {{codec::dense, 300, 192, 1, 1}}}};
  c.rows[1].cells = {{{8, level_rule::picture, 0}, {{100, 98}, {100, 99}}, 0, {}, {{codec::dense, 910, 768, 0, 0}, {codec::sparse, 600, 500, 0, 0}}}};
  return c;
}

TEST_F(Enumerate, OffersWhatTheCalibrationHasScored)
{
  how.codecs = {codec::raw, codec::dense, codec::rans};
  const auto measured = calibrated();
  const auto made = all(&measured);
  const auto coded = std::count_if(made.begin(), made.end(), [](const candidate& c) { return !c.what.codings.empty() && has_codes(c.what.codings[0].coded_as); });
  EXPECT_EQ(coded, 3) << "not what was given up, no upper end, no codec that was not asked for";
  const auto* c = find(made, "pooled", codec::rans, 4);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->cost.agreement, 0.97) << "the worse half";
  EXPECT_EQ(c->cost.bytes, 250);
  EXPECT_EQ(c->cost.payload_bytes, 106);
  EXPECT_EQ(c->cost.return_bytes, 40 + how.envelope_bytes);
  EXPECT_EQ(c->what.codings[0].rule, range_rule::calibrated);
  EXPECT_EQ(*c->what.codings[0].scales, (std::vector<affine>{{0.25F, 0}}));
  EXPECT_EQ(find(made, "input", codec::dense, 8)->cost.agreement, 0.98);
  EXPECT_EQ(find(made, "input", codec::dense, 8)->what.codings[0].rule, range_rule::min_max);
  EXPECT_EQ(find(made, "pooled", codec::raw, 0)->cost.agreement, 1.0);
  EXPECT_EQ(find(made, "narrow", codec::dense, 8), nullptr) << "nobody measured it";
  EXPECT_EQ(std::count_if(made.begin(), made.end(), [](const candidate& each) { return each.where == placement::device; }), 1);
  how.widths = {8};
  EXPECT_EQ(find(all(&measured), "pooled", codec::rans, 4), nullptr);
}

TEST_F(Enumerate, TakesTimesFromTheProfileOfAnotherMachine)
{
  how.codecs = {codec::dense, codec::rans};
  device.codecs.machine = "here";
  server.codecs.machine = "there";
  const auto measured = calibrated();
  const auto made = all(&measured);
  EXPECT_EQ(find(made, "pooled", codec::dense, 4)->cost.encode_s, 11) << "the calibration's own machine";
  EXPECT_NEAR(find(made, "pooled", codec::dense, 4)->cost.decode_s, 7e-6 + 512 * 7e-9, 1e-12) << "the server's profile";
  EXPECT_EQ(find(made, "pooled", codec::rans, 4)->cost.decode_s, 14) << "no profile has it";
}

TEST_F(Enumerate, OffersFormsOfTheInputWhereTheyMayBePredicted)
{
  const auto measured = calibrated();
  EXPECT_EQ(find(all(&measured), "input", codec::image, 0), nullptr);
  how.image_forms = true;
  const auto made = all(&measured);
  std::vector<candidate> images;
  std::copy_if(made.begin(), made.end(), std::back_inserter(images), [](const candidate& c) { return !c.what.codings.empty() && c.what.codings[0].coded_as == codec::image; });
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].cost.bytes, 800);
  EXPECT_EQ(images[0].cost.agreement, 1.0);
  EXPECT_EQ(images[1].cost.bytes, 400);
  EXPECT_EQ(images[1].cost.agreement, 0.89);
  EXPECT_EQ(images[1].cost.encode_s, 4);
  EXPECT_EQ(images[1].cost.decode_s, 5);
  EXPECT_EQ(images[1].where, placement::cloud);
}

TEST_F(Enumerate, OffersPredictedPixelsAsTheyWereMeasured)
{
  auto measured = calibrated();
  how.predicted = true;
  EXPECT_EQ(find(all(&measured), "input", codec::predicted, 0), nullptr) << "nobody measured them";
  measured.forms.push_back({0, {{100, 100}, {100, 100}}, {codec::predicted, 500, 380, 6, 7}});
  const auto made = all(&measured);
  const auto* c = find(made, "input", codec::predicted, 0);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->cost.bytes, 500);
  EXPECT_EQ(c->cost.encode_s, 6);
  EXPECT_EQ(c->cost.decode_s, 7);
  EXPECT_EQ(c->cost.agreement, 1.0);
  EXPECT_EQ(find(made, "input", codec::image, 0), nullptr);
  EXPECT_EQ(find(made, "pooled", codec::predicted, 0), nullptr);
  how.predicted = false;
  EXPECT_EQ(find(all(&measured), "input", codec::predicted, 0), nullptr);
}

TEST_F(Enumerate, CandidatesCarryTheLevelsOfTheirCell)
{
  how.codecs = {codec::dense};
  auto measured = calibrated();
  auto& cell = measured.rows[0].cells[1];
  cell.how.levels = true;
  cell.score = {{100, 99}, {100, 98}};
  cell.levels = {0, 1, 2, 3, 4, 5, 6, 7.5F};
  const auto made = all(&measured);
  const auto* c = find(made, "pooled", codec::dense, 3);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(*c->what.codings[0].levels, cell.levels);
  EXPECT_EQ(find(made, "pooled", codec::dense, 4)->what.codings[0].levels, nullptr);
  cell.levels.pop_back();
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, &measured}, how).error().code, errc::bad_input);
}

TEST_F(Enumerate, RefusesACalibrationOfOtherTensors)
{
  auto measured = calibrated();
  measured.rows[0].dims = shape{1, 8, 8, 9};
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, &measured}, how).error().code, errc::model_mismatch);
  measured = calibrated();
  measured.rows[0].cells[0].scales.clear();
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, &measured}, how).error().code, errc::bad_input);
}

TEST_F(Enumerate, CountsTheScalesOfACallersOwnCoding)
{
  how.code_with = [](const cut&, value_id, codec c, int width) {
    coding code;
    code.coded_as = c;
    code.width = width;
    code.group.axis = 1;
    return code;
  };
  const auto made = all();
  const auto* c = find(made, "pooled", codec::dense, 4);
  EXPECT_EQ(c->cost.bytes, 256 + how.envelope_bytes + 8 * 7);
  EXPECT_EQ(c->what.codings[0].group.axis, 1);
}

TEST_F(Enumerate, RefusesProfilesThatDoNotFit)
{
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, nullptr, nullptr}).error().code, errc::bad_input);
  how.widths = {17};
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, nullptr}, how).error().code, errc::bad_width);
  server.layers.nodes.pop_back();
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, nullptr}).error().code, errc::model_mismatch);
}

}  // namespace
}  // namespace narrows
