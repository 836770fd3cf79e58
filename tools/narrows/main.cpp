// SPDX-License-Identifier: BSD-3-Clause
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <narrows/pack/codecs.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/version.hpp>

#include "command.hpp"
#include "report.hpp"

namespace {

using narrows::tool::exit_code;

int usage_error(const CLI::App& program, const CLI::ParseError& e)
{
  std::string command = "narrows";
  for (const auto* sub : program.get_subcommands()) command += " " + sub->get_name();
  fmt::print(stderr, "narrows: {}; see '{} --help'\n", narrows::tool::one_line(e.what()), command);
  return static_cast<int>(exit_code::usage);
}

/// The library takes its best kernels where the variable names none of this CPU; whoever set it meant something else.
bool kernels_are_there()
{
  const char* wanted = std::getenv("NARROWS_ISA");
  if (wanted == nullptr || narrows::find_kernels(wanted) != nullptr) return true;
  std::string known;
  for (const auto* set : narrows::available_kernels()) {
    if (!known.empty()) known += ", ";
    known += set->name;
  }
  fmt::print(stderr, "narrows: NARROWS_ISA='{}': this CPU has no such kernels; unset it or take one of {}\n", narrows::tool::one_line(wanted), known);
  return false;
}

}  // namespace

int main(int count, char** arguments)
{
  // One vague option of a library must not decide how the program ends: nothing leaves main but a code.
  narrows::use_library_codecs();   // before the commands list what they can send with
  try {
    CLI::App program("Cuts a CNN in two: the head runs here, the tail in a cloud process, and what crosses is quantised to few bits.", "narrows");
    program.set_version_flag("--version", "narrows " NARROWS_VERSION);
    program.require_subcommand(1);
    program.get_formatter()->column_width(34);
    program.footer("Data goes to standard output, everything else to standard error.\n"
                   "Exit codes: 0 ok, 1 run failed, 2 usage, 3 bad input file, 4 peer unreachable, 5 deadline,\n"
                   "            6 integrity or authentication, 130 interrupted.\n"
                   "'narrows COMMAND --help' lists the options of a command.");
    narrows::tool::action chosen;
    narrows::tool::add_inspect(program, chosen);
    narrows::tool::add_infer(program, chosen);
    narrows::tool::add_serve(program, chosen);
    narrows::tool::add_run(program, chosen);
    narrows::tool::add_profile(program, chosen);
    narrows::tool::add_calibrate(program, chosen);
    narrows::tool::add_plan(program, chosen);
    narrows::tool::add_simulate(program, chosen);
    narrows::tool::add_cut(program, chosen);
    narrows::tool::add_tile(program, chosen);
    narrows::tool::add_selftest(program, chosen);
    narrows::tool::add_keygen(program, chosen);
    try {
      program.parse(count, arguments);
    } catch (const CLI::Success& asked) {   // --help, --version
      return program.exit(asked);
    } catch (const CLI::ParseError& e) {
      return usage_error(program, e);
    }
    if (!kernels_are_there()) return static_cast<int>(exit_code::usage);
    const auto code = chosen();
    // A full disk or a closed pipe must not look like success.
    if (std::fflush(stdout) != 0 && code == exit_code::ok) {
      std::perror("narrows: standard output");
      return static_cast<int>(exit_code::failed);
    }
    return static_cast<int>(code);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "narrows: out of memory: the network or an input needs more than there is; give something smaller\n");
  } catch (const std::exception& e) {
    fmt::print(stderr, "narrows: {}; please report this\n", narrows::tool::one_line(e.what()));
  }
  return static_cast<int>(exit_code::failed);
}
