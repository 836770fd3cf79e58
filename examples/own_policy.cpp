// SPDX-License-Identifier: BSD-3-Clause
// A scheduling policy of your own: where to cut a network, at which width, for a device that runs on a battery.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/narrows.hpp>

/// Spends the least energy of the device among the plans that agree and answer in at most `patience` times the shortest latency.
class battery_saver {
public:
  static constexpr std::string_view name = "battery-saver";
  explicit battery_saver(double patience) : patience_(patience) {}

  narrows::decision choose(std::span<const narrows::candidate> from, const narrows::observation& seen) const noexcept
  {
    double shortest = std::numeric_limits<double>::infinity();
    for (const auto& c : from)
      if (agrees(c)) shortest = std::min(shortest, narrows::evaluate(c, seen.link).latency());
    narrows::decision best{0, false, "nothing can answer over this link"};
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto cost = narrows::evaluate(from[i], seen.link);
      const double joule = compute_watt * cost.device_load() + radio_watt * cost.link_busy_s;
      if (!agrees(from[i]) || !(cost.latency() <= patience_ * shortest) || !(joule < least)) continue;
      least = joule;
      best = {i, true, "least energy within the patience"};
    }
    return best;
  }

private:
  static bool agrees(const narrows::candidate& c) noexcept { return c.cost.agreement.value_or(0) >= 0.95; }

  static constexpr double compute_watt = 2.0, radio_watt = 0.8;
  double patience_;
};
static_assert(narrows::scheduling_policy<battery_saver>);

/// Five convolutions with max-pools between them, then a classifier: a small VGG on 3x128x128 pictures.
std::shared_ptr<const narrows::graph> build_network()
{
  narrows::graph_builder b("small-vgg");
  auto x = *b.input("picture", {1, 3, 128, 128});
  std::int64_t channels = 3, side = 128;
  const auto constant = [&](const std::string& name, const narrows::shape& dims) { return *b.constant(name, narrows::tensor(dims)); };
  const auto add = [&](narrows::node_description n) { return (*b.add(std::move(n))).front(); };
  for (const std::int64_t wider : {16, 32, 64, 96, 128}) {
    const auto layer = std::to_string(wider);
    narrows::node_description conv;
    conv.operation = narrows::op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1};
    conv.activation.kind = narrows::op::unary::kind::relu;
    conv.inputs = {x, constant("weights" + layer, {wider, channels, 3, 3})};
    conv.outputs = {"conv" + layer};
    narrows::node_description pool;
    pool.operation = narrows::op::pool{narrows::op::pool::kind::max, {{2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}}, false};
    pool.inputs = {add(std::move(conv))};
    pool.outputs = {"pool" + layer};
    pool.shapes = {{1, wider, side /= 2, side}};
    x = add(std::move(pool));
    channels = wider;
  }
  narrows::node_description flat{"", "", narrows::op::reshape{}, {x}, {"flat"}, {{1, channels * side * side}}};
  narrows::node_description classifier{"", "", narrows::op::gemm{}, {add(std::move(flat)), constant("classes", {channels * side * side, 10})}, {"scores"}};
  return *b.finish({add(std::move(classifier))});
}

void show(narrows::any_policy policy, const narrows::graph& network, const std::vector<narrows::candidate>& candidates)
{
  std::printf("%s\n", std::string(policy.name()).c_str());
  auto chooser = narrows::scheduler::make(candidates, std::move(policy), {});
  for (const double mbit : {0.1, 1.0, 3.0, 10.0, 100.0}) {
    chooser->set_link({narrows::bit_rate::mbit(mbit), 0.004});
    const auto& chosen = chooser->next();
    const auto cost = chooser->predicted();
    const auto where = narrows::name_of(network, chosen.at);
    std::printf("  %5.1f Mbit/s: cut at %-8s %6.0f bytes, %6.1f ms, epoch %d\n", mbit, where.c_str(), cost.bytes,
                cost.latency() * 1e3, static_cast<int>(chosen.epoch));
  }
}

int main()
{
  const auto network = build_network();
  // `narrows profile` measures the times; here a device of 0.5 and a server of 50 billion multiply-adds per second stand
  // in. `narrows calibrate` would measure agreement with the float network, and bytes.
  narrows::machine_profile device, server;
  device.layers = narrows::assumed_node_times(*network, 0.5e9);
  server.layers = narrows::assumed_node_times(*network, 50e9);
  narrows::calibration measured;
  measured.inputs = 200;
  const auto add = [&](const std::string& cut, std::int64_t channels, std::int64_t side, std::vector<std::pair<int, int>> agreeing) {
    narrows::calibration_row row{cut, {1, channels, side, side}};
    for (const auto& [width, of_100] : agreeing) {   // of the half that a plan is chosen by, and of the other
      narrows::calibration_cell cell{{width}, {{100, of_100}, {100, of_100}}};
      const auto sign = cut == "input" ? narrows::value_sign::either : narrows::value_sign::rectified;
      const double payload = narrows::payload_bytes(row.dims.elements(), narrows::codec::runs, width, narrows::assumed_zero_share(sign, width));
      cell.codecs.push_back({narrows::codec::runs, payload + 160, payload});
      row.cells.push_back(cell);
    }
    measured.rows.push_back(row);
  };
  add("input", 3, 128, {{4, 80}, {8, 99}});
  add("pool16", 16, 64, {{4, 90}, {8, 99}});
  add("pool32", 32, 32, {{4, 95}});
  add("pool64", 64, 16, {{4, 96}});
  add("pool96", 96, 8, {{4, 97}});
  add("pool128", 128, 4, {{4, 98}});
  narrows::enumerate_options how;
  how.pixels = true;
  const auto candidates = narrows::enumerate_candidates(*network, narrows::single_tensor_cuts(*network), {&device, &server, &measured}, how);
  if (!candidates) return std::fprintf(stderr, "%s\n", candidates.error().text().c_str()), 1;

  narrows::objective soonest(narrows::metric::latency);
  soonest.require(narrows::metric::agreement, 0.95);
  show(narrows::best_candidate(soonest), *network, *candidates);
  show(battery_saver(1.5), *network, *candidates);
}
