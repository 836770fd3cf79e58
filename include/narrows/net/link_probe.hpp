// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/net/cloud_link.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/request_book.hpp>
#include <narrows/wire/encode.hpp>
#include <narrows/wire/message.hpp>

namespace narrows::detail {

/// A message that goes to the cloud and back for the sake of its time, one at a time. The book's mutex guards it.
class link_probe {
public:
  using time_point = clock::time_point;
  using duration = clock::duration;

  /// Fewer than any cloud takes in one envelope.
  static constexpr std::size_t most_bytes = std::size_t{64} << 10;

  link_probe(request_book& book, const edge_options& options) : book_(book), options_(options) {}

  // --- any thread -----------------------------------------------------------------------------------------------

  /// Errors: bad_input (no bytes or too many), overloaded (one is under way, or its outcome not yet taken).
  result<void> begin(std::size_t bytes, duration timeout)
  {
    if (bytes == 0 || bytes > most_bytes)
      return error(errc::bad_input, "a probe has 1 to " + std::to_string(most_bytes) + " bytes, not " + std::to_string(bytes));
    {
      const std::lock_guard lock(book_.mutex);
      if (busy_) return error(errc::overloaded, "a probe is under way");
      busy_ = true;
      what_ = {book_.next_id++, bytes};
      until_ = options_.time->now() + timeout;
      sent_at_.reset();
    }
    book_.wake.wake();
    return {};
  }
  /// What became of it, once; the next one may begin then.
  std::optional<result<duration>> outcome()
  {
    const std::lock_guard lock(book_.mutex);
    if (!outcome_) return std::nullopt;
    busy_ = false;
    return std::exchange(outcome_, std::nullopt);
  }

  // --- the link's thread ----------------------------------------------------------------------------------------

  /// Sends it, or gives it up; returns when to look again. With the lock held.
  time_point step(cloud_link& link, bool up, time_point now)
  {
    if (!busy_ || outcome_) return time_point::max();
    if (!up) {
      outcome_ = error(errc::unreachable, options_.endpoint);
    } else if (now >= until_) {
      outcome_ = error(errc::deadline, options_.endpoint + ": no echo");
    } else if (!sent_at_) {
      const auto envelope = wire::encode(what_);
      if (!envelope) outcome_ = envelope.error();
      else if (link.send(zmq::message_t(envelope->data(), envelope->size()), {})) sent_at_ = now;
      else return now + std::chrono::milliseconds(5);
    }
    return outcome_ ? time_point::max() : until_;
  }
  void take(const wire::echo& back)
  {
    const auto arrived = options_.time->now();
    const std::lock_guard lock(book_.mutex);
    if (busy_ && !outcome_ && sent_at_ && back.id == what_.id) outcome_ = arrived - *sent_at_;
  }

private:
  request_book& book_;
  const edge_options& options_;
  bool busy_ = false;
  wire::probe what_;
  time_point until_;
  std::optional<time_point> sent_at_;
  std::optional<result<duration>> outcome_;
};

}  // namespace narrows::detail
