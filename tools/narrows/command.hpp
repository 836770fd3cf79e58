// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include <narrows/pack/coder.hpp>

#include "output.hpp"
#include "preprocess.hpp"
#include "report.hpp"
#include "units.hpp"

namespace narrows::tool {

/// What the command line asked for; set by the subcommand that was named.
using action = std::function<exit_code()>;

// One per file. Each adds its subcommand and, if that is the one named, sets `chosen`.
void add_inspect(CLI::App& program, action& chosen);
void add_infer(CLI::App& program, action& chosen);
void add_serve(CLI::App& program, action& chosen);
void add_run(CLI::App& program, action& chosen);
void add_profile(CLI::App& program, action& chosen);
void add_calibrate(CLI::App& program, action& chosen);
void add_plan(CLI::App& program, action& chosen);
void add_simulate(CLI::App& program, action& chosen);
void add_cut(CLI::App& program, action& chosen);
void add_tile(CLI::App& program, action& chosen);
void add_selftest(CLI::App& program, action& chosen);
void add_keygen(CLI::App& program, action& chosen);

/// Makes a subcommand whose options live in one struct and whose work is one function of it.
template <class Options>
CLI::App* add_command(CLI::App& program, action& chosen, const std::string& name, const std::string& what,
  const std::shared_ptr<Options>& options, exit_code (*work)(const Options&))
{
  auto* app = program.add_subcommand(name, what);
  app->callback([&chosen, options, work] { chosen = [options, work] { return work(*options); }; });
  return app;
}

/// An option whose text `parse` turns into a value or nothing. `expected` says in a few words what it takes.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, T& into, Parse parse, const std::string& expected, const std::string& what)
{
  return app.add_option_function<std::string>(
    name,
    [&into, parse, name, expected](const std::string& text) {
      auto value = parse(std::string_view(text));
      if (!value) throw CLI::ValidationError(name, "'" + text + "' is not " + expected);
      into = *value;
    },
    what);
}

inline void add_output(CLI::App& app, output_format& format)
{
  add_parsed(app, "-o,--output", format, [](std::string_view t) -> std::optional<output_format> {
    if (t == "table") return output_format::table;
    if (t == "json") return output_format::json;
    if (t == "csv") return output_format::csv;
    return std::nullopt;
  }, "table, json or csv", "form of the data on standard output")->type_name("table|json|csv")->default_str("table");
}

/// The engine and its threads, as every command that runs a network takes them.
struct engine_options {
  std::string level = "auto";
  int threads = 1;
};
inline void add_engine(CLI::App& app, engine_options& e)
{
  app.add_option("--engine", e.level, "executor of this CPU: auto takes the best; v2, v3, v4 (x86-64) or neon64 force one")
    ->type_name("LEVEL")->capture_default_str();
  app.add_option("--threads", e.threads, "threads of one run; the answer has the same bits for any number")
    ->check(CLI::Range(1, 256))->type_name("N")->capture_default_str();
}

inline void add_model(CLI::App& app, std::string& model) { app.add_option("MODEL", model, "ONNX file, or zoo:NAME for a published network with seeded weights; a NAME that is not known lists them")->required()->type_name(""); }

inline void add_preprocessing(CLI::App& app, preprocessing& how)
{
  const auto group = "Pictures (default: what MODEL.json beside the model says)";
  add_parsed(app, "--resize", how.resize, parse_size, "N or WxH, sides 1 to 16384", "short side to N pixels, or to exactly W x H; filters when it shrinks")
    ->type_name("N|WxH")->group(group);
  app.add_option("--crop", how.crop, "central M x M pixels, after --resize")->check(CLI::Range(1, 16384))->type_name("M")->group(group);
  add_parsed(app, "--mean", how.mean, parse_channels, "one number, or three with commas", "subtracted from each pixel, 0..255, in the order of --order [0]")
    ->type_name("X[,X,X]")->group(group);
  add_parsed(app, "--std", how.std, [](std::string_view t) {
    auto v = parse_channels(t);
    return v && (*v)[0] != 0 && (*v)[1] != 0 && (*v)[2] != 0 ? v : std::nullopt;
  }, "one number, or three with commas, none of them 0", "divides what is left, in pixel units [1]")->type_name("X[,X,X]")->group(group);
  add_parsed(app, "--order", how.order, [](std::string_view t) -> std::optional<channel_order> {
    if (t == "rgb") return channel_order::rgb;
    if (t == "bgr") return channel_order::bgr;
    return std::nullopt;
  }, "rgb or bgr", "channel order that the network was trained with [rgb]")->type_name("rgb|bgr")->group(group);
}

inline void add_classes(CLI::App& app, preprocessing& how)
{
  const auto group = "Classes (default: what MODEL.json beside the model says)";
  app.add_option("--labels", how.labels, "right answers: CSV with columns file (relative to the CSV) and class_index")->type_name("CSV")->group(group);
  app.add_option("--classes", how.classes, "names of classes: CSV with columns index and words, or one name per line")->type_name("CSV")->group(group);
  app.add_option("--label-offset", how.label_offset, "output k means class k - N; 1 where output 0 is \"background\" [0]")
    ->check(CLI::Range(-1000000, 1000000))->type_name("N")->group(group);
}

/// What the program can send with, by name; read after use_library_codecs().
inline std::vector<std::string> codec_names()
{
  std::vector<std::string> names;
  for (const codec c : all_codecs)
    if (can_code(c) || !has_codes(c)) names.emplace_back(to_string(c));
  return names;
}

/// Where and how the activations cross.
struct plan_options {
  std::vector<std::string> at;
  std::vector<int> bits;
  std::vector<std::string> codecs;
  bool per_channel = false;
};
inline void add_plan_options(CLI::App& app, plan_options& p, const std::string& group)
{
  app.add_option("--at", p.at, "tensors that cross, as 'narrows inspect' lists them; input and none are the two ends")
    ->delimiter(',')->type_name("TENSOR[,TENSOR]")->group(group);
  app.add_option("--bits", p.bits, "width of a value on the way, 1 to 16: one for all tensors or one each [8]")
    ->delimiter(',')->check(CLI::Range(1, 16))->type_name("B[,B]")->group(group);
  app.add_option("--codec", p.codecs, "raw is float32; pixels and image are for the input only: one for all tensors or one each [dense]")
    ->delimiter(',')->check(CLI::IsMember(codec_names()))->type_name("C[,C]")->group(group);
  app.add_flag("--per-channel", p.per_channel, "one scale per channel instead of one per tensor")->group(group);
}

}  // namespace narrows::tool
