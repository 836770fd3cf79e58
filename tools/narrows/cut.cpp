// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/graph/cut.hpp>
#include <narrows/onnx/export.hpp>
#include <narrows/version.hpp>

#include "files.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

struct cut_options {
  std::string model;
  std::vector<std::string> at;
  std::string head = "head.onnx";
  std::string tail = "tail.onnx";
  output_format format = output_format::table;
};

exit_code cut_model(const cut_options& options)
{
  auto m = open_model(options.model);
  if (!m) return report(m.error());
  const auto& g = *m->network;
  const auto at = find_cut(g, options.at);
  if (!at) return report(at.error());
  const auto bytes = read_file(options.model, (std::uint64_t{1} << 31) - 1);
  if (!bytes) return report(bytes.error());
  const auto parts = split_onnx(*bytes, options.at);
  if (!parts) return report(error(parts.error().code, options.model + ": " + parts.error().what));
  // Both are written before either gets its name: no half of one cut beside half of another.
  auto head = new_file::write(options.head, parts->head);
  if (!head) return report(head.error());
  auto tail = new_file::write(options.tail, parts->tail);
  if (!tail) return report(tail.error());
  if (auto done = head->commit(); !done) return report(done.error());
  if (auto done = tail->commit(); !done) return report(done.error());

  switch (options.format) {
  case output_format::table:
    fmt::print("{}   cut at {}\n", bold(m->name), name_of(g, *at));
    for (const auto v : at->tensors) fmt::print("crosses  {}  {}  {} as float32\n", g[v].name, to_string(g[v].dims), bytes_text(4.0 * static_cast<double>(g[v].dims.elements())));
    fmt::print("head     {}  {}\ntail     {}  {}\n", options.head, bytes_text(static_cast<double>(parts->head.size())), options.tail, bytes_text(static_cast<double>(parts->tail.size())));
    break;
  case output_format::json: {
    auto tensors = nlohmann::ordered_json::array();
    for (const auto v : at->tensors) tensors.push_back({{"name", g[v].name}, {"shape", g[v].dims.dims()}});
    const nlohmann::ordered_json all{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(*m)}, {"tensors", std::move(tensors)},
      {"macs_head", at->macs_head}, {"head", {{"file", options.head}, {"bytes", parts->head.size()}}}, {"tail", {{"file", options.tail}, {"bytes", parts->tail.size()}}}};
    fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    break;
  }
  case output_format::csv:
    csv_line({"part", "file", "bytes"});
    csv_line({"head", options.head, fmt::format("{}", parts->head.size())});
    csv_line({"tail", options.tail, fmt::format("{}", parts->tail.size())});
    break;
  }
  return exit_code::ok;
}

}  // namespace

void add_cut(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<cut_options>();
  auto* app = add_command(program, chosen, "cut", "Write the two halves of a network as ONNX files for any engine", options, cut_model);
  add_model(*app, options->model);
  app->add_option("--at", options->at, "tensors that cross, as 'narrows inspect' lists them")->required()->delimiter(',')->type_name("TENSOR[,TENSOR]");
  app->add_option("--head", options->head, "file for the half before the cut")->type_name("FILE")->capture_default_str();
  app->add_option("--tail", options->tail, "file for the half behind it")->type_name("FILE")->capture_default_str();
  add_output(*app, options->format);
}

}  // namespace narrows::tool
