// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/version.hpp>

#include "session.hpp"
#include "simulated.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

/// The trace asked for; the device's slow-down begins in the middle of it.
trace trace_of(const simulate_command& how, const link_state& link)
{
  const link_state to{how.to.value_or(bit_rate{link.bandwidth.bits_per_second / 8}), link.rtt_s};
  const double seconds = how.length.count();
  const trace made = how.trace == "constant" ? traces::constant(link)
                     : how.trace == "step"   ? traces::step(link, to, seconds / 2)
                     : how.trace == "ramp"   ? traces::ramp(link, to, seconds)
                                             : traces::lte_like(link, seconds, how.seed);
  if (how.slow_down == 1) return made;
  std::vector<conditions> points = made.points();
  if (made.at(seconds / 2).from_s != seconds / 2) {
    conditions middle = made.at(seconds / 2);
    middle.from_s = seconds / 2;
    points.insert(std::find_if(points.begin(), points.end(), [&](const auto& p) { return p.from_s > seconds / 2; }), middle);
  }
  for (auto& p : points)
    if (p.from_s >= seconds / 2) p.load.device = how.slow_down;
  return *trace::make(std::move(points));
}

exit_code make(const simulate_command& how)
{
  if (!(how.length.count() >= 1)) return report(error(errc::bad_input, "simulate: --for must be 1s or more"));
  auto m = open_model(how.model);
  if (!m) return report(m.error());
  auto made = planning::make(*m, how.choice, how.engine, how.bits, how.codecs, {.pixels = how.pixels, .file_bytes = how.file_bytes, .forms = true});
  if (!made) return report(made.error());
  const link_state link = link_of(how.choice, false);
  if (!link.is_up() || (how.to && (how.trace == "ramp" || how.trace == "sweep") && !(how.to->bits_per_second > 0)))
    return report(error(errc::bad_input, "simulate: a trace starts from, and a ramp or sweep leads to, a rate above 0"));
  if (how.trace == "sweep") return sweep(*m, *made, how);
  const trace world = trace_of(how, link);
  const objective goal = objective_of(how.choice);
  auto done = run_policies(made->candidates, goal, world, how);
  if (!done) return report(done.error());
  const auto& rows = *done;

  switch (how.format) {
  case output_format::json: {
    json document{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(*m)}, {"objective", to_string(goal.of)},
      {"trace", {{"kind", how.trace}, {"bandwidth_bits_per_s", link.bandwidth.bits_per_second}, {"rtt_ms", link.rtt_s * 1e3},
                  {"seconds", how.length.count()}, {"noise", how.noise}, {"slow_down", how.slow_down}, {"seed", how.seed}}}};
    auto list = json::array();
    for (const auto& o : rows)
      list.push_back({{"policy", o.name}, {"requests", o.did.requests.size()}, {"unanswered", o.unanswered}, {"missed_limits", o.missed},
        {"mean_latency_ms", o.mean_latency_s * 1e3}, {"throughput_per_s", o.throughput}, {"bytes_per_request", o.bytes}, {"switches", o.did.switches},
        {"regret", {{"mean", o.did.mean_regret()}, {"p95", o.did.regret_below(0.95)}, {"worst", o.did.regret_below(1)}}},
        {"probe_s", o.did.probe_seconds}});
    document["policies"] = std::move(list);
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    break;
  }
  case output_format::csv:
    csv_line({"policy", "requests", "unanswered", "missed_limits", "mean_latency_ms", "throughput_per_s", "bytes_per_request", "switches", "regret_mean", "regret_p95", "regret_worst"});
    for (const auto& o : rows)
      csv_line({o.name, std::to_string(o.did.requests.size()), std::to_string(o.unanswered), std::to_string(o.missed),
        fmt::format("{:.4f}", o.mean_latency_s * 1e3), fmt::format("{:.4f}", o.throughput), fmt::format("{:.1f}", o.bytes), std::to_string(o.did.switches),
        fmt::format("{:.6f}", o.did.mean_regret()), fmt::format("{:.6f}", o.did.regret_below(0.95)), fmt::format("{:.6f}", o.did.regret_below(1))});
    break;
  case output_format::table: {
    fmt::print("{}   {} trace from {}, round trip {} ms, {:.0f} s, noise {:.0f} %   best {}\n\n", bold(m->name), how.trace,
      to_string(link.bandwidth), ms_text(link.rtt_s * 1e3), how.length.count(), how.noise * 100, to_string(goal.of));
    table t({{"POLICY", table::align::left}, {"REQUESTS"}, {"UNANSWERED"}, {"OVER LIMITS"}, {"MEAN ms"}, {"SENT"}, {"SWITCHES"}, {"REGRET"}, {"95 %"}, {"WORST"}});
    const auto share = [](double v) { return fmt::format("{:.1f} %", v * 100); };
    for (const auto& o : rows)
      t.row({o.name, std::to_string(o.did.requests.size()), std::to_string(o.unanswered), std::to_string(o.missed), ms_text(o.mean_latency_s * 1e3),
        bytes_text(o.bytes), std::to_string(o.did.switches), share(o.did.mean_regret()), share(o.did.regret_below(0.95)), share(o.did.regret_below(1))});
    t.print();
    fmt::print("\n{}\n", faint("regret: by how much the best plan for the true conditions of each moment is better; mean, 95 % of requests, worst"));
    break;
  }
  }
  return exit_code::ok;
}

}  // namespace

void add_simulate(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<simulate_command>();
  auto* app = add_command(program, chosen, "simulate", "Run every policy over a trace of the link, by measured profiles", options, make);
  add_model(*app, options->model);
  add_planning(*app, options->choice, "--limit,--require");
  app->remove_option(app->get_option("--policy"));
  app->add_option("--policy", options->policies, "which of them [all]: NAME+file may send the input as the file it came in")->delimiter(',')->check(CLI::IsMember(policy_names()))->type_name("P[,P]");
  app->add_flag_callback("--papers-too", [options] { options->of_papers = published_goal::asked; }, "the systems of papers follow --objective too; without it each minimises what its paper does");
  app->add_flag("--pixels", options->pixels, "inputs are pictures: their 8-bit pixels may be sent");
  app->add_option("--image-bytes", options->file_bytes, "mean size of the picture files, in bytes; 0: files cannot be sent")->check(CLI::Range(0.0, 1e9))->type_name("N")->capture_default_str();
  app->add_option("--bits", options->bits, "widths to consider [8; with --calibration those in it]")->delimiter(',')->check(CLI::Range(1, 16))->type_name("B[,B]");
  app->add_option("--codec", options->codecs, "codecs to consider [all but lz4, zstd and huffman]")->delimiter(',')->check(CLI::IsMember(codec_names()))->type_name("C[,C]");
  const auto group = "The trace";
  app->add_option("--trace", options->trace, "a constant link; a step to another rate half-way; a ramp to it; one that wanders like a phone's; or a sweep: a constant link at each of --steps rates from --bandwidth to --to")
    ->check(CLI::IsMember({"constant", "step", "ramp", "lte", "sweep"}))->type_name("constant|step|ramp|lte|sweep")->capture_default_str()->group(group);
  add_parsed(*app, "--to", options->to, parse_bit_rate, "a rate such as 5Mbit", "rate that a step, ramp or sweep leads to [an eighth of --bandwidth]")->type_name("RATE")->group(group);
  add_parsed(*app, "--for", options->length, parse_duration, "a time such as 60s", "length of the trace")->type_name("TIME")->default_str("60s")->group(group);
  app->add_option("--steps", options->steps, "rates of a sweep, each the same factor from the one before")->check(CLI::Range(1, 1000))->type_name("N")->capture_default_str()->group(group);
  app->add_option("--requests", options->requests, "end after so many requests; 0: when --for is over")->type_name("N")->capture_default_str()->group(group);
  add_parsed(*app, "--planned-for", options->planned_for, parse_bit_rate, "a rate such as 10Mbit", "rate that planned-once is planned for")->type_name("RATE")->default_str("10Mbit")->group(group);
  add_parsed(*app, "--every", options->every, parse_duration, "a time such as 50ms", "one input begins in this time; 0: when the last one has ended")->type_name("TIME")->default_str("0")->group(group);
  app->add_option("--noise", options->noise, "each transfer is up to so much faster or slower, as a share")->check(CLI::Range(0.0, 0.9))->type_name("SHARE")->capture_default_str()->group(group);
  app->add_option("--slow-down", options->slow_down, "the device takes so many times as long from the middle on")->check(CLI::Range(0.01, 1000.0))->type_name("X")->capture_default_str()->group(group);
  add_parsed(*app, "--probe", options->probe, parse_duration, "a time such as 800ms", "a probe crosses where nothing else did for so long; 0: none")->type_name("TIME")->default_str("800ms")->group(group);
  app->add_option("--seed", options->seed, "of the trace and its noise")->type_name("N")->capture_default_str()->group(group);
  add_engine(*app, options->engine);
  add_output(*app, options->format);
}

}  // namespace narrows::tool
