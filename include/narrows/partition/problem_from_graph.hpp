// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/partition/planning_problem.hpp>
#include <narrows/partition/signs.hpp>
#include <narrows/partition/tier_plan.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/profile.hpp>

namespace narrows {

/// One way to code a tensor; its place in the list given to `problem_from_graph` is the `tag` of the option.
struct tensor_coding {
  codec coded_as = codec::raw;
  int width = 0;  ///< 0 for codecs without codes
  friend bool operator==(const tensor_coding&, const tensor_coding&) = default;
};

struct problem_options {
  std::vector<tensor_coding> codings{{codec::raw, 0}};
  double envelope_bytes = 160;  ///< around the payloads, each way: envelope, descriptors, frames
};

/// The planning problem of a network: node i of the problem is node i of the graph, with the medians of each tier's profile.
///
/// Model    the costs of `enumerate_candidates` and `evaluate`: a two-tier plan with one coding throughout has the latency and
///          the period that they give to its cut, but for rounding (sizes and zero shares as assumed there without a table).
/// Tensors  inputs of the graph and outputs of nodes that are read, constants left out. Each has those of the codings that
///          suit it: width 1 only where it has one sign, `pixels` and `predicted` only at inputs. A node that reads only constants reads an
///          empty input besides.
/// Links    one per step up: device to edge, edge to cloud; a third goes directly from device to cloud.
/// Errors   bad_input (tiers or links that do not match, no coding, `image`), bad_width, model_mismatch (a profile of another
///          graph), and those of `priced_problem::make`.
[[nodiscard]] inline result<planning_problem> problem_from_graph(const graph& g, std::span<const machine_profile* const> tiers,
  std::span<const link_state> links, const problem_options& how = {})
{
  if (tiers.size() < 2 || tiers.size() > max_tiers)
    return error(errc::bad_input, "plan: " + std::to_string(tiers.size()) + " profiles; 2 or 3 are possible");
  if (how.codings.empty()) return error(errc::bad_input, "plan: no coding is allowed");
  for (const auto* t : tiers) {
    if (!t) return error(errc::bad_input, "plan: a profile of each tier is needed");
    NARROWS_TRY(check(t->layers, g));
  }
  for (const auto& c : how.codings) {
    if (c.coded_as == codec::image) return error(errc::bad_input, "plan: the size of an image file is not known from the graph");
    if (has_codes(c.coded_as) && !is_packable_width(c.width))
      return error(errc::bad_width, "plan: width " + std::to_string(c.width));
  }

  planning_problem p;
  p.tiers = tiers.size();
  p.links.clear();
  for (const auto& l : links)
    p.links.push_back(
      {l.is_up() ? 8 / l.bandwidth.bits_per_second : std::numeric_limits<double>::infinity(), l.rtt_s, how.envelope_bytes});
  for (std::size_t n = 0; n < g.nodes().size(); ++n) {
    planning_node made{g.nodes()[n].name, {}, 0};
    for (const auto* t : tiers) made.seconds.push_back(t->layers.nodes[n].seconds.median_s);
    p.nodes.push_back(std::move(made));
  }
  for (const auto v : g.outputs())
    if (g[v].producer) p.nodes[index(*g[v].producer)].return_bytes += 4.0 * static_cast<double>(g[v].dims.elements());

  const auto signs = signs_of(g);
  std::vector<bool> reads(g.nodes().size());
  for (std::size_t i = 0; i < g.values().size(); ++i) {
    const auto& v = g.values()[i];
    if (v.is_constant || v.consumers.empty()) continue;
    planning_tensor made;
    made.name = v.name;
    if (v.producer) made.producer = index(*v.producer);
    for (const auto n : v.consumers) {
      made.consumers.push_back(index(n));
      reads[index(n)] = true;
    }
    const auto values = v.dims.elements();
    for (std::size_t c = 0; c < how.codings.size(); ++c) {
      const auto [coded_as, width] = how.codings[c];
      if (is_picture(coded_as) && v.producer) continue;
      if (has_codes(coded_as) && width == 1 && signs[i] == value_sign::either) continue;
      transfer_option o;
      o.tag = static_cast<std::uint32_t>(c);
      o.bytes = payload_bytes(values, coded_as, width, assumed_zero_share(signs[i], width));
      for (std::size_t t = 0; t < tiers.size(); ++t)
        if (const auto* times = tiers[t]->codecs.find(coded_as, width)) {
          o.encode_s[t] = times->encode_s(static_cast<double>(values));
          o.decode_s[t] = times->decode_s(static_cast<double>(values));
        }
      made.options.push_back(o);
    }
    if (made.options.empty()) {  // stays where it is
      transfer_option none;
      none.link_s.fill(std::numeric_limits<double>::infinity());
      none.tag = std::numeric_limits<std::uint32_t>::max();
      made.options.push_back(none);
    }
    p.tensors.push_back(std::move(made));
  }
  planning_tensor nothing{"(nothing)", {}, {}, {}};
  for (std::uint32_t c = 0; c < how.codings.size(); ++c) nothing.options.push_back({c, 0, {}, {}, {}});
  for (std::size_t n = 0; n < reads.size(); ++n)
    if (!reads[n]) nothing.consumers.push_back(n);
  if (!nothing.consumers.empty()) p.tensors.push_back(std::move(nothing));
  if (auto checked = priced_problem::make(p); !checked) return unexpected(std::move(checked).error());
  return p;
}

/// The cut of a graph that a plan for its problem makes between tiers up to `tier` and those behind.
/// Errors: bad_input (another number of nodes).
[[nodiscard]] inline result<cut> cut_of(const graph& g, const tier_plan& plan, std::size_t tier = 0)
{
  if (plan.tiers.size() != g.nodes().size()) return error(errc::bad_input, "plan: it has another number of nodes than the graph");
  std::vector<bool> head(plan.tiers.size());
  for (std::size_t n = 0; n < head.size(); ++n) head[n] = plan.tiers[n] <= tier;
  return detail::make_cut(g, std::move(head));
}

}  // namespace narrows
