// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a request when a tier or a link of three fails it: it ends once, in time.
#include "net/meddler.hpp"
#include "net/relays.hpp"

namespace narrows {
namespace {

using namespace test;

TEST(RelayFailure, WithoutItsCloudItAnswersItselfAndFindsItAgain)
{
  auto server = std::make_unique<running_cloud>(std::vector{network});
  const auto endpoint = server->endpoint();
  plan_board board;
  board.put(plan_at(network, "c"));
  running_relay middle(endpoint, board.reader());
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  const auto expected = run_whole(network, picture.view());
  int carried = 0;
  int taken_over = 0;
  for (int round = 0; round < 8; ++round) {
    std::vector<request_id> ids;
    for (int i = 0; i < 4; ++i) {
      ids.push_back(*client->submit({input, &how, patience, {}, nullptr}));
      if (round == 4 && i == 2) server->kill();
    }
    for (const auto id : ids) {
      const auto got = client->wait(id);
      ASSERT_TRUE(got) << got.error().text();
      EXPECT_TRUE(same_bits(got->outputs, expected));
      ASSERT_EQ(got->onward.size(), 1U);
      ++(got->onward[0].taken_over ? taken_over : carried);
      EXPECT_EQ(got->warning.find("without the cloud behind it") != std::string::npos, got->onward[0].taken_over) << got->warning;
    }
  }
  EXPECT_GE(carried, 16);
  EXPECT_GE(taken_over, 12);

  cloud_options same_place;
  same_place.endpoint = endpoint;
  server = std::make_unique<running_cloud>(std::vector{network}, step_engine(), same_place);
  const auto until = std::chrono::steady_clock::now() + patience;
  bool back = false;
  while (!back && std::chrono::steady_clock::now() < until) {
    const auto got = client->infer(input, how, patience);
    ASSERT_TRUE(got) << got.error().text();
    back = !got->onward[0].taken_over;
  }
  EXPECT_TRUE(back);
}

TEST(RelayFailure, KilledHalfWayItCostsNoAnswer)
{
  running_cloud server({network});
  plan_board board;
  board.put(plan_at(network, "c"));
  auto middle = std::make_unique<running_relay>(server.endpoint(), board.reader());
  auto options = to(middle->endpoint());
  options.reconnect_grace = 20ms;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  const auto expected = run_whole(network, picture.view());
  int remote = 0;
  int fallback = 0;
  for (int round = 0; round < 8; ++round) {
    std::vector<request_id> ids;
    for (int i = 0; i < 4; ++i) {
      ids.push_back(*client->submit({input, &how, patience, {}, nullptr}));
      if (round == 4 && i == 2) middle->kill();
    }
    for (const auto id : ids) {
      const auto got = client->wait(id);
      ASSERT_TRUE(got) << got.error().text();
      EXPECT_TRUE(same_bits(got->outputs, expected));
      ++(got->from == source::remote ? remote : fallback);
    }
  }
  EXPECT_GE(remote, 16);
  EXPECT_GE(fallback, 12);
}

TEST(RelayFailure, ALateCloudIsCoveredByWhoeverMayDoSo)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  plan_board board;
  board.put(plan_at(network, "c"));
  const auto how = plan_at(network, "both");
  const auto expected = run_whole(network, picture.view());
  running_relay covering(server.endpoint(), board.reader());
  running_relay strict(server.endpoint(), board.reader(), fallback_policy::never);
  {
    auto client = edge_to(covering.endpoint(), fallback_policy::never);
    ASSERT_TRUE(client) << client.error().text();
    const auto got = client->infer(input, how, 2000ms);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::remote);
    EXPECT_TRUE(got->onward.at(0).taken_over);
    EXPECT_TRUE(same_bits(got->outputs, expected));
    EXPECT_LE(got->latency.total, 2000ms);
  }
  {
    auto client = edge_to(strict.endpoint());
    ASSERT_TRUE(client) << client.error().text();
    const auto got = client->infer(input, how, 1000ms);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::fallback);
    EXPECT_TRUE(same_bits(got->outputs, expected));
  }
  auto client = edge_to(strict.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, how, 200ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::deadline) << got.error().text();
}

TEST(RelayFailure, ACancelledRequestIsDroppedByAllTiers)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  plan_board board;
  board.put(plan_at(network, "c"));
  running_relay middle(server.endpoint(), board.reader());
  auto client = edge_to(middle.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  std::stop_source stop;
  const auto id = client->submit({input, &how, patience, stop.get_token(), nullptr});
  while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
  stop.request_stop();
  EXPECT_EQ(client->wait(*id).error().code, errc::cancelled);
  while (controls->waiting != 0) std::this_thread::sleep_for(1ms);   // though it is still held: it was told
  controls->held = false;
  EXPECT_TRUE(client->infer(input, how, patience));
}

TEST(RelayFailure, DoubledAndLostMessagesOnBothLinksEndEachRequestOnce)
{
  running_cloud server({network}, step_engine(), {.workers = 2});
  const auto spoiling = [](int every) {   // doubles each message, and loses all copies of every so-manieth that has a payload
    return [every, n = 0](frames m) mutable { return m.size() > 1 && ++n % every == 0 ? messages{} : messages{m, m}; };
  };
  meddler far(server.endpoint(), spoiling(7), spoiling(5));
  plan_board board;
  relay_options patient;
  patient.upstream.attempt_timeout = 30ms;
  patient.upstream.max_attempts = 50;
  running_relay middle(far.endpoint(), board.reader(), fallback_policy::never, patient);
  meddler near(middle.endpoint(), spoiling(6), spoiling(9));
  auto options = to(near.endpoint());
  options.fallback = fallback_policy::never;
  options.attempt_timeout = 60ms;
  options.max_attempts = 50;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();

  const auto cuts = single_tensor_cuts(*network.network);
  const auto second = plan_at(network, "c", codec::dense);
  board.put(second);
  std::vector<request_id> ids;
  std::vector<plan> hows;
  for (std::uint32_t i = 0; i < 40; ++i) {
    hows.push_back(plan_at(cuts[i % 4], codec::dense, static_cast<int>(2 + i % 5), i));
    ASSERT_TRUE(lies_behind(hows.back().at, second.at));
    const auto x = random_tensor(picture.dims(), i);
    const std::vector<tensor_view> in{x.view()};
    const auto id = client->submit({in, &hows.back(), patience, {}, nullptr});
    ASSERT_TRUE(id) << id.error().text();
    ids.push_back(*id);
  }
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto got = client->wait(ids[i]);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->epoch, i);
    EXPECT_TRUE(same_bits(got->outputs, run_tiers(network, random_tensor(picture.dims(), i).view(), {hows[i], second}))) << i;
  }
}

TEST(RelayFailure, ACloudWithAnotherModelIsNeverCoveredUp)
{
  const auto other = small_model(std::string(64, 'b'), "other.onnx");
  auto server = std::make_unique<running_cloud>(std::vector{network});
  const auto endpoint = server->endpoint();
  plan_board board;
  board.put(plan_at(network, "c"));
  running_relay middle(endpoint, board.reader());
  auto client = edge_to(middle.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  server.reset();
  cloud_options same_place;
  same_place.endpoint = endpoint;
  server = std::make_unique<running_cloud>(std::vector{other}, step_engine(), same_place);
  const auto how = plan_at(network, "both");
  const auto until = std::chrono::steady_clock::now() + patience;
  error seen;
  while (seen.code != errc::model_mismatch && std::chrono::steady_clock::now() < until)
    if (const auto got = client->infer(input, how, patience); !got) seen = got.error();
  EXPECT_EQ(seen.code, errc::model_mismatch) << seen.text();

  relay_options late;
  late.upstream.endpoint = endpoint;
  late.onward = board.reader();
  const auto refused = relay::bind({network}, step_engine(), late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::model_mismatch);
}

TEST(RelayFailure, APlanOfAnotherNetworkIsAnErrorWithACode)
{
  running_cloud server({network});
  plan_board board;   // the empty plan is for no network
  running_relay middle(server.endpoint(), board.reader());
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::bad_cut) << got.error().text();
  EXPECT_EQ(relay::bind({network}, step_engine(), {}).error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
