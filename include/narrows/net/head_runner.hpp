// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/answer.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/edge_tensors.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/net/request_book.hpp>
#include <narrows/net/slice_runner.hpp>
#include <narrows/net/tail_runner.hpp>

namespace narrows::detail {

/// Runs what lies before the cut of a request (from its start on: a middle tier's begins in mid-network) and codes what
/// crosses, in the caller's thread.
class head_runner {
public:
  head_runner(const model& what, slice_runner& runner, request_book& book, const edge_options& options)
    : model_(what), runner_(runner), book_(book), options_(options)
  {
  }

  /// After it the request is ready to be sent, or done where nothing crosses. Errors: those of the executor and of `encode_crossing`.
  result<void> run(pending& p, const edge_request& asked)
  {
    using stage = pending::stage;
    const auto& g = *model_.network;
    slice_runner::views inputs;
    for (std::size_t i = 0; i < asked.inputs.size(); ++i) inputs.emplace(p.from ? p.from->tensors[i] : g.inputs()[i], asked.inputs[i]);
    const bool has_head = p.from ? p.how.at.head != p.from->head : std::find(p.how.at.head.begin(), p.how.at.head.end(), true) != p.how.at.head.end();
    if (has_head) {
      const auto began = options_.time->now();
      auto made = p.from ? runner_.run_between(model_.network, *p.from, p.how.at, inputs, run_here(p, options_))
                         : runner_.run(model_.network, p.how.at, cut_side::head, inputs, run_here(p, options_));
      if (!made) return std::move(made).error();
      p.kept = std::move(made).value();
      p.latency.device = options_.time->now() - began;
    }
    for (const auto v : p.how.at.tensors)
      if (const auto it = inputs.find(v); it != inputs.end() && !p.kept.contains(v)) p.kept.emplace(v, p.spare->copy_of(it->second));
    if (p.how.at.tensors.empty()) {
      const std::lock_guard lock(book_.mutex);
      if (has_head) book_.estimate.saw_head(p.how.at, p.from, p.latency.device);
      answer all = book_.answer_of(p, {});
      all.from = source::local;
      book_.finish(p, std::move(all));
      return {};
    }
    const auto began = options_.time->now();
    NARROWS_TRY(encode_crossing(g, p, asked));
    p.latency.encode = options_.time->now() - began;
    {
      const std::lock_guard lock(book_.mutex);
      if (has_head) book_.estimate.saw_head(p.how.at, p.from, p.latency.device);
      if (p.at == stage::done) return {};
      p.at = stage::ready;
      p.ready_at = p.not_before = options_.time->now();
      // The tail is loaded while the cloud works, so that a fallback need not begin with that.
      if (options_.fallback == fallback_policy::local && !prepared_[p.how.at.head]) {
        if (prepared_.size() > 4 * options_.cached_executors) prepared_.clear();
        prepared_[p.how.at.head] = true;
        book_.to_prepare.push_back(p.how.at);
        book_.changed.notify_all();
      }
    }
    book_.wake.wake();
    return {};
  }

private:
  const model& model_;
  slice_runner& runner_;
  request_book& book_;
  const edge_options& options_;
  std::map<std::vector<bool>, bool> prepared_;   // the book's mutex guards it
};

}  // namespace narrows::detail
