// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <narrows/net/relay.hpp>

#include "net/support.hpp"

/// Relays for tests, and what three tiers must answer.
namespace narrows::test {

/// The relay's plan, which a test may change at any time.
class plan_board {
public:
  void put(plan p)
  {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(p);
  }
  [[nodiscard]] onward_plan reader()
  {
    return [this](const model&, const cut&) {
      const std::lock_guard lock(mutex_);
      return plan_;
    };
  }

private:
  std::mutex mutex_;
  plan plan_;
};

/// A relay that serves in a thread of its own until it is killed or destroyed.
class running_relay {
public:
  running_relay(const std::string& cloud, onward_plan onward, fallback_policy fallback = fallback_policy::local, relay_options options = {},
    any_engine engine = step_engine())
  {
    options.upstream.endpoint = cloud;
    options.upstream.connect_timeout = 20s;
    options.upstream.reconnect_grace = 20ms;
    options.upstream.fallback = fallback;
    options.onward = std::move(onward);
    auto bound = relay::bind({network}, std::move(engine), std::move(options));
    EXPECT_TRUE(bound) << bound.error().text();
    relay_.emplace(std::move(*bound));
    endpoint_ = relay_->endpoint();
    thread_ = std::jthread([this](std::stop_token stop) { relay_->run(stop); });
  }
  ~running_relay() { kill(); }

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  void kill()
  {
    if (!relay_) return;
    thread_.request_stop();
    thread_.join();
    relay_.reset();
  }

private:
  std::optional<relay> relay_;
  std::string endpoint_;
  std::jthread thread_;
};

/// The network node by node in one process: a node of tier t reads what tiers before it made as the codes of each hop leave it.
inline std::vector<tensor> run_tiers(const model& m, tensor_view x, const std::vector<plan>& hops)
{
  const auto& g = *m.network;
  std::map<value_id, tensor> seen;   // as the tier at work sees them
  seen.emplace(g.inputs()[0], tensor(x.dims(), x.values()));
  std::map<value_id, tensor> outputs;
  const auto tier_of = [&](std::size_t n) {
    std::size_t t = 0;
    while (t < hops.size() && !hops[t].at.head[n]) ++t;
    return t;
  };
  for (std::size_t t = 0; t <= hops.size(); ++t) {
    for (std::size_t n = 0; n < g.nodes().size(); ++n) {
      if (tier_of(n) != t) continue;
      const auto& at = g.nodes()[n];
      graph_slice one{m.network, {static_cast<node_id>(n)}, {}, at.outputs};
      std::vector<tensor_view> from;
      for (const auto v : at.inputs)
        if (!g[v].constant) {
          one.inputs.push_back(v);
          from.push_back(seen.at(v).view());
        }
      std::vector<mutable_tensor_view> to;
      for (const auto v : at.outputs) to.push_back(seen.insert_or_assign(v, tensor(g[v].dims)).first->second.view());
      EXPECT_TRUE(naive_executor(one).run(from, to, {}));
      for (const auto v : at.outputs) outputs.insert_or_assign(v, seen.at(v));
    }
    if (t == hops.size()) break;
    std::map<value_id, tensor> crossed;
    for (std::size_t i = 0; i < hops[t].at.tensors.size(); ++i) {
      const auto v = hops[t].at.tensors[i];
      aligned_vector<std::uint8_t> payload;
      const auto d = *encode(seen.at(v).view(), hops[t].codings[i], payload);
      tensor back(d.dims);
      EXPECT_TRUE(decode(d, payload, back.values()));
      crossed.emplace(v, std::move(back));
    }
    seen = std::move(crossed);
  }
  std::vector<tensor> made;
  for (const auto v : g.outputs()) made.push_back(outputs.at(v));
  return made;
}

}  // namespace narrows::test
