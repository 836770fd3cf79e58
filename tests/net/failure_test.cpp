// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a request when the cloud, the link or the device fails it: it ends once, in time.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// An endpoint where nobody listens: a port that was free a moment ago.
std::string nobody()
{
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(s, reinterpret_cast<sockaddr*>(&at), size), 0);
  EXPECT_EQ(::getsockname(s, reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::close(s);
  return "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
}

TEST(Failure, AnUnreachableCloudMeansLocalAnswersWithAWarning)
{
  auto options = to(nobody());
  options.connect_timeout = 50ms;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  EXPECT_FALSE(client->peer());
  for (const auto& at : single_tensor_cuts(*network.network)) {
    const auto got = client->infer(input, plan_at(at, codec::dense, 4), patience);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
    EXPECT_EQ(got->bytes_sent, 0U);
    if (at.tensors.empty()) {
      EXPECT_EQ(got->from, source::local);
      EXPECT_EQ(got->warning, "");
    } else {
      EXPECT_EQ(got->from, source::fallback);
      EXPECT_NE(got->warning.find("peer cannot be reached"), std::string::npos) << got->warning;
    }
  }
}

TEST(Failure, AnUnreachableCloudIsAnErrorWithoutFallback)
{
  auto options = to(nobody());
  options.connect_timeout = 50ms;
  options.fallback = fallback_policy::never;
  const auto client = edge::connect(network, step_engine(), options);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::unreachable);
  EXPECT_NE(client.error().text().find(options.endpoint), std::string::npos);
}

TEST(Failure, KillingTheCloudHalfWayStillGivesEveryAnswerAndANewCloudIsFound)
{
  auto server = std::make_unique<running_cloud>(std::vector{network});
  const auto endpoint = server->endpoint();
  auto options = to(endpoint);
  options.reconnect_grace = 20ms;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  const auto expected = run_whole(network, picture.view());
  int remote = 0;
  int fallback = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<request_id> ids;
    for (int i = 0; i < 4; ++i) {
      const auto id = client->submit({input, &how, patience, {}, nullptr});
      ASSERT_TRUE(id);
      ids.push_back(*id);
      if (round == 5 && i == 2) server->kill();
    }
    for (const auto id : ids) {
      const auto got = client->wait(id);
      ASSERT_TRUE(got) << got.error().text();
      EXPECT_TRUE(same_bits(got->outputs, expected));
      ++(got->from == source::remote ? remote : fallback);
    }
  }
  EXPECT_GE(remote, 20);
  EXPECT_GE(fallback, 16);

  cloud_options same_place;
  same_place.endpoint = endpoint;
  server = std::make_unique<running_cloud>(std::vector{network}, step_engine(), same_place);
  const auto until = std::chrono::steady_clock::now() + patience;
  bool back = false;
  while (!back && std::chrono::steady_clock::now() < until) {
    const auto got = client->infer(input, how, patience);
    ASSERT_TRUE(got) << got.error().text();
    back = got->from == source::remote;
  }
  EXPECT_TRUE(back);
}

TEST(Failure, ACloudThatComesBackAsAnotherModelIsNeverCoveredUp)
{
  auto server = std::make_unique<running_cloud>(std::vector{network});
  auto client = edge_to(server->endpoint());
  ASSERT_TRUE(client) << client.error().text();
  cloud_options same_place;
  same_place.endpoint = server->endpoint();
  server.reset();
  server = std::make_unique<running_cloud>(std::vector{small_model(std::string(64, 'b'), "other.onnx")}, step_engine(), same_place);
  const auto how = plan_at(network, "both");
  const auto until = std::chrono::steady_clock::now() + patience;
  error seen;
  while (seen.code != errc::model_mismatch && std::chrono::steady_clock::now() < until)
    if (const auto got = client->infer(input, how, patience); !got) seen = got.error();
  EXPECT_EQ(seen.code, errc::model_mismatch);
  EXPECT_NE(seen.text().find("small.onnx"), std::string::npos) << seen.text();
  EXPECT_NE(seen.text().find("other.onnx"), std::string::npos) << seen.text();
}

TEST(Failure, ACloudWithAnotherModelIsRefusedByName)
{
  running_cloud server({small_model(std::string(64, 'b'), "other.onnx")});
  for (const auto fallback : {fallback_policy::local, fallback_policy::never}) {
    const auto client = edge_to(server.endpoint(), fallback);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, errc::model_mismatch);
    EXPECT_NE(client.error().text().find("small.onnx (aaaaaaaaaaaa)"), std::string::npos) << client.error().text();
    EXPECT_NE(client.error().text().find("other.onnx (bbbbbbbbbbbb)"), std::string::npos) << client.error().text();
  }
}

TEST(Failure, ASlowCloudMeansALocalAnswerWithinTheDeadline)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  for (int i = 0; i < 3; ++i) {
    const auto got = client->infer(input, plan_at(network, "both"), 3000ms);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::fallback);
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
    EXPECT_NE(got->warning.find("no answer within"), std::string::npos) << got->warning;
    EXPECT_LE(got->latency.total, 3000ms);   // a late answer would have been an error
  }
  controls->held = false;
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
}

TEST(Failure, WithoutFallbackASlowCloudMeansADeadlineError)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  auto client = edge_to(server.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), 100ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::deadline);
  EXPECT_NE(got.error().text().find(server.endpoint()), std::string::npos);
}

/// Hours pass on the clock, none in the test.
TEST(Failure, OnAClockOfItsOwnAnEdgeSendsAgainAndThenTakesOver)
{
  const auto time = std::make_shared<manual_clock>();
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  auto options = to(server.endpoint());
  options.time = time;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  const auto id = client->submit({input, &how, std::chrono::hours(4), {}, nullptr});
  ASSERT_TRUE(id);
  while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
  time->advance(std::chrono::minutes(61));   // half of the cloud's half: sent again
  time->advance(std::chrono::minutes(58));   // still the cloud's time
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(controls->runs, 1);              // the cloud knows the request and does not do it twice
  time->advance(std::chrono::minutes(2));    // half of the deadline is over
  const auto got = client->wait(*id);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::fallback);
  EXPECT_GE(got->latency.total, std::chrono::minutes(121));
  EXPECT_LE(got->latency.total, std::chrono::hours(4));
}

TEST(Failure, ADeviceThatIsTooSlowEndsTheRequestAtItsDeadline)
{
  const auto time = std::make_shared<manual_clock>();
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network});
  auto options = to(server.endpoint());
  options.time = time;
  auto client = edge::connect(network, held_engine(controls), options);
  ASSERT_TRUE(client) << client.error().text();
  std::thread later([&] {
    while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
    time->advance(std::chrono::hours(5));
  });
  const auto got = client->infer(input, plan_at(network, "both"), std::chrono::hours(4));
  later.join();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::deadline);
}

TEST(Failure, ACancelledRequestEndsAndTheCloudDropsIt)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  std::stop_source stop;
  const auto running = client->submit({input, &how, patience, stop.get_token(), nullptr});
  const auto waiting = client->submit({input, &how, patience, stop.get_token(), nullptr});
  while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
  stop.request_stop();
  for (const auto& id : {running, waiting}) {
    const auto got = client->wait(*id);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, errc::cancelled);
  }
  while (controls->waiting != 0) std::this_thread::sleep_for(1ms);   // though it is still held: it was told
  EXPECT_EQ(controls->runs, 1);
  const auto at_once = client->infer(input, how, patience, stop.get_token());
  ASSERT_FALSE(at_once);
  EXPECT_EQ(at_once.error().code, errc::cancelled);
  controls->held = false;
  EXPECT_TRUE(client->infer(input, how, patience));
}

TEST(Failure, AFullQueueRefusesAndTheEdgeAnswersItself)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  cloud_options narrow;
  narrow.max_queued = 1;
  running_cloud server({network}, held_engine(controls), narrow);
  auto options = to(server.endpoint());
  options.max_attempts = 2;
  auto client = edge::connect(network, step_engine(), options);
  options.fallback = fallback_policy::never;
  auto strict = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client && strict);
  const auto how = plan_at(network, "both");
  // All from one edge, whose requests the cloud sees in the order sent: one runs, one fills the queue, one finds it full.
  const auto first = strict->submit({input, &how, patience, {}, nullptr});
  while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
  const auto second = strict->submit({input, &how, patience, {}, nullptr});
  const auto refused = strict->infer(input, how, patience);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::overloaded) << refused.error().text();
  const auto third = client->infer(input, how, patience);
  ASSERT_TRUE(third) << third.error().text();
  EXPECT_EQ(third->from, source::fallback);
  EXPECT_EQ(third->attempts, 2);
  EXPECT_NE(third->warning.find("overloaded"), std::string::npos) << third->warning;
  controls->held = false;
  EXPECT_TRUE(strict->wait(*first));
  EXPECT_TRUE(strict->wait(*second));
}

TEST(Failure, MistakesOfTheCallerAreNamedBeforeAnythingIsSent)
{
  running_cloud server({network});
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto code = [&](std::span<const tensor_view> in, const plan& how, std::chrono::milliseconds deadline) {
    const auto got = client->infer(in, how, deadline);
    return got ? errc::ok : got.error().code;
  };
  const auto how = plan_at(network, "both");
  EXPECT_EQ(code(input, how, 0ms), errc::bad_input);
  EXPECT_EQ(code({}, how, patience), errc::bad_input);
  const tensor small(shape{1, 3, 4, 4});
  const std::vector<tensor_view> wrong{small.view()};
  EXPECT_EQ(code(wrong, how, patience), errc::bad_input);
  EXPECT_EQ(code(input, {}, patience), errc::bad_cut);
  auto uncoded = how;
  uncoded.codings.clear();
  EXPECT_EQ(code(input, uncoded, patience), errc::bad_cut);
  auto wide = how;
  wide.codings[0] = {codec::dense, 17, range_rule::min_max, {}, {}};
  EXPECT_EQ(code(input, wide, patience), errc::bad_width);
  EXPECT_EQ(code(input, how, patience), errc::ok);
}

TEST(Failure, AnEdgeMayBeDestroyedWithRequestsUnfinished)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  std::stop_source stop;
  {
    auto client = edge_to(server.endpoint());
    ASSERT_TRUE(client) << client.error().text();
    const auto how = plan_at(network, "both");
    ASSERT_TRUE(client->submit({input, &how, patience, stop.get_token(), nullptr}));
  }
  stop.request_stop();
  EXPECT_TRUE(edge_to(server.endpoint()));
}

TEST(Failure, OffLoopbackNothingIsBoundOrConnectedWithoutKeys)
{
  cloud_options open;
  open.endpoint = "tcp://0.0.0.0:*";
  EXPECT_EQ(cloud::bind({network}, step_engine(), open).error().code, errc::authentication);
  EXPECT_EQ(edge::connect(network, step_engine(), to("tcp://192.0.2.1:5599")).error().code, errc::authentication);
  open.allow_plain = true;
  EXPECT_TRUE(cloud::bind({network}, step_engine(), open));
}

TEST(Failure, AnEndpointThatIsNoneIsNamed)
{
  cloud_options odd;
  odd.allow_plain = true;
  odd.endpoint = "nonsense";
  const auto bound = cloud::bind({network}, step_engine(), odd);
  ASSERT_FALSE(bound);
  EXPECT_NE(bound.error().text().find("nonsense"), std::string::npos);
  auto options = to("nonsense");
  options.allow_plain = true;
  const auto client = edge::connect(network, step_engine(), options);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::bad_input);
}

}  // namespace
}  // namespace narrows
