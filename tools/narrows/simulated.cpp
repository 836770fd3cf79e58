// SPDX-License-Identifier: BSD-3-Clause
#include "simulated.hpp"

#include <algorithm>
#include <cmath>

#include <narrows/partition/undominated.hpp>

namespace narrows::tool {

namespace {

result<outcome_of_policy> run_policy(const std::vector<candidate>& from, const std::string& name, const objective& goal, const trace& world, const simulate_command& how)
{
  simulate_options options;
  options.seconds = how.length.count();
  options.requests = how.requests;
  options.every_s = how.every.count();
  options.noise = how.noise;
  options.probe_every_s = how.probe.count();
  options.seed = how.seed;
  const link_state first = world.at(0).link;
  auto did = simulate(from, policy_named(name, goal, {how.planned_for, first.rtt_s}, how.of_papers), goal, world, first, options);
  if (!did) return unexpected(std::move(did).error());
  outcome_of_policy o;
  o.name = name;
  o.did = std::move(did).value();
  std::vector<std::size_t> taken(from.size());
  double periods = 0, agreements = 0;
  bool known = true;
  for (const auto& r : o.did.requests) {
    const candidate& c = from[r.candidate];
    ++taken[r.candidate];
    o.bytes += c.cost.bytes;
    o.missed += r.feasible ? 0 : 1;
    periods += r.period_s;
    known = known && c.cost.agreement;
    agreements += c.cost.agreement.value_or(0);
    if (std::isfinite(r.latency_s)) o.mean_latency_s += r.latency_s;
    else ++o.unanswered;
  }
  const std::size_t n = o.did.requests.size();
  if (n > o.unanswered) o.mean_latency_s /= static_cast<double>(n - o.unanswered);
  o.throughput = periods > 0 ? static_cast<double>(n) / periods : 0;
  if (n > 0) {
    o.bytes /= static_cast<double>(n);
    if (known) o.agreement = agreements / static_cast<double>(n);
  }
  o.most = from[static_cast<std::size_t>(std::max_element(taken.begin(), taken.end()) - taken.begin())];
  return o;
}

}  // namespace

result<std::vector<outcome_of_policy>> run_policies(
  const std::vector<candidate>& all, const objective& goal, const trace& world, const simulate_command& how)
{
  const auto few = without_dominated(all);
  std::vector<outcome_of_policy> rows;
  for (const auto& name : how.policies.empty() ? policy_names() : how.policies) {
    auto o = run_policy(looks_at_costs_alone(name) ? few : all, name, goal, world, how);
    if (!o) return unexpected(std::move(o).error());
    rows.push_back(std::move(o).value());
  }
  return rows;
}

}  // namespace narrows::tool
