// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <narrows/core/result.hpp>

namespace narrows::tool {

/// How the program ends (DESIGN.md section 8).
enum class exit_code : int { ok = 0, failed = 1, usage = 2, bad_input = 3, unreachable = 4, deadline = 5, integrity = 6, interrupted = 130 };

[[nodiscard]] constexpr exit_code exit_code_of(errc code) noexcept
{
  switch (code) {
  case errc::ok: return exit_code::ok;
  case errc::bad_width:
  case errc::bad_cut:
  case errc::unsupported_codec: return exit_code::usage;
  case errc::bad_shape:
  case errc::bad_graph:
  case errc::bad_node:
  case errc::unknown_op:
  case errc::bad_model:
  case errc::limit_exceeded:
  case errc::io_error:
  case errc::bad_image:
  case errc::bad_input:
  case errc::truncated:
  case errc::corrupt:
  case errc::model_mismatch: return exit_code::bad_input;
  case errc::unreachable: return exit_code::unreachable;
  case errc::deadline: return exit_code::deadline;
  case errc::integrity:
  case errc::authentication: return exit_code::integrity;
  case errc::cancelled: return exit_code::interrupted;
  case errc::bad_scale:
  case errc::bad_range:
  case errc::not_finite:
  case errc::unsupported_version:
  case errc::bad_descriptor:
  case errc::short_buffer:
  case errc::bad_message:
  case errc::overloaded:
  case errc::internal: return exit_code::failed;
  }
  return exit_code::failed;
}

/// What the user can do about a kind of error, where there is something to say in general.
[[nodiscard]] constexpr std::string_view advice_for(errc code) noexcept
{
  switch (code) {
  case errc::bad_width: return "--bits takes 1 to 16";
  case errc::bad_cut: return "'narrows inspect MODEL' lists the cuts";
  case errc::unsupported_codec: return "choose another --codec";
  case errc::bad_shape:
  case errc::bad_graph:
  case errc::bad_node:
  case errc::bad_model: return "export the model again, or fetch it again if it was cut short";
  case errc::unknown_op: return "export the model with operators that narrows has, or run it with another engine";
  case errc::limit_exceeded: return "give something smaller";
  case errc::io_error: return "check the name and its permissions";
  case errc::bad_image: return "give a whole JPEG or PNG file";
  case errc::bad_input: return "give one that fits, or see --help";
  case errc::truncated:
  case errc::corrupt: return "fetch or write the file again";
  case errc::model_mismatch: return "give both sides the same model file";
  case errc::unreachable: return "start 'narrows serve' there, or correct --connect";
  case errc::deadline: return "raise --deadline, or allow --fallback local";
  case errc::integrity: return "try again; if it stays, something between the two changes the data";
  case errc::authentication: return "check --key and --server-key here and --allow at the cloud";
  case errc::overloaded: return "raise --workers or --max-queue at the cloud";
  case errc::unsupported_version: return "use the same version of narrows on both sides";
  case errc::cancelled: return "run it again when ready";
  default: return "run it again; if it stays, please report it";
  }
}

/// Text from files and peers, fit for a terminal: one line, no control characters, not endless.
[[nodiscard]] inline std::string one_line(std::string_view text)
{
  constexpr std::size_t longest = 600;
  std::string line;
  for (const char c : text.substr(0, longest)) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  if (text.size() > longest) line += "...";
  return line;
}

/// Writes "narrows: what: why; what to do" and gives the exit code of the kind of error.
inline exit_code report(const error& e, std::string_view advice = {})
{
  const auto line = fmt::format("narrows: {}; {}\n", one_line(e.text()), advice.empty() ? advice_for(e.code) : advice);
  std::fwrite(line.data(), 1, line.size(), stderr);
  return exit_code_of(e.code);
}

inline void warn(std::string_view text) { fmt::print(stderr, "narrows: warning: {}\n", one_line(text)); }

}  // namespace narrows::tool
