// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <dlfcn.h>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/exec/module_abi.hpp>

namespace narrows {

namespace detail {

/// Levels for which a module may exist on this kind of CPU, best first.
[[nodiscard]] inline std::vector<std::string_view> module_levels()
{
#if defined(__x86_64__)
  return {"v4", "v3", "v2"};
#elif defined(__aarch64__)
  return {"neon64"};
#else
  return {};
#endif
}

/// True if this CPU, and the operating system's saving of its registers, can run a level.
[[nodiscard]] inline bool cpu_runs(std::string_view level)
{
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return (level == "v2" && v2) || (level == "v3" && v3) || (level == "v4" && v4);
#else
  return level == "neon64";  // part of every AArch64 CPU
#endif
}

/// $NARROWS_MODULE_DIR, or lib/narrows beside the folder of the running program.
[[nodiscard]] inline std::filesystem::path module_folder()
{
  if (const char* named = std::getenv("NARROWS_MODULE_DIR"); named != nullptr && *named != '\0') return named;
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return {};
  return program.parent_path().parent_path() / "lib" / "narrows";
}

/// Opens a module once per process; it stays loaded, since objects whose code it holds may outlive any owner we know.
[[nodiscard]] inline result<any_engine> open_module(const std::filesystem::path& file)
{
  static std::mutex guard;
  static std::map<std::filesystem::path, any_engine> opened;
  const std::lock_guard lock(guard);
  if (const auto it = opened.find(file); it != opened.end()) return it->second;

  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return error(errc::io_error, file.string() + ": " + (why != nullptr ? why : "dlopen failed"));
  }
  void* symbol = ::dlsym(handle, module_abi::symbol);
  if (symbol == nullptr) {
    ::dlclose(handle);
    return error(errc::io_error, file.string() + ": not an executor module of narrows");
  }
  const char* theirs = nullptr;
  auto* made = reinterpret_cast<module_abi::entry_point*>(symbol)(module_abi::tag, &theirs);
  if (made == nullptr) {
    auto text = file.string() + ": built as '" + (theirs != nullptr ? theirs : "?") + "', this program as '" + module_abi::tag + "'";
    ::dlclose(handle);
    return error(errc::unsupported_version, std::move(text));
  }
  any_engine engine(std::shared_ptr<any_engine::interface>{made});
  opened.emplace(file, engine);
  return engine;
}

}  // namespace detail

/// The executor built for this CPU, from a shared module, so that baseline programs reach AVX2 and AVX-512.
///
/// Level    "auto": the best one that the CPU runs and whose module is there; "v2", "v3", "v4" (x86-64 levels) or
///          "neon64" force one.
/// Files    narrows_exec_<level>.so in $NARROWS_MODULE_DIR, or else in ../lib/narrows seen from the program's folder.
/// Errors   bad_input: no such level, or the CPU cannot run it. io_error: module missing or not loadable.
///          unsupported_version: built from another version of narrows or by another compiler.
/// Threads  may be called from several threads; a module is opened once and stays.
[[nodiscard]] inline result<any_engine> load_engine(std::string_view level = "auto")
{
  const auto folder = detail::module_folder();
  const auto file = [&](std::string_view l) { return folder / ("narrows_exec_" + std::string(l) + ".so"); };
  std::string tried;
  bool known = level == "auto";
  for (const auto l : detail::module_levels()) {
    if (level != "auto" && level != l) continue;
    known = true;
    if (!detail::cpu_runs(l)) {
      if (level == "auto") continue;
      return error(errc::bad_input, "executor level '" + std::string(level) + "': this CPU lacks its instructions");
    }
    std::error_code ignored;
    if (std::filesystem::exists(file(l), ignored)) return detail::open_module(file(l));
    tried += (tried.empty() ? "" : ", ") + file(l).string();
  }
  if (!known) {
    std::string choice = "auto";
    for (const auto l : detail::module_levels()) choice += ", " + std::string(l);
    return error(errc::bad_input, "executor level '" + std::string(level) + "': not one of " + choice);
  }
  if (tried.empty()) return error(errc::bad_input, "executor level '" + std::string(level) + "': no level suits this CPU");
  return error(errc::io_error, "executor module not found (" + tried + "); set NARROWS_MODULE_DIR to its folder");
}

}  // namespace narrows
