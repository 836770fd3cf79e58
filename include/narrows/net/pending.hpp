// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/tensor.hpp>
#include <narrows/core/result.hpp>
#include <narrows/net/answer.hpp>
#include <narrows/net/clock.hpp>
#include <narrows/net/slice_runner.hpp>
#include <narrows/wire/message.hpp>

namespace narrows::detail {

/// A request of an edge from `submit` to `wait`. Guarded by the core's mutex, but for what one stage owns alone: `kept`
/// and the encoded tensors are written by the caller's thread until `ready`, and only read from then on.
struct pending {
  enum class stage : std::uint8_t {
    queued,   ///< waits for a place among the requests in flight
    device,   ///< head and encoding, in the caller's thread
    ready,    ///< to be sent, or sent again
    sent,     ///< the cloud has it
    local,    ///< the device runs the tail
    done,
  };

  explicit pending(std::shared_ptr<spare_buffers> home) : spare(std::move(home)) {}
  pending(const pending&) = delete;
  pending& operator=(const pending&) = delete;
  ~pending()
  {
    for (auto& [value, values] : kept) spare->give(std::move(values));
  }

  /// Whether the tier before this one has made `v`.
  [[nodiscard]] bool made_before(const value& v) const { return from && v.producer && from->head[index(*v.producer)]; }

  std::shared_ptr<spare_buffers> spare;  ///< where tensors and payloads come from and go to
  std::uint64_t id = 0;
  plan how;
  std::optional<cut> from;                    ///< where it starts, if not at the network's inputs
  stage at = stage::queued;
  clock::time_point started;
  clock::time_point deadline;
  clock::time_point ready_at;                 ///< head and encoding were done
  clock::time_point not_before;               ///< of the next sending
  clock::time_point sent_at;                  ///< latest sending
  std::optional<clock::time_point> resend_at; ///< when silence counts as loss
  clock::time_point local_at;                 ///< the device took over
  int attempts = 0;
  slice_runner::tensors kept;                 ///< tensors that cross, and outputs that the head made
  std::vector<wire::tensor_header> headers;
  std::vector<std::shared_ptr<const aligned_vector<std::uint8_t>>> payloads;
  std::uint64_t bytes_sent = 0;
  latency_parts latency;
  error cause;                                ///< why the cloud did not answer, as far as known
  std::string note;                           ///< for the warning
  std::stop_source stopper;                   ///< of the head or the tail that runs here
  std::optional<result<answer>> outcome;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

/// What the device has learnt about its own speed, to know how late a fallback may start.
class tail_estimate {
public:
  explicit tail_estimate(std::uint64_t macs) : macs_(macs) {}

  void saw_head(const cut& at, const std::optional<cut>& from, clock::duration took) { note_rate(at.macs_head - (from ? from->macs_head : 0), took); }

  void saw_tail(const cut& at, clock::duration took)
  {
    note_rate(macs_ - std::min(macs_, at.macs_head), took);
    auto [it, fresh] = measured_.try_emplace(at.head, took);
    if (!fresh) it->second = (it->second * 3 + took) / 4;
  }

  /// How long the tail of `at` takes here: as measured, else from the time per multiply-add of what has run so far.
  [[nodiscard]] std::optional<clock::duration> of(const cut& at) const
  {
    if (const auto it = measured_.find(at.head); it != measured_.end()) return it->second;
    if (nanoseconds_per_mac_ <= 0) return std::nullopt;
    const auto macs = static_cast<double>(macs_ - std::min(macs_, at.macs_head));
    return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double, std::nano>(macs * nanoseconds_per_mac_));
  }

private:
  void note_rate(std::uint64_t macs, clock::duration took)
  {
    if (macs < 1000 || took <= clock::duration::zero()) return;
    const double rate = std::chrono::duration<double, std::nano>(took).count() / static_cast<double>(macs);
    nanoseconds_per_mac_ = nanoseconds_per_mac_ <= 0 ? rate : 0.75 * nanoseconds_per_mac_ + 0.25 * rate;
  }

  std::uint64_t macs_;
  double nanoseconds_per_mac_ = 0;
  std::map<std::vector<bool>, clock::duration> measured_;
};

}  // namespace narrows::detail
