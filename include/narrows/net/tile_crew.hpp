// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/cloud_link.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/net/wakeup.hpp>
#include <narrows/partition/tile_plan.hpp>
#include <narrows/partition/tile_team.hpp>
#include <narrows/wire/message.hpp>

namespace narrows {

struct crew_options {
  std::chrono::milliseconds tile_timeout{10000};       ///< silence after which a tile is given to another worker
  int ahead = 2;                                       ///< tiles at one worker at once: one is made while the next travels
  int max_attempts = 8;                                ///< sendings of one tile
  fallback_policy fallback = fallback_policy::local;   ///< whether tiles are made here where no worker is left
};

/// What one run of a crew did.
struct crew_report {
  std::vector<std::size_t> by_worker;   ///< tiles whose answer was taken, per worker
  std::size_t here = 0;                 ///< tiles made here, for want of a worker
  std::size_t sent = 0;                 ///< tiles sent, those sent again included
  std::size_t again = 0;                ///< tiles that went back into the queue: a worker was lost, silent or failed
};

/// Tiles of stacks, made by clouds (`narrows serve`) and put together here. Tiles wait in one queue; whoever is free gets the
/// next. A tile is a pure function of the input: what a lost or silent worker had goes back into the queue, the first answer
/// counts, and any other is ignored. An answer is checked in full before anything is kept of it.
///
/// Bits     workers whose executor level differs from the engine's get no tiles, so that the output is that of one machine.
/// Threads  one run at a time; all sockets belong to the thread that calls.
class tile_crew {
public:
  /// Connects to the workers, each as an edge does (endpoint, keys, heartbeats, log: `edge_options`).
  /// Errors   bad_input: no worker, or an endpoint that is none; authentication: off loopback without keys.
  [[nodiscard]] static result<tile_crew> connect(model what, any_engine engine, std::vector<edge_options> workers, crew_options options = {})
  {
    if (workers.empty()) return error(errc::bad_input, "no worker to make tiles");
    auto self = std::make_unique<state>(std::move(what), std::move(engine), options);
    if (!self->wake.works()) return error(errc::io_error, "no pipe");
    for (auto& w : workers) {
      NARROWS_TRY(detail::check_link(w));
      auto m = std::make_unique<member>();
      m->how = std::move(w);
      m->how.time = steady_time();
      try {
        m->link.emplace(m->context, m->how, self->greeting(), self->most);
      } catch (const zmq::error_t& e) {
        return error(errc::bad_input, m->how.endpoint + ": " + e.what());
      }
      self->members.push_back(std::move(m));
    }
    tile_crew made;
    made.self_ = std::move(self);
    return made;
  }

  /// Waits until every worker has welcomed this side or was found unfit, at most for `patience`; returns how many are there.
  std::size_t wait_for_workers(std::chrono::milliseconds patience)
  {
    const auto until = steady::now() + patience;
    for (;;) {
      self_->heed_links();
      for (auto& m : self_->members)
        while (m->link->receive()) {}   // the welcome; what else comes is of an earlier run
      const auto open = std::count_if(self_->members.begin(), self_->members.end(), [](const auto& m) { return m->link->now() != link_type::state::up && !m->link->refusal(); });
      if (open == 0 || steady::now() >= until) break;
      self_->poll(until);
    }
    return static_cast<std::size_t>(std::count_if(self_->members.begin(), self_->members.end(), [&](const auto& m) { return self_->usable(*m); }));
  }

  /// The stack's output, made of tiles.
  /// Errors   bad_input (inputs are not those of the stack, no deadline), deadline, cancelled; unreachable: no worker left and
  ///          no fallback; what a tile came to at its last attempt; those of the engine for tiles made here.
  [[nodiscard]] result<tensor> run(const tiled_stack& how, std::span<const tensor_view> inputs, std::chrono::milliseconds deadline, const std::stop_token& stop = {},
    crew_report* report = nullptr)
  {
    NARROWS_TRY(check_inputs(how.stack, inputs));
    if (how.stack.whole != self_->what.network) return error(errc::bad_input, "stack is not one of " + self_->what.name);
    if (deadline.count() <= 0) return error(errc::bad_input, "a run of tiles needs a deadline");
    const std::stop_callback on_stop(stop, [this] { self_->wake.wake(); });
    crew_report done{std::vector<std::size_t>(self_->members.size()), 0, 0, 0};
    auto made = self_->run(how, inputs, steady::now() + deadline, stop, done);
    for (auto& m : self_->members) {   // what is still out is not waited for
      for (const auto& [id, sent] : m->out) self_->cancel(*m, id);
      m->out.clear();
    }
    if (report != nullptr) *report = std::move(done);
    return made;
  }

private:
  using steady = std::chrono::steady_clock;
  using time_point = steady::time_point;
  using link_type = detail::cloud_link;

  struct sent_tile {
    std::size_t tile;
    time_point expires;
  };
  /// One worker. A context each: a link's monitor has one name per context.
  struct member {
    zmq::context_t context;
    edge_options how;
    std::optional<link_type> link;
    std::map<std::uint64_t, sent_tile> out;   ///< by id
    bool silent = false;                      ///< let a tile expire and has not been heard of since
  };
  struct work {
    tile_reach reach;
    wire::tile_request asked;
    int attempts = 0;
    bool done = false;
    std::optional<error> failed;              ///< of the last attempt
  };

  struct state {
    state(model m, any_engine e, crew_options o) : what(std::move(m)), engine(std::move(e)), options(o)
    {
      for (const auto& v : what.network->values())
        if (!v.is_constant) most.frame_bytes = std::max<std::uint64_t>(most.frame_bytes, v.dims.elements() * sizeof(float));
    }

    wire::hello greeting() const
    {
      return {1, what.hash, what.name, {static_cast<std::uint32_t>(format_version)}, std::string(engine.level()), wire::tensors_hash(*what.network), {most.frame_bytes, most.tensors, 0}};
    }
    bool usable(const member& m) const { return m.link->now() == link_type::state::up && m.link->peer() && m.link->peer()->executor_level == engine.level(); }

    result<tensor> run(const tiled_stack& how, std::span<const tensor_view> inputs, time_point until, const std::stop_token& stop, crew_report& report)
    {
      NARROWS_TRY(begin(how));
      tensor whole((*how.stack.whole)[how.stack.outputs[0]].dims);
      for (std::size_t left = jobs.size(); left > 0;) {
        if (stop.stop_requested()) return error(errc::cancelled, "tiles");
        if (steady::now() >= until) return error(errc::deadline, std::to_string(left) + " of " + std::to_string(jobs.size()) + " tiles are missing");
        heed_links(&report);
        for (std::size_t i = 0; i < members.size(); ++i) left -= take_answers(*members[i], how.stack, whole, report.by_worker[i], report);
        expire(report);
        if (left == 0) break;
        if (hand_out(inputs, until, report)) continue;
        if (const auto tile = left_over()) {
          auto& job = jobs[*tile];
          if (options.fallback == fallback_policy::never) return job.failed ? *job.failed : error(errc::unreachable, "no worker is there to make tiles");
          auto made = make_here(how.stack, job.reach, inputs, stop);
          if (!made) return std::move(made).error();
          copy_in(made->view(), job.reach.made, whole.view());
          job.done = true;
          std::erase(queue, *tile);
          --left;
          ++report.here;
          continue;
        }
        poll(until);
      }
      return whole;
    }

    result<void> begin(const tiled_stack& how)
    {
      jobs.clear();
      queue.clear();
      ids.clear();
      for (const auto& part : how.lines.regions()) {
        auto reach = find_reach(how.stack, part);
        if (!reach) return std::move(reach).error();
        work w{std::move(reach).value(), {}, 0, false, {}};
        w.asked.model_hash = what.hash;
        for (const auto v : how.stack.inputs) w.asked.from.push_back((*what.network)[v].name);
        w.asked.to = (*what.network)[how.stack.outputs[0]].name;
        w.asked.wanted = part;
        queue.push_back(jobs.size());
        jobs.push_back(std::move(w));
      }
      return {};
    }

    /// A tile of the queue that no worker will get: it was sent too often, or nobody has a tile or could be given one.
    std::optional<std::size_t> left_over() const
    {
      const auto often = std::find_if(queue.begin(), queue.end(), [&](std::size_t i) { return jobs[i].attempts >= options.max_attempts; });
      if (often != queue.end()) return *often;
      const bool nobody = std::none_of(members.begin(), members.end(), [&](const auto& m) { return !m->out.empty() || (usable(*m) && !m->silent); });
      if (queue.empty() || !nobody) return {};
      return queue.front();
    }

    /// Greetings and connections; a lost worker's tiles go back.
    void heed_links(crew_report* report = nullptr)
    {
      wake.drain();
      for (auto& m : members) {
        const bool lost = m->link->watch();
        m->link->tick();
        if (!lost) continue;
        m->silent = false;   // whoever comes back starts anew
        if (report != nullptr) give_back_all(*m, {errc::unreachable, m->how.endpoint + ": connection lost"}, *report);
      }
    }

    void give_back(member& m, std::map<std::uint64_t, sent_tile>::iterator which, error why, crew_report& report)
    {
      const auto tile = which->second.tile;
      m.out.erase(which);
      if (jobs[tile].done) return;
      jobs[tile].failed = std::move(why);
      ++report.again;
      queue.push_front(tile);
    }
    void give_back_all(member& m, const error& why, crew_report& report)
    {
      while (!m.out.empty()) give_back(m, m.out.begin(), why, report);
    }

    /// Replies and failures of one worker; returns how many tiles they finish.
    std::size_t take_answers(member& m, const graph_slice& stack, tensor& whole, std::size_t& taken, crew_report& report)
    {
      std::size_t finished = 0;
      while (auto came = m.link->receive()) {
        m.silent = false;
        if (const auto* failure = std::get_if<wire::failure>(&came->head)) {
          const error why(failure->code, m.how.endpoint + ": " + failure->what);
          if (failure->id == 0) give_back_all(m, why, report);   // nobody knows which one it was about
          if (const auto sent = m.out.find(failure->id); sent != m.out.end()) give_back(m, sent, why, report);
          continue;
        }
        const auto* reply = std::get_if<wire::reply>(&came->head);
        const auto known = reply == nullptr ? ids.end() : ids.find(reply->id);
        if (known == ids.end()) continue;               // of an earlier run
        const auto tile = known->second;
        const auto sent = m.out.find(reply->id);
        if (jobs[tile].done) {                          // a duplicate
          if (sent != m.out.end()) m.out.erase(sent);
          continue;
        }
        auto& job = jobs[tile];
        const auto dims = *shape_of(whole.dims(), job.reach.made);
        auto made = reply->outputs.size() != 1 || came->payloads.size() != 1 ? error(errc::bad_message, "a tile is one tensor")
                                                                              : detail::receive_raw(reply->outputs[0], detail::bytes_of(came->payloads[0]), (*stack.whole)[stack.outputs[0]].name, dims);
        if (!made) {
          if (sent != m.out.end()) give_back(m, sent, {made.error().code, m.how.endpoint + ": " + made.error().what}, report);
          continue;
        }
        copy_in(made->view(), job.reach.made, whole.view());
        job.done = true;
        std::erase(queue, tile);                        // an answer may come after its tile went back
        if (sent != m.out.end()) m.out.erase(sent);
        ++taken;
        ++finished;
      }
      return finished;
    }

    void cancel(member& m, std::uint64_t id)
    {
      if (const auto frame = wire::encode(wire::cancel{id})) static_cast<void>(m.link->send(zmq::message_t(frame->data(), frame->size()), {}));
    }

    void expire(crew_report& report)
    {
      const auto now = steady::now();
      for (auto& m : members)
        for (auto it = m->out.begin(); it != m->out.end();) {
          const auto at = it++;
          if (jobs[at->second.tile].done) m->out.erase(at);   // someone else was quicker
          else if (at->second.expires <= now) {
            m->silent = true;
            cancel(*m, at->first);
            give_back(*m, at, {errc::deadline, m->how.endpoint + ": no answer for a tile"}, report);
          }
        }
    }

    /// Gives one tile to each worker with room for one, those with the fewest first; whether any was given.
    bool hand_out(std::span<const tensor_view> inputs, time_point until, crew_report& report)
    {
      std::vector<member*> order;
      for (auto& m : members)
        if (usable(*m) && !m->silent && m->out.size() < static_cast<std::size_t>(std::max(1, options.ahead))) order.push_back(m.get());
      std::stable_sort(order.begin(), order.end(), [](const member* a, const member* b) { return a->out.size() < b->out.size(); });
      bool given = false;
      for (auto* m : order) {
        const auto next = std::find_if(queue.begin(), queue.end(), [&](std::size_t i) { return jobs[i].attempts < options.max_attempts; });
        if (next == queue.end()) break;
        const auto tile = *next;
        if (!send(*m, tile, inputs, until)) continue;
        queue.erase(std::find(queue.begin(), queue.end(), tile));
        ++report.sent;
        given = true;
      }
      return given;
    }

    bool send(member& m, std::size_t tile, std::span<const tensor_view> inputs, time_point until)
    {
      auto& job = jobs[tile];
      const auto now = steady::now();
      job.asked.id = next_id++;
      job.asked.deadline_left = std::min(options.tile_timeout, std::chrono::ceil<std::chrono::milliseconds>(until - now));
      job.asked.parts.clear();
      std::vector<zmq::message_t> payloads;
      std::size_t next = 0;
      auto parts = scatter(inputs, job.reach.reads);
      for (std::size_t i = 0; i < job.reach.reads.size(); ++i) {
        if (!job.reach.reads[i]) continue;
        auto owner = std::make_shared<const tensor>(std::move(parts[next++]));
        job.asked.parts.push_back(detail::raw_header(job.asked.from[i], owner->view()));
        const auto bytes = detail::bytes_of(owner->values());
        payloads.push_back(detail::frame_of(bytes, std::move(owner)));
      }
      const auto frame = wire::encode(job.asked);
      if (!frame || !m.link->send(zmq::message_t(frame->data(), frame->size()), std::move(payloads))) return false;
      ++job.attempts;
      ids[job.asked.id] = tile;
      m.out[job.asked.id] = {tile, now + options.tile_timeout};
      return true;
    }

    result<tensor> make_here(const graph_slice& stack, const tile_reach& reach, std::span<const tensor_view> inputs, const std::stop_token& stop)
    {
      auto t = make_tile(stack, reach.made);
      if (!t) return std::move(t).error();
      auto loaded = engine.load(whole_slice(t->network));
      if (!loaded) return std::move(loaded).error();
      return run_tile(*loaded, t->reads, inputs, {.threads = 1, .stop = stop, .on_node = {}});
    }

    /// Sleeps until a socket, a stop or a deadline wants attention.
    void poll(time_point until)
    {
      std::vector<zmq::pollitem_t> items{{nullptr, wake.descriptor(), ZMQ_POLLIN, 0}};
      for (auto& m : members) {
        items.push_back({m->link->socket().handle(), 0, ZMQ_POLLIN, 0});
        items.push_back({m->link->monitor().handle(), 0, ZMQ_POLLIN, 0});
        until = std::min(until, m->link->next_tick());
        for (const auto& [id, sent] : m->out) until = std::min(until, sent.expires);
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady::now());
      // Not for ever: a socket that had no room for a tile says nothing when it has.
      zmq::poll(items, std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(queue.empty() ? 1000 : 20)));
    }

    model what;
    any_engine engine;
    crew_options options;
    wire::limits most;
    detail::wakeup wake;
    std::vector<std::unique_ptr<member>> members;
    std::vector<work> jobs;
    std::deque<std::size_t> queue;
    std::map<std::uint64_t, std::size_t> ids;   ///< of this run, whoever has them
    std::uint64_t next_id = 2;                  ///< 1 is the greeting's
  };

  tile_crew() = default;

  std::unique_ptr<state> self_;
};

}  // namespace narrows
