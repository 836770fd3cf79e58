// SPDX-License-Identifier: BSD-3-Clause
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <narrows/net/relay.hpp>

#include "connecting.hpp"
#include "interrupt.hpp"
#include "session.hpp"
#include "slowed.hpp"

namespace narrows::tool {

namespace {

struct serve_options {
  std::vector<std::string> models;
  std::string endpoint = "tcp://127.0.0.1:5599";
  int workers = 1;
  std::size_t max_queue = 64;
  std::size_t batch = 1;
  std::string key;
  std::string allow;
  bool plain = false;
  bool verbose = false;
  std::string upstream;
  std::string server_key;
  fallback_policy fallback = fallback_policy::local;
  int in_flight = 8;
  plan_options onward;
  std::optional<double> slow_down;
  std::vector<std::string> profiles;
  engine_options engine;
  preprocessing pictures;
};

// The port 0 is the system's way to say "any free one"; libzmq says "*".
std::string bindable(std::string endpoint)
{
  if (endpoint.starts_with("tcp://") && endpoint.ends_with(":0")) endpoint.back() = '*';
  return endpoint;
}

/// A cloud or a middle tier, whichever was asked for.
struct front {
  std::optional<cloud> alone;
  std::optional<relay> middle;
  [[nodiscard]] std::string endpoint() const { return middle ? middle->endpoint() : alone->endpoint(); }
  void run(std::stop_token stop) { middle ? middle->run(std::move(stop)) : alone->run(std::move(stop)); }
};

/// How a middle tier goes on: the link upstream, and the second cut of each model.
result<relay_options> relay_of(const serve_options& options, std::span<const model> models, std::string& plans)
{
  relay_options r;
  r.upstream.endpoint = options.upstream;
  r.upstream.fallback = options.fallback;
  r.upstream.threads = options.engine.threads;
  r.upstream.max_in_flight = static_cast<std::size_t>(options.in_flight);
  r.upstream.allow_plain = options.plain;
  if (!options.server_key.empty()) {
    auto keys = connecting_keys(options.key, options.server_key);
    if (!keys) return unexpected(std::move(keys).error());
    r.upstream.curve = std::move(keys).value();
  }
  std::map<std::string, plan> second;   // by hash
  for (const auto& m : models) {
    auto p = make_plan(*m.network, options.onward);
    if (!p) return unexpected(std::move(p).error());
    plans += fmt::format("{}{}", plans.empty() ? "" : "; ", plan_text(*m.network, *p));
    second.emplace(m.hash, std::move(p).value());
  }
  r.onward = [second](const model& m, const cut&) { return second.at(m.hash); };
  return r;
}

exit_code serve(const serve_options& options)
{
  interrupt interrupted;
  std::vector<model> models;
  std::map<std::string, preprocessing> pictures;   // by hash: names may be equal
  std::string names;
  for (const auto& file : options.models) {
    auto m = open_model(file);
    if (!m) return report(m.error());
    auto how = options.pictures;
    auto beside = beside_model(file);
    if (!beside) return report(beside.error());
    how.fill_from(*beside);
    pictures[m->hash] = how;
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", m->name, m->hash.substr(0, 12));
    models.push_back(std::move(m).value());
  }
  auto engine = open_engine(options.engine);
  if (!engine) return report(engine.error());
  if (options.slow_down) {
    engine = slowed(std::move(engine).value(), *options.slow_down, options.profiles, models);
    if (!engine) return report(engine.error());
  }

  cloud_options how;
  how.endpoint = bindable(options.endpoint);
  how.workers = options.workers;
  how.threads = options.engine.threads;
  how.max_queued = options.max_queue;
  how.max_batch = options.batch;
  how.allow_plain = options.plain;
  how.decode_input = [&pictures](const model& m, const descriptor& what, std::span<const std::uint8_t> payload, const shape& expected) -> result<tensor> {
    const auto prepared = pictures.find(m.hash);
    if (prepared == pictures.end()) return error(errc::internal, "no preprocessing for " + m.name);
    if (what.coded_as == codec::pixels) return normalised(payload, prepared->second, expected);
    if (what.coded_as == codec::predicted) {
      auto pixels = unpacked_pixels(payload, expected);
      if (!pixels) return unexpected(std::move(pixels).error());
      return normalised(*pixels, prepared->second, expected);
    }
    auto decoded = decode_image(payload);
    if (!decoded) return unexpected(std::move(decoded).error());
    auto pixels = pixels_for(std::move(decoded).value(), prepared->second, expected);
    if (!pixels) return unexpected(std::move(pixels).error());
    return normalised(*pixels, prepared->second, expected);
  };
  const auto lines = std::make_shared<std::mutex>();
  how.log = [lines, verbose = options.verbose](log_level level, std::string_view line) {
    if (!verbose && level != log_level::warning && level != log_level::error) return;
    const std::lock_guard lock(*lines);
    fmt::print(stderr, "narrows: {}: {}\n", to_string(level), one_line(line));
  };
  // A middle tier may need its key for the next tier alone.
  if (!options.allow.empty() || (!options.key.empty() && options.server_key.empty())) {
    if (options.key.empty() || options.allow.empty())
      return report(error(errc::authentication, "serve: --key and --allow go together"), "'narrows keygen FILE' makes a key; --allow lists public keys, one per line");
    auto own = read_curve_keys(options.key);
    if (!own) return report(own.error());
    auto allowed = read_allowed_keys(options.allow);
    if (!allowed) return report(allowed.error());
    how.curve = curve_server{std::move(*own), std::move(*allowed)};
  }
  const std::string level(engine->level());
  std::string onward;
  front server;
  result<void> opened;
  if (options.upstream.empty()) {
    auto bound = cloud::bind(std::move(models), std::move(engine).value(), std::move(how));
    if (bound) server.alone.emplace(std::move(bound).value());
    else opened = unexpected(std::move(bound).error());
  } else {
    auto with = relay_of(options, models, onward);
    if (!with) return report(with.error());
    onward = fmt::format("; onward to {}: {}", options.upstream, onward);
    with->upstream.log = how.log;
    with->front = std::move(how);
    auto bound = relay::bind(std::move(models), std::move(engine).value(), std::move(with).value());
    if (bound) server.middle.emplace(std::move(bound).value());
    else opened = unexpected(std::move(bound).error());
  }
  if (!opened) {
    const auto code = opened.error().code;
    return report(opened.error(), code == errc::io_error ? "choose another --bind; port 0 takes a free one"
      : code == errc::unreachable ? "start 'narrows serve' there, or correct --upstream"
      : code == errc::authentication ? "give --key and --allow, or --plain on a network you trust" : std::string_view{});
  }
  {
    const std::lock_guard lock(*lines);
    fmt::print(stderr, "narrows: serving {} on {}, {} worker{}, executor {}{}\n", names, server.endpoint(), options.workers, options.workers == 1 ? "" : "s", level, onward);
    std::fflush(stderr);
  }
  server.run(interrupted.token());
  return exit_code::ok;   // being told to stop is how serving ends
}

}  // namespace

void add_serve(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<serve_options>();
  auto* app = add_command(program, chosen, "serve", "Be the cloud, or with --upstream a middle tier: run the tails of cut networks for edges until SIGINT or SIGTERM", options, serve);
  app->add_option("MODEL", options->models, "ONNX files, the same ones that the edges have")->required()->type_name("");
  app->add_option("--bind", options->endpoint, "ZeroMQ endpoint; port 0 or * takes a free one, which is printed")->type_name("EP")->capture_default_str();
  app->add_option("--workers", options->workers, "requests run at once")->check(CLI::Range(1, 1024))->type_name("N")->capture_default_str();
  app->add_option("--max-queue", options->max_queue, "requests that may wait for a worker; more are refused")->check(CLI::Range(1, 1000000))->type_name("N")->capture_default_str();
  app->add_option("--batch", options->batch, "waiting requests of one model and cut that are run as one; the answers are the same, and our own executors are no faster for it")
    ->check(CLI::Range(1, 64))->type_name("N")->capture_default_str();
  add_engine(*app, options->engine);
  auto* slow_down = app->add_option("--slow-down", options->slow_down, "what runs here takes so many times as long (as --profile says, if given), by waiting: to try a slower server")
    ->check(CLI::Range(1.0, 1000.0))->type_name("X");
  app->add_option("--profile", options->profiles, "what the models' runs are said to take, from 'narrows profile'")->type_name("FILE...")->needs(slow_down);
  app->add_flag("-v,--verbose", options->verbose, "log greetings and requests too, not only what went wrong");
  const auto hop = "Middle tier of three (run the nodes up to a second cut here, and let another 'narrows serve' do the rest)";
  auto* upstream = app->add_option("--upstream", options->upstream, "endpoint of the next tier; this one runs the rest itself while that is away or late")->type_name("EP")->group(hop);
  add_plan_options(*app, options->onward, hop);
  add_parsed(*app, "--fallback", options->fallback, parse_fallback, "local or never", "what becomes of a request that the next tier does not answer in time: local runs the rest here, never refuses it")
    ->type_name("local|never")->default_str("local")->group(hop);
  app->add_option("--in-flight", options->in_flight, "requests with this tier and behind it at once")->check(CLI::Range(1, 1024))->type_name("N")->capture_default_str()->group(hop);
  app->add_option("--server-key", options->server_key, "public key of the next tier, or a file with it; needs --key")->type_name("KEY|FILE")->group(hop);
  upstream->needs(app->get_option("--at"));
  for (const auto* each : {"--at", "--bits", "--codec", "--per-channel", "--fallback", "--in-flight", "--server-key"}) app->get_option(each)->needs(upstream);
  const auto group = "Security (off loopback a cloud needs --key and --allow)";
  app->add_option("--key", options->key, "the cloud's key pair, from 'narrows keygen'")->type_name("FILE")->group(group);
  app->add_option("--allow", options->allow, "public keys of the edges let in, one per line")->type_name("FILE")->group(group);
  app->add_flag("--plain", options->plain, "bind off loopback without keys: anyone who reaches the port may send")->group(group);
  app->get_option("--server-key")->needs(app->get_option("--key"));
  add_preprocessing(*app, options->pictures);
}

}  // namespace narrows::tool
