// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>

#include <narrows/graph/cost.hpp>
#include <narrows/json/profile.hpp>

#include "files.hpp"
#include "interrupt.hpp"
#include "planner.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

struct profile_options {
  std::string model;
  engine_options engine;
  int repeats = 30;
  output_format format = output_format::json;
  std::string file;
};

exit_code profile(const profile_options& options)
{
  interrupt interrupted;
  auto m = open_model(options.model);
  if (!m) return report(m.error());
  auto p = measure_here(*m, options.engine, options.repeats, interrupted.token());
  if (!p) return report(p.error());
  auto document = to_json(*p);
  document["model"]["name"] = m->name;
  const auto text = document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (!options.file.empty()) {
    auto file = new_file::write(options.file, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    if (!file) return report(file.error());
    if (auto done = file->commit(); !done) return report(done.error());
  }
  const auto& g = *m->network;
  switch (options.format) {
  case output_format::json:
    if (options.file.empty()) fmt::print("{}", text);
    break;
  case output_format::csv:
    csv_line({"node", "type", "macs", "median_us", "p5_us", "p95_us"});
    for (std::size_t i = 0; i < g.nodes().size(); ++i) {
      const auto& t = p->layers.nodes[i].seconds;
      csv_line({g.nodes()[i].name, g.nodes()[i].type, fmt::format("{}", multiply_adds(g, static_cast<node_id>(i))), fmt::format("{:.3f}", t.median_s * 1e6),
        fmt::format("{:.3f}", t.p5_s * 1e6), fmt::format("{:.3f}", t.p95_s * 1e6)});
    }
    break;
  case output_format::table: {
    fmt::print("{}   {}   executor {}, {} thread{}, {} runs\n\n", bold(m->name), p->layers.machine, p->layers.level, p->layers.threads,
      p->layers.threads == 1 ? "" : "s", p->layers.repeats);
    using enum table::align;
    table t({{"NODE", left}, {"TYPE", left}, {"MAC"}, {"MEDIAN us"}, {"P5 us"}, {"P95 us"}, {"SHARE"}, {"GMAC/s"}});
    const double sum = std::max(1e-12, p->layers.sum_s());
    for (std::size_t i = 0; i < g.nodes().size(); ++i) {
      const auto& s = p->layers.nodes[i].seconds;
      const auto macs = static_cast<double>(multiply_adds(g, static_cast<node_id>(i)));
      t.row({shortened(g.nodes()[i].name, 44), g.nodes()[i].type, count_text(macs), fmt::format("{:.1f}", s.median_s * 1e6), fmt::format("{:.1f}", s.p5_s * 1e6),
        fmt::format("{:.1f}", s.p95_s * 1e6), fmt::format("{:.1f} %", 100 * s.median_s / sum), macs > 0 ? fmt::format("{:.1f}", macs / s.median_s * 1e-9) : "-"});
    }
    t.print();
    const auto& whole = p->layers.whole;
    fmt::print("\nwhole run {} ms (p5 {}, p95 {}), {:.1f} GMAC/s; nodes add up to {} ms\n", ms_text(whole.median_s * 1e3), ms_text(whole.p5_s * 1e3),
      ms_text(whole.p95_s * 1e3), static_cast<double>(multiply_adds(g)) / std::max(1e-12, whole.median_s) * 1e-9, ms_text(p->layers.sum_s() * 1e3));
    break;
  }
  }
  return exit_code::ok;
}

}  // namespace

void add_profile(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<profile_options>();
  auto* app = add_command(program, chosen, "profile", "Time every node of a network and every codec on this machine", options, profile);
  add_model(*app, options->model);
  app->add_option("--repeats", options->repeats, "timed runs; each figure is the median of them")->check(CLI::Range(1, 100000))->type_name("N")->capture_default_str();
  app->add_option("--write", options->file, "write the profile as JSON to this file, for --device and --cloud of plan and run")->type_name("FILE");
  add_engine(*app, options->engine);
  add_output(*app, options->format);
  app->get_option("--output")->default_str("json");
}

}  // namespace narrows::tool
