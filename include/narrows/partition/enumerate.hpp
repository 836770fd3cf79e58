// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/partition/signs.hpp>
#include <narrows/profile/accuracy.hpp>
#include <narrows/profile/profile.hpp>

namespace narrows {

/// Where predictions come from. The profiles must outlive the call only.
struct cost_sources {
  const machine_profile* device = nullptr;    ///< needed
  const machine_profile* server = nullptr;    ///< needed
  const accuracy_table* accuracy = nullptr;   ///< agreement and zero shares, where measured
};

/// Which candidates to make.
struct enumerate_options {
  std::vector<int> widths{2, 3, 4, 5, 6, 8};
  std::vector<codec> codecs{codec::raw, codec::dense, codec::sparse};
  bool pixels = false;              ///< inputs are pictures: their 8-bit pixels may be sent instead of floats
  double image_bytes = 0;           ///< mean size of the JPEG or PNG files that come in; 0: they cannot be sent
  double image_decode_s = 0;        ///< time of the server to decode and prepare one
  double envelope_bytes = 160;      ///< assumed size of what travels around the payloads: envelope, descriptors, frames
  /// How a tensor is coded at a width, where it is not simply min-max per tensor: calibrated scales, say.
  std::function<coding(const cut&, value_id, codec, int width)> code_with;
};

namespace detail {

inline double scale_bytes(const graph& g, value_id v, const coding& how)
{
  if (!has_codes(how.coded_as)) return 0;
  double groups = 1;
  if (how.scales) groups = static_cast<double>(how.scales->size());
  else if (how.group.axis >= 0 && static_cast<std::size_t>(how.group.axis) < g[v].dims.rank())
    groups = static_cast<double>(g[v].dims[static_cast<std::size_t>(how.group.axis)]);
  return 8 * (groups - 1);   // the first is part of the envelope
}

inline placement placement_of(const cut& at)
{
  bool any = false, all = true;
  for (const bool h : at.head) (h ? any : all) = h;
  return all ? placement::device : any ? placement::split : placement::cloud;
}

}  // namespace detail

/// Every (cut, width, codec) with its predicted cost, link terms still 0 (`evaluate` fills them).
///
/// Widths   one width for all tensors of a cut. Width 1 is left out where a tensor is signed: two levels cannot hold
///          both signs and zero (ACCURACY 9). A codec that is predicted to be no smaller than dense is left out.
/// Times    head and tail: sums of node medians; encode and decode: the codec's line on each machine, 0 if unmeasured.
/// Ends     the end cut is one candidate without link, bytes or codec; the input cut also gets `pixels` and `image`,
///          where allowed. Raw, pixels, image and the end cut agree with the uncut network by construction.
/// Errors   bad_input (no profiles), bad_width, model_mismatch (a profile of another graph).
[[nodiscard]] inline result<std::vector<candidate>> enumerate_candidates(const graph& g, std::span<const cut> cuts,
                                                                         const cost_sources& from, const enumerate_options& how = {})
{
  if (!from.device || !from.server) return error(errc::bad_input, "plan: a profile of the device and one of the server are needed");
  NARROWS_TRY(check(from.device->layers, g));
  NARROWS_TRY(check(from.server->layers, g));
  for (const int b : how.widths)
    if (!is_packable_width(b)) return error(errc::bad_width, "plan: width " + std::to_string(b));

  const auto signs = signs_of(g);
  std::vector<candidate> all;
  for (const cut& at : cuts) {
    candidate base;
    base.what.at = at;
    base.where = detail::placement_of(at);
    base.cost.device_s = head_seconds(from.device->layers, at);
    base.cost.server_s = tail_seconds(from.server->layers, at);
    if (base.where == placement::device) {
      base.cost.agreement = 1.0;
      all.push_back(std::move(base));
      continue;
    }
    base.cost.return_bytes = returned_bytes(g, at) + how.envelope_bytes;
    const std::string name = name_of(g, at);

    const auto add = [&](codec coded_as, int width) {
      candidate c = base;
      auto& cost = c.cost;
      double dense_bytes = 0;
      for (const auto v : at.tensors) {
        coding code;
        code.coded_as = coded_as;
        code.width = width;
        if (how.code_with && width > 0) code = how.code_with(at, v, coded_as, width);
        const value_sign sign = signs[index(v)];
        if (width == 1 && sign == value_sign::either) return;
        const auto zeros = from.accuracy ? from.accuracy->zero_share(name, width) : std::nullopt;
        const auto values = g[v].dims.elements();
        cost.payload_bytes += payload_bytes(values, coded_as, width, zeros.value_or(assumed_zero_share(sign, width)));
        if (width > 0) dense_bytes += payload_bytes(values, codec::dense, width);
        cost.bytes += detail::scale_bytes(g, v, code);
        if (const auto* t = from.device->codecs.find(coded_as, width)) cost.encode_s += t->encode_s(static_cast<double>(values));
        if (const auto* t = from.server->codecs.find(coded_as, width)) cost.decode_s += t->decode_s(static_cast<double>(values));
        c.what.codings.push_back(std::move(code));
      }
      if (has_codes(coded_as) && coded_as != codec::dense && cost.payload_bytes >= dense_bytes) return;
      if (coded_as == codec::image) {
        cost.payload_bytes = how.image_bytes;
        cost.decode_s = how.image_decode_s;
      }
      cost.bytes += cost.payload_bytes + how.envelope_bytes;
      if (width == 0) cost.agreement = 1.0;
      else if (from.accuracy) cost.agreement = from.accuracy->agreement(name, width);
      all.push_back(std::move(c));
    };

    for (const codec c : how.codecs) {
      if (c == codec::raw) add(c, 0);
      else if (has_codes(c))
        for (const int b : how.widths) add(c, b);
    }
    if (base.where == placement::cloud && how.pixels) add(codec::pixels, 0);
    if (base.where == placement::cloud && how.image_bytes > 0) add(codec::image, 0);
  }
  return all;
}

}  // namespace narrows
