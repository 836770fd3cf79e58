// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/net/job_queue.hpp>
#include <narrows/net/log.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/net/security.hpp>
#include <narrows/net/tile_maker.hpp>
#include <narrows/net/wakeup.hpp>
#include <narrows/net/worker.hpp>
#include <narrows/wire/decode.hpp>
#include <narrows/wire/encode.hpp>

namespace narrows {

struct cloud_options {
  std::string endpoint = "tcp://127.0.0.1:*";     ///< port * takes a free one; `cloud::endpoint` says which
  int workers = 1;                                ///< requests run at once
  int threads = 1;                                ///< of one run
  std::size_t max_batch = 1;                      ///< waiting requests of one model and cut that are run as one
  std::size_t max_queued = 64;                    ///< requests that wait for a worker; more are refused as overloaded
  std::uint64_t max_queued_bytes = std::uint64_t{1} << 30;
  std::uint64_t max_frame_bytes = 0;              ///< of one payload; 0: 16 MiB or the largest tensor, whichever is more
  std::size_t cached_executors = 8;
  std::size_t cached_tiles = 16;                  ///< executors of tiles kept loaded; each holds its layers' weights once more
  input_decoder decode_input{};                     ///< for codecs pixels and image; none: they are refused
  tail_function run_tail{};                         ///< what makes the answers in place of this cloud's engine (see relay.hpp)
  std::optional<curve_server> curve{};              ///< keys and allow-list; none: plain
  bool allow_plain = false;                       ///< bind off loopback without keys all the same
  std::chrono::milliseconds handshake_timeout{2000};
  std::chrono::milliseconds heartbeat_interval{1000};
  std::chrono::milliseconds heartbeat_timeout{30000};   ///< generous: a slow link may be busy with one large payload
  log_sink log{};
  std::shared_ptr<clock> time = steady_time();
};

/// The cloud: a ROUTER socket in front of a pool of workers. It keeps no state between requests and goes on serving
/// whatever it is sent; each request that can be read gets one reply or one coded failure.
class cloud {
public:
  /// Binds the endpoint and loads nothing yet.
  /// Errors   bad_input: no model, or an endpoint that is not one; authentication: off loopback without keys, or an empty
  ///          allow-list; io_error: the address is in use or not ours.
  [[nodiscard]] static result<cloud> bind(std::vector<model> models, any_engine engine, cloud_options options = {})
  {
    if (models.empty()) return error(errc::bad_input, "no model to serve");
    if (!options.curve && !options.allow_plain && !is_loopback(options.endpoint))
      return error(errc::authentication, options.endpoint + ": off loopback a cloud needs keys (or leave to go without)");
    if (options.curve && options.curve->allowed.empty()) return error(errc::authentication, options.endpoint + ": the allow-list is empty");
    cloud c(std::make_unique<state>(std::move(models), std::move(engine), std::move(options)));
    if (auto opened = c.self_->open(); !opened) return std::move(opened).error();
    return c;
  }

  /// Serves until `stop` is asked for; call it once. Requests not begun by then are dropped.
  void run(std::stop_token stop) { self_->run(stop); }

  /// The address as bound: "tcp://127.0.0.1:40123".
  [[nodiscard]] std::string endpoint() const { return self_->endpoint; }

private:
  struct state {
    state(std::vector<model> models, any_engine engine, cloud_options o)
      : options(std::move(o)),
        serving(std::move(models), std::move(engine), {options.threads, options.cached_executors, options.decode_input, options.run_tail, options.time}),
        tiles(serving, options.threads, options.cached_tiles, options.time), queue(options.max_queued, options.max_queued_bytes)
    {
      std::uint64_t largest = std::uint64_t{16} << 20;
      for (const auto& m : serving.models()) {
        hashes.push_back(wire::tensors_hash(*m.network));
        for (const auto& v : m.network->values())
          if (!v.is_constant) largest = std::max<std::uint64_t>(largest, v.dims.elements() * sizeof(float));
      }
      most.frame_bytes = options.max_frame_bytes != 0 ? options.max_frame_bytes : largest;
    }

    void say(log_level level, const std::string& line) const
    {
      if (options.log) options.log(level, line);
    }

    result<void> open()
    {
      if (!wake.works()) return error(errc::io_error, "no pipe");
      try {
        router.emplace(context, zmq::socket_type::router);
        router->set(zmq::sockopt::linger, 200);
        router->set(zmq::sockopt::router_mandatory, true);
        router->set(zmq::sockopt::rcvhwm, 16);
        router->set(zmq::sockopt::sndhwm, 256);
        router->set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(std::max<std::uint64_t>(most.frame_bytes, most.envelope_bytes)));
        router->set(zmq::sockopt::handshake_ivl, static_cast<int>(options.handshake_timeout.count()));
        router->set(zmq::sockopt::heartbeat_ivl, static_cast<int>(options.heartbeat_interval.count()));
        router->set(zmq::sockopt::heartbeat_timeout, static_cast<int>(options.heartbeat_timeout.count()));
        if (options.curve) {
          zap.emplace(context, options.curve->allowed);
          router->set(zmq::sockopt::zap_domain, "narrows");
          router->set(zmq::sockopt::curve_server, true);
          router->set(zmq::sockopt::curve_secretkey, options.curve->own.secret_key);
        }
        router->bind(options.endpoint);
        endpoint = router->get(zmq::sockopt::last_endpoint);
        return {};
      } catch (const zmq::error_t& e) {
        return error(e.num() == EINVAL || e.num() == EPROTONOSUPPORT ? errc::bad_input : errc::io_error, options.endpoint + ": " + e.what());
      }
    }

    void run(const std::stop_token& stop)
    {
      std::vector<std::jthread> workers;
      for (int i = 0; i < std::max(1, options.workers); ++i) workers.emplace_back([this] { work(); });
      const std::stop_callback on_stop(stop, [this] { wake.wake(); });
      say(log_level::info, "serving at " + endpoint);
      std::vector<zmq::pollitem_t> items{{router->handle(), 0, ZMQ_POLLIN, 0}, {nullptr, wake.descriptor(), ZMQ_POLLIN, 0}};
      if (zap) items.push_back({zap->socket().handle(), 0, ZMQ_POLLIN, 0});
      while (!stop.stop_requested()) {
        try {
          zmq::poll(items, std::chrono::milliseconds(-1));
          if (zap && (items[2].revents & ZMQ_POLLIN) != 0)
            if (const auto refused = zap->serve_one(); !refused.empty()) say(log_level::warning, "key of " + refused + " is not on the allow-list");
          if ((items[1].revents & ZMQ_POLLIN) != 0) wake.drain();
          send_replies();
          // A bounded burst, so that replies and stop requests are never starved by a flood.
          for (int burst = 0; burst < 64 && receive(); ++burst) {}
        } catch (const std::exception& e) {
          say(log_level::error, std::string("front: ") + e.what());
        }
      }
      queue.close();
      workers.clear();
      send_replies();
    }

    // --- the front's thread -------------------------------------------------------------------------------------

    /// Takes one message off the socket; false when there is none.
    bool receive()
    {
      zmq::message_t part;
      if (!router->recv(part, zmq::recv_flags::dontwait)) return false;
      const std::string peer = part.to_string();
      std::vector<zmq::message_t> frames;
      std::size_t surplus = 0;
      for (bool more = part.more(); more;) {
        if (!router->recv(part, zmq::recv_flags::none)) return true;
        more = part.more();
        if (frames.size() <= most.tensors) frames.push_back(std::move(part));
        else ++surplus;
      }
      if (surplus > 0) return refuse(peer, 0, error(errc::limit_exceeded, std::to_string(frames.size() + surplus) + " frames in one message"));
      if (frames.empty()) return refuse(peer, 0, error(errc::bad_message, "no envelope"));
      std::uint64_t id = 0;
      auto message = wire::decode(detail::bytes_of(frames.front()), most, &id);
      if (!message) return refuse(peer, id, message.error());
      frames.erase(frames.begin());
      if (auto* asked = std::get_if<wire::request>(&*message)) return enqueue(peer, std::move(*asked), std::move(frames));
      if (auto* asked = std::get_if<wire::tile_request>(&*message)) {
        wire::request head;
        head.id = asked->id;
        head.deadline_left = asked->deadline_left;
        return enqueue(peer, std::move(head), std::move(frames), std::move(*asked));
      }
      if (const auto* met = std::get_if<wire::hello>(&*message)) return greet(peer, *met);
      if (const auto* asked = std::get_if<wire::probe>(&*message)) return post(peer, wire::echo{asked->id});
      if (const auto* gone = std::get_if<wire::cancel>(&*message)) {
        queue.cancel(peer, gone->id);
        return true;
      }
      return refuse(peer, id, error(errc::bad_message, "a message that only a cloud sends"));
    }

    bool greet(const std::string& peer, const wire::hello& met)
    {
      const auto found = serving.find(met.model_hash, met.model_name);
      if (!found) return refuse(peer, met.id, found.error());
      const auto which = static_cast<std::size_t>(*found - serving.models().data());
      if (met.tensors_hash != hashes[which])
        return refuse(peer, met.id, error(errc::model_mismatch, (*found)->name + ": edge and cloud read the same file as different networks (other versions of narrows?)"));
      if (std::find(met.format_versions.begin(), met.format_versions.end(), static_cast<std::uint32_t>(format_version)) == met.format_versions.end()) {
        std::string offered;
        for (const auto version : met.format_versions) offered += " " + std::to_string(version);
        return refuse(peer, met.id, error(errc::unsupported_version, "edge writes format" + offered + ", cloud reads " + std::to_string(format_version)));
      }
      say(log_level::info, "edge greets: " + (*found)->name + ", executor " + met.executor_level);
      return post(peer, wire::welcome{met.id, static_cast<std::uint32_t>(format_version), std::string(serving.engine().level()),
        {most.frame_bytes, most.tensors, static_cast<std::uint32_t>(options.max_queued)}});
    }

    bool enqueue(const std::string& peer, wire::request asked, std::vector<zmq::message_t> payloads, std::optional<wire::tile_request> tile = {})
    {
      const auto id = asked.id;
      const auto now = options.time->now();
      auto what = std::make_shared<detail::job>();
      what->peer = peer;
      what->arrived = now;
      what->expires = now + asked.deadline_left;
      for (const auto& p : payloads) what->bytes += p.size();
      what->asked = std::move(asked);
      what->tile = std::move(tile);
      what->payloads = std::move(payloads);
      if (!queue.push(std::move(what))) return refuse(peer, id, error(errc::overloaded, std::to_string(queue.size()) + " requests wait"));
      return true;
    }

    bool refuse(const std::string& peer, std::uint64_t id, const error& why)
    {
      say(log_level::warning, "refused: " + why.text());
      return post(peer, wire::failure{id, why.code, why.what, 0});
    }

    bool post(const std::string& peer, const wire::message& what)
    {
      if (auto envelope = wire::encode(what)) {
        std::vector<zmq::message_t> frames;
        frames.emplace_back(envelope->data(), envelope->size());
        post(peer, std::move(frames));
      }
      return true;
    }

    void post(const std::string& peer, std::vector<zmq::message_t> frames)
    {
      try {
        // A peer that is gone or does not read costs its reply, never the front's time.
        if (!router->send(zmq::buffer(peer), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) return say(log_level::debug, "reply dropped: peer does not read");
        for (std::size_t i = 0; i < frames.size(); ++i)
          static_cast<void>(router->send(frames[i], i + 1 < frames.size() ? zmq::send_flags::sndmore | zmq::send_flags::dontwait : zmq::send_flags::dontwait));
      } catch (const zmq::error_t&) {
        say(log_level::debug, "reply dropped: peer is gone");
      }
    }

    void send_replies()
    {
      for (;;) {
        std::deque<std::pair<std::string, std::vector<zmq::message_t>>> batch;
        {
          const std::lock_guard lock(mutex);
          batch.swap(ready);
        }
        if (batch.empty()) return;
        for (auto& [peer, frames] : batch) post(peer, std::move(frames));
      }
    }

    // --- the workers' threads -----------------------------------------------------------------------------------

    void work()
    {
      for (;;) {
        auto group = queue.pop_alike(options.max_batch);
        if (group.empty()) return;
        const auto began = options.time->now();
        std::vector<worker::together> requests;
        std::vector<std::shared_ptr<detail::job>> late;
        std::erase_if(group, [&](const auto& what) {
          if (began >= what->expires) return late.push_back(what), true;
          what->asked.deadline_left = std::chrono::floor<std::chrono::milliseconds>(what->expires - began);
          requests.push_back({&what->asked, {}});
          for (const auto& p : what->payloads) requests.back().payloads.push_back(detail::bytes_of(p));
          return false;
        });
        for (const auto& what : late) end(what, error(errc::deadline, "request waited too long in the queue"), began);
        if (group.size() == 1) {
          const auto& what = group[0];
          const auto stop = what->stopper.get_token();
          end(what, what->tile ? tiles.make(*what->tile, requests[0].payloads, stop) : serving.serve(*requests[0].asked, requests[0].payloads, stop), began);
          continue;
        }
        const detail::all_stopped none_wanted(group);
        auto answers = serving.serve_together(requests, none_wanted.token());
        for (std::size_t i = 0; i < group.size(); ++i) end(group[i], std::move(answers[i]), began);
      }
    }

    void end(const std::shared_ptr<detail::job>& what, result<served> made, clock::time_point began)
    {
      auto frames = frames_of(*what, std::move(made), began);
      queue.done(what);
      if (frames.empty()) return;
      {
        const std::lock_guard lock(mutex);
        ready.emplace_back(what->peer, std::move(frames));
      }
      wake.wake();
    }

    std::vector<zmq::message_t> frames_of(detail::job& what, result<served> made, clock::time_point began)
    {
      if (what.stopper.stop_requested()) return {};   // nobody waits for it
      std::vector<zmq::message_t> frames;
      wire::message head = wire::failure{};
      if (made) {
        made->head.took.queue = std::chrono::duration_cast<std::chrono::microseconds>(began - what.arrived);
        head = made->head;
      } else {
        say(log_level::warning, "request failed: " + made.error().text());
        head = wire::failure{what.asked.id, made.error().code, made.error().what, what.asked.epoch};
      }
      const auto envelope = wire::encode(head);
      if (!envelope) return {};
      frames.emplace_back(envelope->data(), envelope->size());
      if (made)
        for (auto& t : made->outputs) {
          auto owner = serving.spare()->share(std::move(t));
          const auto bytes = detail::bytes_of(owner->values());
          frames.push_back(detail::frame_of(bytes, std::move(owner)));
        }
      return frames;
    }

    cloud_options options;
    worker serving;
    tile_maker tiles;
    std::vector<std::uint64_t> hashes;   // of the candidate tensors, one per model
    wire::limits most;
    detail::job_queue queue;
    detail::wakeup wake;
    std::string endpoint;
    std::mutex mutex;
    std::deque<std::pair<std::string, std::vector<zmq::message_t>>> ready;   // under `mutex`
    zmq::context_t context;
    std::optional<detail::zap_handler> zap;
    std::optional<zmq::socket_t> router;
  };

  explicit cloud(std::unique_ptr<state> self) : self_(std::move(self)) {}

  std::unique_ptr<state> self_;
};

}  // namespace narrows
