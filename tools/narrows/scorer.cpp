// SPDX-License-Identifier: BSD-3-Clause
#include "score.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/wire/encode.hpp>

#include "input.hpp"
#include "range_rule.hpp"

namespace narrows::tool {

namespace {

constexpr std::size_t folds = 2;

std::size_t first_class(std::span<const float> scores)
{
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// Runs `work(index)` for all indices on `jobs` threads; each thread has what `make_state` gave it. The first failure
/// ends the rest.
template <class MakeState, class Work>
result<void> in_parallel(int jobs, std::size_t count, MakeState make_state, Work work)
{
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  std::optional<error> failed;
  const auto fail = [&](error e) {
    const std::scoped_lock lock(guard);
    if (!failed) failed = std::move(e);
    next = count;
  };
  const auto loop = [&] {
    auto state = make_state();
    if (!state) return fail(std::move(state).error());
    for (std::size_t i = next++; i < count; i = next++)
      if (auto done = work(*state, i); !done) return fail(std::move(done).error());
  };
  std::vector<std::jthread> others;
  for (int j = 1; j < jobs; ++j) others.emplace_back(loop);
  loop();
  others.clear();
  if (failed) return *failed;
  return {};
}

/// Calibration data of one crossing tensor in one fold.
struct collected {
  histogram whole{2048};
  std::optional<grouped_histogram> channels;
  std::vector<std::vector<float>> scores;   ///< where the tensor holds class scores
};

class scorer {
public:
  scorer(const score_options& how, model m, any_engine engine, std::vector<tensor> inputs)
    : how_(how), model_(std::move(m)), g_(*model_.network), engine_(std::move(engine)), inputs_(std::move(inputs)),
      total_(static_cast<double>(multiply_adds(g_))), signs_(signs_of(g_)), truth_(inputs_.size())
  {
  }

  result<score_card> run()
  {
    NARROWS_TRY(pick_cuts());
    NARROWS_TRY(collect());
    score_card card{model_.name, model_.hash, std::string(engine_.level()), static_cast<int>(inputs_.size()), {}};
    for (std::size_t c = 0; c < cuts_.size(); ++c) {
      auto row = score_cut(c);
      if (!row) return unexpected(std::move(row).error());
      for (auto& fold : data_) fold[c] = collected{};   // the next cut needs the memory
      std::string line;
      for (const auto& cell : row->cells) line += fmt::format(" {}:{}", cell.bits, cell.agree);
      fmt::print(stderr, "{}: {}/{} {} ({:.0f} % of the work){}\n", model_.name, c + 1, cuts_.size(), row->cut, row->macs_share * 100, line);
      card.rows.push_back(std::move(*row));
    }
    return card;
  }

private:
  const value& crossing(std::size_t c) const { return g_[cuts_[c].tensors[0]]; }
  double share(std::size_t c) const { return total_ > 0 ? static_cast<double>(cuts_[c].macs_head) / total_ : 0; }
  /// One value per class, with nothing left to compute.
  bool holds_scores(std::size_t c) const
  {
    const auto& dims = crossing(c).dims;
    return cuts_[c].macs_head == multiply_adds(g_) && dims.elements() > 1 && std::count_if(dims.dims().begin(), dims.dims().end(), [](auto d) { return d > 1; }) == 1;
  }
  rule rule_for(std::size_t c, int bits) const
  {
    if (holds_scores(c) && bits >= 3) return rule::upper_end;
    if (bits >= 5) return rule::picture;
    return has_channels(c) && (bits <= 2 || share(c) < 0.2) ? rule::channel_clip : rule::clip;
  }
  bool has_channels(std::size_t c) const { return crossing(c).dims.rank() == 4 && crossing(c).dims[1] > 1; }

  result<void> pick_cuts()
  {
    for (auto& at : single_tensor_cuts(g_)) {
      if (at.tensors.size() != 1) continue;   // the end
      const auto& v = g_[at.tensors[0]];
      const auto name = narrows::name_of(g_, at);
      if (!how_.cuts.empty() && std::find(how_.cuts.begin(), how_.cuts.end(), name) == how_.cuts.end()) continue;
      if (how_.skip_dominated && v.consumers.size() == 1) {
        const auto* p = std::get_if<op::pool>(&g_[v.consumers[0]].operation);
        if (p && p->kind == op::pool::kind::max) continue;
      }
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
    for (auto& fold : data_) fold.resize(cuts_.size());
    // One worker per fold, so that no two add to the same histogram.
    return in_parallel(std::min<int>(how_.jobs, folds), folds, [&] { return engine_.load(slice); }, [&](any_executor& runner, std::size_t fold) -> result<void> {
      std::vector<tensor> made;
      std::vector<mutable_tensor_view> out;
      for (const auto& t : runner.outputs()) made.emplace_back(t.dims);
      for (auto& t : made) out.push_back(t.view());
      for (std::size_t i = fold; i < inputs_.size(); i += folds) {
        const tensor_view in = inputs_[i].view();
        NARROWS_TRY(runner.run(std::span(&in, 1), out, {how_.engine.threads, {}, {}}));
        truth_[i] = first_class(made[0].values());
        for (std::size_t c = 0; c < cuts_.size(); ++c) {
          const auto x = g_[cuts_[c].tensors[0]].producer ? std::as_const(made[place[c]]).values() : std::as_const(inputs_[i]).values();
          if (const auto e = add(data_[fold][c], c, x); e != errc::ok) return error(e, model_.name + ": tensor '" + crossing(c).name + "'");
        }
      }
      return {};
    });
  }

  errc add(collected& to, std::size_t c, std::span<const float> x) const
  {
    const auto needs = [&](rule r) {
      return std::any_of(how_.widths.begin(), how_.widths.end(), [&](int b) { return rule_for(c, b) == r; });
    };
    if (needs(rule::clip))
      if (const auto e = to.whole.add(x); e != errc::ok) return e;
    if (needs(rule::channel_clip)) {
      const auto& dims = crossing(c).dims;
      if (!to.channels) to.channels.emplace(static_cast<std::size_t>(dims[1]), static_cast<std::size_t>(dims.product(2, 4)), 512);
      if (const auto e = to.channels->add(x); e != errc::ok) return e;
    }
    if (needs(rule::upper_end)) to.scores.emplace_back(x.begin(), x.end());
    return errc::ok;
  }

  /// A coding, but that the levels of an upper end are made for each picture.
  struct fitted_coding {
    coding how;
    float upper_span = 0;
    [[nodiscard]] coding for_picture(std::span<const float> x) const
    {
      coding made = how;
      if (upper_span > 0) made.scales = std::make_shared<const std::vector<affine>>(1, upper_levels(*std::max_element(x.begin(), x.end()), upper_span, how.width));
      return made;
    }
  };

  result<fitted_coding> coding_for(std::size_t c, std::size_t fitted_on, int bits) const
  {
    coding how{codec::dense, bits};
    const auto& from = data_[fitted_on][c];
    std::vector<affine> scales;
    switch (rule_for(c, bits)) {
    case rule::picture: return fitted_coding{how};
    case rule::upper_end: how.rule = range_rule::calibrated; return fitted_coding{how, fit_upper_span(from.scores, bits)};
    case rule::clip: {
      const auto fitted = fit_mse(from.whole, bits);
      if (!fitted) return error(fitted.error(), "range of '" + crossing(c).name + "'");
      scales.push_back(*fitted);
      break;
    }
    case rule::channel_clip: {
      auto fitted = fit_mse(*from.channels, bits);
      if (!fitted) return error(fitted.error(), "range of '" + crossing(c).name + "'");
      scales = std::move(*fitted);
      how.group.axis = 1;
      break;
    }
    }
    how.rule = range_rule::calibrated;
    how.scales = std::make_shared<const std::vector<affine>>(std::move(scales));
    return fitted_coding{how};
  }

  struct halves {
    std::optional<any_executor> head;   // none at the input
    any_executor tail;
    tensor crossed, back, answer;
    aligned_vector<std::uint8_t> payload;
  };

  /// What the edge sends for one input: the request's envelope with the tensor's header, and the payload.
  result<double> message_bytes(std::size_t c, const descriptor& d, std::size_t payload_bytes) const
  {
    wire::request r;
    r.id = std::uint64_t{1} << 32;   // ids, sums and times of usual length
    r.epoch = 1000;
    r.model_hash = model_.hash;
    r.deadline_left = std::chrono::milliseconds(1000);
    r.tensors.push_back({crossing(c).name, d, 0xffffffff});
    const auto envelope = wire::encode(r);
    if (!envelope) return envelope.error();
    return static_cast<double>(envelope->size() + payload_bytes);
  }

  result<score_row> score_cut(std::size_t c)
  {
    const auto v = cuts_[c].tensors[0];
    score_row row{narrows::name_of(g_, cuts_[c]), to_string(g_[v].dims), share(c), static_cast<double>(float_bytes(g_, v)), 0, signs_[index(v)], {}};
    std::vector<std::array<fitted_coding, folds>> codings;
    for (const int b : how_.widths) {
      codings.emplace_back();
      for (std::size_t fold = 0; fold < folds; ++fold) {
        auto how = coding_for(c, 1 - fold, b);
        if (!how) return unexpected(std::move(how).error());
        codings.back()[fold] = std::move(*how);
      }
      row.cells.push_back({b, std::string(name_of(rule_for(c, b))), 0, 0, 0, 0});
    }

    std::mutex guard;
    const auto make = [&]() -> result<halves> {
      auto tail = engine_.load(tail_slice(model_.network, cuts_[c]));
      if (!tail) return unexpected(std::move(tail).error());
      halves h{std::nullopt, std::move(*tail), tensor(g_[v].dims), tensor(g_[v].dims), {}, {}};
      h.answer = tensor(h.tail.outputs()[0].dims);
      if (!g_[v].producer) return h;
      auto slice = head_slice(model_.network, cuts_[c]);
      slice.outputs.resize(1);
      auto head = engine_.load(slice);
      if (!head) return unexpected(std::move(head).error());
      h.head = std::move(*head);
      return h;
    };
    auto scored = in_parallel(how_.jobs, inputs_.size(), make, [&](halves& h, std::size_t i) -> result<void> {
      const run_options options{how_.engine.threads, {}, {}};
      const tensor_view in = inputs_[i].view();
      if (h.head) {
        const mutable_tensor_view out = h.crossed.view();
        NARROWS_TRY(h.head->run(std::span(&in, 1), std::span(&out, 1), options));
      }
      const tensor_view x = h.head ? std::as_const(h.crossed).view() : in;
      const auto inputs = static_cast<double>(inputs_.size());
      const auto sent = [&](const coding& how, std::optional<descriptor>& d) -> result<double> {
        auto coded = encode(x, how, h.payload);
        if (!coded) return error(coded.error(), "encode '" + crossing(c).name + "'");
        d = std::move(*coded);
        return message_bytes(c, *d, h.payload.size());
      };
      std::optional<descriptor> d;
      const auto raw = sent(coding{codec::raw}, d);
      if (!raw) return raw.error();
      {
        const std::scoped_lock lock(guard);
        row.raw_bytes += *raw / inputs;
      }
      for (std::size_t w = 0; w < codings.size(); ++w) {
        coding how = codings[w][i % folds].for_picture(x.values());
        how.coded_as = codec::sparse;
        const auto sparse = sent(how, d);
        if (!sparse) return sparse.error();
        how.coded_as = codec::dense;
        const auto dense = sent(how, d);
        if (!dense) return dense.error();
        if (auto read = decode(*d, h.payload, h.back.values()); !read) return error(read.error(), "decode '" + crossing(c).name + "'");
        const tensor_view arrived = std::as_const(h.back).view();
        const mutable_tensor_view out = h.answer.view();
        NARROWS_TRY(h.tail.run(std::span(&arrived, 1), std::span(&out, 1), options));
        const bool same = first_class(std::as_const(h.answer).values()) == truth_[i];
        const std::scoped_lock lock(guard);
        auto& cell = row.cells[w];
        ++cell.scored;
        cell.agree += same;
        cell.dense_bytes += *dense / inputs;
        cell.sparse_bytes += *sparse / inputs;
      }
      return {};
    });
    if (!scored) return unexpected(std::move(scored).error());
    return row;
  }

  const score_options& how_;
  model model_;
  const graph& g_;
  any_engine engine_;
  std::vector<tensor> inputs_;
  double total_;
  std::vector<value_sign> signs_;
  std::vector<std::size_t> truth_;
  std::vector<cut> cuts_;
  std::array<std::vector<collected>, folds> data_;
};

}  // namespace

result<score_card> score(const score_options& how)
{
  auto m = load_onnx(how.model);
  if (!m) return unexpected(std::move(m).error());
  const auto& g = *m->network;
  if (g.inputs().size() != 1) return error(errc::bad_model, m->name + ": has " + std::to_string(g.inputs().size()) + " inputs, one is needed");
  auto engine = load_engine(how.engine.level);
  if (!engine) return unexpected(std::move(engine).error());
  const auto& expected = g[g.inputs()[0]].dims;
  auto list = list_inputs(how.inputs, expected);
  if (!list) return unexpected(std::move(list).error());
  if (how.limit > 0 && static_cast<std::size_t>(how.limit) < list->size()) list->resize(static_cast<std::size_t>(how.limit));
  if (list->size() < folds) return error(errc::bad_input, "at least two inputs are needed");
  auto settings = how.pictures;
  auto beside = beside_model(how.model);
  if (!beside) return unexpected(std::move(beside).error());
  settings.fill_from(*beside);
  input_loader loader(expected, settings);
  std::vector<tensor> inputs;
  for (const auto& which : *list) {
    auto loaded = loader.load(which);
    if (!loaded) return unexpected(std::move(loaded).error());
    inputs.push_back(std::move(loaded->values));
  }
  return scorer(how, std::move(*m), std::move(*engine), std::move(inputs)).run();
}

}  // namespace narrows::tool
