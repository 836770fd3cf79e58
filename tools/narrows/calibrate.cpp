// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/json/calibration.hpp>

#include "batch.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "planner.hpp"
#include "scorer.hpp"

namespace narrows::tool {

namespace {

struct calibrate_command {
  std::string model;
  std::vector<std::string> inputs;
  std::size_t limit = 0;
  preprocessing pictures;
  engine_options engine;
  score_options how;
  std::vector<std::string> codecs;
  double gate = 0.98;
  double most_head = 0.8;
  std::string file;
  std::string base;
  output_format format = output_format::table;
};

std::string percent(const tally& t) { return t.inputs > 0 ? fmt::format("{:.1f}", 100 * t.share()) : "-"; }
std::string interval_text(const agreement_score& s)
{
  const auto i = s.interval();
  return fmt::format("{:.1f} ({:.0f}-{:.0f})", 100 * s.both().share(), 100 * i.low, 100 * i.high);
}

void print_table(const calibration& c, const calibrate_command& how)
{
  fmt::print("{}   {}   executor {}   {} inputs, agreement with the float network in %\n\n", bold(c.model_name), c.machine, c.level, c.inputs);
  using enum table::align;
  std::vector<table::column> columns{{"CUT", left}, {"WORK"}, {"AS", left}, {"SELECTION"}, {"CONFIRMED"}, {"BOTH", left}, {"", left}};
  std::vector<codec> codecs;   // of all cells: a calibration that grew may have others for some
  for (const codec coded_as : all_codecs)
    if (std::any_of(c.rows.begin(), c.rows.end(), [&](const auto& row) { return std::any_of(row.cells.begin(), row.cells.end(), [&](const auto& cell) { return cell.find(coded_as); }); }))
      codecs.push_back(coded_as);
  for (const codec coded_as : codecs) columns.push_back({std::string(to_string(coded_as))});
  table t(std::move(columns));
  const auto verdict = [&](const agreement_score& s) { return !c.is_complete(s) ? "given up" : c.legal(s, how.gate) ? "legal" : ""; };
  for (const auto& f : c.forms)
    t.row({"input", "0 %", name_of(f), percent(f.score.selection), percent(f.score.confirmation), interval_text(f.score), verdict(f.score), bytes_text(f.cost.bytes)});
  for (const auto& row : c.rows) {
    const auto work = fmt::format("{:.0f} %", 100 * row.macs_share);
    t.row({shortened(row.cut, 40), work, "raw", "100.0", "100.0", "", "legal", bytes_text(row.raw.bytes)});
    for (const auto& cell : row.cells) {
      std::vector<std::string> cells{shortened(row.cut, 40), work, to_string(cell.how), percent(cell.score.selection), percent(cell.score.confirmation),
        interval_text(cell.score), verdict(cell.score)};
      for (const codec coded_as : codecs) {
        const auto* cost = cell.find(coded_as);
        cells.push_back(cost ? bytes_text(cost->bytes) : "");
      }
      t.row(std::move(cells));
    }
  }
  t.print();
  fmt::print("\nlegal: {:g} % or more of the even inputs (selection) and of the odd ones (confirmed); bytes: whole messages, means\n", 100 * how.gate);
  if (const auto best = smallest_legal(c, {how.gate, how.most_head, {}, {}}))
    fmt::print("smallest legal with at most {:g} % of the work in the head: {} as {} by {}, {} ({}, {})\n", 100 * how.most_head, best->row->cut, to_string(best->cell->how),
      to_string(best->cost->coded_as), bytes_text(best->cost->bytes), percent(best->cell->score.selection), percent(best->cell->score.confirmation));
  else
    fmt::print("nothing is legal with at most {:g} % of the work in the head\n", 100 * how.most_head);
  if (const auto* form = smallest_legal_form(c, how.gate)) fmt::print("smallest legal form of the input: {}, {}\n", name_of(*form), bytes_text(form->cost.bytes));
}

void print_csv(const calibration& c)
{
  csv_line({"cut", "macs_share", "precision", "codec", "selection_inputs", "selection_agree", "confirmation_inputs", "confirmation_agree", "low", "high", "bytes",
    "payload_bytes", "encode_us", "decode_us"});
  const auto line = [](const std::string& cut, double share, const std::string& as, const agreement_score& s, const coded_cost& cost) {
    const auto i = s.interval();
    csv_line({cut, fmt::format("{:.6f}", share), as, std::string(to_string(cost.coded_as)), std::to_string(s.selection.inputs), std::to_string(s.selection.agree),
      std::to_string(s.confirmation.inputs), std::to_string(s.confirmation.agree), fmt::format("{:.6f}", i.low), fmt::format("{:.6f}", i.high), fmt::format("{:.1f}", cost.bytes),
      fmt::format("{:.1f}", cost.payload_bytes), fmt::format("{:.3f}", cost.encode_s * 1e6), fmt::format("{:.3f}", cost.decode_s * 1e6)});
  };
  for (const auto& f : c.forms) line("input", 0, name_of(f), f.score, f.cost);
  for (const auto& row : c.rows)
    for (const auto& cell : row.cells)
      for (const auto& cost : cell.codecs) line(row.cut, row.macs_share, to_string(cell.how), cell.score, cost);
}

result<std::vector<loaded_input>> load_inputs(const calibrate_command& options, batch& work)
{
  const auto& g = *work.network.network;
  if (g.inputs().size() != 1) return error(errc::bad_input, fmt::format("{}: has {} inputs, calibrating takes one", options.model, g.inputs().size()));
  std::vector<loaded_input> inputs;
  for (std::size_t i = 0; i < work.requests(); ++i) {
    auto in = work.load(i);
    if (!in) return unexpected(std::move(in).error());
    inputs.push_back(std::move(in->inputs[0]));
  }
  return inputs;
}

/// The calibration to add to, if one is named: refused before anything is measured in vain.
result<std::optional<calibration>> load_base(const calibrate_command& options, const model& m, const calibration& planned)
{
  if (options.base.empty()) return std::optional<calibration>();
  auto base = calibration_of(options.base, m);
  if (!base) return unexpected(std::move(base).error());
  if (const auto same = check_same(*base, planned); !same) return error(same.error().code, options.base + ": " + same.error().what);
  return std::optional(std::move(*base));
}

exit_code calibrate(const calibrate_command& options)
{
  interrupt interrupted;
  batch_options opened;
  opened.model = options.model;
  opened.inputs = options.inputs;
  opened.limit = options.limit;
  opened.pictures = options.pictures;
  auto work = batch::open(opened);
  if (!work) return report(work.error());
  auto engine = open_engine(options.engine);
  if (!engine) return report(engine.error());
  const auto inputs = load_inputs(options, *work);
  if (!inputs) return report(inputs.error());

  auto base = load_base(options, work->network, nothing_scored(work->network, *engine, inputs->size()));
  if (!base) return report(base.error());

  auto asked = options;
  asked.how.forms = !*base || (*base)->forms.empty();
  for (const codec c : codecs_of(options.codecs))
    if (has_codes(c)) asked.how.codecs.push_back(c);
  asked.how.threads = options.engine.threads;
  asked.how.stop = interrupted.token();
  std::optional<progress> shown;
  asked.how.on_cut = [&](std::size_t done, std::size_t all) {
    if (!shown) shown.emplace(fmt::format("{}: cuts scored:", work->network.name), all);
    shown->at(done);
  };
  auto c = score(work->network, *engine, *inputs, work->pictures, asked.how);
  shown.reset();
  if (!c) return report(c.error());
  if (*base) {
    if (const auto added = add(**base, *c); !added) return report(added.error());
    c = std::move(**base);
  }
  const auto text = options.file.empty() && options.format != output_format::json
    ? std::string() : to_json(*c).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (!options.file.empty()) {
    auto file = new_file::write(options.file, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    if (!file) return report(file.error());
    if (auto done = file->commit(); !done) return report(done.error());
  }
  switch (options.format) {
  case output_format::json:
    if (options.file.empty()) fmt::print("{}", text);
    break;
  case output_format::csv: print_csv(*c); break;
  case output_format::table: print_table(*c, asked); break;
  }
  return exit_code::ok;
}

}  // namespace

void add_calibrate(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<calibrate_command>();
  auto* app = add_command(program, chosen, "calibrate", "Measure agreement, bytes and times per cut, precision and codec", options, calibrate);
  add_model(*app, options->model);
  app->add_option("INPUT", options->inputs, "pictures (JPEG, PNG), folders of them, .npy arrays, serialised TensorProtos: hundreds, as the network will see them")->required()->type_name("");
  app->add_option("--limit", options->limit, "use the first N inputs; 0: all")->type_name("N")->capture_default_str();
  app->add_option("--cut", options->how.cuts, "these cuts only [all of one tensor]")->delimiter(',')->type_name("TENSOR[,TENSOR]");
  app->add_option("--most-share", options->how.most_share, "leave out cuts with more of the multiply-adds in the head")->check(CLI::Range(0.0, 1.0))->type_name("SHARE")->capture_default_str();
  app->add_flag("--dominated", options->how.dominated, "cuts that only a max-pool reads too, though the cut behind it is better in every respect");
  app->add_option_function<std::vector<std::string>>("--precision", [options](const std::vector<std::string>& all) {
    options->how.precisions.clear();
    for (const auto& text : all) {
      const auto p = parse_precision(text);
      if (!p) throw CLI::ValidationError("--precision", "'" + text + "' is not WIDTH or WIDTH:RULE, as in 4, 6:picture, 4:clip, 4:channel-clip, 4:step-3, 4:channel-step-3 or 4:clip+levels");
      options->how.precisions.push_back(*p);
    }
  }, "widths, by the rule that serves best there or by the rule named: picture, clip, channel-clip, step-N, channel-step-N (N: whose step), all but picture also with +levels: reconstruction levels [8,7,6,5,4,3,5:clip and eight steps]")
    ->delimiter(',')->type_name("P[,P]");
  app->add_option("--codec", options->codecs, "codecs to measure [all but lz4, zstd and huffman]")->delimiter(',')->check(CLI::IsMember(codec_names()))->type_name("C[,C]");
  app->add_option("--give-up", options->how.give_up, "a precision with less agreement after 50 inputs is not scored on the rest; 0: never")->check(CLI::Range(0.0, 1.0))->type_name("SHARE")->capture_default_str();
  app->add_option("--jobs", options->how.jobs, "inputs in work at once, each on --threads threads")->check(CLI::Range(1, 256))->type_name("N")->capture_default_str();
  app->add_option("--gate", options->gate, "agreement asked of both halves of the inputs, for what the table calls legal")->check(CLI::Range(0.0, 1.0))->type_name("SHARE")->capture_default_str();
  app->add_option("--most-head", options->most_head, "share of the work in the head that the table's last lines allow")->check(CLI::Range(0.0, 1.0))->type_name("SHARE")->capture_default_str();
  app->add_option("--write", options->file, "write the calibration as JSON to this file, for --calibration of plan, simulate and run")->type_name("FILE");
  app->add_option("--add-to", options->base, "a calibration of this model, machine and inputs: measure only what this command asks for, and write both; what is measured again replaces the old")->type_name("FILE");
  add_engine(*app, options->engine);
  add_preprocessing(*app, options->pictures);
  add_output(*app, options->format);
}

}  // namespace narrows::tool
