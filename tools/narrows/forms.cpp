// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <utility>

#include <narrows/core/tensor.hpp>
#include <narrows/graph/cut.hpp>

#include "image.hpp"
#include "image_write.hpp"
#include "in_parallel.hpp"
#include "preprocess.hpp"
#include "scoring.hpp"

namespace narrows::tool {

namespace {

constexpr int png = 0;      // in the place of a JPEG quality
constexpr int pixels = -1;
constexpr int predicted = -2;

struct form_worker {
  any_executor whole;
  tensor answer;
};

/// One input in one form: compressed, sent, read and run.
result<sent_once> send(const model& m, const loaded_input& in, int form, const preprocessing& how, std::size_t truth, form_worker& worker, const score_options& options)
{
  const auto& g = *m.network;
  const auto& input = g[g.inputs()[0]];
  picture seen;
  seen.width = static_cast<int>(input.dims[3]);
  seen.height = static_cast<int>(input.dims[2]);
  seen.pixels = in.pixels;
  sent_once sent;
  sent.scored = true;
  coded_cost cost{form == pixels ? codec::pixels : form == predicted ? codec::predicted : codec::image};
  stopwatch watch;
  result<std::vector<std::uint8_t>> file = form == pixels ? seen.pixels : form == predicted ? predicted_pixels(seen.pixels, input.dims).value_or(seen.pixels) : form == png ? encode_png(seen) : encode_jpeg(seen, form);
  if (!file) return unexpected(std::move(file).error());
  cost.encode_s = form == pixels ? 0 : watch.lap();
  if (form == predicted && file->size() < seen.pixels.size()) {
    auto back = unpacked_pixels(*file, input.dims);
    if (!back) return unexpected(std::move(back).error());
    seen.pixels = std::move(back).value();
  } else if (form >= png) {
    auto back = decode_image(*file);
    if (!back) return unexpected(std::move(back).error());
    seen = std::move(back).value();
  }
  const auto values = normalised(seen.pixels, how, input.dims);
  if (!values) return values.error();
  cost.decode_s = watch.lap();
  descriptor d;
  d.dims = input.dims;
  d.coded_as = cost.coded_as;
  d.order = cost.coded_as == codec::image ? value_order::as_given : value_order::nhwc;
  d.payload_bytes = file->size();
  const auto bytes = message_bytes(m, input.name, d);
  if (!bytes) return bytes.error();
  cost.bytes = *bytes;
  cost.payload_bytes = static_cast<double>(file->size());
  const tensor_view x = values->view();
  const mutable_tensor_view out = worker.answer.view();
  NARROWS_TRY(worker.whole.run(std::span(&x, 1), std::span(&out, 1), {options.threads, options.stop, {}}));
  sent.agrees = first_class(std::as_const(worker.answer).values()) == truth;
  sent.costs.push_back(cost);
  return sent;
}

}  // namespace

result<std::vector<input_form>> score_forms(const model& m, const any_engine& engine, std::span<const loaded_input> inputs,
  const preprocessing& pictures, const answers& truth, const score_options& how)
{
  const auto& g = *m.network;
  const auto& dims = g[g.inputs()[0]].dims;
  const auto is_picture = [&](const loaded_input& in) { return in.pixels.size() == dims.elements(); };
  if (!takes_pictures(dims) || dims[1] != picture::channels || !std::all_of(inputs.begin(), inputs.end(), is_picture)) return std::vector<input_form>{};
  std::vector<form_worker> workers;
  for (int j = 0; j < how.jobs; ++j) {
    auto slice = whole_slice(m.network);
    slice.outputs.resize(1);
    auto whole = engine.load(slice);
    if (!whole) return unexpected(std::move(whole).error());
    tensor answer(whole->outputs()[0].dims);
    workers.push_back({std::move(*whole), std::move(answer)});
  }
  std::vector<int> wanted{pixels, predicted, png};
  wanted.insert(wanted.end(), how.jpeg_qualities.begin(), how.jpeg_qualities.end());
  std::vector<input_form> forms;
  for (const int form : wanted) {
    std::vector<sent_once> sent(inputs.size());
    NARROWS_TRY(in_parallel(workers, 0, inputs.size(), [&](form_worker& worker, std::size_t i) -> result<void> {
      auto one = send(m, inputs[i], form, pictures, truth[i], worker, how);
      if (!one) return unexpected(std::move(one).error());
      sent[i] = std::move(*one);
      return {};
    }));
    forms.push_back({std::max(form, 0), score_of(sent), summary_of(sent, 0)});
  }
  return forms;
}

}  // namespace narrows::tool
