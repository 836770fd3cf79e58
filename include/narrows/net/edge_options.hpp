// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/net/clock.hpp>
#include <narrows/net/log.hpp>
#include <narrows/net/security.hpp>

namespace narrows {

/// What becomes of a request that the cloud does not answer in time.
enum class fallback_policy : std::uint8_t {
  local,   ///< the device runs the tail itself
  never,   ///< the request ends in an error: unreachable, deadline, or what the cloud said
};

struct edge_options {
  std::string endpoint = "tcp://127.0.0.1:5599";
  fallback_policy fallback = fallback_policy::local;
  int max_attempts = 3;                                ///< sendings of one request, the first included
  std::chrono::milliseconds attempt_timeout{0};        ///< silence after which it is sent again; 0: half of what is left
  std::chrono::milliseconds backoff{10};               ///< before the second sending where the cloud refused; doubles
  std::chrono::milliseconds connect_timeout{2000};     ///< `connect` waits this long for the cloud's welcome
  std::chrono::milliseconds reconnect_grace{250};      ///< a lost cloud may take this long to come back before requests fall back
  std::size_t max_in_flight = 8;                       ///< unfinished requests; `submit` blocks at more
  std::size_t cached_executors = 8;                    ///< heads and tails kept loaded
  int threads = 1;                                     ///< of one run on the device
  std::optional<curve_client> curve{};                   ///< keys; none: plain
  bool allow_plain = false;                            ///< connect off loopback without keys all the same
  std::chrono::milliseconds heartbeat_interval{1000};
  std::chrono::milliseconds heartbeat_timeout{30000};  ///< a silent peer counts as lost after this; generous, since heartbeats wait behind requests on a slow link
  std::chrono::milliseconds acknowledge_timeout{4000}; ///< as does one whose machine does not acknowledge what it was sent (TCP_USER_TIMEOUT)
  log_sink log{};
  std::shared_ptr<clock> time = steady_time();
};

namespace detail {

/// Whether an edge may connect so. Errors: authentication (off loopback without keys, or keys that are none).
[[nodiscard]] inline result<void> check_link(const edge_options& how)
{
  if (!how.curve && !how.allow_plain && !is_loopback(how.endpoint))
    return error(errc::authentication, how.endpoint + ": off loopback an edge needs keys (or leave to go without)");
  if (how.curve && !(is_curve_key(how.curve->server) && is_curve_key(how.curve->own.public_key) && is_curve_key(how.curve->own.secret_key)))
    return error(errc::authentication, how.endpoint + ": not a CURVE key");
  return {};
}

}  // namespace detail
}  // namespace narrows
