// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/result.hpp>
#include <narrows/partition/serial_cuts.hpp>

namespace narrows {

/// The (cut, width) that JALAD chooses: the least latency among those whose loss of accuracy is at most `most_loss`. Its 0-1
/// program has one choice of n * widths, so trying all is exact.
///
/// Arguments  tags: the widths on offer, as tags of options, one for all tensors of a cut. loss(position, tag) -> double:
/// measured
///            loss of accuracy of a serial cut; NaN where nobody measured it, which excludes it. It is not asked about
///            "all on the device", which loses nothing.
/// Units      value: seconds. loss and most_loss: the same unit, whichever.
/// Ties       the tag named first, then the cut with more on the device.
/// Errors     bad_input (three tiers, no tag, a limit that is NaN, nothing possible and allowed).
/// Source     Li et al., ICPADS 2018, by METHODS 7. O(tags * (nodes + tensors)).
template <std::invocable<std::size_t, std::uint32_t> Loss>
[[nodiscard]] result<serial_choice> jalad_plan(
  const priced_problem& p, std::span<const std::uint32_t> tags, const Loss& loss, double most_loss)
{
  if (tags.empty() || std::isnan(most_loss))
    return error(errc::bad_input, "plan: JALAD: widths and a limit on the loss are needed");
  result<serial_choice> best = error(errc::bad_input, "plan: JALAD: no cut is possible and allowed");
  for (const auto tag : tags) {
    detail::best_serial_cut with_tag;
    NARROWS_TRY(for_each_serial_cut(
      p, tag, [](std::size_t) { return true; },
      [&](const serial_cut& cut) {
        if (cut.position < p.order().size() && !(loss(cut.position, tag) <= most_loss)) return;
        with_tag.offer(cut, static_cast<double>(cut.cost.latency_ns) * 1e-9);
      }));
    auto answer = with_tag.answer(p, "JALAD");
    if (answer && (!best || answer->value < best->value)) best = std::move(answer);
  }
  return best;
}

}  // namespace narrows
