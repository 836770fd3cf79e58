// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/graph/cut.hpp>
#include <narrows/json/plan.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/schedule/policies/cloud_only.hpp>
#include <narrows/schedule/policies/device_only.hpp>
#include <narrows/version.hpp>

#include "planner.hpp"
#include "session.hpp"
#include "tiers.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

struct plan_command {
  std::string model;
  planning_options choice;
  tier_options tiers;
  engine_options engine;
  std::vector<int> bits;
  std::vector<std::string> codecs;
  bool pixels = false;
  double file_bytes = 0;
  std::size_t show = 20;
  bool explain = false;
  output_format format = output_format::table;
};

std::string ms_or_never(double seconds) { return std::isfinite(seconds) ? ms_text(seconds * 1e3) : "never"; }

std::string form_text(const candidate& c)
{
  if (c.what.codings.empty()) return "-";
  const auto& how = c.what.codings.front();
  if (how.width == 0) return std::string(to_string(how.coded_as));
  return fmt::format("{} bit {}{}", how.width, to_string(how.coded_as), how.rule == range_rule::calibrated ? ", calibrated" : "");
}

std::vector<std::string> cells(const graph& g, const candidate& c, const link_state& link, std::string mark)
{
  const auto cost = evaluate(c, link);
  return {std::move(mark), shortened(name_of(g, c.what.at), 40), form_text(c), bytes_text(cost.bytes), ms_or_never(cost.latency()), ms_text(cost.device_s * 1e3), ms_text(cost.encode_s * 1e3),
    ms_or_never(cost.link_s), ms_text(cost.decode_s * 1e3), ms_text(cost.server_s * 1e3), std::isfinite(cost.throughput()) ? fmt::format("{:.1f}", cost.throughput()) : "-",
    cost.agreement ? fmt::format("{:.1f} %", *cost.agreement * 100) : "?"};
}

exit_code make(const plan_command& options)
{
  auto m = open_model(options.model);
  if (!m) return report(m.error());
  picture_costs pictures;
  pictures.pixels = options.pixels;
  pictures.file_bytes = options.file_bytes;
  auto made = planning::make(*m, options.choice, options.engine, options.bits, options.codecs, pictures);
  if (!made) return report(made.error());
  if (options.tiers.asked_for()) return plan_tiers(*m, *made, options.choice, options.tiers, options.bits, options.codecs, options.pixels, options.format);
  const auto& g = *m->network;
  const auto link = link_of(options.choice, false);
  const auto& all = made->candidates;
  const observation seen{link};
  auto policy = policy_of(options.choice);
  const auto chosen = policy.choose(all, seen);
  const auto goal = objective_of(options.choice);

  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto x = evaluate(all[a], link), y = evaluate(all[b], link);
    const auto key = [&](const cost_terms& c) { return std::tuple(goal.missed(c), goal.rank(c), c.latency()); };
    return key(x) < key(y);
  });

  switch (options.format) {
  case output_format::json: {
    json document{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(*m)},
      {"link", {{"bandwidth_bits_per_s", link.bandwidth.bits_per_second}, {"rtt_ms", link.rtt_s * 1e3}}},
      {"objective", to_string(goal.of)}, {"policy", policy.name()}, {"feasible", chosen.feasible}, {"reason", chosen.reason}};
    document["plan"] = to_json(g, all[chosen.index].what);
    document["chosen"] = to_json(g, all[chosen.index], link);
    auto list = json::array();
    for (const auto i : order) list.push_back(json(to_json(g, all[i], link)));
    document["candidates"] = std::move(list);
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    break;
  }
  case output_format::csv:
    csv_line({"chosen", "cut", "form", "bytes", "total_ms", "device_ms", "encode_ms", "link_ms", "decode_ms", "server_ms", "throughput_per_s", "agreement", "memory_bytes"});
    for (const auto i : order) {
      const auto c = evaluate(all[i], link);
      csv_line({i == chosen.index ? "1" : "0", name_of(g, all[i].what.at), form_text(all[i]), fmt::format("{:.1f}", c.bytes), fmt::format("{:.4f}", c.latency() * 1e3),
        fmt::format("{:.4f}", c.device_s * 1e3), fmt::format("{:.4f}", c.encode_s * 1e3), fmt::format("{:.4f}", c.link_s * 1e3), fmt::format("{:.4f}", c.decode_s * 1e3),
        fmt::format("{:.4f}", c.server_s * 1e3), fmt::format("{:.4f}", c.throughput()), c.agreement ? fmt::format("{:.6f}", *c.agreement) : "", fmt::format("{:.0f}", c.memory_bytes)});
    }
    break;
  case output_format::table: {
    fmt::print("{}   {}, round trip {} ms   best {}\n", bold(m->name), to_string(link.bandwidth), ms_text(link.rtt_s * 1e3), to_string(goal.of));
    const auto side = [](const machine_profile& p) {
      return fmt::format("{}, {} ms whole{}", p.layers.machine, ms_text(p.layers.sum_s() * 1e3), p.layers.repeats > 0 ? "" : " (assumed)");
    };
    fmt::print("device   {}\ncloud    {}\n\n", side(made->device), side(made->cloud));
    using enum table::align;
    table t({{"", left}, {"CUT AT", left}, {"AS", left}, {"SENT"}, {"TOTAL ms"}, {"DEVICE"}, {"ENCODE"}, {"LINK"}, {"DECODE"}, {"SERVER"}, {"PER s"}, {"AGREE"}});
    const std::size_t shown = options.show == 0 ? order.size() : std::min(options.show, order.size());
    bool seen_chosen = false;
    for (std::size_t k = 0; k < shown; ++k) {
      seen_chosen = seen_chosen || order[k] == chosen.index;
      t.row(cells(g, all[order[k]], link, order[k] == chosen.index ? ">" : ""));
    }
    if (!seen_chosen) t.row(cells(g, all[chosen.index], link, ">"));
    t.print();
    if (shown < order.size()) fmt::print("{}\n", faint(fmt::format("{} more (--show 0 lists all)", order.size() - shown)));
    fmt::print("\nchosen   {}\nwhy      {}: {}\n", plan_text(g, all[chosen.index].what), policy.name(), chosen.reason);
    if (options.explain) {
      const auto against = [&](std::string_view what, std::size_t i) {
        if (i == chosen.index) return fmt::print("{:<8} is the chosen plan\n", what);
        const auto mine = evaluate(all[chosen.index], link), other = evaluate(all[i], link);
        fmt::print("{:<8} {}: {} ms, {} sent; the chosen plan takes {} ms and sends {}\n", what, plan_text(g, all[i].what), ms_or_never(other.latency()),
          bytes_text(other.bytes), ms_or_never(mine.latency()), bytes_text(mine.bytes));
      };
      const auto device = device_only{}.choose(all, seen);
      const auto cloud = cloud_only(goal).choose(all, seen);
      if (device.feasible) against("device", device.index);
      if (cloud.feasible) against("cloud", cloud.index);
      const auto missed = goal.missed(evaluate(all[chosen.index], link));
      if (missed > 0) fmt::print("missed   the bounds by {:.0f} % in sum\n", 100 * missed);
      fmt::print("looked at {} candidates: every cut of one tensor, widths and codecs as allowed\n", all.size());
    }
    break;
  }
  }
  return exit_code::ok;
}

}  // namespace

void add_plan(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<plan_command>();
  auto* app = add_command(program, chosen, "plan", "Predict every plan's cost over a link, and choose one", options, make);
  add_model(*app, options->model);
  add_planning(*app, options->choice, "--limit,--require");
  add_tiers(*app, options->tiers);
  app->add_option("--bits", options->bits, "widths to consider [8; with --calibration those in it]")->delimiter(',')->check(CLI::Range(1, 16))->type_name("B[,B]");
  app->add_option("--codec", options->codecs, "codecs to consider [all but lz4, zstd and huffman, which not every cloud has]")->delimiter(',')->check(CLI::IsMember(codec_names()))->type_name("C[,C]");
  app->add_flag("--pixels", options->pixels, "inputs are pictures: their 8-bit pixels may be sent");
  app->add_option("--image-bytes", options->file_bytes, "mean size of the picture files, in bytes; 0: files cannot be sent")->check(CLI::Range(0.0, 1e9))->type_name("N")->capture_default_str();
  app->add_option("--show", options->show, "rows of the table; 0: all")->type_name("N")->capture_default_str();
  app->add_flag("--explain", options->explain, "compare the choice with the device alone and the cloud alone");
  add_engine(*app, options->engine);
  add_output(*app, options->format);
}

}  // namespace narrows::tool
