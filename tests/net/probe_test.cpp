// SPDX-License-Identifier: BSD-3-Clause
// Messages that cross for the sake of their time.
#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

std::optional<result<clock::duration>> outcome_of(edge& client)
{
  for (int i = 0; i < 4000; ++i) {
    if (auto took = client.probed()) return took;
    std::this_thread::sleep_for(1ms);
  }
  return std::nullopt;
}

TEST(Probe, CrossesBetweenRequestsAndTakesItsTime)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  EXPECT_FALSE(client->probed());
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{64} << 10}) {
    ASSERT_TRUE(client->begin_probe(bytes, patience)) << bytes;
    const auto again = client->begin_probe(bytes, patience);
    ASSERT_FALSE(again) << "one at a time";
    EXPECT_EQ(again.error().code, errc::overloaded);
    const auto got = client->infer(input, plan_at(network, "both", codec::dense), patience);
    EXPECT_TRUE(got && got->from == source::remote);
    const auto took = outcome_of(*client);
    ASSERT_TRUE(took && *took) << bytes;
    EXPECT_GT(**took, clock::duration::zero());
    EXPECT_LT(**took, patience);
    EXPECT_FALSE(client->probed()) << "once only";
  }
}

TEST(Probe, OfNoSizeOrTooLargeIsRefused)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  for (const std::size_t bytes : {std::size_t{0}, (std::size_t{64} << 10) + 1}) {
    const auto begun = client->begin_probe(bytes, patience);
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().code, errc::bad_input);
  }
  EXPECT_FALSE(client->probed());
}

TEST(Probe, SaysThatTheCloudIsGone)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  server.kill();
  for (int i = 0; i < 4000 && client->peer(); ++i) std::this_thread::sleep_for(1ms);
  ASSERT_TRUE(client->begin_probe(100, patience));
  auto took = outcome_of(*client);
  ASSERT_TRUE(took && !*took);
  EXPECT_EQ(took->error().code, errc::unreachable);
}

}  // namespace
}  // namespace narrows
