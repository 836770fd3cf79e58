// SPDX-License-Identifier: BSD-3-Clause
#include "sections.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace narrows::tool {

std::string with_interval(const agreement_score& s)
{
  const auto i = s.interval();
  return fmt::format("{:.1f} ({:.0f}-{:.0f})", 100 * s.both().share(), i.low * 100, i.high * 100);
}

std::string short_name(const std::string& model) { return model.substr(0, model.rfind('.')); }

namespace {

double percent(const calibration_cell& c) { return 100 * c.score.both().share(); }

const calibration_cell* cell_of(const calibration_row& row, int bits)
{
  const auto it = std::find_if(row.cells.begin(), row.cells.end(), [&](const calibration_cell& c) { return c.how.width == bits; });
  return it == row.cells.end() ? nullptr : &*it;
}

double median(std::vector<double> x)
{
  std::sort(x.begin(), x.end());
  return x.empty() ? 0 : (x[(x.size() - 1) / 2] + x[x.size() / 2]) / 2;
}

double bytes_of(const calibration_cell& c, codec coded_as)
{
  const auto* cost = c.find(coded_as);
  return cost ? cost->bytes : 0;
}

void add_median_and_worst(std::string& out, std::span<const calibration> cards)
{
  out += "### Median and worst cut\n\nAgreement in %, all single-tensor cuts of the network but the end.\n\n"
         "| model | cuts | 8 bits: median | worst | at | 4 bits: median | worst | at |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& card : cards) {
    out += fmt::format("| {} | {} |", short_name(card.model_name), card.rows.size());
    for (const int bits : {8, 4}) {
      std::vector<double> all;
      const calibration_row* worst = nullptr;
      for (const auto& row : card.rows)
        if (const auto* c = cell_of(row, bits)) {
          all.push_back(percent(*c));
          if (!worst || percent(*c) < percent(*cell_of(*worst, bits))) worst = &row;
        }
      if (worst) out += fmt::format(" {:.1f} | {} | `{}`, {:.0f} % of the work |", median(all), with_interval(cell_of(*worst, bits)->score), worst->cut, worst->macs_share * 100);
      else out += " - | - | - |";
    }
    out += "\n";
  }
}

void add_averages(std::string& out, std::span<const calibration> cards, const std::set<int>& widths)
{
  out += "\n### Average over cuts\n\nMean agreement in %, every cut of every network alike.\n\n| cuts | number |";
  std::string line = "| --- | --- |";
  for (const int b : widths) {
    out += fmt::format(" {} bit{} |", b, b == 1 ? "" : "s");
    line += " --- |";
  }
  out += "\n" + line + "\n";
  for (const bool late : {false, true}) {
    std::size_t cuts = 0;
    std::map<int, std::pair<double, int>> sums;
    for (const auto& card : cards)
      for (const auto& row : card.rows) {
        if ((row.macs_share > 0.2) != late) continue;
        ++cuts;
        for (const auto& c : row.cells) {
          sums[c.how.width].first += percent(c);
          ++sums[c.how.width].second;
        }
      }
    out += fmt::format("| {} 20 % of the multiply-adds | {} |", late ? "past" : "up to", cuts);
    for (const int b : widths) {
      const auto [sum, n] = sums[b];
      out += n == 0 ? " - |" : static_cast<std::size_t>(n) == cuts ? fmt::format(" {:.1f} |", sum / n) : fmt::format(" {:.1f} ({} cuts) |", sum / n, n);
    }
    out += "\n";
  }
}

void add_model(std::string& out, const calibration& card, const std::set<int>& widths)
{
  out += fmt::format("\n### {}\n\nAgreement in % with its 95 % interval. ± marks signed tensors. Model {}, executor {}.\n\n",
                     short_name(card.model_name), card.model_hash.substr(0, 12), card.level);
  std::string bits, line;
  for (const int b : widths) {
    bits += fmt::format(" {} |", b);
    line += " --- |";
  }
  out += "| cut | shape | work, % |" + bits + "\n| --- | --- | --- |" + line + "\n";
  for (const auto& row : card.rows) {
    out += fmt::format("| `{}` | {}{} | {:.0f} |", row.cut, to_string(row.dims), row.is_signed ? " ±" : "", row.macs_share * 100);
    for (const int b : widths) {
      const auto* c = cell_of(row, b);
      out += c ? fmt::format(" {} |", with_interval(c->score)) : " - |";
    }
    out += "\n";
  }
  out += "\nBytes per request, codec `dense` / `sparse`.\n\n| cut | values | `raw` |" + bits + "\n| --- | --- | --- |" + line + "\n";
  for (const auto& row : card.rows) {
    out += fmt::format("| `{}` | {:.0f} | {:.0f} |", row.cut, static_cast<double>(row.dims.elements()), row.raw.bytes);
    for (const int b : widths) {
      const auto* c = cell_of(row, b);
      out += c ? fmt::format(" {:.0f} / {:.0f} |", bytes_of(*c, codec::dense), bytes_of(*c, codec::sparse)) : " - |";
    }
    out += "\n";
  }
}

}  // namespace

std::string low_widths_section(std::span<const calibration> cards)
{
  std::set<int> widths;
  int inputs = 0;
  for (const auto& card : cards) {
    inputs = std::max(inputs, card.inputs);
    for (const auto& row : card.rows)
      for (const auto& c : row.cells) widths.insert(c.how.width);
  }
  std::string out = fmt::format(
    "## Low widths\n\nOne tensor is quantised at one cut and the tail runs in float32. *Agreement* is the share of {0} photographs whose first\n"
    "class is that of the float, uncut network; intervals are Wilson's, 95 %. The photographs are dealt to two halves in turn: ranges are\n"
    "fitted on one half and scored on the other, both ways, so each photograph is scored, and never with a range that saw it.\n"
    "Made again by `tools/measure.py low-widths`.\n\n"
    "Ranges: from 5 bits on the smallest and largest value of each picture; at 3 and 4 bits the clip of least squared error, per channel in the\n"
    "first 20 % of the multiply-adds; at 1 and 2 bits that clip per channel. Of class scores, from 3 bits on, the upper end:\n"
    "from each picture's largest score down, as far as most agreement on the other half asks. One bit has the levels 0 and s: of little use to\n"
    "tensors of both signs. Bytes are what the edge sends for one input, envelope and payload, the mean over the photographs. A cut before a\n"
    "max-pool is listed though the cut after it is better in every respect.\n\n", inputs);
  add_median_and_worst(out, cards);
  add_averages(out, cards, widths);
  for (const auto& card : cards) add_model(out, card, widths);
  return out;
}

}  // namespace narrows::tool
