// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/wire/decode.hpp>
#include <narrows/wire/encode.hpp>

namespace narrows::detail {

/// An edge's connection to its cloud: a DEALER socket, what its monitor tells about it, and the greeting. One thread's own.
class cloud_link {
public:
  enum class state { down, greeting, up };

  /// What came in, with its payload frames.
  struct incoming {
    std::variant<wire::reply, wire::failure, wire::echo> head;
    std::vector<zmq::message_t> payloads;
  };

  cloud_link(zmq::context_t& context, const edge_options& options, wire::hello greeting, wire::limits most)
    : options_(options), greeting_(std::move(greeting)), most_(most), socket_(context, zmq::socket_type::dealer),
      monitor_(context, zmq::socket_type::pair), changed_(options.time->now())
  {
    socket_.set(zmq::sockopt::linger, 50);
    socket_.set(zmq::sockopt::immediate, true);   // nothing waits for a peer that is not there
    socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(std::max<std::uint64_t>(most_.frame_bytes, most_.envelope_bytes)));
    socket_.set(zmq::sockopt::reconnect_ivl, 20);
    socket_.set(zmq::sockopt::reconnect_ivl_max, 500);
    socket_.set(zmq::sockopt::handshake_ivl, 2000);
    socket_.set(zmq::sockopt::heartbeat_ivl, static_cast<int>(options_.heartbeat_interval.count()));
    socket_.set(zmq::sockopt::heartbeat_timeout, static_cast<int>(options_.heartbeat_timeout.count()));
    socket_.set(zmq::sockopt::tcp_maxrt, static_cast<int>(options_.acknowledge_timeout.count()));
    if (options_.curve) {
      socket_.set(zmq::sockopt::curve_serverkey, options_.curve->server);
      socket_.set(zmq::sockopt::curve_publickey, options_.curve->own.public_key);
      socket_.set(zmq::sockopt::curve_secretkey, options_.curve->own.secret_key);
    }
    constexpr const char* events = "inproc://narrows.monitor";
    if (zmq_socket_monitor(socket_.handle(), events,
          ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
            ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_DISCONNECTED) != 0)
      throw zmq::error_t();
    monitor_.connect(events);
    socket_.connect(options_.endpoint);
  }
  ~cloud_link() { zmq_socket_monitor(socket_.handle(), nullptr, 0); }
  cloud_link(const cloud_link&) = delete;
  cloud_link& operator=(const cloud_link&) = delete;

  [[nodiscard]] zmq::socket_t& socket() noexcept { return socket_; }
  [[nodiscard]] zmq::socket_t& monitor() noexcept { return monitor_; }
  [[nodiscard]] state now() const noexcept { return state_; }
  /// Since when the link has not been up; of use only while it is not.
  [[nodiscard]] clock::time_point lost_since() const noexcept { return changed_; }
  /// Why the cloud will not serve this edge at all; stands until it welcomes it after all.
  [[nodiscard]] const std::optional<error>& refusal() const noexcept { return refusal_; }
  [[nodiscard]] const std::optional<wire::welcome>& peer() const noexcept { return peer_; }

  /// When `tick` should be called again at the latest.
  [[nodiscard]] clock::time_point next_tick() const noexcept { return state_ == state::greeting ? greet_at_ : clock::time_point::max(); }

  /// Greets, again where a greeting was lost.
  void tick()
  {
    const auto at = options_.time->now();
    if (state_ != state::greeting || at < greet_at_) return;
    const auto frame = wire::encode(greeting_);
    const bool sent = frame && socket_.send(zmq::buffer(*frame), zmq::send_flags::dontwait).has_value();
    // The pipe is there a moment after the monitor's event; later a greeting may have met a cloud on its way down.
    greet_at_ = at + (sent ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(2));
  }

  /// Reads the monitor; true when a connection was lost.
  bool watch()
  {
    bool lost = false;
    zmq::message_t part;
    while (monitor_.recv(part, zmq::recv_flags::dontwait)) {
      std::uint16_t event = 0;
      std::uint32_t value = 0;
      if (part.size() >= sizeof event + sizeof value) {
        std::memcpy(&event, part.data(), sizeof event);
        std::memcpy(&value, static_cast<const char*>(part.data()) + sizeof event, sizeof value);
      }
      while (part.more())
        if (!monitor_.recv(part)) break;
      lost |= heed(event, value);
    }
    return lost;
  }

  /// The next reply, failure or echo; greetings are dealt with here, and what makes no sense is logged and dropped.
  std::optional<incoming> receive()
  {
    zmq::message_t part;
    while (socket_.recv(part, zmq::recv_flags::dontwait)) {
      std::vector<zmq::message_t> frames;
      bool more = part.more();
      frames.push_back(std::move(part));
      while (more) {
        zmq::message_t next;
        if (!socket_.recv(next)) break;
        more = next.more();
        if (frames.size() <= most_.tensors) frames.push_back(std::move(next));
      }
      auto message = wire::decode(bytes_of(frames.front()), most_);
      frames.erase(frames.begin());
      if (!message) {
        say(log_level::warning, "dropped: " + message.error().text());
        return incoming{wire::failure{0, errc::integrity, "a reply that cannot be read", 0}, {}};
      }
      if (const auto* met = std::get_if<wire::welcome>(&*message)) welcome(*met);
      else if (auto* reply = std::get_if<wire::reply>(&*message)) return incoming{std::move(*reply), std::move(frames)};
      else if (const auto* back = std::get_if<wire::echo>(&*message)) return incoming{*back, {}};
      else if (auto* failed = std::get_if<wire::failure>(&*message)) {
        if (failed->id == greeting_.id && state_ != state::up) refuse({failed->code, failed->what});
        else return incoming{std::move(*failed), {}};
      } else say(log_level::warning, "dropped: a message that only an edge sends");
    }
    return std::nullopt;
  }

  /// Hands one message to the socket; false when it would have to wait.
  bool send(zmq::message_t envelope, std::vector<zmq::message_t> payloads)
  {
    const auto flags = [](std::size_t left) { return left > 0 ? zmq::send_flags::sndmore | zmq::send_flags::dontwait : zmq::send_flags::dontwait; };
    if (!socket_.send(envelope, flags(payloads.size()))) return false;
    for (std::size_t i = 0; i < payloads.size(); ++i) static_cast<void>(socket_.send(payloads[i], flags(payloads.size() - i - 1)));
    return true;
  }

private:
  void say(log_level level, const std::string& line) const
  {
    if (options_.log) options_.log(level, options_.endpoint + ": " + line);
  }

  void turn(state to)
  {
    if (state_ == state::up || to == state::up) changed_ = options_.time->now();
    state_ = to;
  }

  void refuse(error why)
  {
    say(log_level::error, why.text());
    why.what = options_.endpoint + (why.what.empty() ? "" : ": " + why.what);
    refusal_ = std::move(why);
    turn(state::down);
  }

  void welcome(const wire::welcome& met)
  {
    if (met.id != greeting_.id || state_ != state::greeting) return;
    if (met.format_version != static_cast<std::uint32_t>(format_version))
      return refuse({errc::unsupported_version, "cloud reads format " + std::to_string(met.format_version) + ", edge writes " + std::to_string(format_version)});
    if (met.executor_level != greeting_.executor_level)
      say(log_level::warning, "cloud runs executor " + met.executor_level + ", edge " + greeting_.executor_level + ": last bits of answers may differ");
    peer_ = met;
    refusal_.reset();
    turn(state::up);
    say(log_level::info, "cloud is there");
  }

  /// Acts on one event of the monitor; true when a connection was lost.
  bool heed(std::uint16_t event, std::uint32_t value)
  {
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      closed_in_handshake_ = 0;
      turn(state::greeting);
      greet_at_ = options_.time->now();
      return false;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      refuse({errc::authentication, "cloud does not accept this key"});
      return false;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        refuse({errc::authentication, options_.curve ? "cloud has no keys, edge has" : "cloud asks for keys, edge has none"});
      else if (options_.curve)
        refuse({errc::authentication, "handshake failed: is the public key of the cloud right?"});
      return false;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      // A cloud that cannot read our greeting (it has another key) just hangs up; once may also be a cloud that ends.
      if (options_.curve && ++closed_in_handshake_ >= 2)
        refuse({errc::authentication, "cloud hangs up during the handshake: is its public key right?"});
      return false;
    case ZMQ_EVENT_DISCONNECTED: {
      const bool had = state_ != state::down;
      if (had) say(log_level::warning, "connection lost");
      turn(state::down);
      return had;
    }
    default: return false;
    }
  }

  const edge_options& options_;
  wire::hello greeting_;
  wire::limits most_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  state state_ = state::down;
  clock::time_point changed_;
  clock::time_point greet_at_;
  std::optional<error> refusal_;
  std::optional<wire::welcome> peer_;
  int closed_in_handshake_ = 0;
};

}  // namespace narrows::detail
