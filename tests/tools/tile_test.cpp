// SPDX-License-Identifier: BSD-3-Clause
// `narrows tile` as its users run it: plans, threads, and worker processes, one of which is killed in the middle.
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
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

const std::string network = "zoo:squeezenet1_1";

TEST(TileProgram, ShowsWhatTilesCost)
{
  const auto f = narrows({"tile", "zoo:vgg16", "--to", "pool3", "--grid", "3x3", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto plan = json::parse(f.out);
  EXPECT_EQ(plan.at("tiles").size(), 9U);
  EXPECT_NEAR(plan.at("work_factor").get<double>(), 1.35, 0.005);
  EXPECT_NEAR(plan.at("ideal_speed_up").get<double>(), 6.17, 0.005);
  EXPECT_TRUE(plan.at("runs").empty());
  for (const std::string form : {"table", "csv"}) {
    const auto t = narrows({"tile", network, "--grid", "2x2", "-o", form});
    EXPECT_EQ(t.code, 0) << t.err;
    const auto c = narrows({"tile", network, "--bandwidth", "10Gbit", "-o", form});
    EXPECT_EQ(c.code, 0) << c.err;
  }
  const auto unequal = narrows({"tile", network, "--grid", "1x2", "--speeds", "1,0.25", "-o", "json"});
  ASSERT_EQ(unequal.code, 0) << unequal.err;
  const auto tiles = json::parse(unequal.out).at("tiles");
  EXPECT_GT(tiles.at(0).at("macs").get<double>(), tiles.at(1).at("macs").get<double>());
}

TEST(TileProgram, SaysWhatIsWrong)
{
  test::expect_one_error(narrows({"tile", network, "--grid", "0x1"}), 2, "--grid");
  test::expect_one_error(narrows({"tile", network, "--local", "2"}), 2, "--grid");
  test::expect_one_error(narrows({"tile", network, "--grid", "2x2", "--to", "nosuch"}), 2, "nosuch");
  test::expect_one_error(narrows({"tile", network, "--grid", "1x1", "--to", "prob"}), 2, "ends a stack of tiles");
  test::expect_one_error(narrows({"tile", "zoo:nosuch", "--grid", "2x2"}), 3, "nosuch");
  test::expect_one_error(narrows({"tile", network, "--grid", "2x2", "--workers", "tcp://192.0.2.1:5599"}), 6, "keys");
  test::expect_one_error(narrows({"tile", network, "--grid", "2x2", "--workers", "tcp://127.0.0.1:1", "--fallback", "never"}), 4, "worker");
}

TEST(TileProgram, ThreadsMakeTheUntiledBits)
{
  const auto f = narrows({"tile", network, "--grid", "3x2", "--local", "3", "--runs", "2", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const auto runs = json::parse(f.out).at("runs");
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_TRUE(runs.at(1).at("same_bits").get<bool>());
}

TEST(TileProgram, AWorkerKilledInTheMiddleCostsNothingButTime)
{
  test::cloud_process steady({network});
  test::cloud_process doomed({network, "--verbose"});
  ASSERT_NE(steady.endpoint(), "") << steady.program().err();
  ASSERT_NE(doomed.endpoint(), "") << doomed.program().err();
  // A stopped worker keeps what it was given, so the kill meets tiles under way.
  test::process tiles({"tile", network, "--grid", "3x3", "--workers", doomed.endpoint() + "," + steady.endpoint(), "--fallback", "never", "--tile-timeout", "60s", "--runs", "60", "-o", "json"});
  ASSERT_TRUE(doomed.program().says("edge greets")) << tiles.err();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  doomed.program().signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  doomed.program().signal(SIGKILL);
  ASSERT_EQ(tiles.wait(std::chrono::minutes(5)), 0) << tiles.err();
  const auto run = json::parse(tiles.out()).at("runs").at(1);
  EXPECT_TRUE(run.at("same_bits").get<bool>());
  EXPECT_GT(run.at("again").get<int>(), 0) << "the worker died before or after the runs";
  EXPECT_EQ(run.at("here").get<int>(), 0);
}

}  // namespace
}  // namespace narrows
