// SPDX-License-Identifier: BSD-3-Clause
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace narrows {
namespace {

using nlohmann::json;
using test::narrows;
using testing::HasSubstr;

const std::string network = test::bundled("shapes.onnx");

TEST(Planning, ProfilesPlansAndSimulates)
{
  const test::scratch folder;
  const auto profile = folder / "device.json";
  const auto p = narrows({"profile", network, "--repeats", "3", "--write", profile, "-o", "table"});
  ASSERT_EQ(p.code, 0) << p.err;
  const auto written = json::parse(test::text_of(profile));
  EXPECT_EQ(written.at("kind"), "profile");
  const auto slow = narrows({"plan", network, "--device", profile, "--cloud", profile, "--bandwidth", "1kbit", "--rtt", "20ms", "-o", "json", "--explain"});
  ASSERT_EQ(slow.code, 0) << slow.err;
  const auto plan = json::parse(slow.out);
  EXPECT_EQ(plan.at("plan").at("cut"), json({"none"})) << "over 1 kbit/s nothing should cross";
  EXPECT_TRUE(plan.at("feasible").get<bool>());
  const auto whole = plan.at("chosen").at("memory_bytes").get<double>();
  const auto small = narrows({"plan", network, "--device", profile, "--cloud", profile, "--bandwidth", "1kbit", "--require", "memory=" + std::to_string(whole - 1), "-o", "json"});
  ASSERT_EQ(small.code, 0) << small.err;
  const auto fitting = json::parse(small.out);
  EXPECT_TRUE(fitting.at("feasible").get<bool>());
  EXPECT_LT(fitting.at("chosen").at("memory_bytes").get<double>(), whole) << "the whole network no longer fits";
  const auto few = narrows({"plan", network, "--device", profile, "--server-speedup", "1000", "--bandwidth", "100Gbit", "--rtt", "0", "--objective", "device", "-o", "json"});
  ASSERT_EQ(few.code, 0) << few.err;
  EXPECT_EQ(json::parse(few.out).at("plan").at("cut"), json({"input"})) << "least device time: everything in the cloud";
  const auto table = narrows({"plan", network, "--device", profile, "--bandwidth", "5Mbit", "--rtt", "20ms", "--explain"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("chosen"));

  const std::vector<std::string> simulate{"simulate", network, "--device", profile, "--server-speedup", "20", "--bandwidth", "20Mbit", "-o"};
  for (const std::string kind : {"constant", "step", "ramp", "lte"}) {
    auto command = simulate;
    command.insert(command.end(), {"json", "--trace", kind, "--for", "20s", "--requests", "300", "--slow-down", "2"});
    const auto once = narrows(command), again = narrows(command);
    ASSERT_EQ(once.code, 0) << once.err;
    EXPECT_EQ(once.out, again.out) << "the same seed, the same world";
    const auto rows = json::parse(once.out).at("policies");
    ASSERT_EQ(rows.size(), 15U);
    std::map<std::string, double> regret;
    for (const auto& row : rows) {
      EXPECT_GT(row.at("requests").get<int>(), 0);
      EXPECT_LE(row.at("regret").at("mean").get<double>(), row.at("regret").at("worst").get<double>());
      regret[row.at("policy")] = row.at("regret").at("mean").get<double>();
    }
    EXPECT_LE(regret.at("joint"), regret.at("cloud-only"));
    EXPECT_LE(regret.at("joint"), regret.at("neurosurgeon"));
  }
  for (const std::string form : {"table", "csv"}) {
    auto command = simulate;
    command.insert(command.end(), {form, "--for", "5s"});
    const auto r = narrows(command);
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_THAT(r.out, HasSubstr("device-only"));
  }
  auto sweep = simulate;
  sweep.insert(sweep.end(), {"json", "--trace", "sweep", "--to", "200kbit", "--steps", "4", "--requests", "30", "--for", "3600s", "--device-slower", "10", "--pixels", "--policy", "joint,device-only,dads"});
  const auto swept = narrows(sweep);
  ASSERT_EQ(swept.code, 0) << swept.err;
  const auto points = json::parse(swept.out).at("points");
  ASSERT_EQ(points.size(), 4U);
  EXPECT_NEAR(points.at(3).at("bandwidth_bits_per_s").get<double>(), 200e3, 1);
  for (const auto& at : points) {
    ASSERT_EQ(at.at("policies").size(), 3U);
    for (const auto& row : at.at("policies"))
      EXPECT_LE(at.at("policies").at(0).at("mean_latency_ms").get<double>(), 1.02 * row.at("mean_latency_ms").get<double>());
  }
  test::expect_one_error(narrows({"simulate", network, "--device", profile, "--for", "0s"}), 3, "--for");

  auto other = written;
  other["model"]["hash"] = std::string(64, '0');
  test::write_text(profile, other.dump());
  test::expect_one_error(narrows({"plan", network, "--device", profile}), 3, "hash");
  test::write_text(profile, "{");
  test::expect_one_error(narrows({"plan", network, "--device", profile}), 3, "not JSON");
}

TEST(Planning, PlansOverThreeTiersNoWorseThanOverFewer)
{
  const std::vector<std::string> command{"plan", "zoo:squeezenet1_1", "--device", "", "--device-slower", "20", "--edge-speedup", "10", "--server-speedup", "100", "--bandwidth", "50Mbit",
    "--rtt", "2ms", "--backbone", "10Mbit", "--backbone-rtt", "30ms", "--pixels", "--bits", "4,8", "--codec", "raw,runs", "-o"};
  const test::scratch folder;
  const auto profile = folder / "squeezenet.json";
  ASSERT_EQ(narrows({"profile", "zoo:squeezenet1_1", "--repeats", "1", "--write", profile, "-o", "table"}).code, 0);
  for (const std::string goal : {"latency", "throughput"}) {
    auto asked = command;
    asked[3] = profile;
    asked.insert(asked.end(), {"json", "--objective", goal});
    const auto r = narrows(asked);
    ASSERT_EQ(r.code, 0) << r.err;
    const auto plans = json::parse(r.out).at("plans");
    ASSERT_EQ(plans.size(), 7U);
    EXPECT_EQ(plans.at(0).at("plan"), "three tiers");
    for (const auto& p : plans) {
      if (goal == "latency") EXPECT_LE(plans.at(0).at("latency_ms").get<double>(), p.at("latency_ms").get<double>()) << p;
      else EXPECT_GE(plans.at(0).at("throughput_per_s").get<double>() * 1.001, p.at("throughput_per_s").get<double>()) << p;
    }
    EXPECT_EQ(plans.at(4).at("bytes"), json({0, 0})) << "the device alone sends nothing";
    EXPECT_GT(plans.at(6).at("bytes").at(1).get<double>(), 0) << "the cloud alone needs the picture";
  }
  auto table = command;
  table[3] = profile;
  table.push_back("table");
  EXPECT_THAT(narrows(table).out, HasSubstr("HPA"));
  table.insert(table.end(), {"--limit", "latency=5ms"});
  test::expect_one_error(narrows(table), 3, "--limit");
}

}  // namespace
}  // namespace narrows
