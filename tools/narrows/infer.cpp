// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/net/slice_runner.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include "answers.hpp"
#include "batch.hpp"
#include "command.hpp"
#include "interrupt.hpp"
#include "session.hpp"

namespace narrows::tool {

namespace {

struct infer_options {
  batch_options batch;
  plan_options plan;
  bool compare_float = false;
};

using clock_type = std::chrono::steady_clock;

double ms_since(clock_type::time_point start) { return std::chrono::duration<double, std::milli>(clock_type::now() - start).count(); }

/// Head, encode, decode, tail: what an edge and a cloud do, in one process and without a link.
class local_pair {
public:
  local_pair(const model& m, any_engine engine, const plan& how, int threads) : model_(m), how_(how), runner_(std::move(engine)), threads_(threads) {}

  result<void> run(const loaded_request& in, std::stop_token stop, outcome& out)
  {
    const auto& g = *model_.network;
    const run_options options{.threads = threads_, .stop = std::move(stop), .on_node = {}};
    slice_runner::views known;
    for (std::size_t i = 0; i < g.inputs().size(); ++i) known.emplace(g.inputs()[i], in.inputs[i].values.view());

    const auto start = clock_type::now();
    auto made = runner_.run(model_.network, how_.at, cut_side::head, known, options);
    if (!made) return unexpected(std::move(made).error());
    out.ms.device = ms_since(start);
    for (const auto& [v, t] : *made) known.insert_or_assign(v, t.view());

    slice_runner::tensors crossed;
    slice_runner::views arrived;
    for (std::size_t i = 0; i < how_.at.tensors.size(); ++i) {
      const auto v = how_.at.tensors[i];
      tensor back(g[v].dims);
      NARROWS_TRY(cross(in, known.at(v), how_.codings[i], g[v].name, back, out));
      crossed.emplace(v, std::move(back));
      arrived.emplace(v, crossed.at(v).view());
    }
    slice_runner::tensors rest;
    if (!how_.at.tensors.empty() || std::find(how_.at.head.begin(), how_.at.head.end(), false) != how_.at.head.end()) {
      const auto tail_start = clock_type::now();
      auto tail = runner_.run(model_.network, how_.at, cut_side::tail, arrived, options);
      if (!tail) return unexpected(std::move(tail).error());
      out.ms.server = ms_since(tail_start);
      rest = std::move(tail).value();
    }
    out.ms.total = ms_since(start);
    for (const auto v : g.outputs()) {
      // An output made by the head is the head's, though the tail may read it too.
      const auto h = made->find(v);
      const auto t = rest.find(v);
      if (h != made->end()) out.outputs.push_back(h->second);
      else if (t != rest.end()) out.outputs.push_back(t->second);
      else return error(errc::internal, "output '" + g[v].name + "' was not made");
    }
    return {};
  }

private:
  result<void> cross(const loaded_request& in, tensor_view x, const coding& how, const std::string& name, tensor& back, outcome& out)
  {
    const auto values = x.values();
    if (is_picture(how.coded_as)) {   // lossless: the same preprocessing on the other side
      const auto& bytes = how.coded_as == codec::image ? in.inputs[0].file : in.inputs[0].pixels;
      if (bytes.empty()) return error(errc::bad_input, fmt::format("{}: codec {} needs a picture{}", in.name, to_string(how.coded_as), how.coded_as == codec::image ? " file" : ""));
      std::copy(values.begin(), values.end(), back.values().begin());
      const auto packed = how.coded_as == codec::predicted ? predicted_pixels(bytes, x.dims()) : std::nullopt;   // pixels where that is no shorter
      out.bytes_sent += packed ? packed->size() : bytes.size();
    } else {
      const auto start = clock_type::now();
      const auto d = encode(x, how, payload_);
      if (!d) return error(d.error(), fmt::format("tensor '{}'", name));
      const auto encoded = clock_type::now();
      if (const auto done = decode(*d, payload_, back.values()); !done) return error(done.error(), fmt::format("tensor '{}'", name));
      out.ms.encode += std::chrono::duration<double, std::milli>(encoded - start).count();
      out.ms.decode += ms_since(encoded);
      out.bytes_sent += payload_.size();
    }
    out.float32_bytes += values.size_bytes();
    return {};
  }

  const model& model_;
  const plan& how_;
  slice_runner runner_;
  int threads_;
  aligned_vector<std::uint8_t> payload_;
};

exit_code infer(const infer_options& options)
{
  interrupt interrupted;
  auto work = batch::open(options.batch);
  if (!work) return report(work.error());
  auto how = make_plan(*work->network.network, options.plan);
  if (!how) return report(how.error());
  auto engine = open_engine(options.batch.engine);
  if (!engine) return report(engine.error());

  const auto& g = *work->network.network;
  auto book = work->book({bold(work->network.name) + fmt::format("   {} parameters, {} multiply-adds   executor {}, {} thread{}", count_text(static_cast<double>(parameters(g))),
    count_text(static_cast<double>(multiply_adds(g))), engine->level(), options.batch.engine.threads, options.batch.engine.threads == 1 ? "" : "s"), plan_text(g, *how)}, false);
  book.planned(*how);
  local_pair pair(work->network, *engine, *how, options.batch.engine.threads);
  plan whole;
  whole.at = end_cut(g);
  const bool cuts = !how->at.tensors.empty();
  local_pair uncut(work->network, *engine, whole, options.batch.engine.threads);

  for (std::size_t i = 0; i < work->requests() && !interrupted.seen(); ++i) {
    outcome o;
    o.input = work->name(i);
    if (auto in = work->load(i); !in) {
      o.failure = std::move(in).error();
    } else {
      o.file_bytes = in->inputs[0].file.size();
      if (auto ran = pair.run(*in, interrupted.token(), o); !ran) o.failure = std::move(ran).error();
      if (options.compare_float && !o.failure) {
        outcome reference;
        if (cuts) {
          if (auto ran = uncut.run(*in, interrupted.token(), reference); !ran) o.failure = std::move(ran).error();
        }
        o.float_first = work->first_class(cuts ? reference.outputs : o.outputs);
      }
    }
    if (interrupted.seen()) break;
    if (auto added = book.add(o); !added) return report(added.error());
  }
  const auto code = book.finish();
  return interrupted.seen() ? exit_code::interrupted : code;
}

}  // namespace

void add_infer(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<infer_options>();
  auto* app = add_command(program, chosen, "infer", "Run a network in this process, whole or cut in two", options, infer);
  add_batch(*app, options->batch);
  add_plan_options(*app, options->plan, "Cut (default: the network runs whole)");
  app->add_flag("--compare-float", options->compare_float, "also run each input in float and uncut, and count how often the first class is the same");
}

}  // namespace narrows::tool
