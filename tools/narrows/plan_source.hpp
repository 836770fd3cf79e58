// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <narrows/net/client.hpp>
#include <narrows/partition/plan.hpp>
#include <narrows/schedule/scheduler.hpp>

#include "answers.hpp"

namespace narrows::tool {

/// Where each request's plan comes from: the command line, or a policy that sees how the link does.
class plan_source {
public:
  explicit plan_source(plan fixed) : fixed_(std::move(fixed)) {}
  /// `learns`: from what answers show, rather than hold to a link, and machines, that were told.
  plan_source(scheduler s, bool learns) : scheduler_(std::move(s)), start_(scheduler_->link()), learns_(learns) {}

  /// `peer_is_there`: a policy that fled a lost cloud looks at the link anew once the cloud is back.
  const plan& next(bool peer_is_there)
  {
    if (!scheduler_) return fixed_;
    if (peer_is_there && !scheduler_->link().is_up()) scheduler_->set_link(start_);
    return scheduler_->next();
  }
  /// `epoch`: of the plan that the answer was made by; `others_under_way`: whether other requests of this edge were.
  void saw(const outcome& o, double returned, std::uint64_t epoch, bool others_under_way)
  {
    const double crossed_ms = o.finished_ms - (o.ms.decode + o.ms.server + o.ms.onward);
    const double since_last_ms = o.from == "remote" ? crossed_ms - std::exchange(crossed_ms_, crossed_ms) : 0;
    if (!scheduler_) return;
    if (o.from == "fallback" || o.failure) return scheduler_->lost();
    if (!learns_) return;
    // Behind requests of its own a wait in the cloud says nothing of the cloud's load.
    const double waited = others_under_way ? o.ms.queue : 0;
    scheduler_->saw_work(epoch, o.ms.device * 1e-3, (o.ms.server - waited + o.ms.onward) * 1e-3);
    if (o.from == "remote") scheduler_->saw(static_cast<double>(o.bytes_sent) + returned, o.ms.link * 1e-3, since_last_ms * 1e-3);
  }
  /// Before anything else crosses: times one packet there and back, since among longer messages the round trip cannot be told from the rate, and
  /// then as many longer ones as it takes to know the rate. Inputs that set out by a wrong guess would fill a slow link for long.
  void look_at_new_link(edge& link)
  {
    if (!scheduler_ || !learns_ || !link.peer() || !scheduler_->wants_round_trip()) return;
    if (!time(link, short_probe)) return;
    for (int i = 0; i < 3; ++i)
      if (!time(link, long_probe) || !scheduler_->link_in_doubt()) return;
  }
  /// Keeps an eye on a link that no request crosses: starts a probe where one is due, and takes the outcome of the last one. `busy`: requests
  /// under an earlier plan still cross, behind which a probe would wait, and which tell as much.
  void look_at_link(edge& link, bool busy)
  {
    if (!scheduler_ || !learns_) return;
    std::size_t next = 0;
    if (const auto took = link.probed()) {
      if (*took) scheduler_->saw(static_cast<double>(std::exchange(probing_, 0)), std::chrono::duration<double>(**took).count());
      else if (std::exchange(probing_, 0) > 0 && took->error().code == errc::deadline) scheduler_->lost();
      // The round trip alone first, then something that takes its time: together they tell one from the other.
      if (*took && last_probe_ == short_probe) next = long_probe;
    }
    if (probing_ == 0 && next == 0 && !busy && link.peer() && scheduler_->wants_probe()) next = scheduler_->link_in_doubt() ? long_probe : short_probe;
    if (next > 0 && link.begin_probe(next, std::chrono::seconds(2))) probing_ = last_probe_ = next;
  }
  /// Of the plan given last, as things are believed to be; none over a link that was told, which may be another one than is there.
  [[nodiscard]] std::optional<double> predicted_ms() const { return scheduler_ && learns_ ? std::optional(scheduler_->predicted().latency() * 1e3) : std::nullopt; }
  [[nodiscard]] bool varies() const noexcept { return scheduler_.has_value(); }
  [[nodiscard]] std::string why(const graph& g) const { return scheduler_ ? scheduler_->explain(g) : "given by --at"; }

private:
  using clock = std::chrono::steady_clock;

  /// Sends so many bytes and waits for them to come back. False if nothing was learnt: a packet that does not come back tells nothing of the
  /// round trip, while a longer message shows that it takes that long at least.
  bool time(edge& link, std::size_t bytes)
  {
    constexpr auto patience = std::chrono::seconds(1);
    if (!link.begin_probe(bytes, patience)) return false;
    auto took = link.probed();
    for (const auto end = clock::now() + 2 * patience; !took && clock::now() < end; took = link.probed()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (!took || (!*took && (bytes == short_probe || took->error().code != errc::deadline))) return false;
    scheduler_->saw(static_cast<double>(bytes), std::chrono::duration<double>(*took ? **took : patience).count());
    return true;
  }

  plan fixed_;
  std::optional<scheduler> scheduler_;
  link_state start_;
  bool learns_ = true;
  static constexpr std::size_t short_probe = 64, long_probe = std::size_t{16} << 10;
  std::size_t probing_ = 0;      // bytes of the probe under way
  std::size_t last_probe_ = 0;   // of the last one
  double crossed_ms_ = std::numeric_limits<double>::lowest();   // when the last answer's messages had crossed, less what the cloud took
};

}  // namespace narrows::tool
