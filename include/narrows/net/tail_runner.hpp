// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <narrows/graph/graph.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/net/request_book.hpp>
#include <narrows/net/slice_runner.hpp>

namespace narrows::detail {

[[nodiscard]] inline run_options run_here(const pending& p, const edge_options& options)
{
  return {.threads = options.threads, .stop = p.stopper.get_token(), .on_node = {}};
}

/// Runs on the device the tails that the cloud did not, the nearest deadline first, and loads those that may be needed.
class tail_runner {
public:
  tail_runner(std::shared_ptr<const graph> network, slice_runner& runner, request_book& book, const edge_options& options)
    : network_(std::move(network)), runner_(runner), book_(book), options_(options)
  {
  }

  /// What a thread does until the book is closed.
  void loop()
  {
    std::unique_lock lock(book_.mutex);
    for (;;) {
      book_.changed.wait(lock, [this] { return book_.closing || !book_.to_run.empty() || !book_.to_prepare.empty(); });
      if (book_.closing) return;
      if (!book_.to_run.empty()) {
        const auto first = std::min_element(book_.to_run.begin(), book_.to_run.end(), [](const auto& a, const auto& b) { return a->deadline < b->deadline; });
        auto p = std::move(*first);
        book_.to_run.erase(first);
        if (p->at != pending::stage::local) {   // over before it began
          lock.unlock();
          p.reset();
          lock.lock();
          continue;
        }
        lock.unlock();
        run_tail(*p);
        p.reset();
      } else {
        const auto at = std::move(book_.to_prepare.back());
        book_.to_prepare.pop_back();
        lock.unlock();
        if (const auto loaded = runner_.prepare(network_, at, cut_side::tail); !loaded && options_.log)
          options_.log(log_level::warning, "tail: " + loaded.error().text());
      }
      lock.lock();
    }
  }

private:
  void run_tail(pending& p)
  {
    const auto began = options_.time->now();
    slice_runner::views given;
    for (const auto v : p.how.at.tensors) given.emplace(v, p.kept.at(v).view());
    auto made = runner_.run(network_, p.how.at, cut_side::tail, given, run_here(p, options_));
    const auto took = options_.time->now() - began;
    const std::lock_guard lock(book_.mutex);
    if (p.at != pending::stage::local) return;
    if (!made) return book_.finish(p, std::move(made).error());
    book_.estimate.saw_tail(p.how.at, took);
    p.latency.device += took;
    auto a = book_.answer_of(p, std::move(made).value());
    a.from = source::fallback;
    a.warning = p.cause.text() + "; the device answered";
    book_.finish(p, std::move(a));
  }

  std::shared_ptr<const graph> network_;
  slice_runner& runner_;
  request_book& book_;
  const edge_options& options_;
};

}  // namespace narrows::detail
