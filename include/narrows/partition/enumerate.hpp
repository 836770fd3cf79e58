// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
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
#include <narrows/profile/calibration.hpp>
#include <narrows/profile/profile.hpp>

namespace narrows {

/// Where predictions come from. The profiles must outlive the call only.
struct cost_sources {
  const machine_profile* device = nullptr;          ///< needed
  const machine_profile* server = nullptr;          ///< needed
  const calibration* measured = nullptr;            ///< what codes cost, where it was measured
};

/// Which candidates to make.
struct enumerate_options {
  std::vector<int> widths{2, 3, 4, 5, 6, 8};
  std::vector<codec> codecs{codec::raw, codec::dense, codec::sparse, codec::runs};
  bool pixels = false;              ///< inputs are pictures: their 8-bit pixels may be sent instead of floats
  bool predicted = false;           ///< those pixels in fewer bytes (codec `predicted`): as calibrated, or share_of_pixels of them
  double image_bytes = 0;           ///< mean size of the JPEG or PNG files that come in; 0: they cannot be sent
  double image_decode_s = 0;        ///< time of the server to decode and prepare one
  bool image_forms = false;         ///< the calibration's PNG and JPEG of the input too: for predictions, as the edge process compresses no pictures
  double envelope_bytes = 160;      ///< assumed size of what travels around the payloads: envelope, descriptors, frames
  /// How a tensor is coded at a width without a calibration, where it is not simply min-max per tensor.
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
  const double levels = how.levels ? static_cast<double>(how.levels->size()) : 0;
  return 8 * (groups - 1) + 4 * levels;   // the first scale is part of the envelope
}

/// Seconds to encode or decode a message: by the profile of another machine than the calibration's, where it has the codec.
inline double coding_seconds(const calibration& measured, const coded_cost& cost, const machine_profile& on, int width, std::size_t values, bool encoding)
{
  const auto* line = on.codecs.machine == measured.machine ? nullptr : on.codecs.find(cost.coded_as, width);
  if (!line) return encoding ? cost.encode_s : cost.decode_s;
  return encoding ? line->encode_s(static_cast<double>(values)) : line->decode_s(static_cast<double>(values));
}

/// The candidates of one cut that a calibration has, beside those without codes; `base` has all but codings and their costs.
inline result<void> add_calibrated(const graph& g, const cost_sources& from, const enumerate_options& how, const candidate& base, std::vector<candidate>& all)
{
  const auto& measured = *from.measured;
  const auto add = [&](coding code, const coded_cost& cost, const agreement_score& score) {
    candidate c = base;
    const auto values = g[base.what.at.tensors[0]].dims.elements();
    c.cost.bytes = cost.bytes;
    c.cost.payload_bytes = cost.payload_bytes;
    c.cost.encode_s = coding_seconds(measured, cost, *from.device, code.width, values, true);
    c.cost.decode_s = coding_seconds(measured, cost, *from.server, code.width, values, false);
    c.cost.agreement = score.agreement();
    c.what.codings.push_back(std::move(code));
    all.push_back(std::move(c));
  };
  if (base.where == placement::cloud)
    for (const auto& form : measured.forms) {
      const auto c = form.cost.coded_as;
      if (!(c == codec::image ? how.image_forms : c == codec::predicted && how.predicted) || !measured.is_complete(form.score)) continue;
      add(coding{c, 0}, form.cost, form.score);
    }
  const auto* row = base.what.at.tensors.size() == 1 ? measured.find(name_of(g, base.what.at)) : nullptr;
  if (!row) return {};
  NARROWS_TRY(check(*row, g[base.what.at.tensors[0]].dims));
  for (const auto& cell : row->cells) {
    if (!measured.is_complete(cell.score) || std::find(how.widths.begin(), how.widths.end(), cell.how.width) == how.widths.end()) continue;
    for (const auto& cost : cell.codecs) {
      if (!has_codes(cost.coded_as) || std::find(how.codecs.begin(), how.codecs.end(), cost.coded_as) == how.codecs.end()) continue;
      if (auto code = coding_of(cell, cost.coded_as)) add(std::move(*code), cost, cell.score);
    }
  }
  return {};
}

inline placement placement_of(const cut& at)
{
  bool any = false, all = true;
  for (const bool h : at.head) (h ? any : all) = h;
  return all ? placement::device : any ? placement::split : placement::cloud;
}

}  // namespace detail

/// Every (cut, width, codec) with its predicted cost, link terms still 0 (`evaluate` fills them). With a calibration, instead of
/// predictions for codes: every (cut, precision, codec) in it that was scored on all inputs, with the widths and codecs allowed.
///
/// Widths   one width for all tensors of a cut. Width 1 is left out where a tensor is signed: two levels cannot hold
///          both signs and zero (ACCURACY 9). A codec beyond dense is left out where it is predicted to be no smaller.
/// Times    head and tail: sums of node medians; encode and decode: the codec's line on each machine, 0 if unmeasured; on the
///          machine of the calibration, and where a profile lacks the codec, as calibrated.
/// Agreement  that of the worse half of the calibration's inputs, so that a floor asks both halves (calibration.hpp).
/// Ends     the end cut is one candidate without link, bytes or codec; the input cut also gets `pixels`, `predicted` and `image`,
///          where allowed. Raw, pixels, predicted, image and the end cut agree with the uncut network by construction.
/// Errors   bad_input (no profiles; scales that do not fit), bad_width, model_mismatch (a profile or a calibrated tensor of another
///          graph; whether the calibration is of this model is for `check(calibration, model)` to say).
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
    base.cost.memory_bytes = head_memory_bytes(g, at);
    if (base.where == placement::device) {
      base.cost.agreement = 1.0;
      all.push_back(std::move(base));
      continue;
    }
    base.cost.return_bytes = returned_bytes(g, at) + how.envelope_bytes;

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
        const auto values = g[v].dims.elements();
        cost.payload_bytes += payload_bytes(values, coded_as, width, assumed_zero_share(sign, width));
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
      all.push_back(std::move(c));
    };

    for (const codec c : how.codecs) {
      if (c == codec::raw) add(c, 0);
      else if (has_codes(c) && !from.measured)
        for (const int b : how.widths) add(c, b);
    }
    if (from.measured) NARROWS_TRY(detail::add_calibrated(g, from, how, base, all));
    if (base.where == placement::cloud && how.pixels) add(codec::pixels, 0);
    if (base.where == placement::cloud && how.predicted && !from.measured) add(codec::predicted, 0);
    if (base.where == placement::cloud && how.image_bytes > 0) add(codec::image, 0);
  }
  return all;
}

}  // namespace narrows
