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

#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/policies/cloud_only.hpp>
#include <narrows/schedule/policies/device_only.hpp>
#include <narrows/schedule/policies/joint.hpp>
#include <narrows/schedule/simulate.hpp>
#include <narrows/version.hpp>

#include "planner.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

struct simulate_command {
  std::string model;
  planning_options choice;
  engine_options engine;
  std::vector<int> bits;
  std::vector<std::string> codecs;
  std::string trace = "lte";
  std::optional<bit_rate> to;
  std::chrono::duration<double> length{60};
  std::chrono::duration<double> every{0};
  std::chrono::duration<double> probe{0.8};
  double noise = 0.1;
  double slow_down = 1;
  std::uint64_t seed = 1;
  output_format format = output_format::table;
};

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

/// What one policy came to.
struct outcome_of_policy {
  std::string name;
  simulation did;
  double mean_latency_s = 0;   // of the requests that were answered
  double bytes = 0;            // per request
  std::size_t unanswered = 0, missed = 0;
};

result<outcome_of_policy> run_policy(
  const std::vector<candidate>& all, any_policy policy, const objective& goal, const trace& world, const simulate_command& how)
{
  simulate_options options;
  options.seconds = how.length.count();
  options.every_s = how.every.count();
  options.noise = how.noise;
  options.probe_every_s = how.probe.count();
  options.seed = how.seed;
  outcome_of_policy o;
  o.name = policy.name();
  auto did = simulate(all, std::move(policy), goal, world, world.at(0).link, options);
  if (!did) return unexpected(std::move(did).error());
  o.did = std::move(did).value();
  for (const auto& r : o.did.requests) {
    o.bytes += all[r.candidate].cost.bytes;
    o.missed += r.feasible ? 0 : 1;
    if (std::isfinite(r.latency_s)) o.mean_latency_s += r.latency_s;
    else ++o.unanswered;
  }
  const std::size_t n = o.did.requests.size();
  if (n > o.unanswered) o.mean_latency_s /= static_cast<double>(n - o.unanswered);
  if (n > 0) o.bytes /= static_cast<double>(n);
  return o;
}

exit_code make(const simulate_command& how)
{
  if (!(how.length.count() >= 1)) return report(error(errc::bad_input, "simulate: --for must be 1s or more"));
  auto m = open_model(how.model);
  if (!m) return report(m.error());
  auto made = planning::make(*m, how.choice, how.engine, how.bits, how.codecs, {.forms = true});
  if (!made) return report(made.error());
  const link_state link = link_of(how.choice, false);
  if (!link.is_up() || (how.to && how.trace == "ramp" && !(how.to->bits_per_second > 0)))
    return report(error(errc::bad_input, "simulate: a trace starts from, and a ramp leads to, a rate above 0"));
  const trace world = trace_of(how, link);
  const objective goal = objective_of(how.choice);
  // A floor on agreement holds for every policy, those too that look at no limits: else the cloud alone would win with a JPEG that
  // changes most answers.
  std::erase_if(made->candidates, [&](const candidate& c) {
    return std::any_of(goal.limits.begin(), goal.limits.begin() + static_cast<std::ptrdiff_t>(goal.limit_count),
      [&](const limit& l) { return l.of == metric::agreement && missed_by(l, c.cost) > 0; });
  });
  std::vector<outcome_of_policy> rows;
  any_policy policies[] = {joint(goal), best_candidate(goal), device_only{}, cloud_only{}};
  for (auto& policy : policies) {
    auto o = run_policy(made->candidates, std::move(policy), goal, world, how);
    if (!o) return report(o.error());
    rows.push_back(std::move(o).value());
  }

  switch (how.format) {
  case output_format::json: {
    json document{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(*m)}, {"objective", to_string(goal.of)},
      {"trace", {{"kind", how.trace}, {"bandwidth_bits_per_s", link.bandwidth.bits_per_second}, {"rtt_ms", link.rtt_s * 1e3},
                  {"seconds", how.length.count()}, {"noise", how.noise}, {"slow_down", how.slow_down}, {"seed", how.seed}}}};
    auto list = json::array();
    for (const auto& o : rows)
      list.push_back({{"policy", o.name}, {"requests", o.did.requests.size()}, {"unanswered", o.unanswered}, {"missed_limits", o.missed},
        {"mean_latency_ms", o.mean_latency_s * 1e3}, {"bytes_per_request", o.bytes}, {"switches", o.did.switches},
        {"regret", {{"mean", o.did.mean_regret()}, {"p95", o.did.regret_below(0.95)}, {"worst", o.did.regret_below(1)}}},
        {"probe_s", o.did.probe_seconds}});
    document["policies"] = std::move(list);
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    break;
  }
  case output_format::csv:
    csv_line({"policy", "requests", "unanswered", "missed_limits", "mean_latency_ms", "bytes_per_request", "switches", "regret_mean", "regret_p95", "regret_worst"});
    for (const auto& o : rows)
      csv_line({o.name, std::to_string(o.did.requests.size()), std::to_string(o.unanswered), std::to_string(o.missed),
        fmt::format("{:.4f}", o.mean_latency_s * 1e3), fmt::format("{:.1f}", o.bytes), std::to_string(o.did.switches),
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
  app->remove_option(app->get_option("--policy"));   // all of them
  app->add_option("--bits", options->bits, "widths to consider [8; with --calibration those in it]")->delimiter(',')->check(CLI::Range(1, 16))->type_name("B[,B]");
  app->add_option("--codec", options->codecs, "codecs to consider [all but lz4 and zstd]")->delimiter(',')->check(CLI::IsMember(codec_names()))->type_name("C[,C]");
  const auto group = "The trace";
  app->add_option("--trace", options->trace, "a constant link; a step to another rate half-way; a ramp to it; or one that wanders like a phone's")
    ->check(CLI::IsMember({"constant", "step", "ramp", "lte"}))->type_name("constant|step|ramp|lte")->capture_default_str()->group(group);
  add_parsed(*app, "--to", options->to, parse_bit_rate, "a rate such as 5Mbit", "rate that a step or ramp leads to [an eighth of --bandwidth]")->type_name("RATE")->group(group);
  add_parsed(*app, "--for", options->length, parse_duration, "a time such as 60s", "length of the trace")->type_name("TIME")->default_str("60s")->group(group);
  add_parsed(*app, "--every", options->every, parse_duration, "a time such as 50ms", "one input begins in this time; 0: when the last one has ended")->type_name("TIME")->default_str("0")->group(group);
  app->add_option("--noise", options->noise, "each transfer is up to so much faster or slower, as a share")->check(CLI::Range(0.0, 0.9))->type_name("SHARE")->capture_default_str()->group(group);
  app->add_option("--slow-down", options->slow_down, "the device takes so many times as long from the middle on")->check(CLI::Range(0.01, 1000.0))->type_name("X")->capture_default_str()->group(group);
  add_parsed(*app, "--probe", options->probe, parse_duration, "a time such as 800ms", "a probe crosses where nothing else did for so long; 0: none")->type_name("TIME")->default_str("800ms")->group(group);
  app->add_option("--seed", options->seed, "of the trace and its noise")->type_name("N")->capture_default_str()->group(group);
  add_engine(*app, options->engine);
  add_output(*app, options->format);
}

}  // namespace narrows::tool
