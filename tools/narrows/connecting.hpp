// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/security.hpp>

namespace narrows::tool {

inline std::optional<fallback_policy> parse_fallback(std::string_view t)
{
  if (t == "local") return fallback_policy::local;
  if (t == "never") return fallback_policy::never;
  return std::nullopt;
}

/// The keys of one who connects: an own pair, and the public key of the peer, or a file with it.
/// Errors: io_error, authentication, bad_input (neither a key nor a file with one).
inline result<curve_client> connecting_keys(const std::string& key_file, const std::string& server_key)
{
  auto own = read_curve_keys(key_file);
  if (!own) return unexpected(std::move(own).error());
  if (is_curve_key(server_key)) return curve_client{std::move(*own), server_key};
  auto listed = read_allowed_keys(server_key);
  // A key file has a secret line too, which is no public key; its first line will do.
  if (!listed) {
    auto pair = read_curve_keys(server_key);
    if (!pair) return error(errc::bad_input, server_key + ": neither a public key nor a file with one");
    return curve_client{std::move(*own), pair->public_key};
  }
  if (listed->empty()) return error(errc::bad_input, server_key + ": no key in it");
  return curve_client{std::move(*own), listed->front()};
}

}  // namespace narrows::tool
