// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

#include <narrows/profile/link.hpp>

namespace narrows {

/// What the link is, learnt from the requests that cross it anyway.
///
/// Model   seconds = rtt + bytes * 8 / rate. A message that fits in one packet moves the round trip, a longer one the rate
///         (as seconds per bit, so that one slow transfer counts for what it cost). Each is an exponentially weighted
///         mean. Which of the two made a message late cannot be told from sizes that never change, so the boundary is
///         fixed rather than guessed.
/// Limits  it follows a step within about 3 / weight messages; it cannot see a link that nothing crosses, so a caller
///         that stays on the device must probe.
/// Source  METHODS 1.3, passive form.
class link_estimator {
public:
  static constexpr double one_packet = 1500;

  explicit link_estimator(const link_state& start, double weight = 0.25) : now_(start), weight_(std::clamp(weight, 0.01, 1.0)) {}

  /// One round trip: `bytes` both ways together took `seconds` on the link. Impossible figures are ignored.
  void saw(double bytes, double seconds) noexcept
  {
    if (!(bytes > 0) || !(bytes < 1e12) || !(seconds > 0) || !(seconds < 1e6)) return;
    if (!now_.is_up()) {   // back again: nothing better is known than this one message
      now_.bandwidth.bits_per_second = bytes * 8 / std::max(seconds - now_.rtt_s, seconds / 4);
      return;
    }
    if (bytes <= one_packet) {
      now_.rtt_s += weight_ * (std::max(0.0, seconds - now_.busy_s(bytes)) - now_.rtt_s);
      return;
    }
    // A long message that hardly took the assumed round trip shows that this was set too high.
    now_.rtt_s = std::min(now_.rtt_s, 0.75 * seconds);
    const double old = 1 / now_.bandwidth.bits_per_second, sample = (seconds - now_.rtt_s) / (bytes * 8);
    now_.bandwidth.bits_per_second = 1 / (old + weight_ * (sample - old));
  }
  /// The peer did not answer: until a message crosses again the rate is 0.
  void lost() noexcept { now_.bandwidth.bits_per_second = 0; }

  [[nodiscard]] const link_state& now() const noexcept { return now_; }

private:
  link_state now_;
  double weight_;
};

}  // namespace narrows
