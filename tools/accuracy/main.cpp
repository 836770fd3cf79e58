// SPDX-License-Identifier: BSD-3-Clause
// Measures how few bits the cuts of a network tolerate: `score` one network, then `report` all of them as Markdown.
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <narrows/json/reader.hpp>

#include "command.hpp"
#include "files.hpp"
#include "report.hpp"
#include "score.hpp"

namespace {

using namespace narrows;
using namespace narrows::tool;

constexpr std::uint64_t max_file_bytes = std::uint64_t{64} << 20;

exit_code write_file(const std::string& path, std::string_view text)
{
  auto made = new_file::write(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  if (!made) return narrows::tool::report(made.error());
  if (auto done = made->commit(); !done) return narrows::tool::report(done.error());
  return exit_code::ok;
}

exit_code run_score(const score_options& how, const std::string& out)
{
  const auto card = score(how);
  if (!card) return narrows::tool::report(card.error());
  const auto text = to_json(*card).dump(1) + "\n";
  if (!out.empty()) return write_file(out, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return exit_code::ok;
}

exit_code run_report(const std::vector<std::string>& files)
{
  std::vector<score_card> cards;
  for (const auto& file : files) {
    const auto bytes = read_file(file, max_file_bytes);
    if (!bytes) return narrows::tool::report(bytes.error());
    const auto parsed = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file);
    if (!parsed) return narrows::tool::report(parsed.error());
    auto card = score_card_from_json(*parsed, file);
    if (!card) return narrows::tool::report(card.error());
    cards.push_back(std::move(*card));
  }
  const auto section = low_widths_section(cards);
  std::fwrite(section.data(), 1, section.size(), stdout);
  return exit_code::ok;
}

}  // namespace

int main(int count, char** arguments)
{
  try {
    CLI::App program("Measures how few bits the cuts of a network tolerate.", "narrows_accuracy");
    program.require_subcommand(1);

    score_options how;
    std::string out;
    auto* score_command = program.add_subcommand("score", "agreement with the float, uncut run for each single-tensor cut and width, as JSON");
    add_model(*score_command, how.model);
    score_command->add_option("INPUT", how.inputs, "pictures, folders or .npy files")->required()->type_name("");
    add_preprocessing(*score_command, how.pictures);
    add_engine(*score_command, how.engine);
    score_command->add_option("--cuts", how.cuts, "these cuts only [all]")->delimiter(',')->type_name("TENSOR[,TENSOR]");
    score_command->add_option("--bits", how.widths, "widths")->delimiter(',')->check(CLI::Range(1, 16))->type_name("B[,B]")->capture_default_str();
    score_command->add_option("--pictures", how.limit, "use the first N inputs only [all]")->check(CLI::Range(2, 1000000))->type_name("N");
    score_command->add_option("--jobs", how.jobs, "inputs in work at once")->check(CLI::Range(1, 256))->type_name("N")->capture_default_str();
    score_command->add_flag("--skip-dominated", how.skip_dominated, "leave out cuts that only a max-pool reads");
    score_command->add_option("--out", out, "file to write [standard output]")->type_name("FILE");

    std::vector<std::string> files;
    auto* report_command = program.add_subcommand("report", "the tables of several scores, as Markdown");
    report_command->add_option("FILE", files, "what score wrote, one file per network")->required()->type_name("");

    try {
      program.parse(count, arguments);
    } catch (const CLI::Success& asked) {
      return program.exit(asked);
    } catch (const CLI::ParseError& e) {
      fmt::print(stderr, "narrows_accuracy: {}\n", one_line(e.what()));
      return static_cast<int>(exit_code::usage);
    }
    return static_cast<int>(score_command->parsed() ? run_score(how, out) : run_report(files));
  } catch (const std::exception& e) {
    fmt::print(stderr, "narrows_accuracy: {}\n", one_line(e.what()));
    return static_cast<int>(exit_code::failed);
  }
}
