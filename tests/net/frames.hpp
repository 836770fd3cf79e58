// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "net/support.hpp"

/// Messages as frames of bytes, for tests that write and read them by hand.
namespace narrows::test {

using frames = std::vector<std::vector<std::uint8_t>>;
using messages = std::vector<frames>;

/// Receives one message, or nothing within a while. Of a ROUTER, the first frame is the peer.
inline frames receive(zmq::socket_t& from, std::chrono::milliseconds within = 0ms)
{
  zmq::pollitem_t item{from.handle(), 0, ZMQ_POLLIN, 0};
  frames got;
  if (zmq::poll(&item, 1, within) == 0) return got;
  zmq::message_t part;
  for (bool more = true; more;) {
    if (!from.recv(part)) break;
    more = part.more();
    const auto bytes = detail::bytes_of(part);
    got.emplace_back(bytes.begin(), bytes.end());
  }
  return got;
}

inline void send(zmq::socket_t& to, const frames& what)
{
  for (std::size_t i = 0; i < what.size(); ++i)
    to.send(zmq::buffer(what[i]), i + 1 < what.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

inline std::vector<std::uint8_t> envelope(const wire::message& m) { return *wire::encode(m); }

}  // namespace narrows::test
