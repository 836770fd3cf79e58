// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace narrows {

enum class log_level : std::uint8_t { debug, info, warning, error };

[[nodiscard]] constexpr std::string_view to_string(log_level level) noexcept
{
  switch (level) {
  case log_level::debug: return "debug";
  case log_level::info: return "info";
  case log_level::warning: return "warning";
  case log_level::error: return "error";
  }
  return "unknown";
}

/// Takes one line without a line feed. Called from several threads of an edge or cloud at once, sometimes with their
/// locks held: it must not call back into them. An empty one keeps silent.
using log_sink = std::function<void(log_level, std::string_view)>;

}  // namespace narrows
