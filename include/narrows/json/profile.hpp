// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>
#include <narrows/json/reader.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/profile/profile.hpp>
#include <narrows/version.hpp>

/// Profiles as JSON. Every time is in seconds, so that a file read back is the same to the bit.
namespace narrows {

/// A codec by its name; none if there is no such codec.
[[nodiscard]] inline std::optional<codec> parse_codec(std::string_view name) noexcept
{
  for (const codec c : all_codecs)
    if (name == to_string(c)) return c;
  return std::nullopt;
}

namespace detail {

[[nodiscard]] inline nlohmann::json timing_json(const timing& t) { return {{"median_s", t.median_s}, {"p5_s", t.p5_s}, {"p95_s", t.p95_s}}; }

inline timing read_timing(json_reader& in)
{
  timing t;
  t.median_s = in.seconds("median_s");
  t.p5_s = in.seconds("p5_s");
  t.p95_s = in.seconds("p95_s");
  return t;
}

/// Checks `schema` and `kind`, so that one kind of file is not taken for another.
inline void read_header(json_reader& in, std::string_view kind)
{
  in.integer("schema", 1, 1);
  if (in.text("kind") != kind) in.fail("'kind' is not \"" + std::string(kind) + "\"");
}

}  // namespace detail

[[nodiscard]] inline nlohmann::json to_json(const machine_profile& p)
{
  auto nodes = nlohmann::json::array();
  for (const auto& n : p.layers.nodes) {
    auto entry = detail::timing_json(n.seconds);
    entry["name"] = n.name;
    nodes.push_back(std::move(entry));
  }
  auto codecs = nlohmann::json::array();
  for (const auto& c : p.codecs.entries)
    codecs.push_back({{"codec", to_string(c.coded_as)}, {"bits", c.width},
                      {"encode_per_call_s", c.encode_per_call_s}, {"encode_per_value_s", c.encode_per_value_s},
                      {"decode_per_call_s", c.decode_per_call_s}, {"decode_per_value_s", c.decode_per_value_s}});
  return {{"schema", 1}, {"kind", "profile"}, {"tool_version", NARROWS_VERSION}, {"model", {{"hash", p.layers.model_hash}}},
          {"machine", p.layers.machine}, {"level", p.layers.level}, {"threads", p.layers.threads}, {"repeats", p.layers.repeats},
          {"whole", detail::timing_json(p.layers.whole)}, {"nodes", std::move(nodes)}, {"codecs", std::move(codecs)}};
}

/// Errors: bad_input, naming `where` and the field. Whether it fits a model is for `check(node_times, model)` to say.
[[nodiscard]] inline result<machine_profile> machine_profile_from_json(const nlohmann::json& from, const std::string& where = "profile")
{
  machine_profile p;
  detail::json_reader in(from, where);
  detail::read_header(in, "profile");
  p.layers.machine = p.codecs.machine = in.text("machine");
  p.layers.level = in.text("level");
  p.layers.threads = in.integer("threads", 1, 4096);
  p.layers.repeats = in.integer("repeats", 0, 1'000'000'000);
  const auto* model_field = in.object("model");
  const auto* whole = in.object("whole");
  const auto* nodes = in.array("nodes");
  const auto* codecs = in.array("codecs");
  if (in.failed()) return *in.failed();

  detail::json_reader model_in(*model_field, where + ": model");
  p.layers.model_hash = model_in.text("hash");
  if (model_in.failed()) return *model_in.failed();
  detail::json_reader whole_in(*whole, where + ": whole");
  p.layers.whole = detail::read_timing(whole_in);
  if (whole_in.failed()) return *whole_in.failed();
  for (const auto& n : *nodes) {
    detail::json_reader node_in(n, where + ": node " + std::to_string(p.layers.nodes.size()));
    auto name = node_in.text("name");
    const timing seconds = detail::read_timing(node_in);
    if (node_in.failed()) return *node_in.failed();
    p.layers.nodes.push_back({std::move(name), seconds});
  }
  for (const auto& c : *codecs) {
    detail::json_reader codec_in(c, where + ": codec " + std::to_string(p.codecs.entries.size()));
    codec_time t;
    const auto coded_as = parse_codec(codec_in.text("codec"));
    if (!coded_as) codec_in.fail("'codec' is not known");
    t.coded_as = coded_as.value_or(codec::raw);
    t.width = codec_in.integer("bits", 0, max_width);
    t.encode_per_call_s = codec_in.seconds("encode_per_call_s");
    t.encode_per_value_s = codec_in.seconds("encode_per_value_s");
    t.decode_per_call_s = codec_in.seconds("decode_per_call_s");
    t.decode_per_value_s = codec_in.seconds("decode_per_value_s");
    if (codec_in.failed()) return *codec_in.failed();
    p.codecs.entries.push_back(t);
  }
  return p;
}

}  // namespace narrows
