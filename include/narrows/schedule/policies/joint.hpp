// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <narrows/partition/cost.hpp>
#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// When `joint` changes its mind.
struct switching_rule {
  double least_gain = 0.01;   ///< a plan must better the present one by this share to take its place
  double dwell_s = 3;         ///< for so long after it was left, a plan must better the present one by `urgent_gain` to come back
  double urgent_gain = 0.1;
  double patience = 0.2;      ///< so many requests' worth may be lost by keeping a plan that other choices seemed to better
};

/// The default: cut, width and codec of each tensor together, for a stated objective, and no faster than what is known of the
/// world allows. Takes what choose_best finds, but keeps its plan
///   - while the other is better by less than least_gain, or would not be better were the link as much faster, or as much slower,
///     as its estimate may be wrong (by twice urgent_gain it is better whatever the estimate);
///   - where the other was left a moment ago (dwell_s), unless it is better by urgent_gain;
/// the latter two only until what the estimates say was lost by it, request after request, comes to `patience`: noise about a
/// tie takes long for that, a link that really wanders does not.
/// A plan that misses a limit is left at once for one that keeps them all or misses less, and after a step of link or load
/// (observation::steps) only least_gain counts.
///
/// Cost     choose_best, and some 50 ns.
/// Source   DynO, ACM TECS 21(6), 2022 (choice of cut and precision at run time); METHODS 3.3, 12.1, 12.5.
class joint {
public:
  static constexpr std::string_view name = "joint";

  joint() = default;
  explicit joint(const objective& goal, const switching_rule& rule = {}) : goal_(goal), rule_(rule) {}

  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) noexcept
  {
    const ranked best = choose_best(from, goal_, seen);
    const bool stepped = seen.steps != steps_;
    steps_ = seen.steps;
    if (candidates_ != from.size()) {   // the first choice, or one among others than before
      candidates_ = from.size();
      left_ = {};
      return take(best, seen);
    }
    if (best.index == at_) return take(best, seen);
    const cost_terms now = evaluate(from[at_], seen.link, seen.load);
    const double missed = goal_.missed(now);
    if (missed > 0) return best.missed < missed ? take(best, seen) : keep(missed, "infeasible: no plan keeps the limits better");
    const double gain = goal_.gain(now, best.cost);
    if (!(gain > rule_.least_gain)) return keep(missed, "within the least gain of the best");
    lost_ += gain;
    if (!stepped && lost_ < rule_.patience) {
      if (gain < rule_.urgent_gain && was_left(best.index, seen.at_s)) return keep(missed, "the best was left a moment ago");
      if (gain < 2 * rule_.urgent_gain && !better_either_way(from[at_], from[best.index], seen)) return keep(missed, "the best is not so for all the link may be");
    }
    return take(best, seen);
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  struct leaving {
    std::size_t index = 0;
    double at_s = 0;
    bool held = false;
  };

  decision take(const ranked& best, const observation& seen) noexcept
  {
    if (best.index != at_) {
      left_[next_left_] = {at_, seen.at_s, true};
      next_left_ = (next_left_ + 1) % left_.size();
    }
    at_ = best.index;
    lost_ = 0;
    return decision_of(best, goal_);
  }
  [[nodiscard]] decision keep(double missed, std::string_view why) const noexcept { return {at_, !(missed > 0), why}; }
  [[nodiscard]] bool was_left(std::size_t index, double now_s) const noexcept
  {
    return std::any_of(left_.begin(), left_.end(),
      [&](const leaving& l) { return l.held && l.index == index && now_s - l.at_s < rule_.dwell_s; });
  }
  [[nodiscard]] bool better_either_way(const candidate& now, const candidate& other, const observation& seen) const noexcept
  {
    for (const double factor : {1 + seen.link_uncertainty, 1 / (1 + seen.link_uncertainty)}) {
      link_state link = seen.link;
      link.bandwidth.bits_per_second *= factor;
      if (!(goal_.gain(evaluate(now, link, seen.load), evaluate(other, link, seen.load)) > 0)) return false;
    }
    return true;
  }

  objective goal_;
  switching_rule rule_;
  std::size_t candidates_ = 0;
  std::size_t at_ = 0;
  double lost_ = 0;   // requests' worth, since the plan was taken or was last the best
  std::uint64_t steps_ = 0;
  std::array<leaving, 4> left_{};
  std::size_t next_left_ = 0;
};
static_assert(scheduling_policy<joint>);

}  // namespace narrows
