// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>

#include <narrows/json/reader.hpp>
#include <narrows/profile/accuracy.hpp>
#include <narrows/version.hpp>

namespace narrows::tool {

nlohmann::ordered_json to_json(const score_card& card)
{
  auto rows = nlohmann::ordered_json::array();
  for (const auto& row : card.rows) {
    auto cells = nlohmann::ordered_json::array();
    for (const auto& c : row.cells)
      cells.push_back({{"bits", c.bits}, {"rule", c.rule}, {"agree", c.agree}, {"scored", c.scored},
                       {"dense_bytes", c.dense_bytes}, {"sparse_bytes", c.sparse_bytes}});
    rows.push_back({{"cut", row.cut}, {"shape", row.dims}, {"macs_share", row.macs_share}, {"float_bytes", row.float_bytes}, {"raw_bytes", row.raw_bytes},
                    {"sign", static_cast<int>(row.sign)}, {"cells", std::move(cells)}});
  }
  return {{"schema", 1}, {"kind", "scores"}, {"tool_version", NARROWS_VERSION}, {"model", {{"name", card.model}, {"hash", card.hash}}},
          {"level", card.level}, {"inputs", card.inputs}, {"rows", std::move(rows)}};
}

result<score_card> score_card_from_json(const nlohmann::json& from, const std::string& where)
{
  constexpr double most = 1e15;
  narrows::detail::json_reader in(from, where);
  in.integer("schema", 1, 1);
  if (in.text("kind") != "scores") in.fail("'kind' is not \"scores\"");
  score_card card;
  card.level = in.text("level");
  card.inputs = in.integer("inputs", 0, 1'000'000'000);
  const auto* name = in.object("model");
  const auto* rows = in.array("rows");
  if (in.failed()) return *in.failed();
  narrows::detail::json_reader model_in(*name, where + ": model");
  card.model = model_in.text("name");
  card.hash = model_in.text("hash");
  if (model_in.failed()) return *model_in.failed();
  for (const auto& r : *rows) {
    narrows::detail::json_reader row_in(r, where + ": row " + std::to_string(card.rows.size()));
    score_row row;
    row.cut = row_in.text("cut");
    row.dims = row_in.text("shape");
    row.macs_share = row_in.number("macs_share", 0, 1);
    row.float_bytes = row_in.number("float_bytes", 0, most);
    row.raw_bytes = row_in.number("raw_bytes", 0, most);
    row.sign = static_cast<value_sign>(row_in.integer("sign", 0, 2));
    const auto* cells = row_in.array("cells");
    if (row_in.failed()) return *row_in.failed();
    for (const auto& c : *cells) {
      narrows::detail::json_reader cell_in(c, where + ": row " + row.cut);
      score_cell cell;
      cell.bits = cell_in.integer("bits", 1, 16);
      cell.rule = cell_in.text("rule");
      cell.scored = cell_in.integer("scored", 1, 1'000'000'000);
      cell.agree = cell_in.integer("agree", 0, cell.scored);
      cell.dense_bytes = cell_in.number("dense_bytes", 0, most);
      cell.sparse_bytes = cell_in.number("sparse_bytes", 0, most);
      if (cell_in.failed()) return *cell_in.failed();
      row.cells.push_back(std::move(cell));
    }
    card.rows.push_back(std::move(row));
  }
  return card;
}

namespace {

double percent(const score_cell& c) { return 100.0 * c.agree / c.scored; }

std::string with_interval(const score_cell& c)
{
  const auto i = wilson_interval(static_cast<double>(c.agree) / c.scored, c.scored);
  return fmt::format("{:.1f} ({:.0f}-{:.0f})", percent(c), i.low * 100, i.high * 100);
}

const score_cell* cell_of(const score_row& row, int bits)
{
  const auto it = std::find_if(row.cells.begin(), row.cells.end(), [&](const score_cell& c) { return c.bits == bits; });
  return it == row.cells.end() ? nullptr : &*it;
}

double median(std::vector<double> x)
{
  std::sort(x.begin(), x.end());
  return x.empty() ? 0 : (x[(x.size() - 1) / 2] + x[x.size() / 2]) / 2;
}

/// Title without extension.
std::string short_name(const std::string& model) { return model.substr(0, model.rfind('.')); }

void add_median_and_worst(std::string& out, std::span<const score_card> cards)
{
  out += "### Median and worst cut\n\nAgreement in %, all single-tensor cuts of the network but the end.\n\n"
         "| model | cuts | 8 bits: median | worst | at | 4 bits: median | worst | at |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& card : cards) {
    out += fmt::format("| {} | {} |", short_name(card.model), card.rows.size());
    for (const int bits : {8, 4}) {
      std::vector<double> all;
      const score_row* worst = nullptr;
      for (const auto& row : card.rows)
        if (const auto* c = cell_of(row, bits)) {
          all.push_back(percent(*c));
          if (!worst || percent(*c) < percent(*cell_of(*worst, bits))) worst = &row;
        }
      if (worst) out += fmt::format(" {:.1f} | {} | `{}`, {:.0f} % of the work |", median(all), with_interval(*cell_of(*worst, bits)), worst->cut, worst->macs_share * 100);
      else out += " - | - | - |";
    }
    out += "\n";
  }
}

void add_averages(std::string& out, std::span<const score_card> cards, const std::set<int>& widths)
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
          sums[c.bits].first += percent(c);
          ++sums[c.bits].second;
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

void add_model(std::string& out, const score_card& card, const std::set<int>& widths)
{
  out += fmt::format("\n### {}\n\nAgreement in % with its 95 % interval. ± marks signed tensors. Model {}, executor {}.\n\n",
                     short_name(card.model), card.hash.substr(0, 12), card.level);
  std::string bits, line;
  for (const int b : widths) {
    bits += fmt::format(" {} |", b);
    line += " --- |";
  }
  out += "| cut | shape | work, % |" + bits + "\n| --- | --- | --- |" + line + "\n";
  for (const auto& row : card.rows) {
    out += fmt::format("| `{}` | {}{} | {:.0f} |", row.cut, row.dims, row.sign == value_sign::either ? " ±" : "", row.macs_share * 100);
    for (const int b : widths) {
      const auto* c = cell_of(row, b);
      out += c ? fmt::format(" {} |", with_interval(*c)) : " - |";
    }
    out += "\n";
  }
  out += "\nBytes per request, codec `dense` / `sparse`.\n\n| cut | values | `raw` |" + bits + "\n| --- | --- | --- |" + line + "\n";
  for (const auto& row : card.rows) {
    out += fmt::format("| `{}` | {:.0f} | {:.0f} |", row.cut, row.float_bytes / 4, row.raw_bytes);
    for (const int b : widths) {
      const auto* c = cell_of(row, b);
      out += c ? fmt::format(" {:.0f} / {:.0f} |", c->dense_bytes, c->sparse_bytes) : " - |";
    }
    out += "\n";
  }
}

}  // namespace

std::string low_widths_section(std::span<const score_card> cards)
{
  std::set<int> widths;
  int inputs = 0;
  for (const auto& card : cards) {
    inputs = std::max(inputs, card.inputs);
    for (const auto& row : card.rows)
      for (const auto& c : row.cells) widths.insert(c.bits);
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
