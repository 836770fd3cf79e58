// SPDX-License-Identifier: BSD-3-Clause
#include "simulated.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/partition/candidate_of.hpp>
#include <narrows/partition/min_cut.hpp>
#include <narrows/partition/throughput_cut.hpp>
#include <narrows/version.hpp>

#include "session.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

/// The cut of DADS where several tensors cross it: all others of floats are among the candidates anyway. None where one does, or
/// no plan is possible.
result<std::optional<candidate>> wide_float_cut(const graph& g, const planning& made, const link_state& link, metric goal)
{
  const std::array<tensor_coding, 2> floats{{{codec::raw, 0}, {codec::pixels, 0}}};
  problem_options how;
  how.codings.assign(floats.begin(), floats.end());
  const machine_profile* tiers[] = {&made.device, &made.cloud};
  auto problem = problem_from_graph(g, tiers, std::span(&link, 1), how);
  if (!problem) return unexpected(std::move(problem).error());
  auto priced = priced_problem::make(*problem);
  if (!priced) return unexpected(std::move(priced).error());
  std::optional<tier_plan> plan;
  if (goal == metric::throughput) {
    if (auto found = throughput_cut_plan(*priced)) plan = std::move(found->plan);
  } else if (auto found = min_cut_plan(*priced)) {
    plan = std::move(*found);
  }
  if (!plan) return std::optional<candidate>();
  auto c = candidate_of(g, *priced, *plan, floats);
  if (!c) return unexpected(std::move(c).error());
  if (c->what.at.tensors.size() < 2) return std::optional<candidate>();
  return std::optional(std::move(*c));
}

struct point {
  link_state link;
  std::vector<outcome_of_policy> rows;
};

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

}  // namespace

exit_code sweep(const model& m, const planning& made, const simulate_command& how)
{
  const graph& g = *m.network;
  const objective goal = objective_of(how.choice);
  const link_state from = link_of(how.choice, false);
  const double to = how.to.value_or(bit_rate{from.bandwidth.bits_per_second / 8}).bits_per_second;
  std::vector<point> points;
  for (int i = 0; i < how.steps; ++i) {
    const double part = how.steps > 1 ? static_cast<double>(i) / (how.steps - 1) : 0;
    point p{{{from.bandwidth.bits_per_second * std::pow(to / from.bandwidth.bits_per_second, part)}, from.rtt_s}, {}};
    auto all = made.candidates;
    auto wide = wide_float_cut(g, made, p.link, goal.of);
    if (!wide) return report(wide.error());
    if (*wide) all.push_back(std::move(**wide));
    auto rows = run_policies(all, goal, traces::constant(p.link), how);
    if (!rows) return report(rows.error());
    p.rows = std::move(*rows);
    points.push_back(std::move(p));
  }

  switch (how.format) {
  case output_format::json: {
    json document{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(m)}, {"objective", to_string(goal.of)},
      {"rtt_ms", from.rtt_s * 1e3}, {"device_slower", how.choice.device_slower}, {"noise", how.noise}, {"seed", how.seed},
      {"planned_once_for_bits_per_s", how.planned_for.bits_per_second}};
    auto list = json::array();
    for (const auto& p : points) {
      auto rows = json::array();
      for (const auto& o : p.rows)
        rows.push_back({{"policy", o.name}, {"plan", plan_text(g, o.most.what)}, {"requests", o.did.requests.size()}, {"unanswered", o.unanswered},
          {"missed_limits", o.missed}, {"mean_latency_ms", o.mean_latency_s * 1e3}, {"throughput_per_s", o.throughput}, {"bytes_per_request", o.bytes},
          {"agreement", o.agreement ? json(*o.agreement) : json()}, {"switches", o.did.switches},
          {"regret", {{"mean", o.did.mean_regret()}, {"p95", o.did.regret_below(0.95)}, {"worst", o.did.regret_below(1)}}}});
      list.push_back({{"bandwidth_bits_per_s", p.link.bandwidth.bits_per_second}, {"policies", std::move(rows)}});
    }
    document["points"] = std::move(list);
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    break;
  }
  case output_format::csv:
    csv_line({"bandwidth_bits_per_s", "policy", "plan", "missed_limits", "mean_latency_ms", "throughput_per_s", "bytes_per_request", "agreement", "switches", "regret_mean", "regret_p95", "regret_worst"});
    for (const auto& p : points)
      for (const auto& o : p.rows)
        csv_line({fmt::format("{:.0f}", p.link.bandwidth.bits_per_second), o.name, plan_text(g, o.most.what), std::to_string(o.missed),
          fmt::format("{:.4f}", o.mean_latency_s * 1e3), fmt::format("{:.4f}", o.throughput), fmt::format("{:.1f}", o.bytes),
          o.agreement ? fmt::format("{:.6f}", *o.agreement) : "", std::to_string(o.did.switches), fmt::format("{:.6f}", o.did.mean_regret()),
          fmt::format("{:.6f}", o.did.regret_below(0.95)), fmt::format("{:.6f}", o.did.regret_below(1))});
    break;
  case output_format::table: {
    fmt::print("{}   constant links, round trip {} ms, noise {:.0f} %   best {}\n", bold(m.name), ms_text(from.rtt_s * 1e3), how.noise * 100, to_string(goal.of));
    for (const auto& p : points) {
      fmt::print("\n{}\n", bold(to_string(p.link.bandwidth)));
      using enum table::align;
      table t({{"POLICY", left}, {"MEAN ms"}, {"PER s"}, {"SENT"}, {"AGREE"}, {"REGRET"}, {"PLAN", left}});
      for (const auto& o : p.rows)
        t.row({o.name, ms_text(o.mean_latency_s * 1e3), fmt::format("{:.1f}", o.throughput), bytes_text(o.bytes), o.agreement ? percent(*o.agreement) : "?",
          o.missed > 0 ? "over limits" : percent(o.did.mean_regret()), shortened(plan_text(g, o.most.what), 50)});
      t.print();
    }
    fmt::print("\n{}\n", faint("regret: by how much the best plan of all is better; PER s: of a pipeline"));
    break;
  }
  }
  return exit_code::ok;
}

}  // namespace narrows::tool
