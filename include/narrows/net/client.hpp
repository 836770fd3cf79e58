// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/answer.hpp>
#include <narrows/net/edge_core.hpp>
#include <narrows/net/edge_options.hpp>
#include <narrows/partition/plan.hpp>

namespace narrows {

/// The edge: runs heads, sends what crosses, gets answers. Every request ends exactly once, no later than its deadline:
/// with the cloud's answer, with the device's own (fallback), or with an error.
///
/// When the device takes over (policy `local`): at once when the cloud is known to be away for longer than
/// `reconnect_grace`, when it refuses for good, or when all attempts are used up; else at the last moment from which the
/// tail, by what was learnt of this device's speed, still ends in time (half of the time left where nothing was learnt). The
/// cloud's answer is taken as long as the device has not finished. A cloud with another model and a failed authentication
/// are never covered up: such requests end in model_mismatch or authentication.
///
/// All functions may be called from several threads. No call may be under way when the edge is destroyed.
class edge {
public:
  /// Connects and exchanges greetings.
  /// Errors   bad_input (endpoint); authentication (keys; or off loopback without any); model_mismatch; unsupported_version;
  ///          unreachable (nobody answers within `connect_timeout`; with policy `local` only a logged warning, and the
  ///          edge goes on trying).
  [[nodiscard]] static result<edge> connect(model what, any_engine engine, edge_options options = {})
  {
    NARROWS_TRY(detail::check_link(options));
    edge made(std::make_unique<detail::edge_core>(std::move(what), std::move(engine), std::move(options)));
    if (auto opened = made.core_->open(); !opened) return std::move(opened).error();
    return made;
  }

  /// Runs the head in this thread, hands the rest to the link and returns; blocks while `max_in_flight` requests are
  /// unfinished. The plan may be another one each time. Each id must be waited for once.
  /// Errors   bad_input (no deadline, wrong tensors), bad_cut (plan of another network). All later ones come from `wait`.
  [[nodiscard]] result<request_id> submit(const edge_request& asked) { return core_->submit(asked); }

  /// Blocks until the request has ended.
  /// Errors   bad_input (unknown id, or waited for already); deadline, unreachable, cancelled, overloaded, integrity,
  ///          model_mismatch, authentication, and whatever the cloud or the device's executor failed with.
  [[nodiscard]] result<answer> wait(request_id which) { return core_->wait(which); }

  /// `submit` and `wait` in one.
  [[nodiscard]] result<answer> infer(const edge_request& asked)
  {
    const auto id = submit(asked);
    if (!id) return id.error();
    return wait(*id);
  }
  [[nodiscard]] result<answer> infer(std::span<const tensor_view> inputs, const plan& how, std::chrono::milliseconds deadline, std::stop_token stop = {})
  {
    return infer(edge_request{inputs, &how, deadline, std::move(stop), nullptr});
  }

  /// Sends a message of so many bytes that the cloud answers at once: what the link is, where no request crosses that would tell.
  /// One at a time; `probed` has the outcome.
  /// Errors   bad_input (no bytes, or more than 64 KiB), overloaded (one is under way, or its outcome not taken).
  [[nodiscard]] result<void> begin_probe(std::size_t bytes, std::chrono::milliseconds timeout) { return core_->probe().begin(bytes, timeout); }
  /// How long the probe took to the cloud and back, once it is known, and once only; none until then.
  /// Errors   unreachable (the cloud is not there), deadline (no answer in time).
  [[nodiscard]] std::optional<result<clock::duration>> probed() { return core_->probe().outcome(); }

  /// What the cloud said of itself; none while it is not there.
  [[nodiscard]] std::optional<wire::welcome> peer() const { return core_->peer(); }
  [[nodiscard]] const model& network() const noexcept { return core_->what(); }

private:
  explicit edge(std::unique_ptr<detail::edge_core> core) : core_(std::move(core)) {}

  std::unique_ptr<detail::edge_core> core_;
};

}  // namespace narrows
