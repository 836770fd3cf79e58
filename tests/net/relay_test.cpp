// SPDX-License-Identifier: BSD-3-Clause
// Three tiers over TCP, all going well: device, relay and cloud.
#include "net/relays.hpp"

namespace narrows {
namespace {

using namespace test;

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
