// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/estimator.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Gives each request its plan: asks a policy with the link as last estimated, and tells the pipeline by the plan's
/// epoch when the choice changed. One thread at a time.
class scheduler {
public:
  /// Errors: bad_input (no candidates).
  [[nodiscard]] static result<scheduler> make(std::vector<candidate> candidates, any_policy policy, const link_state& link)
  {
    if (candidates.empty()) return error(errc::bad_input, "scheduler: there are no candidates");
    return scheduler(std::move(candidates), std::move(policy), link);
  }

  /// Seconds by the system's steady clock.
  [[nodiscard]] static double now_s() noexcept
  {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  /// Whether the round trip is an assumption still: one short probe, before anything else crosses, makes it a figure.
  [[nodiscard]] bool wants_round_trip() const noexcept { return !estimator_.knows_round_trip(); }
  /// The plan for the next request. Its epoch is 1 at first and grows by one whenever the choice changes; the reference
  /// stays good until the next call.
  /// `at_s`: seconds since some moment, the same one for all calls.
  [[nodiscard]] const plan& next(double at_s = now_s())
  {
    chosen_s_ = at_s;
    const decision d = policy_.choose(candidates_, seen(at_s));
    const std::size_t index = d.index < candidates_.size() ? d.index : 0;
    if (epoch_ == 0 || index != now_.index) ++epoch_;
    now_ = {index, d.feasible, d.reason};
    candidates_[index].what.epoch = epoch_;
    return candidates_[index].what;
  }
  /// What an answer, or a probe, showed: bytes both ways and the seconds they spent on the link. `since_last_s`: what passed since the message
  /// before was through. Where several are under way one waits for another, and a wait is not the link's: a message that found another before
  /// it took no longer than that, and a round trip.
  void saw(double bytes, double link_seconds, double since_last_s = std::numeric_limits<double>::infinity()) noexcept
  {
    estimator_.saw(bytes, std::min(link_seconds, std::max(0.0, since_last_s) + estimator_.now().rtt_s));
    crossed_s_ = chosen_s_;
  }
  /// Whether the plan sends nothing and nothing else has crossed for so long that the link should be probed, lest a better one
  /// go unseen; at once where the last probe left it in doubt.
  [[nodiscard]] bool wants_probe(double at_s = now_s(), double every_s = 0.8) const noexcept
  {
    return epoch_ != 0 && !(chosen().cost.bytes > 0) && (link_in_doubt() || at_s - crossed_s_ >= every_s);
  }
  /// Whether the last message was of quite another rate than those before, so that the next one decides what the link is.
  [[nodiscard]] bool link_in_doubt() const noexcept { return estimator_.in_doubt(); }
  /// What an answer to a request under the plan of `epoch` showed: seconds that the head and the tail took, without codecs, whose times say
  /// little of a network's. Plans of long ago are not remembered, and say nothing; nor does a part too small to speak for the whole.
  void saw_work(std::uint64_t epoch, double device_s, double server_s) noexcept
  {
    for (const auto& c : candidates_) {
      if (c.what.epoch != epoch || epoch == 0) continue;
      if (c.cost.device_s >= telling_share * most_.device) load_.saw_device(c.cost.device_s, device_s);
      if (c.cost.server_s >= telling_share * most_.server) load_.saw_server(c.cost.server_s, server_s);
    }
  }
  /// A request that crossed came to no answer.
  void lost() noexcept { estimator_.lost(); }
  /// The link is known from elsewhere: a probe, a trace.
  void set_link(const link_state& link) noexcept
  {
    told_ += estimator_.steps() + 1;
    estimator_ = link_estimator(link);
  }

  [[nodiscard]] std::span<const candidate> candidates() const noexcept { return candidates_; }
  /// The last choice, and its cost over the link as it is now.
  [[nodiscard]] const decision& last() const noexcept { return now_; }
  [[nodiscard]] const candidate& chosen() const noexcept { return candidates_[now_.index]; }
  [[nodiscard]] cost_terms predicted() const noexcept { return evaluate(chosen(), estimator_.now(), load_.now()); }
  [[nodiscard]] link_state link() const noexcept { return estimator_.now(); }
  [[nodiscard]] load_factors load() const noexcept { return load_.now(); }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::string_view policy_name() const noexcept { return policy_.name(); }

  /// One line: which plan, what it should cost, over which link, and why.
  [[nodiscard]] std::string explain(const graph& g) const { return policy_line(describe(g, chosen(), predicted(), link()), now_); }

  /// "cut at pool3, 4 bits dense: 12.3 ms = device 3.0 + encode 0.1 + link 8.1 + decode 0.1 + server 1.0; 6432 bytes ..."
  [[nodiscard]] static std::string describe(const graph& g, const candidate& c, const cost_terms& cost, const link_state& link)
  {
    std::string text = c.where == placement::device ? "all on the device" : "cut at " + name_of(g, c.what.at);
    if (!c.what.codings.empty()) {
      const coding& how = c.what.codings.front();
      text += how.width > 0 && has_codes(how.coded_as)
                ? ", " + std::to_string(how.width) + " bits " : ", ";
      text += to_string(how.coded_as);
    }
    char figures[256];
    std::snprintf(figures, sizeof figures,
                  ": %.2f ms = device %.2f + encode %.2f + link %.2f + decode %.2f + server %.2f; %.0f bytes at %s, rtt %.3g ms",
                  cost.latency() * 1e3, cost.device_s * 1e3, cost.encode_s * 1e3, cost.link_s * 1e3, cost.decode_s * 1e3,
                  cost.server_s * 1e3, cost.bytes, to_string(link.bandwidth).c_str(), link.rtt_s * 1e3);
    return text + figures;
  }

private:
  [[nodiscard]] observation seen(double at_s) const noexcept
  {
    return {estimator_.now(), load_.now(), estimator_.uncertainty(), estimator_.steps() + load_.steps() + told_, at_s};
  }
  scheduler(std::vector<candidate> candidates, any_policy policy, const link_state& link)
    : candidates_(std::move(candidates)), policy_(std::move(policy)), estimator_(link)
  {
    for (const auto& c : candidates_) {
      most_.device = std::max(most_.device, c.cost.device_s);
      most_.server = std::max(most_.server, c.cost.server_s);
    }
  }
  [[nodiscard]] std::string policy_line(std::string text, const decision& d) const
  {
    return std::move(text) + " (" + std::string(policy_.name()) + ": " + std::string(d.reason) + ")";
  }

  static constexpr double telling_share = 0.02;   // of the longest head, or tail

  std::vector<candidate> candidates_;
  struct {
    double device = 0, server = 0;
  } most_;   // longest head and tail, seconds
  any_policy policy_;
  link_estimator estimator_;
  load_estimator load_;
  std::uint64_t told_ = 0;   // steps of estimators before, and those that set_link told of
  decision now_;
  std::uint64_t epoch_ = 0;
  double chosen_s_ = 0;    // of the last call of next
  double crossed_s_ = 0;   // when something last crossed, by that
};

}  // namespace narrows
