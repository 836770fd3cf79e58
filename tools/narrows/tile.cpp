// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/core/split_mix.hpp>
#include <narrows/net/tile_crew.hpp>
#include <narrows/partition/stacking.hpp>
#include <narrows/partition/tile_team.hpp>
#include <narrows/version.hpp>

#include "connecting.hpp"
#include "interrupt.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

using json = nlohmann::ordered_json;

struct tile_options {
  std::string model;
  std::string from, to;
  std::optional<tile_grid> grid;
  std::vector<double> speeds;
  double macs_per_s = 2e10;
  bit_rate bandwidth = bit_rate::mbit(1000);
  int local = 0;
  std::vector<std::string> workers;
  std::string key;
  std::vector<std::string> server_keys;
  bool plain = false;
  int runs = 1;
  std::chrono::duration<double> deadline{60};
  std::chrono::duration<double> tile_timeout{10};
  fallback_policy fallback = fallback_policy::local;
  std::uint64_t seed = 1;
  engine_options engine;
  output_format format = output_format::table;
};

std::optional<tile_grid> parse_grid(std::string_view text)
{
  tile_grid g;
  const auto x = text.find('x');
  const auto whole = [](std::string_view t, int& to) {
    const auto [end, failed] = std::from_chars(t.data(), t.data() + t.size(), to);
    return failed == std::errc{} && end == t.data() + t.size() && to >= 1 && to <= 64;
  };
  if (x == std::string_view::npos || !whole(text.substr(0, x), g.rows) || !whole(text.substr(x + 1), g.columns)) return std::nullopt;
  return g;
}

std::string grid_text(tile_grid g) { return fmt::format("{}x{}", g.rows, g.columns); }
std::string span_text(const interval& i) { return fmt::format("{}-{}", i.begin, i.end - 1); }
std::string lines_text(const std::vector<std::int64_t>& lines) { return fmt::format("{}", fmt::join(lines, ",")); }

/// The tensors between which tiles lie: as named, or the input and the last map that the grid fits.
result<graph_slice> stack_of(const model& m, const tile_options& how)
{
  const auto& g = *m.network;
  const auto named = [&](const std::string& name) -> result<value_id> {
    const auto v = g.find(name);
    if (!v || g[*v].is_constant) return error(errc::bad_cut, fmt::format("'{}' is no tensor of the fused graph of '{}'", name, m.name));
    return *v;
  };
  std::vector<value_id> from(g.inputs().begin(), g.inputs().end());
  if (!how.from.empty()) {
    const auto v = named(how.from);
    if (!v) return v.error();
    from = {*v};
  }
  if (!how.to.empty()) {
    const auto v = named(how.to);
    if (!v) return v.error();
    return stack_between(m.network, from, *v);
  }
  auto ends = stack_ends(g);
  if (!ends) return std::move(ends).error();
  for (; ends->size() > 1; ends->pop_back()) {
    auto stack = stack_between(m.network, from, ends->back());
    if (!stack) continue;
    const auto lines = equal_lines(*stack, *how.grid);
    if (lines && tile_stack(*stack, *lines)) return stack;
  }
  return error(errc::bad_cut, fmt::format("{}: nothing that a {} grid can tile", m.name, grid_text(*how.grid)));
}

tile_nodes nodes_of(const tile_options& how)
{
  const double bytes = how.bandwidth.bits_per_second / 8;
  tile_nodes nodes{how.macs_per_s, {}, bytes};
  for (const double s : how.speeds) nodes.workers.push_back({how.macs_per_s * s, bytes});
  return nodes;
}

/// One way to run the stack, and what came of it.
struct tile_run {
  std::string by;
  std::vector<double> ms;
  bool same = true;
  crew_report did;   ///< over all runs
  [[nodiscard]] double best() const { return *std::min_element(ms.begin(), ms.end()); }
};

/// Runs `work` as often as asked and compares each output with `expected`.
template <class Work>
result<tile_run> timed(std::string by, const tile_options& how, const tensor* expected, tensor& made, Work&& work)
{
  tile_run r{std::move(by), {}, true, {}};
  for (int i = 0; i < how.runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    auto out = work(r.did);
    r.ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    if (!out) return std::move(out).error();
    made = std::move(out).value();
    r.same = r.same && (expected == nullptr || std::memcmp(made.values().data(), expected->values().data(), made.values().size_bytes()) == 0);
  }
  return r;
}

result<std::vector<edge_options>> workers_of(const tile_options& how)
{
  std::vector<edge_options> all;
  if (how.key.empty() != how.server_keys.empty()) return error(errc::authentication, "tile: --key and --server-key go together");
  if (how.server_keys.size() > 1 && how.server_keys.size() != how.workers.size())
    return error(errc::bad_input, fmt::format("tile: {} workers, {} keys", how.workers.size(), how.server_keys.size()));
  for (std::size_t i = 0; i < how.workers.size(); ++i) {
    edge_options e;
    e.endpoint = how.workers[i];
    e.allow_plain = how.plain;
    e.log = [](log_level level, std::string_view line) {
      if (level == log_level::warning || level == log_level::error) warn(line);
    };
    if (!how.key.empty()) {
      auto keys = connecting_keys(how.key, how.server_keys[how.server_keys.size() == 1 ? 0 : i]);
      if (!keys) return unexpected(std::move(keys).error());
      e.curve = std::move(keys).value();
    }
    all.push_back(std::move(e));
  }
  return all;
}

result<std::vector<tile_run>> run_all(const model& m, const tiled_stack& t, const tile_options& how, const std::stop_token& stop)
{
  auto engine = open_engine(how.engine);
  if (!engine) return unexpected(std::move(engine).error());
  std::vector<tensor> given;
  std::vector<tensor_view> in;
  split_mix random(how.seed);
  for (const auto v : t.stack.inputs) {
    given.emplace_back((*m.network)[v].dims);
    for (float& x : given.back().values()) x = static_cast<float>(static_cast<std::int32_t>(random.next() >> 40) - (1 << 23)) * 0x1p-22F;
  }
  for (const auto& g : given) in.push_back(g.view());

  std::vector<tile_run> all;
  tensor expected, made;
  auto whole = engine->load(t.stack);
  if (!whole) return unexpected(std::move(whole).error());
  const auto plural = [](std::size_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); };
  auto untiled = timed("untiled, " + plural(static_cast<std::size_t>(how.engine.threads), "thread"), how, nullptr, expected, [&](crew_report&) -> result<tensor> {
    tensor out(whole->outputs()[0].dims);
    const mutable_tensor_view to[] = {out.view()};
    if (auto ran = whole->run(in, to, {.threads = how.engine.threads, .stop = stop, .on_node = {}}); !ran) return unexpected(std::move(ran).error());
    return out;
  });
  if (!untiled) return unexpected(std::move(untiled).error());
  all.push_back(std::move(untiled).value());

  if (how.local > 0) {
    auto team = tile_team::make(*engine, t);
    if (!team) return unexpected(std::move(team).error());
    auto by_threads = timed("tiles, " + plural(static_cast<std::size_t>(how.local), "thread"), how, &expected, made, [&](crew_report&) { return team->run(in, how.local, stop); });
    if (!by_threads) return unexpected(std::move(by_threads).error());
    all.push_back(std::move(by_threads).value());
  }
  if (!how.workers.empty()) {
    auto links = workers_of(how);
    if (!links) return unexpected(std::move(links).error());
    const auto ms = [](std::chrono::duration<double> d) { return std::max(std::chrono::milliseconds(1), std::chrono::duration_cast<std::chrono::milliseconds>(d)); };
    crew_options options;
    options.tile_timeout = ms(how.tile_timeout);
    options.fallback = how.fallback;
    auto crew = tile_crew::connect(m, *engine, std::move(links).value(), options);
    if (!crew) return unexpected(std::move(crew).error());
    if (const auto there = crew->wait_for_workers(std::chrono::seconds(2)); there > 0 && there < how.workers.size()) warn(fmt::format("{} of {} workers answer", there, how.workers.size()));
    auto by_workers = timed("tiles, " + plural(how.workers.size(), "worker"), how, &expected, made, [&](crew_report& did) {
      crew_report now;
      auto out = crew->run(t, in, ms(how.deadline), stop, &now);
      did.sent += now.sent;
      did.again += now.again;
      did.here += now.here;
      return out;
    });
    if (!by_workers) return unexpected(std::move(by_workers).error());
    all.push_back(std::move(by_workers).value());
  }
  return all;
}

void print(const model& m, const tiled_stack& t, const std::vector<tile_run>& runs, const tile_options& how)
{
  const auto& g = *m.network;
  std::string from;
  for (const auto v : t.stack.inputs) from += (from.empty() ? "" : ",") + g[v].name;
  const auto& to = g[t.stack.outputs[0]].name;
  if (how.format == output_format::json) {
    json all{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(m)}, {"from", from}, {"to", to}, {"grid", grid_text(t.lines.grid())},
      {"rows", t.lines.rows}, {"columns", t.lines.columns}, {"macs", t.macs}, {"work_factor", t.work_factor()}, {"ideal_speed_up", t.ideal_speed_up()}};
    auto list = json::array();
    for (const auto& c : t.tiles)
      list.push_back({{"rows", {c.made.rows().begin, c.made.rows().end}}, {"columns", {c.made.columns().begin, c.made.columns().end}}, {"macs", c.macs},
        {"bytes_in", c.bytes_in}, {"bytes_out", c.bytes_out}, {"peak_bytes", c.peak_bytes}, {"weight_bytes", c.weight_bytes}});
    all["tiles"] = std::move(list);
    auto made = json::array();
    for (const auto& r : runs) made.push_back({{"by", r.by}, {"ms", r.ms}, {"same_bits", r.same}, {"sent", r.did.sent}, {"again", r.did.again}, {"here", r.did.here}});
    all["runs"] = std::move(made);
    fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
    return;
  }
  if (how.format == output_format::csv) {
    csv_line({"rows", "columns", "macs", "bytes_in", "bytes_out", "peak_bytes", "weight_bytes"});
    for (const auto& c : t.tiles)
      csv_line({span_text(c.made.rows()), span_text(c.made.columns()), std::to_string(c.macs), std::to_string(c.bytes_in), std::to_string(c.bytes_out), std::to_string(c.peak_bytes), std::to_string(c.weight_bytes)});
    return;
  }
  fmt::print("{}   {} to {} {}, {} grid: rows {}, columns {}\n\n", bold(m.name), from, to, to_string(g[t.stack.outputs[0]].dims), grid_text(t.lines.grid()), lines_text(t.lines.rows), lines_text(t.lines.columns));
  table tiles({{"ROWS"}, {"COLUMNS"}, {"MACS"}, {"IN"}, {"OUT"}, {"TENSORS"}, {"WEIGHTS"}});
  for (const auto& c : t.tiles)
    tiles.row({span_text(c.made.rows()), span_text(c.made.columns()), count_text(static_cast<double>(c.macs)), bytes_text(static_cast<double>(c.bytes_in)), bytes_text(static_cast<double>(c.bytes_out)),
      bytes_text(static_cast<double>(c.peak_bytes)), bytes_text(static_cast<double>(c.weight_bytes))});
  tiles.print();
  fmt::print("\nwork factor {:.2f}, ideal speed-up {:.2f} (equal nodes, nothing travels)\n", t.work_factor(), t.ideal_speed_up());
  if (runs.empty()) return;
  fmt::print("\n");
  table made({{"RUN", table::align::left}, {"BEST ms"}, {"SPEED-UP"}, {"BITS", table::align::left}, {"SENT"}, {"AGAIN"}, {"HERE"}});
  for (const auto& r : runs)
    made.row({r.by, ms_text(r.best()), fmt::format("{:.2f}", runs[0].best() / r.best()), r.same ? "same" : "DIFFER", std::to_string(r.did.sent), std::to_string(r.did.again), std::to_string(r.did.here)});
  made.print();
}

exit_code print_choice(const model& m, const tile_options& how)
{
  const auto& g = *m.network;
  const auto ends = stack_ends(g);
  if (!ends) return report(ends.error());
  const auto nodes = nodes_of(how);
  std::vector<tile_grid> grids;
  for (int r = 1; r <= 3; ++r)
    for (int c = 1; c <= 3; ++c) grids.push_back({r, c});
  const auto chosen = choose_stacking(m.network, *ends, grids, nodes);
  if (!chosen) return report(chosen.error());
  double alone = 0;
  for (const auto& t : chosen->stacks) alone += static_cast<double>(t.macs) / nodes.home_macs_per_s;
  if (how.format == output_format::json) {
    json all{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(m)}, {"seconds", chosen->seconds}, {"untiled_seconds", alone}};
    auto list = json::array();
    for (const auto& t : chosen->stacks)
      list.push_back({{"from", g[t.stack.inputs[0]].name}, {"to", g[t.stack.outputs[0]].name}, {"grid", grid_text(t.lines.grid())}, {"rows", t.lines.rows}, {"columns", t.lines.columns},
        {"work_factor", t.work_factor()}, {"seconds", seconds_of(t, nodes)}});
    all["stacks"] = std::move(list);
    fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
    return exit_code::ok;
  }
  const bool csv = how.format == output_format::csv;
  if (csv) csv_line({"from", "to", "grid", "rows", "columns", "work_factor", "ms"});
  table rows({{"FROM", table::align::left}, {"TO", table::align::left}, {"GRID"}, {"ROWS"}, {"COLUMNS"}, {"WORK"}, {"ms"}});
  for (const auto& t : chosen->stacks) {
    const std::vector<std::string> cells{g[t.stack.inputs[0]].name, g[t.stack.outputs[0]].name, grid_text(t.lines.grid()), lines_text(t.lines.rows), lines_text(t.lines.columns),
      fmt::format("{:.2f}", t.work_factor()), ms_text(seconds_of(t, nodes) * 1e3)};
    if (csv) csv_line(cells);
    else rows.row(cells);
  }
  if (csv) return exit_code::ok;
  fmt::print("{}   {} workers at {} multiply-adds/s, links of {}\n\n", bold(m.name), nodes.workers.size(), count_text(how.macs_per_s), to_string(how.bandwidth));
  rows.print();
  fmt::print("\n{} ms, untiled {} ms\n", ms_text(chosen->seconds * 1e3), ms_text(alone * 1e3));
  return exit_code::ok;
}

exit_code tile_model(const tile_options& how)
{
  interrupt interrupted;
  auto m = open_model(how.model);
  if (!m) return report(m.error());
  if (!how.grid) {
    if (!how.to.empty() || !how.from.empty() || how.local > 0 || !how.workers.empty()) return report(error(errc::bad_cut, "tile: --from, --to, --local and --workers need a --grid"), "give --grid 2x2, say");
    return print_choice(*m, how);
  }
  auto stack = stack_of(*m, how);
  if (!stack) return report(stack.error());
  const bool equal = std::adjacent_find(how.speeds.begin(), how.speeds.end(), std::not_equal_to<>()) == how.speeds.end();
  auto lines = equal_lines(*stack, *how.grid);
  if (!lines) return report(lines.error());
  auto t = equal ? tile_stack(*stack, std::move(lines).value()) : balance(*stack, *how.grid, nodes_of(how));
  if (!t) return report(t.error());
  std::vector<tile_run> runs;
  if (how.local > 0 || !how.workers.empty()) {
    auto made = run_all(*m, *t, how, interrupted.token());
    if (!made) return report(made.error());
    runs = std::move(made).value();
  }
  print(*m, *t, runs, how);
  const bool same = std::all_of(runs.begin(), runs.end(), [](const tile_run& r) { return r.same; });
  return same ? exit_code::ok : report(error(errc::integrity, "tile: the tiles' bits are not the untiled ones"), "please report this");
}

}  // namespace

void add_tile(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<tile_options>();
  options->speeds = {1, 1};
  auto* app = add_command(program, chosen, "tile", "Cut feature maps into tiles: what they cost, and run them on threads or on other machines", options, tile_model);
  app->add_option("MODEL", options->model, "ONNX file, or zoo:NAME for a known network with seeded weights")->required()->type_name("");
  add_parsed(*app, "--grid", options->grid, parse_grid, "ROWSxCOLUMNS, each 1 to 64", "tiles of the stack's output; none: choose grids and stacks for the whole network")->type_name("RxC");
  app->add_option("--from", options->from, "tensor that tiles are cut from [the network's input]")->type_name("TENSOR");
  app->add_option("--to", options->to, "tensor that tiles make [the last one that the grid can tile]")->type_name("TENSOR");
  app->add_option("--speeds", options->speeds, "relative speeds of the workers: tile k is for worker k modulo their number; unequal ones move the lines")
    ->delimiter(',')->check(CLI::Range(0.001, 1000.0))->type_name("S[,S]")->capture_default_str();
  app->add_option("--macs", options->macs_per_s, "multiply-adds per second at speed 1, to choose by")->check(CLI::Range(1e3, 1e18))->type_name("N")->capture_default_str();
  add_parsed(*app, "--bandwidth", options->bandwidth, parse_bit_rate, "a rate such as 1Gbit", "of each link, to choose by")->type_name("RATE")->default_str("1Gbit");
  const auto run = "Run (on seeded values, compared with the untiled run)";
  app->add_option("--local", options->local, "make the tiles on N threads of this process")->check(CLI::Range(1, 256))->type_name("N")->group(run);
  app->add_option("--workers", options->workers, "endpoints of 'narrows serve' with the same model, on any machine")->delimiter(',')->type_name("EP[,EP]")->group(run);
  app->add_option("--runs", options->runs, "run so often, and show the quickest")->check(CLI::Range(1, 100000))->type_name("N")->capture_default_str()->group(run);
  const auto positive = [](std::string_view t) {
    auto d = parse_duration(t);
    return d && d->count() >= 0.001 ? d : std::nullopt;
  };
  add_parsed(*app, "--deadline", options->deadline, positive, "a time of at least 1ms, such as 2s", "all tiles are there by then, or the run fails")->type_name("TIME")->default_str("60s")->group(run);
  add_parsed(*app, "--tile-timeout", options->tile_timeout, positive, "a time of at least 1ms, such as 2s", "a worker silent for so long loses its tiles to others")->type_name("TIME")->default_str("10s")->group(run);
  add_parsed(*app, "--fallback", options->fallback, parse_fallback, "local or never", "whether tiles are made here when no worker is left")->type_name("local|never")->default_str("local")->group(run);
  app->add_option("--seed", options->seed, "of the input's values")->type_name("N")->capture_default_str()->group(run);
  add_engine(*app, options->engine);
  add_output(*app, options->format);
  const auto security = "Security (off loopback: --key and --server-key)";
  app->add_option("--key", options->key, "this side's key pair, from 'narrows keygen'")->type_name("FILE")->group(security);
  app->add_option("--server-key", options->server_keys, "the workers' public keys, or files with them: one for all or one each")->delimiter(',')->type_name("KEY|FILE[,..]")->group(security);
  app->add_flag("--plain", options->plain, "connect off loopback without keys: anyone on the way may read")->group(security);
}

}  // namespace narrows::tool
