// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/net/wakeup.hpp>

namespace narrows::detail {

/// The requests of an edge and the rules by which they end. Every function wants `mutex` held.
class request_book {
public:
  using time_point = clock::time_point;
  using duration = clock::duration;
  using stage = pending::stage;

  request_book(std::shared_ptr<const graph> network, const edge_options& options)
    : estimate(multiply_adds(*network)), network_(std::move(network)), options_(options)
  {
  }

  mutable std::mutex mutex;
  std::condition_variable changed;                                ///< something below has
  wakeup wake;                                                    ///< of the link's thread
  std::map<std::uint64_t, std::shared_ptr<pending>> requests;
  std::uint64_t next_id = 1;
  tail_estimate estimate;
  std::vector<std::shared_ptr<pending>> to_run;                   ///< tails for the local thread
  std::vector<cut> to_prepare;                                    ///< cuts whose tails may be needed
  bool closing = false;
  std::vector<std::uint64_t> to_cancel;                           ///< ids that the cloud may drop

  [[nodiscard]] std::size_t in_flight() const
  {
    return static_cast<std::size_t>(std::count_if(requests.begin(), requests.end(),
      [](const auto& entry) { return entry.second->at != stage::queued && entry.second->at != stage::done; }));
  }

  /// Ends a request; the first end counts, later ones come to nothing. An answer after the deadline is none.
  void finish(pending& p, result<answer> how)
  {
    if (p.at == stage::done) return;
    if (how && options_.time->now() > p.deadline) how = error(errc::deadline, "request " + std::to_string(p.id) + ": the answer came too late");
    if (p.attempts > 0 && !(how && how->from == source::remote)) to_cancel.push_back(p.id);
    p.at = stage::done;
    p.outcome = std::move(how);
    p.stopper.request_stop();
    changed.notify_all();
    wake.wake();
  }

  /// The answer from what the head made and what else was made; `others` is used up.
  [[nodiscard]] answer answer_of(const pending& p, slice_runner::tensors others) const
  {
    answer a;
    for (const auto v : network_->outputs()) {
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

  /// When the device must take over so that its own answer still meets the deadline: some slack (a tenth of the time, 5 to
  /// 250 ms) and one and a half times the tail's expected time before it, for this request and each other unfinished one whose deadline is no later (they share the
  /// local thread); half of what was left after encoding where nothing has been measured yet. The cloud gets a quarter of
  /// that time at least, since its answer counts even when the device has begun.
  [[nodiscard]] time_point take_over_at(const pending& p) const
  {
    if (options_.fallback == fallback_policy::never) return p.deadline;
    const auto expected = estimate.of(p.how.at);
    if (!expected) return p.ready_at + (p.deadline - p.ready_at) / 2;
    std::int64_t ahead = 1;
    for (const auto& [id, other] : requests)
      if (other.get() != &p && (other->at == stage::ready || other->at == stage::sent || other->at == stage::local) &&
          std::pair(other->deadline, id) < std::pair(p.deadline, p.id)) ++ahead;
    const auto slack = std::clamp<duration>((p.deadline - p.ready_at) / 10, std::chrono::milliseconds(5), std::chrono::milliseconds(250));
    return std::max(p.deadline - slack - ahead * (*expected + *expected / 2), p.ready_at + (p.deadline - p.ready_at) / 4);
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
    to_run.push_back(requests.at(p.id));
    changed.notify_all();
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

  [[nodiscard]] error silence(const pending& p, time_point now, bool up) const
  {
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - p.started);
    const auto within = " within " + std::to_string(waited.count()) + " ms";
    if (p.cause.code != errc::internal || !p.cause.what.empty()) return p.cause;
    return up ? error(errc::deadline, options_.endpoint + ": no answer" + within) : error(errc::unreachable, options_.endpoint);
  }

private:
  std::shared_ptr<const graph> network_;
  const edge_options& options_;
};

}  // namespace narrows::detail
