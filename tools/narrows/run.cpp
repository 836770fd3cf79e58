// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include <narrows/graph/cut.hpp>
#include <narrows/net/client.hpp>
#include <narrows/partition/undominated.hpp>

#include "batch.hpp"
#include "connecting.hpp"
#include "interrupt.hpp"
#include "plan_source.hpp"
#include "planner.hpp"
#include "policies.hpp"
#include "preprocess.hpp"
#include "session.hpp"
#include "slowed.hpp"

namespace narrows::tool {

namespace {

using clock_type = std::chrono::steady_clock;

struct run_command {
  batch_options batch;
  plan_options fixed;
  planning_options choice;
  std::string endpoint = "tcp://127.0.0.1:5599";
  std::chrono::duration<double> deadline{5};
  std::chrono::duration<double> every{0};
  fallback_policy fallback = fallback_policy::local;
  int in_flight = 1;
  std::optional<double> slow_down;
  bool explain = false;
  bool compare_float = false;
  std::string key;
  std::string server_key;
  bool plain = false;
};

double ms(std::chrono::nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

struct in_flight_request {
  request_id id;
  std::size_t number;
  plan how;
  loaded_request in;
  clock_type::time_point submitted;
  std::optional<double> predicted_ms;
  std::string switched;   // to which plan and why, where it is another than that of the request before
  double packing_ms = 0;  // before the edge had it
};

/// Sums up the pictures at hand for the planner: sizes of all files, and the time one takes to prepare.
picture_costs look_at_pictures(batch& work, const batch_options& options)
{
  picture_costs pictures;
  // The cloud prepares such inputs by its own MODEL.json; what only this command line says it cannot know.
  const auto& p = options.pictures;
  if (p.resize || p.crop || p.mean || p.std || p.order) return pictures;
  constexpr std::size_t looked_at = 8;
  std::size_t files = 0;
  double bytes = 0;
  const auto start = clock_type::now();
  const auto n = std::min(work.requests(), looked_at);
  for (std::size_t i = 0; i < n; ++i) {
    const auto in = work.load(i);
    if (!in || in->inputs.size() != 1 || in->inputs[0].pixels.empty()) return {};
    pictures.pixels = true;
    if (in->inputs[0].file.empty()) continue;
    ++files;
    bytes += static_cast<double>(in->inputs[0].file.size());
  }
  if (files == n && n > 0) {
    pictures.file_bytes = bytes / static_cast<double>(n);
    pictures.decode_s = std::chrono::duration<double>(clock_type::now() - start).count() / static_cast<double>(n);
  }
  return pictures;
}

result<plan_source> choose(const run_command& options, batch& work)
{
  const auto& g = *work.network.network;
  if (!options.fixed.at.empty()) {
    auto p = make_plan(g, options.fixed);
    if (!p) return unexpected(std::move(p).error());
    return plan_source(std::move(p).value());
  }
  auto made = planning::make(work.network, options.choice, options.batch.engine, options.fixed.bits, options.fixed.codecs, look_at_pictures(work, options.batch));
  if (!made) return unexpected(std::move(made).error());
  if (looks_at_costs_alone(options.choice.policy)) made->candidates = without_dominated(made->candidates);
  auto s = scheduler::make(std::move(made->candidates), policy_of(options.choice), link_of(options.choice, is_loopback(options.endpoint)));
  if (!s) return unexpected(std::move(s).error());
  return plan_source(std::move(s).value(), !options.choice.bandwidth && !options.choice.rtt);
}

exit_code run(const run_command& options)
{
  interrupt interrupted;
  auto work = batch::open(options.batch);
  if (!work) return report(work.error());
  auto engine = open_engine(options.batch.engine);
  if (!engine) return report(engine.error());
  if (options.slow_down) {
    std::vector<std::string> profiles;
    if (!options.choice.device.empty()) profiles.push_back(options.choice.device);
    engine = slowed(std::move(engine).value(), *options.slow_down, profiles, {&work->network, 1});
    if (!engine) return report(engine.error());
  }
  auto plans = choose(options, *work);
  if (!plans) return report(plans.error());
  const auto& g = *work->network.network;

  edge_options how;
  how.endpoint = options.endpoint;
  how.fallback = options.fallback;
  how.threads = options.batch.engine.threads;
  how.max_in_flight = static_cast<std::size_t>(options.in_flight);
  how.allow_plain = options.plain;
  const auto deadline = std::max(std::chrono::milliseconds(1), std::chrono::duration_cast<std::chrono::milliseconds>(options.deadline));
  how.connect_timeout = std::min(how.connect_timeout, deadline);
  if (!options.key.empty() || !options.server_key.empty()) {
    if (options.key.empty() || options.server_key.empty()) return report(error(errc::authentication, "run: --key and --server-key go together"));
    auto keys = connecting_keys(options.key, options.server_key);
    if (!keys) return report(keys.error());
    how.curve = std::move(keys).value();
  }
  std::mutex lines;
  std::set<std::string> said;   // one line per cause, not one per request
  std::optional<std::vector<std::string>> held(std::in_place);   // until connected: where that fails, its error says it all
  const auto say_once = [&](std::string_view line) {
    std::string cause;   // without its numbers: requests have those, causes do not
    std::copy_if(line.begin(), line.end(), std::back_inserter(cause), [](char c) { return c < '0' || c > '9'; });
    const std::lock_guard lock(lines);
    if (!said.insert(std::move(cause)).second) return;
    if (held) held->emplace_back(line);
    else warn(line);
  };
  how.log = [&](log_level level, std::string_view line) {
    if (level == log_level::warning || level == log_level::error) say_once(line);
  };
  const std::string level(engine->level());
  auto connected = edge::connect(work->network, *engine, how);
  if (!connected) return report(connected.error());
  auto& link = *connected;
  {
    const std::lock_guard lock(lines);
    for (const auto& line : *held) warn(line);
    held.reset();
  }

  plans->look_at_new_link(link);
  const plan first = plans->next(link.peer().has_value());
  const auto why = plans->why(g);
  auto book = work->book({bold(work->network.name) + fmt::format("   to {}   executor {}, deadline {} ms, fallback {}", options.endpoint, level, deadline.count(),
                           options.fallback == fallback_policy::local ? "local" : "never"),
                           "plan  " + plan_text(g, first), "why   " + why}, true);
  if (options.explain && options.batch.format != output_format::table) fmt::print(stderr, "narrows: plan: {}; why: {}\n", plan_text(g, first), why);
  book.planned(first);

  std::optional<any_executor> whole;
  if (options.compare_float) {
    auto loaded = engine->load(whole_slice(work->network.network));
    if (!loaded) return report(loaded.error());
    whole.emplace(std::move(loaded).value());
  }
  const auto float_first = [&](const loaded_request& in) -> result<std::optional<int>> {
    std::vector<tensor_view> views;
    for (const auto& t : in.inputs) views.push_back(t.values.view());
    std::vector<tensor> outputs;
    std::vector<mutable_tensor_view> out;
    for (const auto& t : whole->outputs()) outputs.emplace_back(t.dims);
    for (auto& t : outputs) out.push_back(t.view());
    run_options quiet;
    quiet.threads = options.batch.engine.threads;
    quiet.stop = interrupted.token();
    NARROWS_TRY(whole->run(views, out, quiet));
    return work->first_class(outputs);
  };

  exit_code trouble = exit_code::ok;
  const auto began = clock_type::now();
  std::deque<in_flight_request> waiting;
  const auto end_one = [&] {   // waits for the oldest: answers are shown in the order of the inputs
    auto r = std::move(waiting.front());
    waiting.pop_front();
    auto a = link.wait(r.id);
    outcome o;
    o.input = r.in.name;
    o.file_bytes = r.in.inputs[0].file.size();
    double returned = 0;
    if (!a) {
      o.failure = error(a.error().code, a.error().what.empty() ? r.in.name : r.in.name + ": " + a.error().what);
    } else {
      o.from = to_string(a->from);
      o.bytes_sent = a->bytes_sent;
      o.float32_bytes = float32_bytes(g, r.how.at);
      const auto& t = a->latency;
      for (const auto& h : a->onward) {
        o.hops.push_back({ms(h.encode), ms(h.link), ms(h.decode), ms(h.server), h.bytes_sent, h.taken_over});
        o.ms.onward += o.hops.back().total();
      }
      o.ms = {ms(t.total) + r.packing_ms, ms(t.device), ms(t.encode) + r.packing_ms, ms(t.link), ms(t.decode), ms(t.server), ms(t.queue), o.ms.onward};
      o.outputs = std::move(a->outputs);
      for (const auto& out : o.outputs) returned += 4 * static_cast<double>(out.size());
      if (!a->warning.empty()) say_once(a->warning);
      if (whole) {
        auto f = float_first(r.in);
        if (f) o.float_first = *f;
      }
    }
    o.finished_ms = ms(r.submitted - began) + o.ms.total;
    plans->saw(o, returned, r.how.epoch, options.in_flight > 1);
    if (!r.switched.empty()) {
      book.remark(r.switched);
      if (options.explain && options.batch.format != output_format::table) fmt::print(stderr, "narrows: {}\n", r.switched);
    }
    if (plans->varies()) o.how = std::move(r.how);
    o.predicted_ms = r.predicted_ms;
    if (interrupted.seen() && o.failure && o.failure->code == errc::cancelled) return;
    if (auto added = book.add(o); !added) trouble = report(added.error());
  };

  book.began();
  auto due = clock_type::now();
  auto epoch = first.epoch;
  std::future<result<loaded_request>> ahead;
  for (std::size_t i = 0; i < work->requests() && !interrupted.seen() && trouble == exit_code::ok; ++i) {
    while (waiting.size() >= static_cast<std::size_t>(options.in_flight)) end_one();
    if (options.every.count() > 0) {
      while (!interrupted.seen() && clock_type::now() < due) std::this_thread::sleep_for(std::min<clock_type::duration>(due - clock_type::now(), std::chrono::milliseconds(50)));
      due += std::chrono::duration_cast<clock_type::duration>(options.every);
    }
    plans->look_at_link(link, std::any_of(waiting.begin(), waiting.end(), [](const in_flight_request& r) { return !r.how.codings.empty(); }));
    auto in = ahead.valid() ? ahead.get() : work->load(i);
    // With several under way the device should not wait for a picture to be read: the next one is read while this one's head runs.
    if (options.in_flight > 1 && i + 1 < work->requests()) ahead = std::async(std::launch::async, [&work, next = i + 1] { return work->load(next); });
    if (!in) {
      while (!waiting.empty()) end_one();
      outcome o;
      o.input = work->name(i);
      o.failure = std::move(in).error();
      if (auto added = book.add(o); !added) trouble = report(added.error());
      continue;
    }
    in_flight_request r{{}, i, plans->next(link.peer().has_value()), std::move(in).value(), clock_type::now(), plans->predicted_ms(), {}, 0};
    if (std::exchange(epoch, r.how.epoch) != r.how.epoch) r.switched = "from here on: " + plans->why(g);
    std::vector<tensor_view> views;
    for (const auto& t : r.in.inputs) views.push_back(t.values.view());
    encoded_input picture;
    edge_request asked;
    asked.inputs = views;
    asked.how = &r.how;
    asked.deadline = deadline;
    asked.stop = interrupted.token();
    const auto form = r.how.codings.empty() ? codec::raw : r.how.codings.front().coded_as;
    std::optional<std::vector<std::uint8_t>> packed;
    if (is_picture(form)) {
      const bool file = form == codec::image;
      picture.coded_as = file ? codec::image : codec::pixels;
      picture.bytes = file ? r.in.inputs[0].file : r.in.inputs[0].pixels;
      picture.order = file ? value_order::as_given : value_order::nhwc;
      if (form == codec::predicted && !picture.bytes.empty()) {
        const auto start = clock_type::now();
        packed = predicted_pixels(picture.bytes, views[0].dims());   // pixels where that is no shorter
        r.packing_ms = ms(clock_type::now() - start);
      }
      if (packed) picture.coded_as = form, picture.bytes = *packed;
      asked.encoded = &picture;
    }
    result<request_id> id = picture.bytes.empty() && asked.encoded != nullptr
      ? result<request_id>(error(errc::bad_input, fmt::format("codec {} needs a picture{}", to_string(form), form == codec::image ? " file" : "")))
      : link.submit(asked);
    if (!id) {
      while (!waiting.empty()) end_one();
      if (interrupted.seen()) break;
      outcome o;
      o.input = r.in.name;
      o.failure = error(id.error().code, r.in.name + ": " + id.error().what);
      if (auto added = book.add(o); !added) trouble = report(added.error());
      continue;
    }
    r.id = *id;
    waiting.push_back(std::move(r));
  }
  while (!waiting.empty()) end_one();
  const auto code = book.finish();
  if (interrupted.seen()) return exit_code::interrupted;
  return trouble != exit_code::ok ? trouble : code;
}

}  // namespace

void add_run(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<run_command>();
  auto* app = add_command(program, chosen, "run", "Be the edge: run the head here, send what crosses, let the cloud run the tail", options, run);
  add_batch(*app, options->batch);
  app->add_option("--connect", options->endpoint, "endpoint of 'narrows serve'")->type_name("EP")->capture_default_str();
  add_parsed(*app, "--deadline", options->deadline, [](std::string_view t) {
    auto d = parse_duration(t);
    return d && d->count() >= 0.001 ? d : std::nullopt;
  }, "a time of at least 1ms, such as 200ms or 2s", "every input has its answer, or an error, by then")->type_name("TIME")->default_str("5s");
  add_parsed(*app, "--fallback", options->fallback, parse_fallback, "local or never", "what becomes of an input that the cloud does not answer in time: local runs the tail here, never makes it an error")
    ->type_name("local|never")->default_str("local");
  app->add_option("--slow-down", options->slow_down, "what runs here takes so many times as long (as --device says, if given), by waiting: to try a slower device (with --device-slower, its plans too)")
    ->check(CLI::Range(1.0, 1000.0))->type_name("X");
  app->add_option("--in-flight", options->in_flight, "inputs under way at once; from 2 on device, link and cloud work at the same time")
    ->check(CLI::Range(1, 1024))->type_name("N")->capture_default_str();
  add_parsed(*app, "--every", options->every, parse_duration, "a time such as 50ms", "start one input in this time, as a camera would; 0: as fast as they go")->type_name("TIME")->default_str("0");
  app->add_flag("--explain", options->explain, "say on standard error which plan was chosen and why (a table says so anyway)");
  app->add_flag("--compare-float", options->compare_float, "also run each input here in float and uncut, and count how often the first class is the same");
  add_plan_options(*app, options->fixed, "Fixed plan (without --at the policy chooses; then --bits and --codec say from what)");
  add_planning(*app, options->choice, "--require");
  const auto group = "Security (off loopback an edge needs --key and --server-key)";
  app->add_option("--key", options->key, "this edge's key pair, from 'narrows keygen'")->type_name("FILE")->group(group);
  app->add_option("--server-key", options->server_key, "the cloud's public key, or a file with it")->type_name("KEY|FILE")->group(group);
  app->add_flag("--plain", options->plain, "connect off loopback without keys: anyone on the way may read")->group(group);
}

}  // namespace narrows::tool
