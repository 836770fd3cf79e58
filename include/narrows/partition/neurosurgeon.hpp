// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <narrows/core/result.hpp>
#include <narrows/partition/serial_cuts.hpp>

namespace narrows {

struct neurosurgeon_options {
  std::uint32_t tag = 0;       ///< the coding of what crosses: floats, in the paper
  double server_load = 1;      ///< by how much the cloud is slower than in the profile
  bool device_energy = false;  ///< least energy of the device instead of least latency
  double compute_w = 0;        ///< power of the device while it computes
  double transmit_w = 0;       ///< and while it sends
};

/// The cut that Neurosurgeon chooses: over all positions of the serialised network, the least of device + upload + K * cloud
/// time, or of the device's energy. Nothing is charged where everything stays on the device.
///
/// Units    value: seconds, or joules.
/// Model    the problem's: message and way back are charged, codec times where the coding has any. Times are those given; the
///          paper predicts them per layer type by regression.
/// Limits   one coding, one position: on a graph that is no chain it is not exact (`min_cut_plan` is).
/// Ties     the cut with more on the device.
/// Errors   bad_input (three tiers, a load or power that is negative or not finite, no cut possible).
/// Source   Kang et al., ASPLOS 2017, by METHODS 4. O(nodes + tensors).
[[nodiscard]] inline result<serial_choice> neurosurgeon_plan(const priced_problem& p, const neurosurgeon_options& how = {})
{
  for (const double x : {how.server_load, how.compute_w, how.transmit_w})
    if (!(x >= 0) || !std::isfinite(x))
      return error(errc::bad_input, "plan: Neurosurgeon: a load or a power is negative or not finite");
  detail::best_serial_cut best;
  NARROWS_TRY(for_each_serial_cut(
    p, how.tag, [](std::size_t) { return true; },
    [&](const serial_cut& cut) {
      const auto device = static_cast<double>(cut.cost.tier_ns[0]), cloud = static_cast<double>(cut.cost.tier_ns[1]);
      const double value = how.device_energy ? how.compute_w * device + how.transmit_w * static_cast<double>(cut.cost.link_ns[0])
                                             : static_cast<double>(cut.cost.latency_ns) + (how.server_load - 1) * cloud;
      best.offer(cut, value * 1e-9);
    }));
  return best.answer(p, "Neurosurgeon");
}

}  // namespace narrows
