// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/client.hpp>
#include <narrows/net/server.hpp>
#include <narrows/partition/plan.hpp>

namespace narrows {

/// Where a middle tier cuts for the second time, and how the tensors travel from there, for requests that were first cut at
/// `from`. Asked for each request, from several threads. Where its cut does not lie behind `from`, the request goes on from the
/// first cut behind both. The plan need not say how tensors of `from` travel on: what it does not name goes on as it came.
using onward_plan = std::function<plan(const model& network, const cut& from)>;

struct relay_options {
  cloud_options front;      ///< towards devices; `workers`: middle parts run at once
  edge_options upstream;    ///< towards the cloud; `max_in_flight`: requests that are in the relay's hands at once
  onward_plan onward;       ///< must be set
};

/// The middle tier of three: a cloud to its devices, an edge to its cloud. It runs the nodes between the two cuts, codes what
/// crosses the second and hands it on; the cloud's answer is its own.
///
/// The promise holds on each hop by itself. A request goes on with the deadline that is left, less some for the way back; the
/// relay runs the rest itself when the cloud is away or late (`upstream.fallback`); what it cannot answer it refuses with a
/// code, and the device falls back. A relay that is gone is a lost cloud to the device. Nothing is kept between requests.
/// Answers have the bits of the three parts run in one process with the same codes in between.
class relay {
public:
  /// Connects to the cloud for each model, then binds the front.
  /// Errors   those of `edge::connect` (a cloud that is not there is one only without fallback) and of `cloud::bind`;
  ///          bad_input: no plan for the second hop.
  [[nodiscard]] static result<relay> bind(std::vector<model> models, any_engine engine, relay_options options)
  {
    if (!options.onward) return error(errc::bad_input, "a relay needs a plan for its own hop");
    auto self = std::make_unique<state>(std::move(options.onward), std::max(1, options.front.workers), options.front.time);
    for (const auto& m : models) {
      auto connected = edge::connect(m, engine, options.upstream);
      if (!connected) return std::move(connected).error();
      self->upstream.emplace(m.hash, std::move(connected).value());
    }
    // A worker of the front waits for the cloud most of the time; `at_work` bounds those that compute.
    options.front.workers = static_cast<int>(std::min<std::size_t>(std::max<std::size_t>(1, options.upstream.max_in_flight), most_in_flight));
    options.front.max_batch = 1;   // each request goes its own way from here
    options.front.run_tail = [s = self.get()](const tail_request& asked) { return s->carry(asked); };
    auto front = cloud::bind(std::move(models), std::move(engine), std::move(options.front));
    if (!front) return std::move(front).error();
    self->front.emplace(std::move(front).value());
    relay made;
    made.self_ = std::move(self);
    return made;
  }

  /// Serves until `stop` is asked for; call it once.
  void run(std::stop_token stop) { self_->front->run(std::move(stop)); }

  /// The address of the front as bound.
  [[nodiscard]] std::string endpoint() const { return self_->front->endpoint(); }

private:
  static constexpr std::size_t most_in_flight = 1024;

  struct state {
    state(onward_plan p, int workers, std::shared_ptr<clock> t) : onward(std::move(p)), at_work(workers), time(std::move(t)) {}

    /// One request from the first cut to the answer; a worker's thread.
    result<tail_outcome> carry(const tail_request& asked)
    {
      const auto& g = *asked.what.network;
      auto how = onward(asked.what, asked.at);
      if (how.at.head.size() != g.nodes().size() || how.at.tensors.size() != how.codings.size())
        return error(errc::bad_cut, "the relay's plan is not for " + asked.what.name);
      std::vector<coded_tensor> as_came;
      behind(how, asked, as_came);

      std::vector<tensor_view> given;
      for (const auto v : asked.at.tensors) given.push_back(asked.given.at(v));
      const auto left = std::chrono::floor<std::chrono::milliseconds>(asked.deadline - time->now());
      edge_request next;
      next.inputs = given;
      next.how = &how;
      // The answer has to travel back, and is worth nothing to a device that has just given up.
      next.deadline = left - std::clamp(left / 20, std::chrono::milliseconds(1), std::chrono::milliseconds(100));
      if (next.deadline.count() <= 0) return error(errc::deadline, "no time is left for the next hop");
      next.stop = asked.stop;
      next.from = &asked.at;
      next.as_came = as_came;
      auto& link = upstream.at(asked.what.hash);
      const auto id = [&] {
        const slot held(at_work);
        return link.submit(next);
      }();
      if (!id) return id.error();
      auto got = link.wait(*id);
      if (!got) return std::move(got).error();

      tail_outcome made;
      std::size_t k = 0;
      for (const auto v : g.outputs())
        if (!asked.at.head[index(*g[v].producer)] && k < got->outputs.size()) made.outputs.emplace(v, std::move(got->outputs[k++]));
      if (got->from != source::local) {
        const auto micro = [](auto t) { return std::chrono::duration_cast<std::chrono::microseconds>(t); };
        const auto& t = got->latency;
        made.onward.push_back({micro(t.encode), micro(t.link), micro(t.decode), micro(t.server), got->bytes_sent, got->from == source::fallback});
        const auto room = wire::limits{}.hops - 1;
        got->onward.resize(std::min<std::size_t>(got->onward.size(), room));
        made.onward.insert(made.onward.end(), got->onward.begin(), got->onward.end());
      }
      return made;
    }

    /// Moves the plan's cut behind the request's where it is not, and finds what is sent on as it came.
    static void behind(plan& how, const tail_request& asked, std::vector<coded_tensor>& as_came)
    {
      auto planned = std::move(how);
      how = {lies_behind(asked.at, planned.at) ? planned.at : joined_cut(*asked.what.network, asked.at, planned.at), {}, planned.epoch};
      const bool at_input = std::find(how.at.head.begin(), how.at.head.end(), true) == how.at.head.end();
      for (const auto v : how.at.tensors) {
        const auto named = std::find(planned.at.tensors.begin(), planned.at.tensors.end(), v);
        auto with = named != planned.at.tensors.end() ? planned.codings[static_cast<std::size_t>(named - planned.at.tensors.begin())] : coding{};
        const auto came = std::find(asked.at.tensors.begin(), asked.at.tensors.end(), v);
        if (came != asked.at.tensors.end() && (named == planned.at.tensors.end() || is_picture(with.coded_as))) {
          const auto i = static_cast<std::size_t>(came - asked.at.tensors.begin());
          const auto& what = asked.headers[i].what;
          // A picture is the network's input and nothing else: further behind its values travel.
          if (at_input || !is_picture(what.coded_as)) as_came.push_back({v, &what, asked.payloads[i]});
          with = {codec::raw, 0, range_rule::min_max, {}, {}};
        }
        how.codings.push_back(std::move(with));
      }
    }

    struct slot {
      explicit slot(std::counting_semaphore<>& of) : of_(of) { of_.acquire(); }
      ~slot() { of_.release(); }
      slot(const slot&) = delete;
      slot& operator=(const slot&) = delete;
      std::counting_semaphore<>& of_;
    };

    onward_plan onward;
    std::counting_semaphore<> at_work;
    std::shared_ptr<clock> time;
    std::map<std::string, edge> upstream;   ///< by the model's hash
    std::optional<cloud> front;             ///< last: its workers use all else
  };

  relay() = default;

  std::unique_ptr<state> self_;
};

}  // namespace narrows
