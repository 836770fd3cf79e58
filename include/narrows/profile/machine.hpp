// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fstream>
#include <string>

namespace narrows {

/// Name of this machine's processor, for people who compare profiles; the architecture where the system tells no more.
[[nodiscard]] inline std::string machine_name()
{
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const auto from = line.find_first_not_of(": \t", line.find(':'));
    if (from != std::string::npos) return line.substr(from);
  }
#if defined(__aarch64__)
  return "aarch64";
#elif defined(__x86_64__)
  return "x86-64";
#else
  return "unknown";
#endif
}

}  // namespace narrows
