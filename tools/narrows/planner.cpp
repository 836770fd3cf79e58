// SPDX-License-Identifier: BSD-3-Clause
#include "planner.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include <narrows/graph/cut.hpp>
#include <narrows/json/calibration.hpp>
#include <narrows/json/profile.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/profile/measure.hpp>

#include "files.hpp"
#include "policies.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

std::optional<double> parse_number(std::string_view text)
{
  double v = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (failed != std::errc{} || end != text.data() + text.size() || !std::isfinite(v) || v < 0) return std::nullopt;
  return v;
}

/// "latency=50ms", "agreement=0.98", "bytes=20000", "throughput=30".
std::optional<limit> parse_limit(std::string_view text)
{
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const auto of = parse_metric(text.substr(0, equals));
  if (!of) return std::nullopt;
  const auto bound = text.substr(equals + 1);
  if (*of == metric::latency || *of == metric::device || *of == metric::server) {
    const auto t = parse_duration(bound);
    return t ? std::optional(limit{*of, t->count()}) : std::nullopt;
  }
  const auto n = parse_number(bound);
  if (!n || (*of == metric::agreement && *n > 1)) return std::nullopt;
  return limit{*of, *n};
}

result<nlohmann::json> json_of(const std::string& file)
{
  auto bytes = read_file(file, std::uint64_t{256} << 20);
  if (!bytes) return unexpected(std::move(bytes).error());
  return parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file);
}

}  // namespace

result<calibration> calibration_of(const std::string& file, const model& m)
{
  const auto parsed = json_of(file);
  if (!parsed) return parsed.error();
  auto c = calibration_from_json(*parsed, file);
  if (!c) return c;
  if (auto fits = check(*c, m); !fits) return error(fits.error().code, file + ": " + fits.error().what);
  return c;
}

void add_planning(CLI::App& app, planning_options& how, const std::string& limit_option)
{
  const auto group = "Choice of the plan";
  add_parsed(app, "--objective", how.goal, parse_metric, "latency, throughput, device, server, bytes, memory or agreement", "what to make best")
    ->type_name("latency|throughput|device|server|bytes|memory")->default_str("latency")->group(group);
  app.add_option_function<std::vector<std::string>>(
    limit_option,
    [&how, limit_option](const std::vector<std::string>& all) {
      if (all.size() > objective::max_limits) throw CLI::ValidationError(limit_option, fmt::format("at most {} bounds", objective::max_limits));
      for (const auto& text : all) {
        const auto l = parse_limit(text);
        if (!l) throw CLI::ValidationError(limit_option, "'" + text + "' is not METRIC=BOUND, as in latency=50ms, agreement=0.98 or bytes=20000");
        how.limits.push_back(*l);
      }
    },
    "a bound to keep: latency=50ms, device=20ms, server=5ms, bytes=20000, memory=8000000 (of the device, by the head: bytes), throughput=30 (per second), agreement=0.98")->type_name("METRIC=BOUND")->group(group);
  app.add_option("--policy", how.policy, "joint takes the best candidate by --objective and does not change it for little; best takes the best anew each time; planned-once keeps the best for --bandwidth and --rtt; the others are baselines: " + fmt::format("{}", fmt::join(policy_names().begin() + 3, policy_names().end(), ", ")))
    ->check(CLI::IsMember(policy_names()))->type_name("NAME")->capture_default_str()->group(group);
  app.add_option("--device", how.device, "profile of the device, from 'narrows profile' [measured now]")->type_name("FILE")->group(group);
  app.add_option("--cloud", how.cloud, "profile of the cloud [this device's times divided by --server-speedup]")->type_name("FILE")->group(group);
  app.add_option("--server-speedup", how.speedup, "how many times as fast the cloud is taken to be, without --cloud")
    ->check(CLI::Range(0.001, 100000.0))->type_name("X")->capture_default_str()->group(group);
  app.add_option("--device-slower", how.device_slower, "how many times as long the device takes as its profile says")
    ->check(CLI::Range(0.001, 100000.0))->type_name("X")->capture_default_str()->group(group);
  app.add_option("--calibration", how.calibration, "agreement, bytes and times per cut, precision and codec, from 'narrows calibrate' [predicted, agreement unknown]")->type_name("FILE")->group(group);
  add_parsed(app, "--bandwidth", how.bandwidth, parse_bit_rate, "a rate such as 5Mbit or 800kbit", "of the link, each way [50Mbit; run: 5Gbit on loopback, then, unless this or --rtt is given, link and machines as the answers show]")->type_name("RATE")->group(group);
  add_parsed(app, "--rtt", how.rtt, parse_duration, "a time such as 20ms", "round trip of the link [10ms; run: 0.2ms on loopback, then as the answers show]")->type_name("TIME")->group(group);
}

result<machine_profile> profile_of(const std::string& file, const model& m)
{
  const auto parsed = json_of(file);
  if (!parsed) return parsed.error();
  auto p = machine_profile_from_json(*parsed, file);
  if (!p) return p;
  if (auto fits = check(p->layers, m); !fits) return error(fits.error().code, file + ": " + fits.error().what);
  return p;
}

machine_profile scaled(machine_profile p, double times)
{
  for (auto& n : p.layers.nodes) n.seconds = {n.seconds.median_s * times, n.seconds.p5_s * times, n.seconds.p95_s * times};
  for (auto& c : p.codecs.entries)
    for (double* s : {&c.encode_per_call_s, &c.encode_per_value_s, &c.decode_per_call_s, &c.decode_per_value_s}) *s *= times;
  return p;
}

std::vector<codec> codecs_of(const std::vector<std::string>& names)
{
  std::vector<codec> codecs;
  if (names.empty()) {
    // What a cloud without narrows::codecs refuses is for those who ask for it.
    for (const codec c : all_codecs)
      if (can_code(c) && !needs_library(c)) codecs.push_back(c);
  }
  for (const auto& name : names)
    if (const auto known = parse_codec(name)) codecs.push_back(*known);
  return codecs;
}

objective objective_of(const planning_options& how)
{
  objective goal = how.goal;
  for (const auto& l : how.limits) goal.require(l.of, l.bound);
  return goal;
}

any_policy policy_of(const planning_options& how) { return policy_named(how.policy, objective_of(how), link_of(how, false)); }

link_state link_of(const planning_options& how, bool loopback)
{
  link_state link;
  link.bandwidth = how.bandwidth.value_or(bit_rate::mbit(loopback ? 5000 : 50));
  link.rtt_s = how.rtt ? how.rtt->count() : loopback ? 0.2e-3 : 10e-3;
  return link;
}

result<machine_profile> measure_here(const model& m, const engine_options& engine, int repeats, std::stop_token stop)
{
  auto loaded = open_engine(engine);
  if (!loaded) return unexpected(std::move(loaded).error());
  const progress shown(fmt::format("measuring {} on this machine, runs:", m.name), static_cast<std::size_t>(repeats));
  shown.at(0);
  measure_options how;
  how.repeats = repeats;
  how.warm_up = std::min(3, (repeats + 2) / 3);
  how.threads = engine.threads;
  how.stop = std::move(stop);
  auto layers = measure_node_times(*loaded, m, how);
  if (!layers) return unexpected(std::move(layers).error());
  std::vector<codec> codecs;
  for (const codec c : all_codecs)
    if (can_code(c)) codecs.push_back(c);
  constexpr std::array widths{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16};
  auto times = measure_codec_times(codecs, widths, std::min(repeats, 9));
  if (!times) return unexpected(std::move(times).error());
  return machine_profile{std::move(*layers), std::move(*times)};
}

result<planning> planning::make(const model& m, const planning_options& how, const engine_options& engine, const std::vector<int>& bits,
  const std::vector<std::string>& codecs, const picture_costs& pictures)
{
  planning p;
  auto device = how.device.empty() ? measure_here(m, engine, 5) : profile_of(how.device, m);
  if (!device) return unexpected(std::move(device).error());
  p.device = std::move(device).value();
  if (how.cloud.empty()) {
    p.cloud = scaled(p.device, 1 / how.speedup);
    p.cloud.layers.repeats = 0;
    if (how.speedup != 1) p.cloud.codecs.machine += ", assumed";   // times calibrated on this machine are not its own
  } else {
    auto cloud = profile_of(how.cloud, m);
    if (!cloud) return unexpected(std::move(cloud).error());
    p.cloud = std::move(cloud).value();
  }
  std::optional<calibration> measured;
  if (!how.calibration.empty()) {
    auto read = calibration_of(how.calibration, m);
    if (!read) return unexpected(std::move(read).error());
    measured = std::move(read).value();
  }
  enumerate_options make;
  // Without figures for accuracy only a width that keeps it on every network seen so far is offered (ACCURACY.md 9).
  make.widths = bits.empty() ? std::vector<int>{8} : bits;
  if (measured && bits.empty())
    for (int b = min_width; b <= max_width; ++b) make.widths.push_back(b);
  make.codecs = codecs_of(codecs);
  const auto asked_for = [&](std::string_view c) { return codecs.empty() || std::find(codecs.begin(), codecs.end(), c) != codecs.end(); };
  make.pixels = pictures.pixels && asked_for("pixels");
  make.predicted = pictures.pixels && asked_for("predicted");
  make.image_bytes = asked_for("image") ? pictures.file_bytes : 0;
  make.image_decode_s = pictures.decode_s / how.speedup;
  make.image_forms = pictures.forms && asked_for("image");
  const auto cuts = single_tensor_cuts(*m.network);
  cost_sources from;
  from.device = &p.device;
  from.server = &p.cloud;
  from.measured = measured ? &*measured : nullptr;
  auto all = enumerate_candidates(*m.network, cuts, from, make);
  if (!all) return unexpected(std::move(all).error());
  p.candidates = std::move(all).value();
  p.device = scaled(std::move(p.device), how.device_slower);
  for (auto& c : p.candidates) c.cost.device_s *= how.device_slower, c.cost.encode_s *= how.device_slower;
  if (p.candidates.empty()) return error(errc::bad_cut, m.name + ": no plan is possible with these widths and codecs");
  return p;
}

}  // namespace narrows::tool
