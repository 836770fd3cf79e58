// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sections.hpp"

namespace narrows::tool {

namespace {

constexpr double limit = 0.98, most_head = 0.8;

/// What the project set out to reach, in bytes of payload.
struct goal {
  std::string_view model;
  double bytes, stretch;
};
constexpr std::array goals{goal{"squeezenet1_1", 4200, 2300}, goal{"mobilenet_v2_1.0_224", 4500, 2900}, goal{"resnet18", 9000, 7000},
                           goal{"tiny_darknet", 8000, 6000}, goal{"mcunet_144", 2500, 1800}};

std::string share_text(const tally& t) { return fmt::format("{:.0f}", 100 * t.share()); }

/// "step of 3 bits in 4", "4 bits, clip", "4 bits, clip, levels".
std::string words_of(const precision& p)
{
  const auto levels = p.levels ? ", levels" : "";
  if (is_step(p.rule)) return fmt::format("step of {:g} bits in {}{}{}", p.step_of, p.width, is_per_channel(p.rule) ? ", per channel" : "", levels);
  return fmt::format("{} bits, {}{}", p.width, p.rule == level_rule::channel_clip ? "clip per channel" : std::string(to_string(p.rule)), levels);
}

std::string score_cells(const agreement_score& s)
{
  return fmt::format("{} | {} | {}", share_text(s.selection), share_text(s.confirmation), with_interval(s));
}

std::string ratio(double other, double own) { return fmt::format("{:.{}f}", other / own, other < 10 * own ? 1 : 0); }

double float_bytes(const shape& dims) { return 4 * static_cast<double>(dims.elements()); }

/// The JPEG that passes the gate, or, as a lower bound, the largest one where none does.
struct jpeg_rival {
  const input_form* form = nullptr;
  bool passes = false;
};
jpeg_rival jpeg_of(const calibration& c)
{
  jpeg_rival best;
  for (const auto& f : c.forms) {
    if (f.cost.coded_as != codec::image || f.jpeg_quality == 0) continue;
    const bool passes = c.legal(f.score, limit);
    const bool better = !best.form || (passes ? !best.passes || f.cost.bytes < best.form->cost.bytes : !best.passes && f.cost.bytes > best.form->cost.bytes);
    if (better) best = {&f, passes};
  }
  return best;
}
const input_form* form_named(const calibration& c, std::string_view name)
{
  const auto it = std::find_if(c.forms.begin(), c.forms.end(), [&](const input_form& f) { return name_of(f) == name; });
  return it == c.forms.end() ? nullptr : &*it;
}

std::string reached(const calibration& c, double payload)
{
  for (const auto& g : goals)
    if (g.model == short_name(c.model_name))
      return fmt::format("{:.1f} kB: {}; {:.1f} kB: {}", g.bytes / 1000, payload <= g.bytes ? "reached" : "**missed**", g.stretch / 1000, payload <= g.stretch ? "reached" : "missed");
  return "-";
}

/// The smallest by the agreement of all inputs together, which a lucky half may carry.
std::optional<legal_choice> smallest_observed(const calibration& c)
{
  std::optional<legal_choice> best;
  for (const auto& row : c.rows)
    for (const auto& cell : row.cells)
      for (const auto& cost : cell.codecs)
        if (row.macs_share <= most_head && c.is_complete(cell.score) && cell.score.both().share() >= limit && cell.how.rule != level_rule::upper_end &&
            (!best || cost.bytes < best->cost->bytes))
          best = legal_choice{&row, &cell, &cost};
  return best;
}

void add_smallest(std::string& out, std::span<const calibration> all)
{
  out += "### Smallest request\n\n| model | by | cut | work, % | precision | codec | payload | message | selection | confirmed | both | goal; stretch |\n"
         "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& c : all) {
    const std::array dense{codec::dense};
    const auto add = [&](std::string_view by, const std::optional<legal_choice>& best, bool judged) {
      if (!best) {
        out += fmt::format("| {} | {} | nothing passes | | | | | | | | | |\n", short_name(c.model_name), by);
        return;
      }
      out += fmt::format("| {} | {} | `{}` | {:.0f} | {} | {} | {:.0f} | {:.0f} | {} | {} |\n", short_name(c.model_name), by, best->row->cut, 100 * best->row->macs_share,
        words_of(best->cell->how), to_string(best->cost->coded_as), best->cost->payload_bytes, best->cost->bytes, score_cells(best->cell->score),
        judged ? reached(c, best->cost->payload_bytes) : "");
    };
    add("gate", smallest_legal(c, {limit, most_head, {}, {}}), true);
    add("gate, dense", smallest_legal(c, {limit, most_head, dense, {}}), false);
    add("all", smallest_observed(c), true);
  }
}

void add_ratios(std::string& out, std::span<const calibration> all)
{
  out += "\n### Beside other forms\n\nTimes the payload of the smallest request. *JPEG* is the smallest that passes the same gate; > where none does, not even that of\n"
         "the quality named.\n\n| model | float32 input | pixels | PNG | JPEG | its agreement | float32 at the same cut |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  std::vector<std::string> short_of_60, short_of_60_together, short_of_5;
  for (const auto& c : all) {
    const auto best = smallest_legal(c, {limit, most_head, {}, {}});
    if (!best) continue;
    const double own = best->cost->payload_bytes;
    const auto* pixels = form_named(c, "pixels");
    const auto* png = form_named(c, "PNG");
    const auto jpeg = jpeg_of(c);
    out += fmt::format("| {} |", short_name(c.model_name));
    const auto cell = [&](const input_form* f) { out += f ? fmt::format(" {} ({:.0f} B) |", ratio(f->cost.payload_bytes, own), f->cost.payload_bytes) : std::string(" - |"); };
    if (pixels) out += fmt::format(" {} ({:.0f} B) |", ratio(4 * pixels->cost.payload_bytes, own), 4 * pixels->cost.payload_bytes);
    else out += " - |";
    cell(pixels);
    cell(png);
    if (jpeg.form)
      out += fmt::format(" {}{} ({}, {:.0f} B) | {} |", jpeg.passes ? "" : "> ", ratio(jpeg.form->cost.payload_bytes, own), name_of(*jpeg.form), jpeg.form->cost.payload_bytes,
        with_interval(jpeg.form->score));
    else out += " - | - |";
    out += fmt::format(" {} ({:.0f} B) |\n", ratio(float_bytes(best->row->dims), own), float_bytes(best->row->dims));
    if (!pixels || 4 * pixels->cost.payload_bytes < 60 * own) short_of_60.push_back(short_name(c.model_name));
    const auto together = smallest_observed(c);
    if (!pixels || !together || 4 * pixels->cost.payload_bytes < 60 * together->cost->payload_bytes) short_of_60_together.push_back(short_name(c.model_name));
    if (!jpeg.form || jpeg.form->cost.payload_bytes < 5 * own) short_of_5.push_back(short_name(c.model_name));
  }
  const auto verdict = [](const std::vector<std::string>& missing) { return missing.empty() ? std::string("all") : fmt::format("all but {}", fmt::join(missing, ", ")); };
  out += fmt::format("\n60 times below the float32 input: {}; by the rows *all*: {}. 5 times below a JPEG of equal agreement: {}.\n", verdict(short_of_60), verdict(short_of_60_together),
    verdict(short_of_5));
}

void add_forms(std::string& out, std::span<const calibration> all)
{
  out += "\n### Forms of the input\n\nBytes of the file: agreement in % with its 95 % interval, and whether it passes the gate.\n\n| form |";
  std::string line = "| --- |";
  for (const auto& c : all) {
    out += fmt::format(" {} |", short_name(c.model_name));
    line += " --- |";
  }
  out += fmt::format("\n{}\n", line);
  if (all.empty()) return;
  for (const auto& first : all.front().forms) {
    out += fmt::format("| {} |", name_of(first));
    for (const auto& c : all) {
      const auto* f = form_named(c, name_of(first));
      out += f ? fmt::format(" {:.0f}: {}{} |", f->cost.payload_bytes, with_interval(f->score), c.legal(f->score, limit) ? ", passes" : "") : " - |";
    }
    out += "\n";
  }
}

void add_cuts(std::string& out, const calibration& c)
{
  std::size_t fewest = c.rows.empty() ? 0 : c.rows.front().cells.size(), most = fewest;
  for (const auto& row : c.rows) fewest = std::min(fewest, row.cells.size()), most = std::max(most, row.cells.size());
  out += fmt::format("\n### {}: smallest request at each cut\n\nModel {}, executor {}, {}. {} cuts, {} to {} precisions\ntried at each. Cuts where nothing passes are left out.\n\n"
                     "| cut | shape | work, % | precision | codec | payload | message | selection | confirmed | both | encode, µs | decode, µs |\n"
                     "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    short_name(c.model_name), c.model_hash.substr(0, 12), c.level, c.machine, c.rows.size(), fewest, most);
  for (const auto& row : c.rows) {
    const auto best = smallest_legal(c, {limit, 1, {}, row.cut});
    if (!best) continue;
    out += fmt::format("| `{}` | {}{} | {:.0f} | {} | {} | {:.0f} | {:.0f} | {} | {:.0f} | {:.0f} |\n", row.cut, to_string(row.dims), row.is_signed ? " ±" : "", 100 * row.macs_share,
      words_of(best->cell->how), to_string(best->cost->coded_as), best->cost->payload_bytes, best->cost->bytes, score_cells(best->cell->score), best->cost->encode_s * 1e6,
      best->cost->decode_s * 1e6);
  }
}

}  // namespace

std::string bytes_section(std::span<const calibration> all)
{
  int inputs = 0;
  for (const auto& c : all) inputs = std::max(inputs, c.inputs);
  std::string out = fmt::format(
    "## Bytes of a request\n\nWhat `narrows calibrate` measured with {} photographs. A precision passes the *gate* where at least {:g} % of the even photographs\n"
    "(*selection*) and at least {:g} % of the odd ones (*confirmed*) keep the first class of the float, uncut network; scales for one half are\n"
    "fitted on the other. *Both* is all of them with Wilson's 95 % interval: {:g} % of {} is {}, so the gate passes what is {:g} % here, and\n"
    "no more is claimed. At most {:g} % of the multiply-adds are in the head. Rows *all* ask {:g} % of all photographs together, as goals do,\n"
    "and may owe it to one lucky half.\n"
    "*Payload* is the coded tensor, *message* all that the edge sends; means over the photographs. `zstd` and `huffman` need `narrows::codecs` on both sides.\n"
    "Made again by `tools/measure.py bytes`.\n\n",
    inputs, 100 * limit, 100 * limit, 100 * limit, inputs,
    with_interval({{inputs, static_cast<int>(limit * inputs)}, {}}), 100 * limit, 100 * most_head, 100 * limit);
  add_smallest(out, all);
  add_ratios(out, all);
  add_forms(out, all);
  for (const auto& c : all) add_cuts(out, c);
  return out;
}

}  // namespace narrows::tool
