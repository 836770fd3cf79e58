// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
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
#include <narrows/net/edge_tensors.hpp>
#include <narrows/net/head_runner.hpp>
#include <narrows/net/link_probe.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/net/request_book.hpp>
#include <narrows/net/tail_runner.hpp>

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
      book_(model_.network, options_), probe_(book_, options_), heads_(model_, runner_, book_, options_), tails_(model_.network, runner_, book_, options_)
  {
    std::uint64_t bytes = std::uint64_t{1} << 20;
    for (const auto v : model_.network->outputs()) bytes = std::max(bytes, float_bytes(*model_.network, v));
    most_.frame_bytes = bytes;
  }

  ~edge_core()
  {
    {
      const std::lock_guard lock(book_.mutex);
      book_.closing = true;
      for (auto& [id, p] : book_.requests) book_.finish(*p, error(errc::cancelled, "the edge is closing"));
    }
    book_.wake.wake();
    book_.changed.notify_all();
    if (jump_ != 0) options_.time->forget(jump_);
    if (link_thread_.joinable()) link_thread_.join();
    if (local_thread_.joinable()) local_thread_.join();
  }
  edge_core(const edge_core&) = delete;
  edge_core& operator=(const edge_core&) = delete;

  /// Opens the link and waits for the welcome. A cloud that is merely not there is an error only without fallback.
  result<void> open()
  {
    if (!book_.wake.works()) return error(errc::io_error, "no pipe");
    wire::hello greeting{book_.next_id++, model_.hash, model_.name, {static_cast<std::uint32_t>(format_version)}, std::string(runner_.engine().level()),
      wire::tensors_hash(*model_.network), {most_.frame_bytes, most_.tensors, 0}};
    try {
      link_ = std::make_unique<cloud_link>(context_, options_, std::move(greeting), most_);
    } catch (const zmq::error_t& e) {
      return error(errc::bad_input, options_.endpoint + ": " + e.what());
    }
    jump_ = options_.time->on_jump([this] { book_.wake.wake(); });
    connect_until_ = options_.time->now() + options_.connect_timeout;
    link_thread_ = std::thread([this] { link_loop(); });
    local_thread_ = std::thread([this] { tails_.loop(); });
    std::unique_lock lock(book_.mutex);
    book_.changed.wait(lock, [this] { return connect_done_; });
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
    auto p = std::make_shared<pending>(runner_.spare());
    p->started = options_.time->now();
    p->deadline = p->started + asked.deadline;
    NARROWS_TRY(check_request(model_, asked));
    p->how = *asked.how;
    if (asked.from) p->from = *asked.from;
    {
      const std::lock_guard lock(book_.mutex);
      p->id = book_.next_id++;
      book_.requests.emplace(p->id, p);
    }
    book_.wake.wake();   // the link thread watches the deadline from here on
    if (asked.stop.stop_possible()) p->on_stop.emplace(asked.stop, [this, id = p->id] { cancel(id); });
    {
      std::unique_lock lock(book_.mutex);
      book_.changed.wait(lock, [&] { return p->at == stage::done || book_.in_flight() < options_.max_in_flight; });
      if (p->at == stage::done) return static_cast<request_id>(p->id);
      p->at = stage::device;
    }
    if (auto prepared = heads_.run(*p, asked); !prepared) {
      const std::lock_guard lock(book_.mutex);
      book_.finish(*p, std::move(prepared).error());
    }
    return static_cast<request_id>(p->id);
  }

  result<answer> wait(request_id which)
  {
    std::shared_ptr<pending> p;
    {
      std::unique_lock lock(book_.mutex);
      const auto it = book_.requests.find(static_cast<std::uint64_t>(which));
      if (it == book_.requests.end()) return error(errc::bad_input, "no such request");
      p = it->second;
      book_.changed.wait(lock, [&] { return p->outcome.has_value(); });
      book_.requests.erase(p->id);
    }
    p->on_stop.reset();   // without the lock: a callback under way may want it
    return std::move(*p->outcome);
  }

  void cancel(std::uint64_t id)
  {
    const std::lock_guard lock(book_.mutex);
    if (const auto it = book_.requests.find(id); it != book_.requests.end()) book_.finish(*it->second, error(errc::cancelled, "request " + std::to_string(id)));
  }

  [[nodiscard]] link_probe& probe() noexcept { return probe_; }
  [[nodiscard]] std::optional<wire::welcome> peer() const
  {
    const std::lock_guard lock(book_.mutex);
    return up_ ? peer_ : std::nullopt;
  }
  [[nodiscard]] const model& what() const noexcept { return model_; }

private:
  void say(log_level level, const std::string& line) const
  {
    if (options_.log) options_.log(level, line);
  }

  // --- with the lock held ---------------------------------------------------------------------------------------

  /// Moves one request on; returns when it wants to be looked at again.
  time_point step(pending& p, time_point now)
  {
    if (p.at == stage::done) return time_point::max();
    if (now >= p.deadline) {
      const bool cloud_late = p.at == stage::ready || p.at == stage::sent;
      book_.finish(p, cloud_late ? book_.silence(p, now, up_) : error(errc::deadline, "request " + std::to_string(p.id) + (p.at == stage::queued ? " waited for others" : ": the device was too slow")));
      return time_point::max();
    }
    if (p.at != stage::ready && p.at != stage::sent) return p.deadline;
    if (refusal_) {
      book_.finish(p, *refusal_);
      return time_point::max();
    }
    auto next = book_.take_over_at(p);
    if (now >= next && options_.fallback == fallback_policy::local) {
      book_.give_up(p, book_.silence(p, now, up_));
      return p.deadline;
    }
    if (!up_ && options_.fallback == fallback_policy::local) {
      const auto lost = link_->lost_since() + options_.reconnect_grace;
      if (now >= lost) {
        book_.give_up(p, {errc::unreachable, options_.endpoint});
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
      book_.give_up(p, envelope.error());
      return now;
    }
    std::uint64_t bytes = envelope->size();
    std::vector<zmq::message_t> frames;
    for (const auto& payload : p.payloads) {
      if (peer_ && payload->size() > peer_->accepts.frame_bytes) {
        book_.give_up(p, {errc::limit_exceeded, options_.endpoint + ": cloud takes no payload of " + std::to_string(payload->size()) + " bytes"});
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
    std::vector<zmq::pollitem_t> items{{nullptr, book_.wake.descriptor(), ZMQ_POLLIN, 0}, {link_->socket().handle(), 0, ZMQ_POLLIN, 0}, {link_->monitor().handle(), 0, ZMQ_POLLIN, 0}};
    for (;;) {
      time_point next;
      {
        const std::lock_guard lock(book_.mutex);
        if (book_.closing) break;
        next = advance();
      }
      try {
        zmq::poll(items, options_.time->sleep_for(next));
        book_.wake.drain();
        heed_link();
      } catch (const std::exception& e) {
        say(log_level::error, std::string("link: ") + e.what());
      }
    }
    const std::lock_guard lock(book_.mutex);
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
        book_.changed.notify_all();
      } else {
        next = std::min(next, connect_until_);
      }
    }
    for (auto& [id, p] : book_.requests) next = std::min(next, step(*p, now));
    next = std::min(next, probe_.step(*link_, up_, now));
    send_cancels();
    return next == time_point::max() ? now + std::chrono::minutes(1) : next;
  }

  void send_cancels()
  {
    if (link_ && up_)
      for (const auto id : book_.to_cancel)
        if (const auto envelope = wire::encode(wire::cancel{id})) static_cast<void>(link_->send(zmq::message_t(envelope->data(), envelope->size()), {}));
    book_.to_cancel.clear();
  }

  void heed_link()
  {
    if (link_->watch()) {
      const std::lock_guard lock(book_.mutex);
      up_ = false;
      for (auto& [id, p] : book_.requests) book_.retry(*p, {errc::unreachable, options_.endpoint}, duration::zero());
    }
    while (auto in = link_->receive()) {
      if (auto* reply = std::get_if<wire::reply>(&in->head)) take(*reply, in->payloads);
      else if (auto* back = std::get_if<wire::echo>(&in->head)) probe_.take(*back);
      else take(std::get<wire::failure>(in->head));
    }
  }

  void take(const wire::failure& failed)
  {
    const std::lock_guard lock(book_.mutex);
    for (auto& [id, p] : book_.requests) {
      // id 0: something that we sent could not be read, so whatever is out may be lost.
      if ((failed.id != 0 && failed.id != id) || p->at != stage::sent) continue;
      const error why(failed.code, options_.endpoint + (failed.what.empty() ? "" : ": " + failed.what));
      const bool passing = failed.code == errc::overloaded || failed.code == errc::integrity || failed.id == 0;
      say(log_level::warning, "request " + std::to_string(id) + " refused by " + why.text());
      if (passing) book_.retry(*p, why, options_.backoff * (1 << std::min(p->attempts - 1, 10)));
      else book_.give_up(*p, why);
    }
  }

  /// A reply ends its request if it fits; whatever is late, unknown, of another epoch or broken is dropped.
  void take(const wire::reply& reply, const std::vector<zmq::message_t>& payloads)
  {
    const auto arrived = options_.time->now();
    const std::lock_guard lock(book_.mutex);
    const auto it = book_.requests.find(reply.id);
    if (it == book_.requests.end() || it->second->attempts == 0 || it->second->at == stage::done)
      return say(log_level::debug, "dropped a reply nobody waits for (request " + std::to_string(reply.id) + ")");
    auto& p = *it->second;
    if (reply.epoch != p.how.epoch) return say(log_level::warning, "dropped a reply of epoch " + std::to_string(reply.epoch) + ", plan is of " + std::to_string(p.how.epoch));
    auto outputs = outputs_of(*model_.network, p, reply, payloads);
    if (!outputs) {
      say(log_level::warning, "reply refused: " + outputs.error().text());
      return book_.retry(p, outputs.error(), options_.backoff);
    }
    auto a = book_.answer_of(p, std::move(outputs).value());
    a.from = source::remote;
    a.latency.decode = reply.took.decode;
    a.latency.server = reply.took.queue + reply.took.run;
    a.latency.queue = reply.took.queue;
    duration behind{0};
    for (const auto& h : reply.onward) {
      behind += h.encode + h.link + h.decode + h.server;
      if (h.taken_over && a.warning.empty()) a.warning = options_.endpoint + " answered without the cloud behind it";
    }
    a.onward = reply.onward;
    a.latency.link = std::max<duration>(arrived - p.ready_at - a.latency.decode - a.latency.server - behind, duration::zero());
    if (p.attempts > 1 && a.warning.empty()) a.warning = "sent " + std::to_string(p.attempts) + " times" + (p.cause.what.empty() ? "" : " (" + p.cause.text() + ")");
    book_.finish(p, std::move(a));
  }

  model model_;
  edge_options options_;
  slice_runner runner_;
  wire::limits most_;
  request_book book_;                  // its mutex guards all below that has no other note
  link_probe probe_;
  head_runner heads_;
  tail_runner tails_;
  int jump_ = 0;
  zmq::context_t context_;
  std::unique_ptr<cloud_link> link_;   // the link thread's own, once it runs

  bool up_ = false;
  std::optional<wire::welcome> peer_;
  std::optional<error> refusal_;
  time_point connect_until_;
  bool connect_done_ = false;

  std::thread link_thread_;
  std::thread local_thread_;
};

}  // namespace narrows::detail
