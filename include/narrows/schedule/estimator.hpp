// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <narrows/profile/link.hpp>
#include <narrows/profile/load.hpp>

namespace narrows {

/// A positive figure learnt from samples: an exponentially weighted mean, which starts anew where two samples one after the
/// other are both far above it, or both far below. A single one far away is left out: it tells more of a hiccup than of
/// the figure.
///
/// Limits  a step by `surprise` or more is followed at the second sample, a smaller one within about 3 / weight.
/// Source  METHODS 1.3 and 12.5.
class surprised_mean {
public:
  /// `surprise`: how many times the mean, or what part of it, is far.
  surprised_mean(double start, double weight, double surprise) noexcept : now_(start), weight_(weight), surprise_(surprise) {}

  /// True where it started anew. `sample` > 0.
  bool saw(double sample) noexcept
  {
    const int side = sample > now_ * surprise_ ? 1 : sample < now_ / surprise_ ? -1 : 0;
    const bool again = side != 0 && side == side_;
    side_ = again ? 0 : side;
    if (again) {
      now_ = sample;
    } else if (side == 0) {
      deviation_ += weight_ * (std::abs(sample / now_ - 1) - deviation_);
      now_ += weight_ * (sample - now_);
    }
    return again;
  }
  void set(double value) noexcept
  {
    now_ = value;
    side_ = 0;
  }
  [[nodiscard]] double now() const noexcept { return now_; }
  /// Whether the last sample was far away: one more on that side, and it starts anew.
  [[nodiscard]] bool in_doubt() const noexcept { return side_ != 0; }
  /// The share of it by which it may well be wrong: three standard deviations of the mean, as far as the samples scatter like
  /// normal ones.
  [[nodiscard]] double uncertainty() const noexcept { return 3 * 1.25 * deviation_ * std::sqrt(weight_ / (2 - weight_)); }

private:
  double now_;
  double deviation_ = 0;   // mean of |sample / mean - 1|
  double weight_;
  double surprise_;
  int side_ = 0;  ///< on which side the last sample was far
};

/// What the link is, learnt from the requests that cross it anyway.
///
/// Model   seconds = rtt + bytes * 8 / rate. A message that fits in one packet moves the round trip, a longer one the rate
///         (as seconds per bit, so that one slow transfer counts for what it cost). Which of the two made a message late
///         cannot be told from sizes that never change, so the boundary is fixed rather than guessed.
/// Limits  it cannot see a link that nothing crosses, so a caller that stays on the device must probe.
/// Source  METHODS 1.3, passive form.
class link_estimator {
public:
  static constexpr double one_packet = 1500;
  /// Noise of a fifth either way stays well below it.
  static constexpr double surprise = 1.6;

  explicit link_estimator(const link_state& start, double weight = 0.25) noexcept
    : rtt_s_(start.rtt_s), up_(start.is_up()), weight_(std::clamp(weight, 0.01, 1.0)),
      seconds_per_bit_(up_ ? 1 / start.bandwidth.bits_per_second : 1, weight_, surprise)
  {}

  /// One round trip: `bytes` both ways together took `seconds` on the link. Impossible figures are ignored.
  void saw(double bytes, double seconds) noexcept
  {
    if (!(bytes > 0) || !(bytes < 1e12) || !(seconds > 0) || !(seconds < 1e6)) return;
    if (!up_) {  // back again: nothing better is known than this one message
      up_ = true;
      ++steps_;
      seconds_per_bit_.set(std::max(seconds - rtt_s_, seconds / 4) / (bytes * 8));
      return;
    }
    if (bytes <= one_packet) {
      const double measured = std::max(0.0, seconds - now().busy_s(bytes));
      rtt_s_ = knows_rtt_ ? rtt_s_ + weight_ * (measured - rtt_s_) : measured;
      knows_rtt_ = true;
      return;
    }
    // A long message that took less than the round trip shows that this was set too high: by what the rate leaves of it, if
    // the rate can be right at all. (What took hardly more than a round trip shows nothing: most short messages do.)
    if (seconds <= rtt_s_) {
      const double sending = now().busy_s(bytes);
      rtt_s_ = sending < seconds ? seconds - sending : 0.75 * seconds;
    }
    const double sent_s = std::max(seconds - rtt_s_, 1e-6 * seconds);   // never 0, whatever rounding makes of it
    if (seconds_per_bit_.saw(sent_s / (bytes * 8))) ++steps_;
  }
  /// The peer did not answer: until a message crosses again the rate is 0.
  void lost() noexcept
  {
    if (up_) ++steps_;
    up_ = false;
  }

  [[nodiscard]] link_state now() const noexcept { return {{up_ ? 1 / seconds_per_bit_.now() : 0}, rtt_s_}; }
  /// Whether a message that fits in one packet has crossed: the round trip is then measured, not assumed.
  [[nodiscard]] bool knows_round_trip() const noexcept { return knows_rtt_; }
  /// Whether the last message was of quite another rate, so that the next one decides.
  [[nodiscard]] bool in_doubt() const noexcept { return up_ && seconds_per_bit_.in_doubt(); }
  /// The share by which the rate may well be wrong.
  [[nodiscard]] double uncertainty() const noexcept { return seconds_per_bit_.uncertainty(); }
  /// How often the link has turned out to be another one: not drifted, but stepped, gone, or come back.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

private:
  double rtt_s_;
  bool knows_rtt_ = false;
  bool up_;
  double weight_;
  surprised_mean seconds_per_bit_;
  std::uint64_t steps_ = 0;
};

/// How much slower than profiled both sides are, learnt from the times that answers bring. One plan's times scale those of
/// all others. Source: METHODS 3.3 and 13.
class load_estimator {
public:
  /// Factors stay within these bounds: beyond them a profile is wrong rather than its machine busy.
  static constexpr double least = 0.2, most = 50;

  void saw_device(double predicted_s, double measured_s) noexcept { saw(device_, predicted_s, measured_s); }
  void saw_server(double predicted_s, double measured_s) noexcept { saw(server_, predicted_s, measured_s); }

  [[nodiscard]] load_factors now() const noexcept { return {device_.now(), server_.now()}; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

private:
  /// What takes less says little of a machine's speed.
  static constexpr double too_short_s = 20e-6;

  void saw(surprised_mean& of, double predicted_s, double measured_s) noexcept
  {
    if (!(predicted_s > too_short_s) || !(measured_s > 0) || !(measured_s < 1e6)) return;
    if (of.saw(std::clamp(measured_s / predicted_s, least, most))) ++steps_;
  }
  surprised_mean device_{1, 0.25, link_estimator::surprise};
  surprised_mean server_{1, 0.25, link_estimator::surprise};
  std::uint64_t steps_ = 0;
};

}  // namespace narrows
