// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/json/profile.hpp>
#include <narrows/json/reader.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/cost.hpp>

/// Plans and candidates as JSON, in the form that the program prints: {"cut": [...], "bits": [...], "codec": [...]},
/// where the ends are listed as "input" and "none".
namespace narrows {

[[nodiscard]] inline nlohmann::json to_json(const graph& g, const plan& p)
{
  auto cut_names = nlohmann::json::array(), bits = nlohmann::json::array(), codecs = nlohmann::json::array();
  bool any_head = false;
  for (const bool h : p.at.head) any_head = any_head || h;
  if (p.at.tensors.empty()) cut_names.push_back("none");
  else if (!any_head) cut_names.push_back("input");
  else
    for (const auto v : p.at.tensors) cut_names.push_back(g[v].name);
  for (const auto& how : p.codings) {
    bits.push_back(has_codes(how.coded_as) ? how.width : how.coded_as == codec::raw ? 32 : 8);
    codecs.push_back(to_string(how.coded_as));
  }
  return {{"cut", std::move(cut_names)}, {"bits", std::move(bits)}, {"codec", std::move(codecs)}};
}

/// The plan that `to_json` wrote, for the same graph; ranges are taken from the data (calibrated scales are not in it).
/// Errors: bad_input (a field), bad_width, and those of find_cut.
[[nodiscard]] inline result<plan> plan_from_json(const nlohmann::json& from, const graph& g, const std::string& where = "plan")
{
  detail::json_reader in(from, where);
  const auto* cut_names = in.array("cut");
  const auto* bits = in.array("bits");
  const auto* codecs = in.array("codec");
  if (in.failed()) return *in.failed();
  std::vector<std::string> names;
  for (const auto& n : *cut_names) {
    if (!n.is_string()) return error(errc::bad_input, where + ": 'cut' holds something that is not text");
    names.push_back(n.get<std::string>());
  }
  auto at = find_cut(g, names);
  if (!at) return unexpected(std::move(at).error());
  plan p;
  p.at = std::move(*at);
  const bool named_one_by_one = names.size() == p.at.tensors.size() || names.size() == 1;
  if (!named_one_by_one || bits->size() != p.at.tensors.size() || codecs->size() != p.at.tensors.size())
    return error(errc::bad_input, where + ": 'bits' and 'codec' need one entry for each tensor that crosses");
  for (const auto tensor : p.at.tensors) {
    // In the order of the names, which need not be the cut's; at the input cut the names may be just "input".
    const auto named = std::find(names.begin(), names.end(), g[tensor].name);
    const auto i = named != names.end() ? static_cast<std::size_t>(named - names.begin()) : p.codings.size();
    const auto& name = (*codecs)[i];
    const auto coded_as = name.is_string() ? parse_codec(name.get<std::string>()) : std::nullopt;
    if (!coded_as) return error(errc::bad_input, where + ": 'codec' holds an unknown codec");
    coding how;
    how.coded_as = *coded_as;
    how.width = 0;
    if (has_codes(how.coded_as)) {
      const auto& width = (*bits)[i];
      if (!width.is_number_integer() || width.get<double>() < min_width || width.get<double>() > max_width)
        return error(errc::bad_width, where + ": 'bits'");
      how.width = width.get<int>();
    }
    p.codings.push_back(std::move(how));
  }
  return p;
}

/// A candidate with its cost for a link: the plan, bytes, the parts of the latency and the throughput.
[[nodiscard]] inline nlohmann::json to_json(const graph& g, const candidate& c, const link_state& link)
{
  const cost_terms cost = evaluate(c, link);
  const auto finite = [](double x) { return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(); };
  nlohmann::json out{{"plan", to_json(g, c.what)}, {"placement", to_string(c.where)}, {"macs_head", c.what.at.macs_head},
                     {"bytes", cost.bytes}, {"payload_bytes", cost.payload_bytes}, {"memory_bytes", cost.memory_bytes},
                     {"throughput_per_s", finite(cost.throughput())},
                     {"latency_ms", {{"total", finite(cost.latency() * 1e3)}, {"device", cost.device_s * 1e3}, {"encode", cost.encode_s * 1e3},
                                     {"link", finite(cost.link_s * 1e3)}, {"decode", cost.decode_s * 1e3}, {"server", cost.server_s * 1e3}}}};
  out["agreement"] = cost.agreement ? nlohmann::json(*cost.agreement) : nlohmann::json();
  return out;
}

}  // namespace narrows
