// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/exec/executor.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/net/client.hpp>
#include <narrows/net/server.hpp>

#include "support/naive_engine.hpp"

namespace narrows::test {

using namespace std::chrono_literals;

inline tensor random_tensor(const shape& dims, std::uint32_t seed)
{
  std::mt19937 random(seed);
  tensor t(dims);
  for (auto& v : t.values()) v = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
  return t;
}

/// picture 1x3x5x5 -> conv+relu "a" -> conv "b" ; a+b = "sum" -> concat(sum, a) = "both" -> conv+relu "c" -> global
/// average "mean" -> flat -> gemm "scores" 1x6. "early" = global average of a, the first output, lies on a branch of its own.
inline model small_model(const std::string& hash = std::string(64, 'a'), const std::string& name = "small.onnx")
{
  graph_builder g(name);
  std::uint32_t seed = 1;
  const auto add = [&g](any_op operation, std::vector<value_id> inputs, const std::string& out, bool relu = false, std::vector<shape> shapes = {}) {
    node_description n;
    n.operation = std::move(operation);
    n.inputs = std::move(inputs);
    n.outputs = {out};
    n.shapes = std::move(shapes);
    if (relu) n.activation.kind = op::unary::kind::relu;
    return (*g.add(std::move(n)))[0];
  };
  const auto conv = [&](value_id x, std::int64_t in, std::int64_t out, const std::string& label, bool relu) {
    const auto w = *g.constant(label + ".w", random_tensor(shape{out, in, 3, 3}, seed++));
    return add(op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1}, {x, w}, label, relu);
  };
  const auto x = *g.input("picture", shape{1, 3, 5, 5});
  const auto a = conv(x, 3, 2, "a", true);
  const auto early = add(op::global_pool{}, {a}, "early");
  const auto b = conv(a, 2, 2, "b", false);
  const auto sum = add(op::elementwise{}, {a, b}, "sum");
  const auto both = add(op::concat{1}, {sum, a}, "both");
  const auto c = conv(both, 4, 4, "c", true);
  const auto mean = add(op::global_pool{}, {c}, "mean");
  const auto flat = add(op::reshape{}, {mean}, "flat", false, {shape{1, 4}});
  const auto w = *g.constant("scores.w", random_tensor(shape{6, 4}, seed++));
  const auto scores = add(op::gemm{1, 1, false, true}, {flat, w}, "scores");
  return {name, hash, *g.finish({early, scores})};
}

/// The naive executor node by node, each tensor rounded to float32 in between, so that cutting a network changes no bit.
class step_executor {
public:
  explicit step_executor(graph_slice slice) : slice_(std::move(slice)), inputs_(infos(slice_.inputs)), outputs_(infos(slice_.outputs)) {}
  [[nodiscard]] std::span<const tensor_info> inputs() const { return inputs_; }
  [[nodiscard]] std::span<const tensor_info> outputs() const { return outputs_; }
  result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
  {
    const auto& g = *slice_.whole;
    std::map<value_id, tensor> held;
    for (std::size_t i = 0; i < in.size(); ++i) held.emplace(slice_.inputs[i], tensor(in[i].dims(), in[i].values()));
    for (const auto n : slice_.nodes) {
      graph_slice one{slice_.whole, {n}, {}, g[n].outputs};
      std::vector<tensor_view> from;
      for (const auto v : g[n].inputs)
        if (!g[v].constant) {
          one.inputs.push_back(v);
          from.push_back(held.at(v).view());
        }
      std::vector<mutable_tensor_view> to;
      for (const auto v : g[n].outputs) to.push_back(held.insert_or_assign(v, tensor(g[v].dims)).first->second.view());
      NARROWS_TRY(naive_executor(one).run(from, to, how));
    }
    for (std::size_t i = 0; i < out.size(); ++i) std::ranges::copy(std::as_const(held.at(slice_.outputs[i])).values(), out[i].values().begin());
    return {};
  }

private:
  [[nodiscard]] std::vector<tensor_info> infos(const std::vector<value_id>& of) const
  {
    std::vector<tensor_info> made;
    for (const auto v : of) made.push_back({(*slice_.whole)[v].name, (*slice_.whole)[v].dims});
    return made;
  }
  graph_slice slice_;
  std::vector<tensor_info> inputs_;
  std::vector<tensor_info> outputs_;
};

struct step_engine {
  [[nodiscard]] std::string_view level() const { return "steps"; }
  [[nodiscard]] result<step_executor> load(const graph_slice& slice) const { return step_executor(slice); }
};

/// What a test knows of, and does to, the executors of one engine.
struct engine_controls {
  std::atomic<int> runs{0};          ///< runs begun
  std::atomic<bool> held{false};     ///< runs wait while true (a stop token ends the wait with `cancelled`)
  std::atomic<int> waiting{0};       ///< runs that wait just now
  std::function<void()> on_run;      ///< called as a run begins; set before use
};

/// The engine of steps with a hand on it.
class held_engine {
public:
  explicit held_engine(std::shared_ptr<engine_controls> controls) : controls_(std::move(controls)) {}

  class loaded {
  public:
    loaded(any_executor inner, std::shared_ptr<engine_controls> controls) : inner_(std::move(inner)), controls_(std::move(controls)) {}
    [[nodiscard]] std::span<const tensor_info> inputs() const { return inner_.inputs(); }
    [[nodiscard]] std::span<const tensor_info> outputs() const { return inner_.outputs(); }
    result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
    {
      ++controls_->runs;
      if (controls_->on_run) controls_->on_run();
      ++controls_->waiting;
      while (controls_->held && !how.stop.stop_requested()) std::this_thread::sleep_for(1ms);
      --controls_->waiting;
      if (how.stop.stop_requested()) return errc::cancelled;
      return inner_.run(in, out, how);
    }

  private:
    any_executor inner_;
    std::shared_ptr<engine_controls> controls_;
  };

  [[nodiscard]] std::string_view level() const { return "steps"; }
  [[nodiscard]] result<loaded> load(const graph_slice& slice) const
  {
    auto inner = inner_.load(slice);
    if (!inner) return inner.error();
    return loaded(std::move(*inner), controls_);
  }

private:
  any_engine inner_ = step_engine();
  std::shared_ptr<engine_controls> controls_;
};

/// A cloud that serves in a thread of its own until it is stopped or destroyed.
class running_cloud {
public:
  explicit running_cloud(std::vector<model> models, any_engine engine = step_engine(), cloud_options options = {})
  {
    auto bound = cloud::bind(std::move(models), std::move(engine), std::move(options));
    EXPECT_TRUE(bound) << bound.error().text();
    cloud_.emplace(std::move(*bound));
    endpoint_ = cloud_->endpoint();
    thread_ = std::jthread([this](std::stop_token stop) { cloud_->run(stop); });
  }
  ~running_cloud() { kill(); }

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  void kill()
  {
    if (!cloud_) return;
    thread_.request_stop();
    thread_.join();
    cloud_.reset();
  }

private:
  std::optional<cloud> cloud_;
  std::string endpoint_;
  std::jthread thread_;
};

/// The outputs of the whole network in one go, no wire between.
inline std::vector<tensor> run_whole(const model& m, tensor_view x)
{
  auto loaded = any_engine(step_engine()).load(whole_slice(m.network));
  std::vector<tensor> made;
  std::vector<mutable_tensor_view> out;
  for (const auto& info : loaded->outputs()) made.emplace_back(info.dims);
  for (auto& t : made) out.push_back(t.view());
  const std::vector<tensor_view> in{x};
  EXPECT_TRUE(loaded->run(in, out, {}));
  return made;
}

/// The two halves in one process, with the same codes between them: what "right to the bit" means.
inline std::vector<tensor> run_halves(const model& m, tensor_view x, const plan& how)
{
  const auto& g = *m.network;
  slice_runner runner(step_engine{});
  slice_runner::views given{{g.inputs()[0], x}};
  slice_runner::tensors made;
  if (std::find(how.at.head.begin(), how.at.head.end(), true) != how.at.head.end()) made = *runner.run(m.network, how.at, cut_side::head, given, {});
  std::map<value_id, tensor> coded;
  for (std::size_t i = 0; i < how.at.tensors.size(); ++i) {
    const auto v = how.at.tensors[i];
    const auto from = made.contains(v) ? made.at(v).view() : x;
    aligned_vector<std::uint8_t> payload;
    const auto d = *encode(from, how.codings[i], payload);
    tensor back(d.dims);
    EXPECT_TRUE(decode(d, payload, back.values()));
    coded.insert_or_assign(v, std::move(back));
  }
  if (!how.at.tensors.empty()) {
    slice_runner::views crossing;
    for (const auto& [v, t] : coded) crossing.emplace(v, t.view());
    auto tail = *runner.run(m.network, how.at, cut_side::tail, crossing, {});
    for (auto& [v, t] : tail) made.insert_or_assign(v, std::move(t));
  }
  std::vector<tensor> outputs;
  for (const auto v : g.outputs()) outputs.push_back(made.at(v));
  return outputs;
}

inline plan plan_at(const cut& at, codec coded_as, int width = 8, std::uint64_t epoch = 0)
{
  coding how;
  how.coded_as = coded_as;
  how.width = width;
  return {at, std::vector<coding>(at.tensors.size(), how), epoch};
}
inline plan plan_at(const model& m, const std::string& name, codec coded_as = codec::raw)
{
  return plan_at(*find_cut(*m.network, std::vector<std::string>{name}), coded_as);
}

/// Same shapes and same bits.
inline bool same_bits(const std::vector<tensor>& a, const std::vector<tensor>& b)
{
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i].dims() == b[i].dims()) || std::memcmp(a[i].values().data(), b[i].values().data(), a[i].values().size_bytes()) != 0) return false;
  return true;
}

/// The network and the picture of most tests.
inline const model network = small_model();
inline const tensor picture = random_tensor(shape{1, 3, 5, 5}, 99);
inline const std::vector<tensor_view> input{picture.view()};

inline edge_options to(const std::string& endpoint)
{
  edge_options o;
  o.endpoint = endpoint;
  o.connect_timeout = 20s;   // for a loaded machine; the usual wait is a millisecond
  return o;
}

inline result<edge> edge_to(const std::string& endpoint, fallback_policy fallback = fallback_policy::local)
{
  auto o = to(endpoint);
  o.fallback = fallback;
  return edge::connect(network, step_engine(), o);
}

/// Longest that any request of these tests may take; never reached when all is well.
inline constexpr std::chrono::milliseconds patience = 30s;

}  // namespace narrows::test
