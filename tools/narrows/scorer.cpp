// SPDX-License-Identifier: BSD-3-Clause
#include "scorer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/partition/signs.hpp>

#include "in_parallel.hpp"
#include "scoring.hpp"

namespace narrows::tool {

namespace {

constexpr std::size_t halves = 2;

/// Calibration data of one crossing tensor in one half.
struct collected {
  std::optional<histogram> whole;
  std::optional<grouped_histogram> channels;
  std::vector<std::vector<float>> scores;   ///< where the tensor holds class scores

  void merge(const collected& other)
  {
    if (whole) whole->merge(*other.whole);
    if (channels) channels->merge(*other.channels);
  }
};

/// Scales as found on some of the inputs; the levels of an upper end are made for each input.
struct fitted {
  std::vector<affine> scales;
  std::vector<float> levels{};
  float upper_span = 0;

  [[nodiscard]] coding coding_for(const precision& p, std::span<const float> x) const
  {
    calibration_cell cell{p, {}, 0, scales, {}, levels};
    if (p.rule == level_rule::upper_end) {   // scales made for this input
      cell.scales = {upper_levels(*std::max_element(x.begin(), x.end()), upper_span, p.width)};
      cell.how.rule = level_rule::clip;
    }
    return *coding_of(cell, codec::dense);
  }
};

/// One precision at the cut in work.
struct attempt {
  precision how;
  std::array<fitted, halves> by_half;   ///< to score that half with: found on the other
  fitted for_plan;                      ///< found on all inputs
  std::vector<sent_once> sent;          ///< by input
  bool hopeless = false;
};

class scorer {
public:
  scorer(const score_options& how, const model& m, const any_engine& engine, std::span<const loaded_input> inputs)
    : how_(how), model_(m), g_(*m.network), engine_(engine), inputs_(inputs), total_(static_cast<double>(multiply_adds(g_))), signs_(signs_of(g_)),
      truth_(inputs.size())
  {
  }

  result<calibration> run(const preprocessing& pictures)
  {
    NARROWS_TRY(pick_cuts());
    NARROWS_TRY(collect());
    auto made = nothing_scored(model_, engine_, inputs_.size());
    if (how_.forms) {
      auto forms = score_forms(model_, engine_, inputs_, pictures, truth_, how_);
      if (!forms) return unexpected(std::move(forms).error());
      made.forms = std::move(*forms);
    }
    for (std::size_t c = 0; c < cuts_.size(); ++c) {
      if (how_.on_cut) how_.on_cut(c, cuts_.size());
      auto row = score_cut(c);
      if (!row) return unexpected(std::move(row).error());
      for (auto& half : data_) half[c] = collected{};   // the next cut needs the memory
      made.rows.push_back(std::move(*row));
    }
    return made;
  }

private:
  const value& crossing(std::size_t c) const { return g_[cuts_[c].tensors[0]]; }
  std::string name_of_tensor(std::size_t c) const { return "tensor '" + crossing(c).name + "'"; }

  cut_traits traits(std::size_t c) const
  {
    const auto& dims = crossing(c).dims;
    cut_traits t;
    t.has_channels = dims.rank() == 4 && dims[1] > 1;
    t.macs_share = total_ > 0 ? static_cast<double>(cuts_[c].macs_head) / total_ : 0;
    t.holds_scores = cuts_[c].macs_head == multiply_adds(g_) && dims.elements() > 1 &&
      std::count_if(dims.dims().begin(), dims.dims().end(), [](auto d) { return d > 1; }) == 1;
    return t;
  }

  /// What is asked for, as far as it is possible at this cut: channels need channels.
  std::vector<precision> precisions_at(std::size_t c) const
  {
    const auto t = traits(c);
    std::vector<precision> all;
    for (const auto& wanted : how_.precisions) {
      const precision p{wanted.width, wanted.rule.value_or(usual_rule(t, wanted.width)), wanted.step_of, wanted.levels};
      if (!(is_per_channel(p.rule) && !t.has_channels) && std::find(all.begin(), all.end(), p) == all.end()) all.push_back(p);
    }
    return all;
  }

  result<void> pick_cuts()
  {
    for (const auto& name : how_.cuts) {   // a name that is none must not pass in silence
      const auto at = find_cut(g_, std::span(&name, 1));
      if (!at) return at.error();
    }
    for (auto& at : single_tensor_cuts(g_)) {
      if (at.tensors.size() != 1) continue;   // the end
      const auto& v = g_[at.tensors[0]];
      if (!how_.cuts.empty() && std::find(how_.cuts.begin(), how_.cuts.end(), name_of(g_, at)) == how_.cuts.end()) continue;
      if (!how_.dominated && how_.cuts.empty() && v.consumers.size() == 1) {
        const auto* p = std::get_if<op::pool>(&g_[v.consumers[0]].operation);
        if (p && p->kind == op::pool::kind::max) continue;
      }
      if (total_ > 0 && static_cast<double>(at.macs_head) > how_.most_share * total_) continue;
      cuts_.push_back(std::move(at));
    }
    if (cuts_.empty()) return error(errc::bad_cut, model_.name + ": no cut to score");
    return {};
  }

  /// The uncut answers, and the values of every crossing tensor, in one run per input.
  result<void> collect()
  {
    auto slice = whole_slice(model_.network);
    slice.outputs.resize(1);   // the answer
    std::vector<std::size_t> place(cuts_.size());
    for (std::size_t c = 0; c < cuts_.size(); ++c) {
      const auto v = cuts_[c].tensors[0];
      if (!g_[v].producer) continue;   // the input itself
      const auto known = std::find(slice.outputs.begin(), slice.outputs.end(), v);
      place[c] = static_cast<std::size_t>(known - slice.outputs.begin());
      if (known == slice.outputs.end()) slice.outputs.push_back(v);
    }
    struct worker {
      any_executor whole;
      std::vector<tensor> made;
    };
    std::vector<worker> workers;   // one per half, so that no two add to the same histogram
    for (std::size_t h = 0; h < std::min<std::size_t>(static_cast<std::size_t>(how_.jobs), halves); ++h) {
      auto whole = engine_.load(slice);
      if (!whole) return unexpected(std::move(whole).error());
      worker w{std::move(*whole), {}};
      for (const auto& t : w.whole.outputs()) w.made.emplace_back(t.dims);
      workers.push_back(std::move(w));
    }
    for (auto& half : data_) half.resize(cuts_.size());
    return in_parallel(workers, 0, halves, [&](worker& w, std::size_t half) -> result<void> {
      std::vector<mutable_tensor_view> out;
      for (auto& t : w.made) out.push_back(t.view());
      for (std::size_t i = half; i < inputs_.size(); i += halves) {
        const tensor_view in = inputs_[i].values.view();
        NARROWS_TRY(w.whole.run(std::span(&in, 1), out, {how_.threads, how_.stop, {}}));
        truth_[i] = first_class(std::as_const(w.made[0]).values());
        for (std::size_t c = 0; c < cuts_.size(); ++c) {
          const auto x = g_[cuts_[c].tensors[0]].producer ? std::as_const(w.made[place[c]]).values() : in.values();
          if (const auto e = add(data_[half][c], c, x); e != errc::ok) return error(e, model_.name + ": " + name_of_tensor(c));
        }
      }
      return {};
    });
  }

  errc add(collected& to, std::size_t c, std::span<const float> x) const
  {
    bool whole = false, channels = false, scores = false;
    for (const auto& p : precisions_at(c)) {
      whole = whole || p.rule == level_rule::clip || p.rule == level_rule::step;
      channels = channels || is_per_channel(p.rule);
      scores = scores || p.rule == level_rule::upper_end;
    }
    const auto& dims = crossing(c).dims;
    if (whole && !to.whole) to.whole.emplace(2048);
    if (channels && !to.channels) to.channels.emplace(static_cast<std::size_t>(dims[1]), static_cast<std::size_t>(dims.product(2, 4)), 512);
    if (whole)
      if (const auto e = to.whole->add(x); e != errc::ok) return e;
    if (channels)
      if (const auto e = to.channels->add(x); e != errc::ok) return e;
    if (scores) to.scores.emplace_back(x.begin(), x.end());
    return errc::ok;
  }

  static result<fitted, errc> fit(const collected& from, const precision& p)
  {
    auto found = fit_scales(from, p);
    if (!found || !p.levels) return found;
    auto levels = is_per_channel(p.rule) ? fit_levels(*from.channels, found->scales, p.width) : fit_levels(*from.whole, found->scales[0], p.width);
    if (!levels) return levels.error();
    found->levels = std::move(*levels);
    return found;
  }

  static result<fitted, errc> fit_scales(const collected& from, const precision& p)
  {
    const auto one = [](const result<affine, errc>& a) -> result<fitted, errc> {
      if (!a) return a.error();
      return fitted{{*a}};
    };
    const auto many = [](result<std::vector<affine>, errc> a) -> result<fitted, errc> {
      if (!a) return a.error();
      return fitted{std::move(*a)};
    };
    switch (p.rule) {
    case level_rule::picture: return fitted{};
    case level_rule::upper_end: return fitted{{}, {}, fit_upper_span(from.scores, p.width)};
    case level_rule::clip: return one(fit_mse(*from.whole, p.width));
    case level_rule::step: return one(fit_step(*from.whole, p.width, p.step_of));
    case level_rule::channel_clip: return many(fit_mse(*from.channels, p.width));
    case level_rule::channel_step: return many(fit_step(*from.channels, p.width, p.step_of));
    }
    return errc::internal;
  }

  result<std::vector<attempt>> attempts_at(std::size_t c) const
  {
    collected all = data_[0][c];
    all.merge(data_[1][c]);
    std::vector<attempt> made;
    for (const auto& p : precisions_at(c)) {
      attempt a;
      a.how = p;
      for (std::size_t half = 0; half < halves; ++half) {
        auto found = fit(data_[1 - half][c], p);
        if (!found) return error(found.error(), "scales of " + name_of_tensor(c));
        a.by_half[half] = std::move(*found);
      }
      if (has_fixed_scales(p.rule)) {
        auto found = fit(all, p);
        if (!found) return error(found.error(), "scales of " + name_of_tensor(c));
        a.for_plan = std::move(*found);
      }
      a.sent.resize(inputs_.size());
      made.push_back(std::move(a));
    }
    return made;
  }

  /// Both sides of a cut for one thread.
  struct pair {
    std::optional<any_executor> head;   // none at the input
    any_executor tail;
    tensor crossed, back, answer;
    aligned_vector<std::uint8_t> payload;
  };
  result<pair> load(std::size_t c) const
  {
    const auto v = cuts_[c].tensors[0];
    auto tail = engine_.load(tail_slice(model_.network, cuts_[c]));
    if (!tail) return unexpected(std::move(tail).error());
    pair p{std::nullopt, std::move(*tail), tensor(g_[v].dims), tensor(g_[v].dims), {}, {}};
    p.answer = tensor(p.tail.outputs()[0].dims);
    if (!g_[v].producer) return p;
    auto slice = head_slice(model_.network, cuts_[c]);
    slice.outputs.resize(1);
    auto head = engine_.load(slice);
    if (!head) return unexpected(std::move(head).error());
    p.head = std::move(*head);
    return p;
  }

  /// Encodes, measures the message and decodes into `p.back`.
  result<coded_cost> cross(std::size_t c, tensor_view x, const coding& how, pair& p) const
  {
    coded_cost cost{how.coded_as};
    stopwatch watch;
    const auto d = encode(x, how, p.payload);
    if (!d) return error(d.error(), "encode " + name_of_tensor(c));
    cost.encode_s = watch.lap();
    if (auto read = decode(*d, p.payload, p.back.values()); !read) return error(read.error(), "decode " + name_of_tensor(c));
    cost.decode_s = watch.lap();
    const auto bytes = message_bytes(model_, crossing(c).name, *d);
    if (!bytes) return bytes.error();
    cost.bytes = *bytes;
    cost.payload_bytes = static_cast<double>(d->payload_bytes);
    return cost;
  }

  /// One input at one cut, in every precision that is not hopeless.
  result<void> send(std::size_t c, std::size_t i, std::vector<attempt>& attempts, std::vector<sent_once>& raw, pair& p) const
  {
    const run_options options{how_.threads, how_.stop, {}};
    const tensor_view in = inputs_[i].values.view();
    if (p.head) {
      const mutable_tensor_view out = p.crossed.view();
      NARROWS_TRY(p.head->run(std::span(&in, 1), std::span(&out, 1), options));
    }
    const tensor_view x = p.head ? std::as_const(p.crossed).view() : in;
    if (const auto unmeasured = cross(c, x, coding{codec::raw, 0}, p); !unmeasured) return unmeasured.error();
    const auto as_floats = cross(c, x, coding{codec::raw, 0}, p);
    if (!as_floats) return as_floats.error();
    raw[i] = {true, true, 0, {*as_floats}};
    for (auto& a : attempts) {
      if (a.hopeless) continue;
      coding how = a.by_half[i % halves].coding_for(a.how, x.values());
      auto& sent = a.sent[i];
      // The first to be timed would pay for what the last tail left in the caches.
      if (const auto unmeasured = cross(c, x, how, p); !unmeasured) return unmeasured.error();
      for (const codec coded_as : how_.codecs) {
        how.coded_as = coded_as;
        auto cost = cross(c, x, how, p);
        if (!cost) return unexpected(std::move(cost).error());
        sent.costs.push_back(*cost);
      }
      const tensor_view arrived = std::as_const(p.back).view();
      const mutable_tensor_view out = p.answer.view();
      NARROWS_TRY(p.tail.run(std::span(&arrived, 1), std::span(&out, 1), options));
      const auto zeros = std::count(arrived.values().begin(), arrived.values().end(), 0.0F);
      sent.zero_share = arrived.values().empty() ? 0 : static_cast<double>(zeros) / static_cast<double>(arrived.values().size());
      sent.agrees = first_class(std::as_const(p.answer).values()) == truth_[i];
      sent.scored = true;
    }
    return {};
  }

  result<calibration_row> score_cut(std::size_t c)
  {
    const auto v = cuts_[c].tensors[0];
    auto attempts = attempts_at(c);
    if (!attempts) return unexpected(std::move(attempts).error());
    std::vector<pair> workers;
    for (int j = 0; j < how_.jobs; ++j) {
      auto p = load(c);
      if (!p) return unexpected(std::move(p).error());
      workers.push_back(std::move(*p));
    }
    std::vector<sent_once> raw(inputs_.size());
    const auto work = [&](pair& p, std::size_t i) { return send(c, i, *attempts, raw, p); };
    const std::size_t first = std::min(how_.trial, inputs_.size());
    NARROWS_TRY(in_parallel(workers, 0, first, work));
    for (auto& a : *attempts) a.hopeless = score_of(a.sent).both().share() < how_.give_up;
    const bool any_hope = std::any_of(attempts->begin(), attempts->end(), [](const attempt& a) { return !a.hopeless; });
    if (any_hope) NARROWS_TRY(in_parallel(workers, first, inputs_.size(), work));

    calibration_row row{name_of(g_, cuts_[c]), g_[v].dims, signs_[index(v)] == value_sign::either, traits(c).macs_share, summary_of(raw, 0), {}};
    for (auto& a : *attempts) {
      calibration_cell cell;
      cell.how = a.how;
      cell.score = score_of(a.sent);
      cell.scales = std::move(a.for_plan.scales);
      cell.levels = std::move(a.for_plan.levels);
      for (const auto& s : a.sent) cell.zero_share += s.zero_share / cell.score.both().inputs;
      for (std::size_t i = 0; i < how_.codecs.size(); ++i) {
        cell.codecs.push_back(summary_of(a.sent, i));
        cell.codecs.back().coded_as = how_.codecs[i];
      }
      row.cells.push_back(std::move(cell));
    }
    return row;
  }

  const score_options& how_;
  const model& model_;
  const graph& g_;
  const any_engine& engine_;
  std::span<const loaded_input> inputs_;
  double total_;
  std::vector<value_sign> signs_;
  answers truth_;
  std::vector<cut> cuts_;
  std::array<std::vector<collected>, halves> data_;
};

}  // namespace

result<calibration> score(
  const model& m, const any_engine& engine, std::span<const loaded_input> inputs, const preprocessing& pictures, const score_options& how)
{
  const auto& g = *m.network;
  if (g.inputs().size() != 1) return error(errc::bad_input, m.name + ": has " + std::to_string(g.inputs().size()) + " inputs, calibrating takes one");
  if (inputs.size() < halves) return error(errc::bad_input, "at least two inputs are needed, better hundreds");
  if (how.codecs.empty()) return error(errc::unsupported_codec, "no codec with codes is asked for");
  return scorer(how, m, engine, inputs).run(pictures);
}

}  // namespace narrows::tool
