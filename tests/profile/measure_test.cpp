// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/profile/measure.hpp>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

/// Computes nothing and tells times known beforehand: node i of timed run r takes (i + 1) * r microseconds.
struct clockwork {
  struct part {
    std::shared_ptr<int> runs;
    std::vector<tensor_info> in, out;
    std::vector<node_id> nodes;
    bool tells = true;

    std::span<const tensor_info> inputs() const { return in; }
    std::span<const tensor_info> outputs() const { return out; }
    result<void> run(std::span<const tensor_view> x, std::span<const mutable_tensor_view> y, const run_options& how)
    {
      EXPECT_EQ(x.size(), in.size());
      EXPECT_EQ(y.size(), out.size());
      EXPECT_EQ(how.threads, 3);
      if (how.stop.stop_requested()) return error(errc::cancelled, "run");
      ++*runs;
      if (!how.on_node) return {};
      ++timed;
      if (tells)
        for (const auto n : nodes) how.on_node(n, std::chrono::microseconds((static_cast<int>(index(n)) + 1) * timed));
      return {};
    }
    int timed = 0;
  };

  std::string_view level() const { return "clockwork"; }
  result<part> load(const graph_slice& s)
  {
    part p{runs, {}, {}, s.nodes, tells};
    for (const auto v : s.inputs) p.in.push_back({(*s.whole)[v].name, (*s.whole)[v].dims});
    for (const auto v : s.outputs) p.out.push_back({(*s.whole)[v].name, (*s.whole)[v].dims});
    return p;
  }
  std::shared_ptr<int> runs = std::make_shared<int>(0);
  bool tells = true;
};
static_assert(engine<clockwork>);

TEST(MeasureNodeTimes, TakesMedianAndSpreadOfEachNodeAfterWarmingUp)
{
  clockwork e;
  const model m{"small.onnx", std::string(64, 'c'), test::small_network()};
  measure_options how;
  how.repeats = 5;
  how.warm_up = 2;
  how.threads = 3;
  const auto times = measure_node_times(e, m, how);
  ASSERT_TRUE(times) << times.error().text();
  EXPECT_EQ(*e.runs, 7);
  EXPECT_EQ(times->model_hash, m.hash);
  EXPECT_EQ(times->level, "clockwork");
  EXPECT_EQ(times->threads, 3);
  EXPECT_EQ(times->repeats, 5);
  EXPECT_FALSE(times->machine.empty());
  EXPECT_TRUE(check(*times, m));
  for (std::size_t i = 0; i < times->nodes.size(); ++i) {
    EXPECT_NEAR(times->nodes[i].seconds.median_s, 3e-6 * static_cast<double>(i + 1), 1e-12) << i;
    EXPECT_NEAR(times->nodes[i].seconds.p5_s, 1e-6 * static_cast<double>(i + 1), 1e-12) << i;
    EXPECT_NEAR(times->nodes[i].seconds.p95_s, 5e-6 * static_cast<double>(i + 1), 1e-12) << i;
  }
  EXPECT_NEAR(times->sum_s(), 3e-6 * 28, 1e-12);
  EXPECT_GE(times->whole.p95_s, times->whole.p5_s);
}

TEST(MeasureNodeTimes, RefusesWhatCannotBeMeasured)
{
  const auto g = test::small_network();
  EXPECT_EQ(measure_node_times(clockwork{}, g, 0, 1).error().code, errc::bad_input);
  EXPECT_EQ(measure_node_times(clockwork{}, g, 1, 0).error().code, errc::bad_input);
  clockwork silent;
  silent.tells = false;
  EXPECT_EQ(measure_node_times(silent, g, 1, 3).error().code, errc::internal);
  std::stop_source stop;
  stop.request_stop();
  measure_options how;
  how.threads = 3;
  how.stop = stop.get_token();
  EXPECT_EQ(measure_node_times(clockwork{}, g, how).error().code, errc::cancelled);
}

}  // namespace
}  // namespace narrows
