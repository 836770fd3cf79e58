// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/cloud_link.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/net/wakeup.hpp>
#include <narrows/pack/packed_tensor.hpp>

namespace narrows::detail {

/// The machine inside an edge. Three kinds of threads: callers run heads and encode (`submit`), one thread owns the
/// socket and every deadline (`link_loop`), one runs tails that the cloud did not (`local_loop`). So the device works on
/// one request while another is on the link and a third in the cloud.
class edge_core {
public:
  using time_point = clock::time_point;
  using duration = clock::duration;
  using stage = pending::stage;

  edge_core(model what, any_engine engine, edge_options options)
    : model_(std::move(what)), options_(std::move(options)), runner_(std::move(engine), options_.cached_executors),
      estimate_(multiply_adds(*model_.network))
  {
    std::uint64_t bytes = std::uint64_t{1} << 20;
    for (const auto v : model_.network->outputs()) bytes = std::max(bytes, float_bytes(*model_.network, v));
    most_.frame_bytes = bytes;
  }

  ~edge_core()
  {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (auto& [id, p] : requests_) finish(*p, error(errc::cancelled, "the edge is closing"));
    }
    wake_.wake();
    changed_.notify_all();
    if (jump_ != 0) options_.time->forget(jump_);
    if (link_thread_.joinable()) link_thread_.join();
    if (local_thread_.joinable()) local_thread_.join();
  }
  edge_core(const edge_core&) = delete;
  edge_core& operator=(const edge_core&) = delete;

  /// Opens the link and waits for the welcome. A cloud that is merely not there is an error only without fallback.
  result<void> open()
  {
    if (!wake_.works()) return error(errc::io_error, "no pipe");
    wire::hello greeting{next_id_++, model_.hash, model_.name, {static_cast<std::uint32_t>(format_version)}, std::string(runner_.engine().level()),
      wire::tensors_hash(*model_.network), {most_.frame_bytes, most_.tensors, 0}};
    try {
      link_ = std::make_unique<cloud_link>(context_, options_, std::move(greeting), most_);
    } catch (const zmq::error_t& e) {
      return error(errc::bad_input, options_.endpoint + ": " + e.what());
    }
    jump_ = options_.time->on_jump([this] { wake_.wake(); });
    connect_until_ = options_.time->now() + options_.connect_timeout;
    link_thread_ = std::thread([this] { link_loop(); });
    local_thread_ = std::thread([this] { local_loop(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return connect_done_; });
    if (refusal_) return *refusal_;
    if (!up_) {
      const error why(errc::unreachable, options_.endpoint);
      if (options_.fallback == fallback_policy::never) return why;
      say(log_level::warning, why.text() + "; answers will be local");
    }
    return {};
  }

  result<request_id> submit(const edge_request& asked)
  {
    auto p = std::make_shared<pending>();
    p->started = options_.time->now();
    p->deadline = p->started + asked.deadline;
    NARROWS_TRY(check(asked));
    p->how = *asked.how;
    {
      const std::lock_guard lock(mutex_);
      p->id = next_id_++;
      requests_.emplace(p->id, p);
    }
    wake_.wake();   // the link thread watches the deadline from here on
    if (asked.stop.stop_possible()) p->on_stop.emplace(asked.stop, [this, id = p->id] { cancel(id); });
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return p->at == stage::done || in_flight() < options_.max_in_flight; });
      if (p->at == stage::done) return static_cast<request_id>(p->id);
      p->at = stage::device;
    }
    if (auto prepared = run_head(*p, asked); !prepared) {
      const std::lock_guard lock(mutex_);
      finish(*p, std::move(prepared).error());
    }
    return static_cast<request_id>(p->id);
  }

  result<answer> wait(request_id which)
  {
    std::shared_ptr<pending> p;
    {
      std::unique_lock lock(mutex_);
      const auto it = requests_.find(static_cast<std::uint64_t>(which));
      if (it == requests_.end()) return error(errc::bad_input, "no such request");
      p = it->second;
      changed_.wait(lock, [&] { return p->outcome.has_value(); });
      requests_.erase(p->id);
    }
    p->on_stop.reset();   // without the lock: a callback under way may want it
    return std::move(*p->outcome);
  }

  void cancel(std::uint64_t id)
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = requests_.find(id); it != requests_.end()) finish(*it->second, error(errc::cancelled, "request " + std::to_string(id)));
  }

  [[nodiscard]] std::optional<wire::welcome> peer() const
  {
    const std::lock_guard lock(mutex_);
    return up_ ? peer_ : std::nullopt;
  }
  [[nodiscard]] const model& what() const noexcept { return model_; }

private:
  void say(log_level level, const std::string& line) const
  {
    if (options_.log) options_.log(level, line);
  }

  // --- the caller's thread --------------------------------------------------------------------------------------

  [[nodiscard]] result<void> check(const edge_request& asked) const
  {
    const auto& g = *model_.network;
    if (asked.deadline.count() <= 0) return error(errc::bad_input, "a request needs a deadline");
    if (asked.how == nullptr || asked.how->at.head.size() != g.nodes().size() || asked.how->at.tensors.size() != asked.how->codings.size())
      return error(errc::bad_cut, "plan is not for " + model_.name);
    if (asked.inputs.size() != g.inputs().size())
      return error(errc::bad_input, std::to_string(asked.inputs.size()) + " tensors, " + model_.name + " takes " + std::to_string(g.inputs().size()));
    for (std::size_t i = 0; i < asked.inputs.size(); ++i)
      if (const auto& want = g[g.inputs()[i]]; !(asked.inputs[i].dims() == want.dims))
        return error(errc::bad_input, "tensor '" + want.name + "' is " + to_string(asked.inputs[i].dims()) + ", expected " + to_string(want.dims));
    return {};
  }

  result<void> run_head(pending& p, const edge_request& asked)
  {
    const auto& g = *model_.network;
    slice_runner::views inputs;
    for (std::size_t i = 0; i < asked.inputs.size(); ++i) inputs.emplace(g.inputs()[i], asked.inputs[i]);
    const bool has_head = std::find(p.how.at.head.begin(), p.how.at.head.end(), true) != p.how.at.head.end();
    if (has_head) {
      const auto began = options_.time->now();
      auto made = runner_.run(model_.network, p.how.at, cut_side::head, inputs, run_here(p));
      if (!made) return std::move(made).error();
      p.kept = std::move(made).value();
      p.latency.device = options_.time->now() - began;
    }
    for (const auto v : p.how.at.tensors)
      if (const auto it = inputs.find(v); it != inputs.end() && !p.kept.contains(v)) p.kept.emplace(v, tensor(it->second.dims(), it->second.values()));
    if (p.how.at.tensors.empty()) {
      const std::lock_guard lock(mutex_);
      if (has_head) estimate_.saw_head(p.how.at, p.latency.device);
      answer all = answer_of(p, {});
      all.from = source::local;
      finish(p, std::move(all));
      return {};
    }
    NARROWS_TRY(encode_all(p, asked.encoded));
    {
      const std::lock_guard lock(mutex_);
      if (has_head) estimate_.saw_head(p.how.at, p.latency.device);
      if (p.at == stage::done) return {};
      p.at = stage::ready;
      p.ready_at = p.not_before = options_.time->now();
      // The tail is loaded while the cloud works, so that a fallback need not begin with that.
      if (options_.fallback == fallback_policy::local && !prepared_[p.how.at.head]) {
        if (prepared_.size() > 4 * options_.cached_executors) prepared_.clear();
        prepared_[p.how.at.head] = true;
        to_prepare_.push_back(p.how.at);
        changed_.notify_all();
      }
    }
    wake_.wake();
    return {};
  }

  result<void> encode_all(pending& p, const encoded_input* given)
  {
    const auto began = options_.time->now();
    const auto& g = *model_.network;
    for (std::size_t i = 0; i < p.how.at.tensors.size(); ++i) {
      const auto v = p.how.at.tensors[i];
      const auto& how = p.how.codings[i];
      auto bytes = std::make_shared<aligned_vector<std::uint8_t>>();
      wire::tensor_header header;
      header.name = g[v].name;
      if (how.coded_as == codec::pixels || how.coded_as == codec::image) {
        if (given == nullptr || given->coded_as != how.coded_as || g[v].producer)
          return error(errc::unsupported_codec, "tensor '" + header.name + "': " + std::string(to_string(how.coded_as)) + " needs the encoded input, at the input");
        bytes->assign(given->bytes.begin(), given->bytes.end());
        header.what.dims = g[v].dims;
        header.what.order = given->order;
        header.what.coded_as = how.coded_as;
        header.what.payload_bytes = bytes->size();
      } else {
        auto made = encode(p.kept.at(v).view(), how, *bytes);
        if (!made) return error(made.error(), "tensor '" + header.name + "'");
        if (made->coded_as == codec::raw && how.coded_as != codec::raw) p.note = "tensor '" + header.name + "' holds values that cannot be quantised: sent as float32";
        header.what = std::move(made).value();
      }
      header.crc32c = crc32c(*bytes);
      p.headers.push_back(std::move(header));
      p.payloads.push_back(std::move(bytes));
    }
    p.latency.encode = options_.time->now() - began;
    return {};
  }

  [[nodiscard]] run_options run_here(const pending& p) const { return {.threads = options_.threads, .stop = p.stopper.get_token(), .on_node = {}}; }

  // --- with the lock held ---------------------------------------------------------------------------------------

  [[nodiscard]] std::size_t in_flight() const
  {
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(),
      [](const auto& entry) { return entry.second->at != stage::queued && entry.second->at != stage::done; }));
  }

  /// Ends a request; the first end counts, later ones come to nothing.
  void finish(pending& p, result<answer> how)
  {
    if (p.at == stage::done) return;
    if (p.attempts > 0 && !(how && how->from == source::remote)) to_cancel_.push_back(p.id);
    p.at = stage::done;
    p.outcome = std::move(how);
    p.stopper.request_stop();
    changed_.notify_all();
    wake_.wake();
  }

  /// The answer from what the head made and what else was made; `others` is used up.
  [[nodiscard]] answer answer_of(const pending& p, slice_runner::tensors others) const
  {
    answer a;
    for (const auto v : model_.network->outputs()) {
      if (const auto it = others.find(v); it != others.end()) a.outputs.push_back(std::move(it->second));
      else if (const auto kept = p.kept.find(v); kept != p.kept.end()) a.outputs.push_back(kept->second);
    }
    a.bytes_sent = p.bytes_sent;
    a.latency = p.latency;
    a.latency.total = options_.time->now() - p.started;
    a.epoch = p.how.epoch;
    a.attempts = p.attempts;
    a.warning = p.note;
    return a;
  }

  /// When the device must take over so that its own answer still meets the deadline: one and a half times the tail's
  /// expected time before it, for this request and each other unfinished one whose deadline is no later (they share the
  /// local thread); half of what was left after encoding where nothing has been measured yet. The cloud gets a quarter of
  /// that time at least, since its answer counts even when the device has begun.
  [[nodiscard]] time_point take_over_at(const pending& p) const
  {
    if (options_.fallback == fallback_policy::never) return p.deadline;
    const auto expected = estimate_.of(p.how.at);
    if (!expected) return p.ready_at + (p.deadline - p.ready_at) / 2;
    std::int64_t ahead = 1;
    for (const auto& [id, other] : requests_)
      if (other.get() != &p && (other->at == stage::ready || other->at == stage::sent || other->at == stage::local) &&
          std::pair(other->deadline, id) < std::pair(p.deadline, p.id)) ++ahead;
    return std::max(p.deadline - std::chrono::milliseconds(2) - ahead * (*expected + *expected / 2), p.ready_at + (p.deadline - p.ready_at) / 4);
  }

  /// The cloud will not answer in time or at all: the device does, if it may.
  void give_up(pending& p, error why)
  {
    if (p.at == stage::local || p.at == stage::done) return;
    p.cause = std::move(why);
    if (options_.fallback == fallback_policy::never || p.cause.code == errc::model_mismatch || p.cause.code == errc::authentication)
      return finish(p, p.cause);
    p.at = stage::local;
    p.local_at = options_.time->now();
    p.latency.link = p.attempts > 0 ? p.local_at - p.ready_at : duration::zero();
    to_run_.push_back(requests_.at(p.id));
    changed_.notify_all();
  }

  /// Sends a request again if it may be, else gives it up.
  void retry(pending& p, error why, duration after)
  {
    if (p.at != stage::sent) return;
    if (p.attempts >= options_.max_attempts) return give_up(p, std::move(why));
    p.cause = std::move(why);
    p.at = stage::ready;
    p.not_before = options_.time->now() + after;
  }

  [[nodiscard]] error silence(const pending& p, time_point now) const
  {
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - p.started);
    const auto within = " within " + std::to_string(waited.count()) + " ms";
    if (p.cause.code != errc::internal || !p.cause.what.empty()) return p.cause;
    return up_ ? error(errc::deadline, options_.endpoint + ": no answer" + within) : error(errc::unreachable, options_.endpoint);
  }

  /// Moves one request on; returns when it wants to be looked at again.
  time_point step(pending& p, time_point now)
  {
    if (p.at == stage::done) return time_point::max();
    if (now >= p.deadline) {
      const bool cloud_late = p.at == stage::ready || p.at == stage::sent;
      finish(p, cloud_late ? silence(p, now) : error(errc::deadline, "request " + std::to_string(p.id) + (p.at == stage::queued ? " waited for others" : ": the device was too slow")));
      return time_point::max();
    }
    if (p.at != stage::ready && p.at != stage::sent) return p.deadline;
    if (refusal_) {
      finish(p, *refusal_);
      return time_point::max();
    }
    auto next = take_over_at(p);
    if (now >= next && options_.fallback == fallback_policy::local) {
      give_up(p, silence(p, now));
      return p.deadline;
    }
    if (!up_ && options_.fallback == fallback_policy::local) {
      const auto lost = link_->lost_since() + options_.reconnect_grace;
      if (now >= lost) {
        give_up(p, {errc::unreachable, options_.endpoint});
        return p.deadline;
      }
      next = std::min(next, lost);
    }
    if (p.at == stage::ready && up_) {
      if (now < p.not_before) return std::min(next, p.not_before);
      return std::min(next, transmit(p, now, next));
    }
    if (p.at == stage::sent && p.resend_at) {
      if (now < *p.resend_at) return std::min(next, *p.resend_at);
      p.resend_at.reset();
      if (p.attempts < options_.max_attempts) {
        say(log_level::info, "request " + std::to_string(p.id) + " is sent again after silence");
        p.at = stage::ready;
        p.not_before = now;
        return std::min(next, transmit(p, now, next));
      }
    }
    return next;
  }

  time_point transmit(pending& p, time_point now, time_point limit)
  {
    const auto left = std::chrono::floor<std::chrono::milliseconds>(p.deadline - now);
    const auto envelope = wire::encode(wire::request{p.id, static_cast<std::uint32_t>(p.attempts + 1), p.how.epoch, model_.hash, left, p.headers});
    if (!envelope) {
      give_up(p, envelope.error());
      return now;
    }
    std::uint64_t bytes = envelope->size();
    std::vector<zmq::message_t> frames;
    for (const auto& payload : p.payloads) {
      if (peer_ && payload->size() > peer_->accepts.frame_bytes) {
        give_up(p, {errc::limit_exceeded, options_.endpoint + ": cloud takes no payload of " + std::to_string(payload->size()) + " bytes"});
        return now;
      }
      bytes += payload->size();
      frames.push_back(frame_of(*payload, payload));
    }
    if (!link_->send(zmq::message_t(envelope->data(), envelope->size()), std::move(frames))) return now + std::chrono::milliseconds(5);
    ++p.attempts;
    p.bytes_sent += bytes;
    p.at = stage::sent;
    p.sent_at = now;
    const auto patience = options_.attempt_timeout.count() > 0 ? duration(options_.attempt_timeout) : std::max<duration>((limit - now) / 2, std::chrono::milliseconds(1));
    p.resend_at = now + patience;
    return *p.resend_at;
  }

  // --- the link's thread ----------------------------------------------------------------------------------------

  void link_loop()
  {
    std::vector<zmq::pollitem_t> items{{nullptr, wake_.descriptor(), ZMQ_POLLIN, 0}, {link_->socket().handle(), 0, ZMQ_POLLIN, 0}, {link_->monitor().handle(), 0, ZMQ_POLLIN, 0}};
    for (;;) {
      time_point next;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
        next = advance();
      }
      try {
        zmq::poll(items, options_.time->sleep_for(next));
        wake_.drain();
        heed_link();
      } catch (const std::exception& e) {
        say(log_level::error, std::string("link: ") + e.what());
      }
    }
    const std::lock_guard lock(mutex_);
    send_cancels();
    link_.reset();
  }

  /// Everything that time decides; returns when to look again.
  time_point advance()
  {
    const auto now = options_.time->now();
    link_->tick();
    up_ = link_->now() == cloud_link::state::up;
    peer_ = link_->peer();
    refusal_ = link_->refusal();
    auto next = link_->next_tick();
    if (!connect_done_) {
      if (up_ || refusal_ || now >= connect_until_) {
        connect_done_ = true;
        changed_.notify_all();
      } else {
        next = std::min(next, connect_until_);
      }
    }
    for (auto& [id, p] : requests_) next = std::min(next, step(*p, now));
    send_cancels();
    return next == time_point::max() ? now + std::chrono::minutes(1) : next;
  }

  void send_cancels()
  {
    if (link_ && up_)
      for (const auto id : to_cancel_)
        if (const auto envelope = wire::encode(wire::cancel{id})) static_cast<void>(link_->send(zmq::message_t(envelope->data(), envelope->size()), {}));
    to_cancel_.clear();
  }

  void heed_link()
  {
    if (link_->watch()) {
      const std::lock_guard lock(mutex_);
      up_ = false;
      for (auto& [id, p] : requests_) retry(*p, {errc::unreachable, options_.endpoint}, duration::zero());
    }
    while (auto in = link_->receive()) {
      if (auto* reply = std::get_if<wire::reply>(&in->head)) take(*reply, in->payloads);
      else take(std::get<wire::failure>(in->head));
    }
  }

  void take(const wire::failure& failed)
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, p] : requests_) {
      // id 0: something that we sent could not be read, so whatever is out may be lost.
      if ((failed.id != 0 && failed.id != id) || p->at != stage::sent) continue;
      const error why(failed.code, options_.endpoint + (failed.what.empty() ? "" : ": " + failed.what));
      const bool passing = failed.code == errc::overloaded || failed.code == errc::integrity || failed.id == 0;
      say(log_level::warning, "request " + std::to_string(id) + " refused by " + why.text());
      if (passing) retry(*p, why, options_.backoff * (1 << std::min(p->attempts - 1, 10)));
      else give_up(*p, why);
    }
  }

  /// A reply ends its request if it fits; whatever is late, unknown, of another epoch or broken is dropped.
  void take(const wire::reply& reply, const std::vector<zmq::message_t>& payloads)
  {
    const auto arrived = options_.time->now();
    const std::lock_guard lock(mutex_);
    const auto it = requests_.find(reply.id);
    if (it == requests_.end() || it->second->attempts == 0 || it->second->at == stage::done)
      return say(log_level::debug, "dropped a reply nobody waits for (request " + std::to_string(reply.id) + ")");
    auto& p = *it->second;
    if (reply.epoch != p.how.epoch) return say(log_level::warning, "dropped a reply of epoch " + std::to_string(reply.epoch) + ", plan is of " + std::to_string(p.how.epoch));
    auto outputs = outputs_of(p, reply, payloads);
    if (!outputs) {
      say(log_level::warning, "reply refused: " + outputs.error().text());
      return retry(p, outputs.error(), options_.backoff);
    }
    auto a = answer_of(p, std::move(outputs).value());
    a.from = source::remote;
    a.latency.decode = reply.took.decode;
    a.latency.server = reply.took.queue + reply.took.run;
    a.latency.link = std::max<duration>(arrived - p.ready_at - a.latency.decode - a.latency.server, duration::zero());
    if (p.attempts > 1 && a.warning.empty()) a.warning = "sent " + std::to_string(p.attempts) + " times" + (p.cause.what.empty() ? "" : " (" + p.cause.text() + ")");
    finish(p, std::move(a));
  }

  [[nodiscard]] result<slice_runner::tensors> outputs_of(const pending& p, const wire::reply& reply, const std::vector<zmq::message_t>& payloads) const
  {
    const auto& g = *model_.network;
    if (reply.outputs.size() != payloads.size()) return error(errc::bad_message, "reply: frames and headers differ in number");
    slice_runner::tensors made;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const auto& header = reply.outputs[i];
      const auto v = g.find(header.name);
      if (!v || std::find(g.outputs().begin(), g.outputs().end(), *v) == g.outputs().end()) return error(errc::bad_message, "reply: '" + header.name + "' is no output");
      if (header.what.coded_as != codec::raw || narrows::check(header.what, g[*v].dims) != errc::ok || payloads[i].size() != header.what.payload_bytes)
        return error(errc::bad_message, "reply: output '" + header.name + "' is not float32 " + to_string(g[*v].dims));
      if (crc32c(bytes_of(payloads[i])) != header.crc32c) return error(errc::integrity, "reply: output '" + header.name + "'");
      tensor values(g[*v].dims);
      if (const auto done = decode(header.what, bytes_of(payloads[i]), values.values()); !done) return error(done.error(), "reply: output '" + header.name + "'");
      made.insert_or_assign(*v, std::move(values));
    }
    for (const auto v : g.outputs())
      if (!made.contains(v) && !p.kept.contains(v)) return error(errc::bad_message, "reply: output '" + g[v].name + "' is missing");
    return made;
  }

  // --- the local thread -----------------------------------------------------------------------------------------

  void local_loop()
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !to_run_.empty() || !to_prepare_.empty(); });
      if (stopping_) return;
      if (!to_run_.empty()) {
        const auto first = std::min_element(to_run_.begin(), to_run_.end(), [](const auto& a, const auto& b) { return a->deadline < b->deadline; });
        auto p = std::move(*first);
        to_run_.erase(first);
        if (p->at != stage::local) {   // over before it began
          lock.unlock();
          p.reset();
          lock.lock();
          continue;
        }
        lock.unlock();
        run_tail(*p);
        p.reset();
      } else {
        const auto at = std::move(to_prepare_.back());
        to_prepare_.pop_back();
        lock.unlock();
        if (const auto loaded = runner_.prepare(model_.network, at, cut_side::tail); !loaded) say(log_level::warning, "tail: " + loaded.error().text());
      }
      lock.lock();
    }
  }

  void run_tail(pending& p)
  {
    const auto began = options_.time->now();
    slice_runner::views given;
    for (const auto v : p.how.at.tensors) given.emplace(v, p.kept.at(v).view());
    auto made = runner_.run(model_.network, p.how.at, cut_side::tail, given, run_here(p));
    const auto took = options_.time->now() - began;
    const std::lock_guard lock(mutex_);
    if (p.at != stage::local) return;
    if (!made) return finish(p, std::move(made).error());
    estimate_.saw_tail(p.how.at, took);
    p.latency.device += took;
    auto a = answer_of(p, std::move(made).value());
    a.from = source::fallback;
    a.warning = p.cause.text() + "; the device answered";
    finish(p, std::move(a));
  }

  model model_;
  edge_options options_;
  slice_runner runner_;
  wire::limits most_;
  wakeup wake_;
  int jump_ = 0;
  zmq::context_t context_;
  std::unique_ptr<cloud_link> link_;   // the link thread's own, once it runs

  mutable std::mutex mutex_;           // guards all below, and the requests
  std::condition_variable changed_;
  std::map<std::uint64_t, std::shared_ptr<pending>> requests_;
  std::uint64_t next_id_ = 1;
  tail_estimate estimate_;
  std::map<std::vector<bool>, bool> prepared_;
  std::vector<std::shared_ptr<pending>> to_run_;
  std::vector<cut> to_prepare_;
  std::vector<std::uint64_t> to_cancel_;
  bool up_ = false;
  std::optional<wire::welcome> peer_;
  std::optional<error> refusal_;
  time_point connect_until_;
  bool connect_done_ = false;
  bool stopping_ = false;

  std::thread link_thread_;
  std::thread local_thread_;
};

}  // namespace narrows::detail
