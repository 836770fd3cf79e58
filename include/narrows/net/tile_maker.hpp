// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/net/clock.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/net/worker.hpp>
#include <narrows/partition/tile.hpp>
#include <narrows/wire/message.hpp>

namespace narrows {

/// The piece of a cloud that makes tiles for others: no sockets, no queue, nothing kept of one request for the next but
/// executors, the longest unused of which are let go. `make` may be called from several threads.
class tile_maker {
public:
  /// Models and engine are those of `serving`, which must outlive this.
  tile_maker(const worker& serving, int threads, std::size_t keep, std::shared_ptr<clock> time)
    : serving_(serving), threads_(threads), keep_(keep), time_(std::move(time))
  {
  }

  /// Checks and makes one tile; every byte of the request may be a stranger's.
  /// Errors   model_mismatch; bad_cut: unknown tensors, no stack between them, a barrier; bad_shape: a region outside the
  ///          tensor; bad_message: parts other than the tile needs; integrity; those of the engine; limit_exceeded, internal.
  [[nodiscard]] result<served> make(const wire::tile_request& asked, std::span<const std::span<const std::uint8_t>> payloads, std::stop_token stop = {})
  {
    try {
      return make_checked(asked, payloads, std::move(stop));
    } catch (const std::bad_alloc&) {
      return error(errc::limit_exceeded, "out of memory");
    } catch (const std::exception& e) {
      return error(errc::internal, e.what());
    }
  }

private:
  struct key {
    const graph* network;
    std::vector<value_id> from;
    value_id to;
    region wanted;
    friend bool operator==(const key&, const key&) = default;
  };
  struct loaded {
    key which;
    any_executor executor;
  };

  result<served> make_checked(const wire::tile_request& asked, std::span<const std::span<const std::uint8_t>> payloads, std::stop_token stop)
  {
    const auto began = time_->now();
    const auto found = serving_.find(asked.model_hash);
    if (!found) return found.error();
    auto taken = take((**found).network, asked);
    if (!taken) return std::move(taken).error();
    auto& tile = taken->executor;
    if (asked.parts.size() != tile.inputs().size() || payloads.size() != asked.parts.size())
      return error(errc::bad_message, "tile needs " + std::to_string(tile.inputs().size()) + " tensors, got " + std::to_string(asked.parts.size()) + " and " + std::to_string(payloads.size()) + " payloads");
    std::vector<tensor> given;
    std::vector<tensor_view> in;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      auto values = detail::receive_raw(asked.parts[i], payloads[i], tile.inputs()[i].name, tile.inputs()[i].dims);
      if (!values) return std::move(values).error();
      given.push_back(std::move(values).value());
    }
    for (const auto& t : given) in.push_back(t.view());
    const auto decoded = time_->now();

    tensor made = serving_.spare()->take(tile.outputs()[0].dims);
    const mutable_tensor_view out[] = {made.view()};
    auto done = tile.run(in, out, {.threads = threads_, .stop = std::move(stop), .on_node = {}});
    give_back(std::move(*taken));
    if (!done) return std::move(done).error();

    served answer;
    answer.head.id = asked.id;
    answer.head.outputs.push_back(detail::raw_header(asked.to, made.view()));
    answer.outputs.push_back(std::move(made));
    answer.head.took.decode = std::chrono::duration_cast<std::chrono::microseconds>(decoded - began);
    answer.head.took.run = std::chrono::duration_cast<std::chrono::microseconds>(time_->now() - decoded);
    return answer;
  }

  result<loaded> take(const std::shared_ptr<const graph>& network, const wire::tile_request& asked)
  {
    const auto find = [&](const std::string& name) -> result<value_id> {
      const auto v = network->find(name);
      if (!v || (*network)[*v].is_constant) return error(errc::bad_cut, "'" + name + "' is no tensor of '" + network->name() + "'");
      return *v;
    };
    key which{network.get(), {}, {}, asked.wanted};
    for (const auto& name : asked.from) {
      const auto v = find(name);
      if (!v) return v.error();
      which.from.push_back(*v);
    }
    const auto to = find(asked.to);
    if (!to) return to.error();
    which.to = *to;
    {
      const std::lock_guard lock(mutex_);
      const auto it = std::find_if(idle_.begin(), idle_.end(), [&](const loaded& l) { return l.which == which; });
      if (it != idle_.end()) {
        auto found = std::move(*it);
        idle_.erase(it);
        return found;
      }
    }
    auto stack = stack_between(network, which.from, which.to);
    if (!stack) return std::move(stack).error();
    auto made = make_tile(*stack, asked.wanted);
    if (!made) return std::move(made).error();
    auto executor = serving_.engine().load(whole_slice(made->network));
    if (!executor) return std::move(executor).error();
    return loaded{std::move(which), std::move(executor).value()};
  }

  void give_back(loaded used)
  {
    std::list<loaded> gone;   // destroyed after the lock is let go
    const std::lock_guard lock(mutex_);
    idle_.push_front(std::move(used));
    if (idle_.size() > keep_) gone.splice(gone.begin(), idle_, std::prev(idle_.end()));
  }

  const worker& serving_;
  int threads_;
  std::size_t keep_;
  std::shared_ptr<clock> time_;
  std::mutex mutex_;
  std::list<loaded> idle_;   // latest used first
};

}  // namespace narrows
