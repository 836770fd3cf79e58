// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/partition/tier_plan.hpp>

namespace narrows {

/// A two-tier plan that runs the first `position` nodes, in the order of the problem, on the device, and sends every tensor
/// that crosses by its option with one tag.
struct serial_cut {
  std::size_t position = 0;
  std::uint32_t tag = 0;
  plan_cost cost;
};

/// A planner's answer among serial cuts.
struct serial_choice {
  tier_plan plan;
  std::size_t position = 0;
  std::uint32_t tag = 0;
  double value = 0;  ///< what was made least, in the planner's unit
};

/// The first option of a tensor with this tag; none if it cannot travel so.
[[nodiscard]] inline std::optional<std::size_t> option_with(const priced_problem::tensor& t, std::uint32_t tag) noexcept
{
  for (std::size_t o = 0; o < t.options.size(); ++o)
    if (t.options[o].tag == tag) return o;
  return {};
}

namespace detail {

/// A sum that remembers how many of its terms are impossible, so that they can be taken out again.
struct sum_ns {
  std::int64_t finite = 0;
  std::int64_t nevers = 0;
  void add(std::int64_t ns, int sign = 1) noexcept { (ns < never_ns ? finite : nevers) += sign * (ns < never_ns ? ns : 1); }
  [[nodiscard]] std::int64_t value() const noexcept { return nevers > 0 ? never_ns : finite; }
};

}  // namespace detail

/// Calls `visit(const serial_cut&)` for each cut of the serialised network in which every tensor that crosses has an option
/// with the tag and `may_cross(tensor)` is true, from "all in the cloud" to "all on the device". Positions in a chain are all
/// its cuts; in other graphs several tensors may cross, each once, and cuts that no order of nodes has are left out.
///
/// Cost     O(nodes + tensors): each step moves one node over.
/// Errors   bad_input (three tiers).
template <std::predicate<std::size_t> MayCross, std::invocable<const serial_cut&> Visit>
result<void> for_each_serial_cut(const priced_problem& p, std::uint32_t tag, const MayCross& may_cross, Visit&& visit)
{
  if (p.tiers() != 2) return error(errc::bad_input, "plan: cuts of a serialised network are for two tiers");
  detail::sum_ns device, cloud, up, back;
  std::int64_t bytes = 0, crossing = 0, barred = 0;
  std::vector<std::size_t> unread(p.tensors().size());
  const auto cross = [&](std::size_t tensor, int sign) {
    const auto& t = p.tensors()[tensor];
    const auto with = option_with(t, tag);
    crossing += sign;
    if (!with || !may_cross(tensor)) {
      barred += sign;
      return;
    }
    const auto& o = t.options[*with];
    device.add(o.encode_ns[0], sign);
    cloud.add(o.decode_ns[1], sign);
    up.add(o.link_ns[0], sign);
    bytes += sign * o.bytes;
  };
  for (const auto& n : p.nodes()) {
    cloud.add(n.compute_ns[1]);
    if (n.return_bytes > 0) back.add(p.links()[0].bytes_ns(n.return_bytes));
  }
  for (std::size_t t = 0; t < unread.size(); ++t) {
    unread[t] = p.tensors()[t].consumers.size();
    if (!p.tensors()[t].producer && unread[t] > 0) cross(t, 1);
  }
  const auto& link = p.links()[0];
  for (std::size_t i = 0;; ++i) {
    if (barred == 0) {
      serial_cut cut{i, tag, {}};
      auto& c = cut.cost;
      c.tier_ns = {device.value(), cloud.value(), 0};
      c.link_ns[0] = add_ns(up.value(), crossing > 0 ? link.busy_ns : 0);
      c.back_ns[0] = add_ns(back.value(), crossing > 0 ? link.busy_ns : 0);
      c.bytes[0] = bytes + (crossing > 0 ? link.message_bytes : 0);
      c.latency_ns = crossing > 0 ? link.message_s_ns : 0;
      for (const auto ns : {c.tier_ns[0], c.tier_ns[1], c.link_ns[0], c.back_ns[0]}) c.latency_ns = add_ns(c.latency_ns, ns);
      visit(std::as_const(cut));
    }
    if (i == p.order().size()) return {};
    const auto& n = p.nodes()[p.order()[i]];
    device.add(n.compute_ns[0]);
    cloud.add(n.compute_ns[1], -1);
    if (n.return_bytes > 0) back.add(link.bytes_ns(n.return_bytes), -1);
    for (const auto t : n.reads)
      if (--unread[t] == 0) cross(t, -1);
    for (const auto t : n.makes)
      if (unread[t] > 0) cross(t, 1);
  }
}

/// The plan of a serial cut. `cut` comes from `for_each_serial_cut` over the same problem (contract).
[[nodiscard]] inline tier_plan plan_of(const priced_problem& p, const serial_cut& cut)
{
  std::vector<std::uint8_t> tiers(p.nodes().size(), 1);
  for (std::size_t i = 0; i < cut.position; ++i) tiers[p.order()[i]] = 0;
  auto plan = plan_of(p, std::move(tiers));
  for (std::size_t t = 0; t < plan.routes.size(); ++t)
    if (plan.routes[t].takes(0))
      plan.routes[t].option[0] = static_cast<std::int32_t>(option_with(p.tensors()[t], cut.tag).value_or(0));
  plan.cost = cost_of(p, plan.tiers, plan.routes);
  NARROWS_EXPECTS(plan.cost == cut.cost);
  return plan;
}

namespace detail {

/// Keeps the least value; of equals the cut with the most on the device.
class best_serial_cut {
public:
  void offer(const serial_cut& cut, double value)
  {
    if (!cut.cost.is_possible() || !(value < std::numeric_limits<double>::infinity()) || value > value_) return;
    if (value == value_ && found_ && cut.position <= cut_.position) return;
    cut_ = cut;
    value_ = value;
    found_ = true;
  }
  [[nodiscard]] result<serial_choice> answer(const priced_problem& p, const char* who) const
  {
    if (!found_) return error(errc::bad_input, std::string("plan: ") + who + ": no cut is possible and allowed");
    return serial_choice{plan_of(p, cut_), cut_.position, cut_.tag, value_};
  }

private:
  serial_cut cut_;
  double value_ = std::numeric_limits<double>::infinity();
  bool found_ = false;
};

}  // namespace detail
}  // namespace narrows
