// SPDX-License-Identifier: BSD-3-Clause
#include "tiers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/graph/cut.hpp>
#include <narrows/json/plan.hpp>
#include <narrows/partition/gap.hpp>
#include <narrows/partition/hpa.hpp>
#include <narrows/partition/problem_from_graph.hpp>
#include <narrows/partition/throughput_cut.hpp>
#include <narrows/version.hpp>

#include "session.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

struct row {
  std::string name;
  tier_plan plan;
  std::string cut[2];     ///< behind the device, behind the edge
  std::string form[2];    ///< how what crosses there is coded
};

/// The problem with nodes kept off the tiers that are not allowed.
planning_problem only_on(planning_problem p, std::array<bool, 3> allowed)
{
  for (auto& n : p.nodes)
    for (std::size_t t = 0; t < 3; ++t)
      if (!allowed[t]) n.seconds[t] = std::numeric_limits<double>::infinity();
  return p;
}

/// "raw", "4 bits runs", or several of them.
std::string forms_on(const priced_problem& p, const tier_plan& plan, std::size_t link, const std::vector<tensor_coding>& codings)
{
  std::set<std::string> forms;
  for (std::size_t t = 0; t < p.tensors().size(); ++t) {
    if (!plan.routes[t].takes(link)) continue;
    const auto& o = p.tensors()[t].options[static_cast<std::size_t>(plan.routes[t].option[link])];
    if (o.tag >= codings.size()) continue;
    const auto& c = codings[o.tag];
    forms.insert(c.width > 0 ? fmt::format("{} bits {}", c.width, to_string(c.coded_as)) : std::string(to_string(c.coded_as)));
  }
  return forms.empty() ? "-" : fmt::format("{}", fmt::join(forms, " and "));
}

double ms_of(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

json row_json(const row& r)
{
  const auto& c = r.plan.cost;
  return {{"plan", r.name}, {"device_cut", r.cut[0]}, {"edge_cut", r.cut[1]}, {"latency_ms", c.latency_s() * 1e3}, {"throughput_per_s", 1e9 / static_cast<double>(c.period_ns())},
    {"tier_ms", {ms_of(c.tier_ns[0]), ms_of(c.tier_ns[1]), ms_of(c.tier_ns[2])}}, {"link_ms", {ms_of(c.link_ns[0]), ms_of(c.link_ns[1])}},
    {"bytes", {c.bytes[0], c.bytes[1]}}, {"coded", {r.form[0], r.form[1]}}};
}

}  // namespace

void add_tiers(CLI::App& app, tier_options& how)
{
  const auto group = "A third tier between device and cloud (--bandwidth and --rtt are then of the link to it)";
  app.add_option("--edge", how.profile, "profile of the edge, from 'narrows profile'")->type_name("FILE")->group(group);
  app.add_option("--edge-speedup", how.speedup, "how many times as fast as the device the edge is taken to be, without --edge")
    ->check(CLI::Range(0.001, 100000.0))->type_name("X")->group(group);
  add_parsed(app, "--backbone", how.backbone, parse_bit_rate, "a rate such as 5Mbit", "of the link from the edge to the cloud")->type_name("RATE")->default_str("50Mbit")->group(group);
  add_parsed(app, "--backbone-rtt", how.backbone_rtt, parse_duration, "a time such as 20ms", "round trip of that link")->type_name("TIME")->default_str("30ms")->group(group);
}

exit_code plan_tiers(const model& m, const planning& made, const planning_options& choice, const tier_options& how, const std::vector<int>& bits,
  const std::vector<std::string>& codecs, bool pixels, output_format format)
{
  const graph& g = *m.network;
  if (choice.goal != metric::latency && choice.goal != metric::throughput)
    return report(error(errc::bad_input, "plan: over three tiers the objective is latency or throughput"));
  if (!choice.limits.empty() || !choice.calibration.empty())
    return report(error(errc::bad_input, "plan: --limit and --calibration are for two tiers; over three, --bits and --codec say what may cross"));
  machine_profile edge;
  if (how.profile.empty()) {
    edge = scaled(made.device, 1 / *how.speedup);
  } else {
    auto read = profile_of(how.profile, m);
    if (!read) return report(read.error());
    edge = std::move(read).value();
  }
  problem_options options;
  options.codings.clear();
  for (const auto& name : codecs.empty() ? std::vector<std::string>{"raw", "runs"} : codecs) {
    const auto c = parse_codec(name);
    if (!c || is_picture(*c)) continue;
    if (!has_codes(*c)) options.codings.push_back({*c, 0});
    else
      for (const int b : bits.empty() ? std::vector<int>{8} : bits) options.codings.push_back({*c, b});
  }
  if (pixels) options.codings.push_back({codec::pixels, 0});
  const machine_profile* tiers[] = {&made.device, &edge, &made.cloud};
  const link_state links[] = {link_of(choice, false), {how.backbone, how.backbone_rtt.count()}};
  auto problem = problem_from_graph(g, tiers, links, options);
  if (!problem) return report(problem.error());

  std::vector<row> rows;
  const auto add = [&](std::string name, const planning_problem& of, bool heuristic) -> result<void> {
    auto p = priced_problem::make(of);
    if (!p) return unexpected(std::move(p).error());
    result<tier_plan> plan = heuristic ? hpa_plan(*p) : fastest_plan(*p);
    if (!heuristic && choice.goal == metric::throughput) {
      auto found = throughput_cut_plan(*p);
      if (found) plan = std::move(found->plan);
      else plan = unexpected(std::move(found).error());
    }
    if (!plan) return unexpected(std::move(plan).error());
    row r{std::move(name), std::move(*plan), {}, {}};
    for (std::size_t l = 0; l < 2; ++l) {
      auto at = cut_of(g, r.plan, l);
      if (!at) return unexpected(std::move(at).error());
      r.cut[l] = name_of(g, *at);
      r.form[l] = forms_on(*p, r.plan, l, options.codings);
    }
    rows.push_back(std::move(r));
    return {};
  };
  struct {
    const char* name;
    std::array<bool, 3> on;
    bool heuristic = false;
  } const asked[] = {{"three tiers", {true, true, true}}, {"HPA", {true, true, true}, true}, {"device and edge", {true, true, false}},
    {"device and cloud", {true, false, true}}, {"device alone", {true, false, false}}, {"edge alone", {false, true, false}}, {"cloud alone", {false, false, true}}};
  for (const auto& a : asked)
    if (auto added = add(a.name, only_on(*problem, a.on), a.heuristic); !added) return report(added.error());

  if (format == output_format::json) {
    json document{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(m)}, {"objective", to_string(choice.goal)}};
    auto list = json::array();
    for (const auto& l : links) list.push_back({{"bandwidth_bits_per_s", l.bandwidth.bits_per_second}, {"rtt_ms", l.rtt_s * 1e3}});
    document["links"] = std::move(list);
    document["tiers"] = json::object();
    for (std::size_t n = 0; n < g.nodes().size(); ++n) document["tiers"][g.nodes()[n].name] = rows[0].plan.tiers[n];
    list = json::array();
    for (const auto& r : rows) list.push_back(row_json(r));
    document["plans"] = std::move(list);
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    return exit_code::ok;
  }
  if (format == output_format::csv) {
    csv_line({"plan", "device_cut", "edge_cut", "latency_ms", "throughput_per_s", "device_ms", "edge_ms", "cloud_ms", "bytes_to_edge", "bytes_to_cloud"});
    for (const auto& r : rows) {
      const auto& c = r.plan.cost;
      csv_line({r.name, r.cut[0], r.cut[1], fmt::format("{:.4f}", c.latency_s() * 1e3), fmt::format("{:.4f}", 1e9 / static_cast<double>(c.period_ns())),
        fmt::format("{:.4f}", ms_of(c.tier_ns[0])), fmt::format("{:.4f}", ms_of(c.tier_ns[1])), fmt::format("{:.4f}", ms_of(c.tier_ns[2])), std::to_string(c.bytes[0]), std::to_string(c.bytes[1])});
    }
    return exit_code::ok;
  }
  fmt::print("{}   to the edge {}, {} ms; on to the cloud {}, {} ms   best {}\n", bold(m.name), to_string(links[0].bandwidth), ms_text(links[0].rtt_s * 1e3),
    to_string(links[1].bandwidth), ms_text(links[1].rtt_s * 1e3), to_string(choice.goal));
  fmt::print("whole network: device {} ms, edge {} ms, cloud {} ms\n\n", ms_text(made.device.layers.sum_s() * 1e3), ms_text(edge.layers.sum_s() * 1e3), ms_text(made.cloud.layers.sum_s() * 1e3));
  using enum table::align;
  table t({{"PLAN", left}, {"DEVICE UP TO", left}, {"EDGE UP TO", left}, {"AS", left}, {"TO EDGE"}, {"TO CLOUD"}, {"TOTAL ms"}, {"DEVICE"}, {"EDGE"}, {"CLOUD"}, {"PER s"}});
  for (const auto& r : rows) {
    const auto& c = r.plan.cost;
    t.row({r.name, shortened(r.cut[0], 28), shortened(r.cut[1], 28), r.form[0] == r.form[1] ? r.form[0] : r.form[0] + "; " + r.form[1], bytes_text(static_cast<double>(c.bytes[0])), bytes_text(static_cast<double>(c.bytes[1])),
      ms_text(c.latency_s() * 1e3), ms_text(ms_of(c.tier_ns[0])), ms_text(ms_of(c.tier_ns[1])), ms_text(ms_of(c.tier_ns[2])), fmt::format("{:.1f}", 1e9 / static_cast<double>(c.period_ns()))});
  }
  t.print();
  fmt::print("\n{}\n", faint("exact, but for HPA, the heuristic of D3; 'input' is nothing, 'none' everything"));
  return exit_code::ok;
}

}  // namespace narrows::tool
