// SPDX-License-Identifier: BSD-3-Clause
// Edge and cloud over TCP, all going well.
#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

TEST(Remote, EveryCutWithRawEqualsTheUncutNetworkBitForBit)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  const auto expected = run_whole(network, picture.view());
  const auto cuts = enumerate_cuts(*network.network, 3, 100);
  ASSERT_TRUE(cuts);
  ASSERT_GE(cuts->size(), 8U);
  for (const auto& at : *cuts) {
    SCOPED_TRACE(name_of(*network.network, at));
    const auto got = client->infer(input, plan_at(at, codec::raw), patience);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, at.tensors.empty() ? source::local : source::remote);
    EXPECT_TRUE(same_bits(got->outputs, expected));
    EXPECT_EQ(got->bytes_sent == 0, at.tensors.empty());
    EXPECT_EQ(got->warning, "");
  }
}

TEST(Remote, EveryCutWidthAndCodecEqualsTheTwoHalvesInOneProcess)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  std::uint64_t epoch = 0;
  for (const auto& at : single_tensor_cuts(*network.network))
    for (const auto how : {codec::dense, codec::sparse})
      for (const int width : {1, 3, 8, 11}) {
        const auto with = plan_at(at, how, width, ++epoch);
        SCOPED_TRACE(name_of(*network.network, at) + " " + std::string(to_string(how)) + " " + std::to_string(width));
        const auto got = client->infer(input, with, patience);
        ASSERT_TRUE(got) << got.error().text();
        EXPECT_TRUE(same_bits(got->outputs, run_halves(network, picture.view(), with)));
        EXPECT_EQ(got->epoch, epoch);
      }
}

TEST(Remote, PerChannelCalibratedScalesAndLevelsTravel)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  auto with = plan_at(network, "both", codec::dense);
  with.codings[0].rule = range_rule::calibrated;
  with.codings[0].width = 5;
  with.codings[0].group.axis = 1;
  with.codings[0].scales = std::make_shared<const std::vector<affine>>(std::vector<affine>{{0.25F, 4}, {0.125F, 16}, {0.5F, 3}, {1.0F, 9}});
  const auto got = client->infer(input, with, patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
  EXPECT_TRUE(same_bits(got->outputs, run_halves(network, picture.view(), with)));

  std::vector<float> levels;   // 1/3 of what the scales say: other answers, unless the cloud does not look them up
  for (const auto& a : *with.codings[0].scales)
    for (std::uint32_t code = 0; code < 32; ++code) levels.push_back(value_of(code, a) / 3);
  with.codings[0].levels = std::make_shared<const std::vector<float>>(std::move(levels));
  for (const auto how : {codec::dense, codec::sparse, codec::runs, codec::rans}) {
    SCOPED_TRACE(std::string(to_string(how)));
    with.codings[0].coded_as = how;
    const auto looked_up = client->infer(input, with, patience);
    ASSERT_TRUE(looked_up) << looked_up.error().text();
    EXPECT_EQ(looked_up->from, source::remote);
    EXPECT_TRUE(same_bits(looked_up->outputs, run_halves(network, picture.view(), with)));
    EXPECT_FALSE(same_bits(looked_up->outputs, got->outputs));
  }
}

TEST(Remote, NotANumberTravelsAsFloatsAndTheAnswerSaysSo)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  auto odd = picture;
  odd.values()[5] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<tensor_view> odd_input{odd.view()};
  const auto got = client->infer(odd_input, plan_at(network, "input", codec::dense), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
  EXPECT_NE(got->warning.find("float32"), std::string::npos) << got->warning;
}

TEST(Remote, BytesAndLatencyPartsAddUp)
{
  running_cloud server({network});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  const std::uint64_t payload = 4 * 5 * 5 * sizeof(float);
  EXPECT_GT(got->bytes_sent, payload);
  EXPECT_LT(got->bytes_sent, payload + 300);
  EXPECT_EQ(got->attempts, 1);
  const auto& t = got->latency;
  for (const auto part : {t.device, t.encode, t.link, t.decode, t.server}) EXPECT_GE(part.count(), 0);
  EXPECT_GT(t.device.count(), 0);
  EXPECT_LE((t.device + t.encode + t.link + t.decode + t.server).count(), t.total.count());
}

TEST(Remote, EncodedInputGoesToTheClouldsDecoder)
{
  cloud_options options;
  options.decode_input = [](const model& m, const descriptor& d, std::span<const std::uint8_t> payload, const shape& expected) -> result<tensor> {
    if (m.name != "small.onnx" || d.coded_as != codec::pixels || payload.size() != expected.elements()) return error(errc::bad_image, "odd pixels");
    tensor t(expected);
    for (std::size_t i = 0; i < payload.size(); ++i) t.values()[i] = static_cast<float>(payload[i]) / 255.0F;
    return t;
  };
  running_cloud server({network}, step_engine(), options);
  auto with_never = to(server.endpoint());
  with_never.fallback = fallback_policy::never;
  auto client = edge::connect(network, step_engine(), with_never);
  ASSERT_TRUE(client) << client.error().text();
  std::vector<std::uint8_t> pixels(picture.size());
  tensor floats(picture.dims());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * 7);
    floats.values()[i] = static_cast<float>(pixels[i]) / 255.0F;
  }
  const std::vector<tensor_view> same_input{floats.view()};
  const auto how = plan_at(network, "input", codec::pixels);
  encoded_input given{codec::pixels, pixels, value_order::nhwc};
  const auto got = client->infer({same_input, &how, patience, {}, &given});
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_TRUE(same_bits(got->outputs, run_whole(network, floats.view())));
  EXPECT_LT(got->bytes_sent, pixels.size() + 300);

  given.bytes = std::span(pixels).first(5);
  const auto odd = client->infer({same_input, &how, patience, {}, &given});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, errc::bad_image);
  EXPECT_NE(odd.error().text().find("odd pixels"), std::string::npos);
  const auto none = client->infer(same_input, how, patience);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::unsupported_codec);
}

TEST(Remote, SeveralInFlightEachGetTheirOwnAnswer)
{
  running_cloud server({network}, step_engine(), {.workers = 2});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  const auto cuts = single_tensor_cuts(*network.network);
  std::vector<request_id> ids;
  for (std::uint32_t i = 0; i < 24; ++i) {
    const auto x = random_tensor(picture.dims(), i);
    const std::vector<tensor_view> in{x.view()};
    const auto how = plan_at(cuts[i % cuts.size()], codec::raw);
    const auto id = client->submit({in, &how, patience, {}, nullptr});
    ASSERT_TRUE(id) << id.error().text();
    ids.push_back(*id);
  }
  for (std::uint32_t i = 0; i < 24; ++i) {
    const auto got = client->wait(ids[i]);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, random_tensor(picture.dims(), i).view()))) << i;
  }
  const auto again = client->wait(ids[0]);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::bad_input);
}

TEST(Remote, TheDeviceWorksOnTheNextRequestWhileTheCloudHasThisOne)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud server({network}, held_engine(controls));
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();
  const auto how = plan_at(network, "both");
  const auto first = client->submit({input, &how, patience, {}, nullptr});
  while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
  const auto second = client->submit({input, &how, patience, {}, nullptr});   // comes back though the first is held
  controls->held = false;
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(client->wait(*second));
  EXPECT_TRUE(client->wait(*first));
}

TEST(Remote, EightClientsWithRandomPlansAllGetTheRightAnswers)
{
  const auto other = small_model(std::string(64, 'b'), "other.onnx");
  running_cloud server({network, other}, step_engine(), {.workers = 3});
  const auto cuts = *enumerate_cuts(*network.network, 2, 100);
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  constexpr int each = 25;
  for (std::uint32_t c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      const auto& mine = c % 2 == 0 ? network : other;
      auto client = edge::connect(mine, step_engine(), to(server.endpoint()));
      if (!client) return;
      std::minstd_rand random(c + 1);
      for (std::uint64_t i = 0; i < each; ++i) {
        const auto x = random_tensor(picture.dims(), static_cast<std::uint32_t>(random()));
        const std::vector<tensor_view> in{x.view()};
        constexpr codec menu[]{codec::raw, codec::dense, codec::sparse};
        const auto how = plan_at(cuts[random() % cuts.size()], menu[random() % 3], static_cast<int>(random() % 16 + 1), i);
        const auto got = client->infer(in, how, patience);
        if (got && got->from != source::fallback && same_bits(got->outputs, run_halves(mine, x.view(), how))) ++right;
      }
    });
  for (auto& c : clients) c.join();
  EXPECT_EQ(right, 8 * each);
}

}  // namespace
}  // namespace narrows
