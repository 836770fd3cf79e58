// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>
#include <narrows/json/profile.hpp>
#include <narrows/json/reader.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/profile/calibration.hpp>
#include <narrows/version.hpp>

/// Calibrations as JSON. Times are in seconds and scales as they are, so that a file read back is the same to the bit.
namespace narrows {

namespace detail {

[[nodiscard]] inline nlohmann::json score_json(const agreement_score& s)
{
  const auto half = [](const tally& t) { return nlohmann::json{{"inputs", t.inputs}, {"agree", t.agree}}; };
  const auto interval = s.interval();
  return {{"selection", half(s.selection)}, {"confirmation", half(s.confirmation)}, {"interval", {interval.low, interval.high}}};
}

[[nodiscard]] inline nlohmann::json cost_json(const coded_cost& c)
{
  return {{"codec", to_string(c.coded_as)}, {"bytes", c.bytes}, {"payload_bytes", c.payload_bytes},
          {"encode_s", c.encode_s}, {"decode_s", c.decode_s}};
}

[[nodiscard]] inline nlohmann::json cell_json(const calibration_cell& cell)
{
  nlohmann::json out{{"bits", cell.how.width}, {"rule", to_string(cell.how.rule)}, {"score", score_json(cell.score)}, {"zero_share", cell.zero_share}};
  if (is_step(cell.how.rule)) out["step_of"] = cell.how.step_of;
  auto codecs = nlohmann::json::array(), scales = nlohmann::json::array();
  for (const auto& c : cell.codecs) codecs.push_back(cost_json(c));
  for (const auto& a : cell.scales) scales.push_back({a.scale, a.zero});
  out["codecs"] = std::move(codecs);
  if (!cell.scales.empty()) out["scales"] = std::move(scales);
  if (cell.how.levels) out["levels"] = cell.levels;
  return out;
}

/// Reads a part of a file and leaves the first failure in the reader of the whole.
template <class Part, class Read>
Part read_part(json_reader& in, const nlohmann::json* from, const std::string& where, Read read)
{
  Part part{};
  if (!from || in.failed()) return part;
  json_reader part_in(*from, where);
  part = read(part_in);
  if (part_in.failed()) in.take_failure(part_in);
  return part;
}

inline tally read_tally(json_reader& in, const char* half, const std::string& where)
{
  return read_part<tally>(in, in.object(half), where + ": " + half, [](json_reader& t) {
    tally made;
    made.inputs = t.integer("inputs", 0, 1'000'000'000);
    made.agree = t.integer("agree", 0, made.inputs);
    return made;
  });
}

inline agreement_score read_score(json_reader& in, const std::string& where)
{
  return read_part<agreement_score>(in, in.object("score"), where + ": score",
    [&](json_reader& s) { return agreement_score{read_tally(s, "selection", where), read_tally(s, "confirmation", where)}; });
}

inline coded_cost read_cost(json_reader& in)
{
  constexpr double most_bytes = 1e15;
  coded_cost c;
  const auto coded_as = parse_codec(in.text("codec"));
  if (!coded_as) in.fail("'codec' is not known");
  c.coded_as = coded_as.value_or(codec::raw);
  c.bytes = in.number("bytes", 0, most_bytes);
  c.payload_bytes = in.number("payload_bytes", 0, most_bytes);
  c.encode_s = in.seconds("encode_s");
  c.decode_s = in.seconds("decode_s");
  return c;
}

inline std::vector<affine> read_scales(json_reader& in, int width)
{
  std::vector<affine> scales;
  const auto* list = in.has("scales") ? in.array("scales") : nullptr;
  if (!list || in.failed()) return scales;
  for (const auto& pair : *list) {
    const bool numbers = pair.is_array() && pair.size() == 2 && pair[0].is_number() && pair[1].is_number_integer();
    const double scale = numbers ? pair[0].get<double>() : 0, zero = numbers ? pair[1].get<double>() : 0;
    const bool fits = scale >= static_cast<double>(min_scale) && scale <= static_cast<double>(max_scale) && std::abs(zero) <= max_zero(width);
    if (!fits) {
      in.fail("'scales' holds something that is not a scale and a zero point");
      return {};
    }
    scales.push_back({static_cast<float>(scale), static_cast<std::int32_t>(zero)});
  }
  return scales;
}

inline std::vector<float> read_levels(json_reader& in)
{
  std::vector<float> levels;
  const auto* list = in.array("levels");
  if (!list) return levels;
  for (const auto& each : *list) {
    const double level = each.is_number() ? each.get<double>() : std::numeric_limits<double>::infinity();
    if (!(std::abs(level) <= static_cast<double>(std::numeric_limits<float>::max()))) return in.fail("'levels' holds something that is no finite number"), std::vector<float>();
    levels.push_back(static_cast<float>(level));
  }
  return levels;
}

inline calibration_cell read_cell(json_reader& in, const std::string& where)
{
  calibration_cell cell;
  cell.how.width = in.integer("bits", min_width, max_width);
  const auto rule = parse_level_rule(in.text("rule"));
  if (!rule) in.fail("'rule' is not known");
  cell.how.rule = rule.value_or(level_rule::picture);
  if (is_step(cell.how.rule)) {
    cell.how.step_of = in.number("step_of", min_width, cell.how.width);
    if (2 * cell.how.step_of != std::floor(2 * cell.how.step_of)) in.fail("'step_of' is not a number of halves");
  }
  cell.score = read_score(in, where);
  cell.zero_share = in.number("zero_share", 0, 1);
  if (!in.failed()) cell.scales = read_scales(in, cell.how.width);
  if (!in.failed() && in.has("levels")) {
    cell.how.levels = true;
    if (!may_have_levels(cell.how.rule, cell.how.width)) in.fail("'levels' is not for this rule and width");
    else cell.levels = read_levels(in);
  }
  const auto* codecs = in.array("codecs");
  if (in.failed()) return cell;
  for (const auto& c : *codecs) cell.codecs.push_back(read_part<coded_cost>(in, &c, where + ": codec", read_cost));
  return cell;
}

inline shape read_shape(json_reader& in)
{
  std::vector<std::int64_t> extents;
  const auto* list = in.array("shape");
  if (!list) return {};
  for (const auto& e : *list) {
    const double extent = e.is_number() ? e.get<double>() : -1;
    if (!(extent >= 0 && extent < 1e9)) return in.fail("'shape' holds something that is no extent"), shape();
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  const auto made = shape::make(extents);
  if (!made) in.fail("'shape' is not possible");
  return made ? *made : shape();
}

inline calibration_row read_row(json_reader& in, const std::string& where)
{
  calibration_row row;
  row.cut = in.text("cut");
  row.dims = read_shape(in);
  row.is_signed = in.boolean("signed");
  row.macs_share = in.number("macs_share", 0, 1);
  row.raw = read_part<coded_cost>(in, in.object("raw"), where + ": raw", read_cost);
  const auto* cells = in.array("cells");
  if (in.failed()) return row;
  for (const auto& c : *cells) {
    const auto named = where + ": cell " + std::to_string(row.cells.size());
    row.cells.push_back(read_part<calibration_cell>(in, &c, named, [&](json_reader& cell) { return read_cell(cell, named); }));
  }
  return row;
}

inline input_form read_form(json_reader& in, const std::string& where)
{
  input_form f;
  f.jpeg_quality = in.integer("jpeg_quality", 0, 100);
  f.score = read_score(in, where);
  f.cost = read_part<coded_cost>(in, in.object("cost"), where + ": cost", read_cost);
  if (!in.failed() && !is_picture(f.cost.coded_as)) in.fail("'cost' is not that of a picture");
  return f;
}

}  // namespace detail

[[nodiscard]] inline nlohmann::json to_json(const calibration& c)
{
  auto forms = nlohmann::json::array(), rows = nlohmann::json::array();
  for (const auto& f : c.forms)
    forms.push_back({{"name", name_of(f)}, {"jpeg_quality", f.jpeg_quality}, {"score", detail::score_json(f.score)}, {"cost", detail::cost_json(f.cost)}});
  for (const auto& r : c.rows) {
    auto cells = nlohmann::json::array();
    for (const auto& cell : r.cells) cells.push_back(detail::cell_json(cell));
    rows.push_back({{"cut", r.cut}, {"shape", r.dims.dims()}, {"signed", r.is_signed}, {"macs_share", r.macs_share}, {"raw", detail::cost_json(r.raw)},
                    {"cells", std::move(cells)}});
  }
  return {{"schema", 1}, {"kind", "calibration"}, {"tool_version", NARROWS_VERSION}, {"model", {{"name", c.model_name}, {"hash", c.model_hash}}},
          {"machine", c.machine}, {"level", c.level}, {"inputs", c.inputs}, {"forms", std::move(forms)}, {"cuts", std::move(rows)}};
}

/// Errors: bad_input, naming `where` and the field. Whether it fits a model is for `check(calibration, model)` to say.
[[nodiscard]] inline result<calibration> calibration_from_json(const nlohmann::json& from, const std::string& where = "calibration")
{
  detail::json_reader in(from, where);
  detail::read_header(in, "calibration");
  calibration c;
  c.machine = in.text("machine");
  c.level = in.text("level");
  c.inputs = in.integer("inputs", 0, 1'000'000'000);
  const auto* model_field = in.object("model");
  const auto* forms = in.array("forms");
  const auto* rows = in.array("cuts");
  if (in.failed()) return *in.failed();
  detail::json_reader model_in(*model_field, where + ": model");
  c.model_name = model_in.text("name");
  c.model_hash = model_in.text("hash");
  if (model_in.failed()) return *model_in.failed();
  for (const auto& f : *forms) {
    const auto named = where + ": form " + std::to_string(c.forms.size());
    c.forms.push_back(detail::read_part<input_form>(in, &f, named, [&](detail::json_reader& form) { return detail::read_form(form, named); }));
    if (in.failed()) return *in.failed();
  }
  for (const auto& r : *rows) {
    const auto named = where + ": cut " + std::to_string(c.rows.size());
    c.rows.push_back(detail::read_part<calibration_row>(in, &r, named, [&](detail::json_reader& row) { return detail::read_row(row, named); }));
    if (in.failed()) return *in.failed();
  }
  return c;
}

}  // namespace narrows
