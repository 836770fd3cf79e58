// SPDX-License-Identifier: BSD-3-Clause
// Calibrations of several networks as sections of docs/measurements.md.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <narrows/json/calibration.hpp>

#include "files.hpp"
#include "report.hpp"
#include "sections.hpp"

namespace {

using namespace narrows;
using namespace narrows::tool;

constexpr std::uint64_t max_file_bytes = std::uint64_t{256} << 20;

result<std::vector<calibration>> read(const std::vector<std::string>& files)
{
  std::vector<calibration> all;
  for (const auto& file : files) {
    const auto bytes = read_file(file, max_file_bytes);
    if (!bytes) return bytes.error();
    const auto parsed = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file);
    if (!parsed) return parsed.error();
    auto c = calibration_from_json(*parsed, file);
    if (!c) return unexpected(std::move(c).error());
    all.push_back(std::move(*c));
  }
  return all;
}

}  // namespace

int main(int count, char** arguments)
{
  try {
    CLI::App program("Turns what 'narrows calibrate --write' wrote for several networks into Markdown.", "narrows_accuracy");
    program.require_subcommand(1);
    std::vector<std::string> files;
    const auto add = [&](const std::string& name, const std::string& what) {
      auto* command = program.add_subcommand(name, what);
      command->add_option("FILE", files, "one per network")->required()->type_name("");
      return command;
    };
    const auto* low_widths = add("low-widths", "agreement and bytes at every cut and width");
    add("bytes", "the smallest requests that pass the gate");
    try {
      program.parse(count, arguments);
    } catch (const CLI::Success& asked) {
      return program.exit(asked);
    } catch (const CLI::ParseError& e) {
      fmt::print(stderr, "narrows_accuracy: {}\n", one_line(e.what()));
      return static_cast<int>(exit_code::usage);
    }
    const auto all = read(files);
    if (!all) return static_cast<int>(narrows::tool::report(all.error()));
    const auto section = low_widths->parsed() ? low_widths_section(*all) : bytes_section(*all);
    std::fwrite(section.data(), 1, section.size(), stdout);
    return static_cast<int>(exit_code::ok);
  } catch (const std::exception& e) {
    fmt::print(stderr, "narrows_accuracy: {}\n", one_line(e.what()));
    return static_cast<int>(exit_code::failed);
  }
}
