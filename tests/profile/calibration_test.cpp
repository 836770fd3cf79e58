// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/profile/calibration.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(WilsonInterval, EqualsThePublishedFigures)
{
  // ACCURACY.md section 1: of 100: 90 -> 83-95, 95 -> 89-98, 98 -> 93-99.4, 100 -> 96-100; of 200: 180 -> 85-93.
  const auto near = [](double share, double n, double low, double high) {
    const auto i = wilson_interval(share, n);
    EXPECT_NEAR(i.low * 100, low, 0.6) << share << " of " << n;
    EXPECT_NEAR(i.high * 100, high, 0.6) << share << " of " << n;
  };
  near(0.90, 100, 83, 95);
  near(0.95, 100, 89, 98);
  near(0.98, 100, 93, 99.4);
  near(1.00, 100, 96, 100);
  near(0.90, 200, 85, 93);
  EXPECT_EQ(wilson_interval(1, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 50).low, 0);
}

agreement_score halves(int selection, int confirmation, int each = 100) { return {{each, selection}, {each, confirmation}}; }

calibration_cell cell(precision how, agreement_score score, std::vector<coded_cost> codecs)
{
  calibration_cell c;
  c.how = how;
  c.score = score;
  if (has_fixed_scales(how.rule)) c.scales.assign(is_per_channel(how.rule) ? 8 : 1, affine{0.5F, 3});
  if (how.levels) c.levels.assign(c.scales.size() << how.width, 0.75F);
  c.codecs = std::move(codecs);
  return c;
}
coded_cost cost(codec c, double bytes) { return {c, bytes, bytes - 100, 1e-6, 2e-6}; }

/// Two cuts, at 30 % and 90 % of the work, and two forms of the input.
calibration sample()
{
  calibration c;
  c.inputs = 200;
  c.forms = {{0, halves(100, 100), cost(codec::image, 9000)}, {95, halves(99, 98), cost(codec::image, 5000)}, {75, halves(99, 97), cost(codec::image, 2000)}};
  c.rows = {{"pooled", shape{1, 8, 8, 8}, false, 0.3, cost(codec::raw, 2200), {}}, {"late", shape{1, 4}, true, 0.9, cost(codec::raw, 110), {}}};
  c.rows[0].cells = {cell({8, level_rule::picture, 0}, halves(100, 100), {cost(codec::dense, 700), cost(codec::rans, 500)}),
    cell({4, level_rule::step, 3}, halves(98, 98), {cost(codec::dense, 450), cost(codec::rans, 300)}),
    cell({4, level_rule::clip, 0}, halves(100, 97), {cost(codec::dense, 440), cost(codec::rans, 250)}),
    cell({2, level_rule::clip, 0}, {{25, 25}, {25, 25}}, {cost(codec::dense, 200)})};
  c.rows[1].cells = {cell({8, level_rule::picture, 0}, halves(100, 100), {cost(codec::dense, 120)}),
    cell({3, level_rule::upper_end, 0}, halves(100, 100), {cost(codec::dense, 105)})};
  return c;
}

TEST(AgreementScore, PromisesTheWorseHalf)
{
  const auto s = halves(100, 97);
  EXPECT_EQ(s.agreement(), 0.97);
  EXPECT_EQ(s.both(), (tally{200, 197}));
  EXPECT_NEAR(s.interval().low, wilson_interval(0.985, 200).low, 1e-15);
  EXPECT_EQ(agreement_score{}.agreement(), 0);
  EXPECT_EQ((agreement_score{{100, 100}, {}}.agreement()), 0) << "a half that was not scored confirms nothing";
}

TEST(Gate, AsksBothHalvesOfEveryInput)
{
  const auto c = sample();
  const auto& cells = c.rows[0].cells;
  EXPECT_TRUE(c.legal(cells[1].score, 0.98));
  EXPECT_FALSE(c.legal(cells[1].score, 0.981));
  EXPECT_FALSE(c.legal(cells[2].score, 0.98)) << "98.5 % of all, but 97 % of the half that confirms";
  EXPECT_FALSE(c.legal(cells[3].score, 0.98)) << "given up after 50 inputs";
  EXPECT_FALSE(c.is_complete(cells[3].score));
  EXPECT_FALSE(calibration{}.legal({}, 0)) << "nothing was scored";
}

TEST(Gate, FindsTheSmallestThatPasses)
{
  const auto c = sample();
  auto best = smallest_legal(c, {0.98, 0.8, {}, {}});
  ASSERT_TRUE(best);
  EXPECT_EQ(best->row->cut, "pooled");
  EXPECT_EQ(best->cell->how, (precision{4, level_rule::step, 3}));
  EXPECT_EQ(best->cost->coded_as, codec::rans);
  EXPECT_EQ(smallest_legal(c, {0.95, 0.8, {}, {}})->cost->bytes, 250);
  const codec dense[] = {codec::dense};
  EXPECT_EQ(smallest_legal(c, {0.98, 0.8, dense, {}})->cost->bytes, 450);
  EXPECT_EQ(smallest_legal(c, {0.98, 1, {}, {}})->cost->bytes, 120) << "no plan can ask for an upper end";
  EXPECT_EQ(smallest_legal(c, {0.98, 1, {}, "pooled"})->cost->bytes, 300);
  EXPECT_FALSE(smallest_legal(c, {0.98, 0.2, {}, {}}));
  EXPECT_EQ(smallest_legal_form(c, 0.98)->jpeg_quality, 95);
  EXPECT_EQ(smallest_legal_form(c, 0.97)->jpeg_quality, 75);
  EXPECT_EQ(name_of(*smallest_legal_form(c, 1)), "PNG");
  EXPECT_EQ(smallest_legal_form(calibration{}, 0.5), nullptr);
}

TEST(Precision, HasAName)
{
  EXPECT_EQ(to_string(precision{6, level_rule::picture, 0}), "6:picture");
  EXPECT_EQ(to_string(precision{4, level_rule::channel_step, 2.5}), "4:channel-step-2.5");
  EXPECT_EQ(to_string(precision{4, level_rule::step, 3}), "4:step-3");
  EXPECT_EQ(to_string(precision{4, level_rule::clip, 0, true}), "4:clip+levels");
  EXPECT_EQ(to_string(precision{5, level_rule::channel_step, 3.5, true}), "5:channel-step-3.5+levels");
  for (const auto r : all_level_rules) EXPECT_EQ(parse_level_rule(to_string(r)), r);
  EXPECT_EQ(parse_level_rule("middle"), std::nullopt);
}

TEST(CodingOf, SaysWhatAPlanNeeds)
{
  const auto c = sample();
  const auto picture = coding_of(c.rows[0].cells[0], codec::runs);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->rule, range_rule::min_max);
  EXPECT_EQ(picture->coded_as, codec::runs);
  EXPECT_EQ(picture->width, 8);
  const auto step = coding_of(c.rows[0].cells[1], codec::rans);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->rule, range_rule::calibrated);
  EXPECT_EQ(*step->scales, (std::vector<affine>{{0.5F, 3}}));
  EXPECT_EQ(step->group.axis, scale_group::whole_tensor);
  const auto channels = coding_of(cell({4, level_rule::channel_clip, 0}, {}, {}), codec::dense);
  ASSERT_TRUE(channels);
  EXPECT_EQ(channels->group.axis, 1);
  EXPECT_EQ(channels->scales->size(), 8U);
  EXPECT_FALSE(coding_of(c.rows[1].cells[1], codec::dense)) << "its levels are made for each input";
  EXPECT_FALSE(channels->levels);
  auto refitted = cell({3, level_rule::channel_clip, 0, true}, {}, {});
  const auto levels = coding_of(refitted, codec::dense);
  ASSERT_TRUE(levels);
  EXPECT_EQ(*levels->levels, std::vector<float>(64, 0.75F));
  refitted.levels.clear();
  EXPECT_FALSE(coding_of(refitted, codec::dense));
  calibration_cell bare = c.rows[0].cells[1];
  bare.scales.clear();
  EXPECT_FALSE(coding_of(bare, codec::dense));
}

TEST(CheckCalibration, RefusesAnotherModelShapeAndNumberOfScales)
{
  auto c = sample();
  c.model_hash = std::string(64, 'a');
  model m{"other.onnx", std::string(64, 'b'), nullptr, 0};
  const auto refused = check(c, m);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::model_mismatch);
  EXPECT_NE(refused.error().what.find("aaaaaaaaaaaa"), std::string::npos);
  EXPECT_NE(refused.error().what.find("bbbbbbbbbbbb"), std::string::npos);
  m.hash = c.model_hash;
  EXPECT_TRUE(check(c, m));
  EXPECT_TRUE(check(c.rows[0], shape{1, 8, 8, 8}));
  EXPECT_EQ(check(c.rows[0], shape{1, 8, 8, 9}).error().code, errc::model_mismatch);
  c.rows[0].cells[1].scales.resize(2);
  EXPECT_EQ(check(c.rows[0], shape{1, 8, 8, 8}).error().code, errc::bad_input);
  c.rows[0].cells[1] = cell({4, level_rule::channel_clip, 0}, {}, {});
  EXPECT_TRUE(check(c.rows[0], shape{1, 8, 8, 8}));
  c.rows[0].cells[1].scales.resize(7);
  EXPECT_EQ(check(c.rows[0], shape{1, 8, 8, 8}).error().code, errc::bad_input);
  c.rows[0].cells[1] = cell({4, level_rule::channel_clip, 0, true}, {}, {});
  EXPECT_TRUE(check(c.rows[0], shape{1, 8, 8, 8}));
  c.rows[0].cells[1].levels.resize(16);
  EXPECT_EQ(check(c.rows[0], shape{1, 8, 8, 8}).error().code, errc::bad_input);
  c.rows[0].cells[1] = cell({4, level_rule::channel_clip, 0}, {}, {});
  c.rows[0].cells[1].levels.assign(128, 0);   // of a precision that has none
  EXPECT_EQ(check(c.rows[0], shape{1, 8, 8, 8}).error().code, errc::bad_input);
}

TEST(AddCalibration, TakesNewRowsAndCellsAndReplacesTheSame)
{
  auto all = sample(), more = sample();
  more.forms.clear();
  more.rows = {{"middle", shape{1, 8, 4, 4}, false, 0.5, cost(codec::raw, 600), {}}, {"pooled", shape{1, 8, 8, 8}, false, 0.3, cost(codec::raw, 2201), {}}};
  more.rows[0].cells = {cell({4, level_rule::clip, 0}, halves(100, 100), {cost(codec::zstd, 90)})};
  more.rows[1].cells = {cell({4, level_rule::clip, 0, true}, halves(99, 99), {cost(codec::rans, 240)}),
    cell({4, level_rule::step, 3}, halves(97, 96), {cost(codec::zstd, 280)})};
  auto wanted = sample();
  wanted.rows.insert(wanted.rows.begin() + 1, more.rows[0]);
  wanted.rows[0].raw = more.rows[1].raw;
  wanted.rows[0].cells[1] = more.rows[1].cells[1];
  wanted.rows[0].cells.push_back(more.rows[1].cells[0]);
  ASSERT_TRUE(add(all, more));
  EXPECT_EQ(all, wanted);
  ASSERT_TRUE(add(all, more));
  EXPECT_EQ(all, wanted) << "twice is once";
  calibration none = sample();
  none.rows.clear(), none.forms.clear();
  ASSERT_TRUE(add(none, sample()));
  EXPECT_EQ(none, sample());
}

TEST(AddCalibration, RefusesWhatWasMeasuredOtherwise)
{
  const auto all = sample();
  const auto refused = [&](auto change) {
    auto more = sample(), kept = all;
    more.rows[0].cells[0].zero_share = 1;
    change(more);
    const auto added = add(kept, more);
    EXPECT_EQ(kept == all, !added);
    return added ? errc::ok : added.error().code;
  };
  EXPECT_EQ(refused([](auto&) {}), errc::ok);
  EXPECT_EQ(refused([](auto& c) { c.model_hash = "b"; }), errc::model_mismatch);
  EXPECT_EQ(refused([](auto& c) { c.machine = "another"; }), errc::bad_input);
  EXPECT_EQ(refused([](auto& c) { c.level = "reference-fma"; }), errc::bad_input);
  EXPECT_EQ(refused([](auto& c) { c.inputs = 100; }), errc::bad_input);
  EXPECT_EQ(refused([](auto& c) { c.rows[1].dims = shape{1, 5}; }), errc::model_mismatch);
  EXPECT_EQ(refused([](auto& c) { c.rows[1].cells[0].how = {4, level_rule::clip, 0}; }), errc::bad_input) << "no scales";
}

}  // namespace
}  // namespace narrows
