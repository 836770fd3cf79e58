// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/descriptor.hpp>

/// What coding a tensor at a cut costs in agreement, bytes and time, as measured: `narrows calibrate` writes it.
namespace narrows {

/// 95 % interval of a share, after Wilson (1927): honest near 0 and 1, where the normal approximation is not.
struct share_interval {
  double low = 0;
  double high = 1;
};
[[nodiscard]] inline share_interval wilson_interval(double share, double trials)
{
  if (!(trials > 0)) return {};
  const double z = 1.959963984540054, zz = z * z / trials;
  const double middle = (share + zz / 2) / (1 + zz);
  const double half = z / (1 + zz) * std::sqrt(share * (1 - share) / trials + zz / (4 * trials));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

/// Where the levels of codes come from.
enum class level_rule : std::uint8_t {
  picture,       ///< from the smallest to the largest value of each input
  clip,          ///< the range of least squared error over the calibration inputs
  channel_clip,  ///< the same for each channel
  step,          ///< the step of such a range at fewer bits, and codes run on beyond it
  channel_step,  ///< the same for each channel
  upper_end,     ///< class scores: from each input's largest score down. No plan can ask for it: scales made per input
};
inline constexpr std::array all_level_rules{level_rule::picture,      level_rule::clip,         level_rule::channel_clip,
                                            level_rule::step,         level_rule::channel_step, level_rule::upper_end};

[[nodiscard]] constexpr std::string_view to_string(level_rule r) noexcept
{
  switch (r) {
  case level_rule::picture: return "picture";
  case level_rule::clip: return "clip";
  case level_rule::channel_clip: return "channel-clip";
  case level_rule::step: return "step";
  case level_rule::channel_step: return "channel-step";
  case level_rule::upper_end: return "upper-end";
  }
  return "unknown";
}
[[nodiscard]] constexpr std::optional<level_rule> parse_level_rule(std::string_view name) noexcept
{
  for (const auto r : all_level_rules)
    if (name == to_string(r)) return r;
  return std::nullopt;
}

[[nodiscard]] constexpr bool is_step(level_rule r) noexcept { return r == level_rule::step || r == level_rule::channel_step; }
[[nodiscard]] constexpr bool is_per_channel(level_rule r) noexcept { return r == level_rule::channel_clip || r == level_rule::channel_step; }
/// Whether the scales are found beforehand and travel with a plan.
[[nodiscard]] constexpr bool has_fixed_scales(level_rule r) noexcept { return r != level_rule::picture && r != level_rule::upper_end; }
/// Whether reconstruction levels can be fitted: beside scales that are fixed, of few codes.
[[nodiscard]] constexpr bool may_have_levels(level_rule r, int width) noexcept { return has_fixed_scales(r) && width <= max_level_width; }

/// How finely a tensor is coded.
struct precision {
  int width = 8;                        ///< bits of a code
  level_rule rule = level_rule::picture;
  double step_of = 0;                   ///< step rules: the width whose range has this step, in halves (fit_step); else 0
  bool levels = false;                  ///< with reconstruction levels: a code means the mean of the values that get it (fit_levels)
  friend bool operator==(const precision&, const precision&) = default;
};

/// "8:picture", "4:clip", "4:step-2", "5:channel-step-3.5", "4:clip+levels": width, rule, whose step, and whether it has levels.
[[nodiscard]] inline std::string to_string(const precision& p)
{
  std::string text = std::to_string(p.width);
  text += ':';
  text += to_string(p.rule);
  if (is_step(p.rule)) {
    const int halves = static_cast<int>(2 * p.step_of);
    text += '-';
    text += std::to_string(halves / 2);
    if (halves % 2 != 0) text += ".5";
  }
  if (p.levels) text += "+levels";
  return text;
}

/// Inputs scored, and those whose first class was that of the float, uncut network.
struct tally {
  int inputs = 0;
  int agree = 0;
  [[nodiscard]] constexpr double share() const noexcept { return inputs > 0 ? static_cast<double>(agree) / inputs : 0; }
  friend bool operator==(const tally&, const tally&) = default;
};

/// Agreement on two disjoint halves of the inputs: what chance added to a good figure on one is not there on the other.
struct agreement_score {
  tally selection;
  tally confirmation;

  /// What may be promised: the smaller share.
  [[nodiscard]] constexpr double agreement() const noexcept { return std::min(selection.share(), confirmation.share()); }
  [[nodiscard]] constexpr tally both() const noexcept
  {
    return {selection.inputs + confirmation.inputs, selection.agree + confirmation.agree};
  }
  /// Wilson's, of both halves together.
  [[nodiscard]] share_interval interval() const { return wilson_interval(both().share(), both().inputs); }
  friend bool operator==(const agreement_score&, const agreement_score&) = default;
};

/// What sending costs: means of the bytes, medians of the times, over the inputs scored.
struct coded_cost {
  codec coded_as = codec::dense;
  double bytes = 0;             ///< of the message: envelope, descriptor and payload
  double payload_bytes = 0;
  double encode_s = 0;
  double decode_s = 0;
  friend bool operator==(const coded_cost&, const coded_cost&) = default;
};

/// One tensor at one cut in one precision.
struct calibration_cell {
  precision how;
  agreement_score score{};
  double zero_share = 0;             ///< mean share of values that arrive as 0
  std::vector<affine> scales{};      ///< rules with fixed scales: fitted on all inputs; one, or one per channel
  std::vector<coded_cost> codecs{};
  std::vector<float> levels{};       ///< with `how.levels`: fitted on all inputs; 2^width for each scale

  [[nodiscard]] const coded_cost* find(codec coded_as) const noexcept
  {
    const auto it = std::find_if(codecs.begin(), codecs.end(), [&](const coded_cost& c) { return c.coded_as == coded_as; });
    return it == codecs.end() ? nullptr : &*it;
  }
  friend bool operator==(const calibration_cell&, const calibration_cell&) = default;
};

/// A cut through one tensor.
struct calibration_row {
  std::string cut;                   ///< name_of(graph, cut)
  shape dims;
  bool is_signed = false;            ///< values of both signs may cross
  double macs_share = 0;             ///< of the network's multiply-adds, in the head
  coded_cost raw{codec::raw};        ///< sent as float32
  std::vector<calibration_cell> cells{};
  friend bool operator==(const calibration_row&, const calibration_row&) = default;
};

/// A form in which the picture itself may travel, of the very pixels that the network sees.
struct input_form {
  int jpeg_quality = 0;              ///< 0: PNG, pixels or predicted
  agreement_score score{};
  coded_cost cost{codec::image};     ///< image, pixels or predicted; encode_s: compressing the pixels; decode_s: up to the network's input
  friend bool operator==(const input_form&, const input_form&) = default;
};

/// "pixels", "predicted", "PNG", "JPEG q90".
[[nodiscard]] inline std::string name_of(const input_form& f)
{
  return f.cost.coded_as != codec::image ? std::string(to_string(f.cost.coded_as)) : f.jpeg_quality == 0 ? "PNG" : "JPEG q" + std::to_string(f.jpeg_quality);
}

/// A model on a machine. Even inputs are the selection half, odd ones the confirmation half; where scales are fixed, each
/// half is scored with scales fitted on the other.
struct calibration {
  std::string model_hash;
  std::string model_name;
  std::string machine;               ///< the times are of
  std::string level;                 ///< of the executor
  int inputs = 0;
  std::vector<input_form> forms;
  std::vector<calibration_row> rows;

  /// Null where the cut was not measured.
  [[nodiscard]] const calibration_row* find(std::string_view cut) const noexcept
  {
    const auto it = std::find_if(rows.begin(), rows.end(), [&](const calibration_row& r) { return r.cut == cut; });
    return it == rows.end() ? nullptr : &*it;
  }
  /// Whether every input was scored: hopeless precisions are given up early, and their figures are of few inputs.
  [[nodiscard]] bool is_complete(const agreement_score& s) const noexcept { return s.both().inputs == inputs; }
  /// The gate: every input scored, and the share of agreeing answers at least `limit` on the one half and on the other.
  [[nodiscard]] bool legal(const agreement_score& s, double limit) const noexcept
  {
    return is_complete(s) && s.selection.inputs > 0 && s.confirmation.inputs > 0 && s.agreement() >= limit;
  }
  friend bool operator==(const calibration&, const calibration&) = default;
};

/// Whether it was measured on this model. Errors: model_mismatch, naming both hashes.
[[nodiscard]] inline result<void> check(const calibration& c, const model& m)
{
  if (c.model_hash == m.hash) return {};
  return error(errc::model_mismatch, "calibration: measured on a model with hash " + c.model_hash.substr(0, 12) + ", '" + m.name +
                                       "' has " + m.hash.substr(0, 12));
}

/// Whether a row can be of a tensor of this shape. Errors: model_mismatch (another shape), bad_input (a number of scales or
/// levels).
[[nodiscard]] inline result<void> check(const calibration_row& row, const shape& dims)
{
  if (!(row.dims == dims))
    return error(errc::model_mismatch, "calibration: '" + row.cut + "' is " + to_string(row.dims) + ", in the model it is " + to_string(dims));
  for (const auto& cell : row.cells) {
    if (!has_fixed_scales(cell.how.rule)) continue;
    if (!(is_per_channel(cell.how.rule) ? dims.rank() > 1 && cell.scales.size() == static_cast<std::size_t>(dims[1]) : cell.scales.size() == 1))
      return error(errc::bad_input, "calibration: '" + row.cut + "' has " + std::to_string(cell.scales.size()) + " scales at " + to_string(cell.how));
    if (cell.levels.size() != (cell.how.levels ? cell.scales.size() << cell.how.width : 0))
      return error(errc::bad_input, "calibration: '" + row.cut + "' has " + std::to_string(cell.levels.size()) + " levels at " + to_string(cell.how));
  }
  return {};
}

/// Whether two calibrations are of the same measurement, so that `add` may join them.
/// Errors: model_mismatch (another model), bad_input (another machine, executor level or number of inputs).
[[nodiscard]] inline result<void> check_same(const calibration& a, const calibration& b)
{
  const auto differ = [](errc e, const std::string& what, const std::string& x, const std::string& y) {
    return error(e, "calibration: " + what + " '" + x + "', not '" + y + "'");
  };
  if (a.model_hash != b.model_hash) return differ(errc::model_mismatch, "of a model with hash", a.model_hash.substr(0, 12), b.model_hash.substr(0, 12));
  if (a.machine != b.machine) return differ(errc::bad_input, "measured on", a.machine, b.machine);
  if (a.level != b.level) return differ(errc::bad_input, "measured by executor", a.level, b.level);
  if (a.inputs != b.inputs) return differ(errc::bad_input, "number of inputs is", std::to_string(a.inputs), std::to_string(b.inputs));
  return {};
}

/// Adds what `more` measured: rows of cuts that were not there, in the order of their work, and to the others their cells; a cell of the
/// same precision takes the old one's place, codecs included. Forms that are there stay. Whether the inputs were the same is the caller's to know.
/// Errors: those of check_same; model_mismatch (a cut of another shape). `to` is then as it was.
[[nodiscard]] inline result<void> add(calibration& to, const calibration& more)
{
  NARROWS_TRY(check_same(to, more));
  for (const auto& row : more.rows)
    if (const auto* known = to.find(row.cut)) NARROWS_TRY(check(row, known->dims));
  for (const auto& row : more.rows) {
    const auto known = std::find_if(to.rows.begin(), to.rows.end(), [&](const calibration_row& r) { return r.cut == row.cut; });
    if (known == to.rows.end()) {
      to.rows.push_back(row);
      continue;
    }
    for (const auto& cell : row.cells) {
      const auto old = std::find_if(known->cells.begin(), known->cells.end(), [&](const calibration_cell& c) { return c.how == cell.how; });
      if (old == known->cells.end()) known->cells.push_back(cell);
      else *old = cell;
    }
    known->raw = row.raw;
  }
  std::stable_sort(to.rows.begin(), to.rows.end(), [](const calibration_row& a, const calibration_row& b) { return a.macs_share < b.macs_share; });
  if (to.forms.empty()) to.forms = more.forms;
  return {};
}

/// How a plan codes a tensor as a cell was measured; none where no plan can (`upper_end`) or scales or levels are missing.
[[nodiscard]] inline std::optional<coding> coding_of(const calibration_cell& cell, codec coded_as)
{
  coding how;
  how.coded_as = coded_as;
  how.width = cell.how.width;
  if (cell.how.rule == level_rule::picture) return how;
  if (!has_fixed_scales(cell.how.rule) || cell.scales.empty()) return std::nullopt;
  how.rule = range_rule::calibrated;
  if (is_per_channel(cell.how.rule)) how.group.axis = 1;
  how.scales = std::make_shared<const std::vector<affine>>(cell.scales);
  if (!cell.how.levels) return how;
  if (cell.levels.empty()) return std::nullopt;
  how.levels = std::make_shared<const std::vector<float>>(cell.levels);
  return how;
}

/// What may be chosen.
struct legal_bounds {
  double agreement = 0.98;             ///< asked of each half of the inputs
  double most_share = 1;               ///< of the multiply-adds in the head
  std::span<const codec> codecs{};     ///< empty: all
  std::string_view cut{};              ///< empty: any
};
struct legal_choice {
  const calibration_row* row;
  const calibration_cell* cell;
  const coded_cost* cost;
};

/// The smallest message that passes the gate, among what a plan can ask for; none if nothing does. It points into `c`.
[[nodiscard]] inline std::optional<legal_choice> smallest_legal(const calibration& c, const legal_bounds& within)
{
  std::optional<legal_choice> best;
  for (const auto& row : c.rows) {
    if (row.macs_share > within.most_share || !(within.cut.empty() || row.cut == within.cut)) continue;
    for (const auto& cell : row.cells) {
      if (!c.legal(cell.score, within.agreement) || cell.how.rule == level_rule::upper_end) continue;
      for (const auto& cost : cell.codecs) {
        if (!within.codecs.empty() && std::find(within.codecs.begin(), within.codecs.end(), cost.coded_as) == within.codecs.end()) continue;
        if (!best || cost.bytes < best->cost->bytes) best = legal_choice{&row, &cell, &cost};
      }
    }
  }
  return best;
}

/// The smallest form of the input that passes the gate: PNG does, as it loses nothing. Null if none does.
[[nodiscard]] inline const input_form* smallest_legal_form(const calibration& c, double limit)
{
  const input_form* best = nullptr;
  for (const auto& f : c.forms)
    if (c.legal(f.score, limit) && (!best || f.cost.bytes < best->cost.bytes)) best = &f;
  return best;
}

}  // namespace narrows
