// SPDX-License-Identifier: BSD-3-Clause
// Three tiers: device, relay and cloud, over TCP.
#include <narrows/net/relay.hpp>

#include "net/meddler.hpp"

namespace narrows {
namespace {

using namespace test;

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
std::vector<tensor> run_tiers(const model& m, tensor_view x, const std::vector<plan>& hops)
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

TEST(Relay, EveryTwoCutsGiveTheBitsOfThreePartsInOneProcess)
{
  running_cloud server({network});
  plan_board board;
  running_relay middle(server.endpoint(), board.reader(), fallback_policy::never);
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  constexpr codec menu[]{codec::dense, codec::runs, codec::raw};
  const auto cuts = *enumerate_cuts(*network.network, 3, 100);
  std::uint64_t number = 0;
  std::size_t behind = 0;
  for (const auto& first : cuts)
    for (const auto& second : cuts) {
      if (first.tensors.empty()) continue;
      ++number;
      const auto one = plan_at(first, menu[number % 3], static_cast<int>(2 + number % 4), number);
      const auto two = plan_at(second, menu[number / 3 % 3], static_cast<int>(1 + number % 5));
      SCOPED_TRACE(name_of(*network.network, first) + " then " + name_of(*network.network, second));
      board.put(two);
      const auto got = client->infer(input, one, patience);
      ASSERT_TRUE(got) << got.error().text();
      EXPECT_EQ(got->from, source::remote);
      EXPECT_EQ(got->epoch, number);
      EXPECT_EQ(got->onward.size(), second.tensors.empty() ? 0U : 1U);
      // A second cut before the first is moved behind both; what the relay's plan does not name goes on as it came.
      auto as_run = plan_at(joined_cut(*network.network, first, second), codec::raw);
      for (std::size_t i = 0; i < as_run.at.tensors.size(); ++i) {
        EXPECT_TRUE(std::ranges::count(first.tensors, as_run.at.tensors[i]) + std::ranges::count(second.tensors, as_run.at.tensors[i]) > 0);
        if (const auto it = std::ranges::find(second.tensors, as_run.at.tensors[i]); it != second.tensors.end())
          as_run.codings[i] = two.codings[static_cast<std::size_t>(it - second.tensors.begin())];
      }
      EXPECT_TRUE(same_bits(got->outputs, run_tiers(network, picture.view(), {one, as_run})));
      if (lies_behind(first, second)) ++behind;
    }
  EXPECT_GE(behind, 30U);
}

TEST(Relay, WhatItsPlanDoesNotNameGoesOnAsItCame)
{
  running_cloud server({network});
  plan_board board;
  board.put(plan_at(network, "input", codec::raw));   // before any cut that the device makes
  running_relay middle(server.endpoint(), board.reader(), fallback_policy::never);
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto one = plan_at(*find_cut(*network.network, std::vector<std::string>{"both"}), codec::dense, 2);
  const auto got = client->infer(input, one, patience);
  ASSERT_TRUE(got) << got.error().text();
  ASSERT_EQ(got->onward.size(), 1U);
  EXPECT_EQ(got->onward[0].bytes_sent, got->bytes_sent) << "the same payload, and an envelope of the same size";
  EXPECT_TRUE(same_bits(got->outputs, run_halves(network, picture.view(), one)));
}

TEST(Relay, ThePartsOfTheTimeAreThoseOfBothHops)
{
  running_cloud server({network});
  plan_board board;
  board.put(plan_at(network, "c"));
  running_relay middle(server.endpoint(), board.reader());
  auto client = edge_to(middle.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  ASSERT_EQ(got->onward.size(), 1U);
  const auto& t = got->latency;
  const auto& h = got->onward[0];
  EXPECT_FALSE(h.taken_over);
  EXPECT_EQ(got->warning, "");
  EXPECT_GT(h.bytes_sent, 4 * 5 * 5 * sizeof(float));
  EXPECT_GT(t.server.count(), 0) << "the relay's own part";
  EXPECT_GT(h.server.count(), 0) << "the cloud's";
  EXPECT_LE((t.device + t.encode + t.link + t.decode + t.server + h.encode + h.link + h.decode + h.server).count(), t.total.count());
}

TEST(Relay, TheRelayWorksOnTheNextRequestWhileTheCloudHasThisOne)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  const auto in_the_middle = std::make_shared<engine_controls>();
  plan_board board;
  board.put(plan_at(network, "c"));
  running_relay middle(server.endpoint(), board.reader(), fallback_policy::never, {}, held_engine(in_the_middle));
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  std::vector<request_id> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(*client->submit({input, &how, patience, {}, nullptr}));
  while (in_the_middle->runs < 3) std::this_thread::sleep_for(1ms);   // though no tail has ended
  controls->held = false;
  for (const auto id : ids) EXPECT_TRUE(client->wait(id));
}

TEST(Relay, WithoutItsCloudItAnswersItselfAndFindsItAgain)
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

TEST(Relay, KilledHalfWayItCostsNoAnswer)
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

TEST(Relay, ALateCloudIsCoveredByWhoeverMayDoSo)
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

TEST(Relay, ACancelledRequestIsDroppedByAllTiers)
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

TEST(Relay, DoubledAndLostMessagesOnBothLinksEndEachRequestOnce)
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

TEST(Relay, ACloudWithAnotherModelIsNeverCoveredUp)
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

TEST(Relay, APlanOfAnotherNetworkIsAnErrorWithACode)
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

TEST(Relay, TwoInARowAreFourTiers)
{
  running_cloud server({network});
  plan_board far_board;
  far_board.put(plan_at(network, "mean", codec::dense));
  running_relay far(server.endpoint(), far_board.reader());
  plan_board near_board;
  near_board.put(plan_at(network, "both", codec::dense));
  running_relay near(far.endpoint(), near_board.reader());
  auto client = edge_to(near.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto one = plan_at(network, "a", codec::dense);
  const auto got = client->infer(input, one, patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->onward.size(), 2U);
  EXPECT_TRUE(same_bits(got->outputs, run_tiers(network, picture.view(), {one, plan_at(network, "both", codec::dense), plan_at(network, "mean", codec::dense)})));
}

TEST(Relay, PicturesGoOnAsTheyCameOrAreDecodedHere)
{
  const auto decoder = [](const model&, const descriptor&, std::span<const std::uint8_t> payload, const shape& expected) -> result<tensor> {
    if (payload.size() != expected.elements()) return error(errc::bad_image, "odd pixels");
    tensor t(expected);
    for (std::size_t i = 0; i < payload.size(); ++i) t.values()[i] = static_cast<float>(payload[i]) / 255.0F;
    return t;
  };
  cloud_options with_decoder;
  with_decoder.decode_input = decoder;
  running_cloud server({network}, step_engine(), with_decoder);
  plan_board board;
  relay_options options;
  options.front.decode_input = decoder;
  running_relay middle(server.endpoint(), board.reader(), fallback_policy::never, options);
  auto client = edge_to(middle.endpoint(), fallback_policy::never);
  ASSERT_TRUE(client) << client.error().text();
  std::vector<std::uint8_t> pixels(picture.size());
  tensor floats(picture.dims());
  for (std::size_t i = 0; i < pixels.size(); ++i) floats.values()[i] = static_cast<float>(pixels[i] = static_cast<std::uint8_t>(i * 7)) / 255.0F;
  const std::vector<tensor_view> same_input{floats.view()};
  const auto how = plan_at(network, "input", codec::pixels);
  const encoded_input given{codec::pixels, pixels, value_order::nhwc};
  for (const auto& second : {plan_at(network, "input", codec::pixels), plan_at(network, "both", codec::raw)}) {
    board.put(second);
    const auto got = client->infer({same_input, &how, patience, {}, &given});
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, floats.view())));
    EXPECT_EQ(got->onward.at(0).bytes_sent == got->bytes_sent, second.codings[0].coded_as == codec::pixels);
  }
}

}  // namespace
}  // namespace narrows
