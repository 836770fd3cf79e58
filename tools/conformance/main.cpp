// SPDX-License-Identifier: BSD-3-Clause
// narrows_conformance FOLDER [-o table|json] [--only TEXT]: runs the ONNX conformance cases listed in FOLDER/index.csv and
// prints what passed, what was refused and why, and what failed. Exit code 0: nothing failed and every core case passed.
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <conformance/conformance.hpp>
#include <narrows/exec/reference/engine.hpp>

namespace {

using namespace narrows;
using conformance::outcome;

std::string json_text(std::string_view s)
{
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  out += '"';
  return out;
}

const char* word(outcome o) { return o == outcome::passed ? "passed" : o == outcome::refused ? "refused" : "failed"; }

}  // namespace

int main(int argc, char** argv)
{
  std::string folder, format = "table", only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--help") {
      std::puts("narrows_conformance FOLDER [-o table|json] [--only TEXT]\n"
                "Runs the ONNX conformance cases listed in FOLDER/index.csv; --only takes those whose name contains TEXT.");
      return 0;
    }
    if (arg == "-o" && i + 1 < argc) format = argv[++i];
    else if (arg == "--only" && i + 1 < argc) only = argv[++i];
    else if (folder.empty() && arg.substr(0, 1) != "-") folder = arg;
    else {
      std::fprintf(stderr, "narrows_conformance: '%s' is not understood; see --help\n", argv[i]);
      return 2;
    }
  }
  if (folder.empty() || (format != "table" && format != "json")) {
    std::fputs("narrows_conformance: give the folder with index.csv, and -o table or json\n", stderr);
    return 2;
  }
  const auto cases = conformance::read_index(std::filesystem::path(folder) / "index.csv");
  if (cases.empty()) {
    std::fprintf(stderr, "narrows_conformance: %s/index.csv lists no cases\n", folder.c_str());
    return 3;
  }

  const any_engine engine = reference_engine{};
  std::map<std::string, std::map<outcome, int>> tiers;
  std::vector<conformance::case_result> results;
  for (const auto& c : cases) {
    if (c.name.find(only) == std::string::npos) continue;
    results.push_back(conformance::run_case(engine, folder, c));
    ++tiers[c.tier][results.back().how];
  }

  bool good = true;
  for (const auto& r : results) good = good && r.how != outcome::failed && (r.tier != "core" || r.how == outcome::passed);
  if (format == "json") {
    std::puts("{\"schema\": 1, \"tiers\": {");
    for (auto it = tiers.begin(); it != tiers.end(); ++it)
      std::printf("  %s: {\"passed\": %d, \"refused\": %d, \"failed\": %d}%s\n", json_text(it->first).c_str(), it->second[outcome::passed],
        it->second[outcome::refused], it->second[outcome::failed], std::next(it) == tiers.end() ? "" : ",");
    std::puts("}, \"cases\": [");
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& r = results[i];
      std::printf("  {\"case\": %s, \"tier\": %s, \"outcome\": \"%s\", \"reason\": %s, \"largest_difference\": %.3g}%s\n", json_text(r.name).c_str(),
        json_text(r.tier).c_str(), word(r.how), json_text(r.why).c_str(), r.largest_difference, i + 1 == results.size() ? "" : ",");
    }
    std::puts("]}");
    return good ? 0 : 1;
  }
  for (const auto& r : results)
    if (r.how != outcome::passed) std::printf("%-8s %-8s %s\n", word(r.how), r.tier.c_str(), r.why.c_str());
  std::printf("\n%-10s %8s %8s %8s\n", "tier", "passed", "refused", "failed");
  for (auto& [tier, counts] : tiers)
    std::printf("%-10s %8d %8d %8d\n", tier.c_str(), counts[outcome::passed], counts[outcome::refused], counts[outcome::failed]);
  std::printf("\nAgreement: |ours - expected| <= %g + %g * |expected|. Executor: %s.\n", conformance::absolute_tolerance, conformance::relative_tolerance,
    std::string(engine.level()).c_str());
  return good ? 0 : 1;
}
