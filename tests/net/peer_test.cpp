// SPDX-License-Identifier: BSD-3-Clause
// Peers that are not what they should be: a link that flips bits, a cloud that talks nonsense.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/meddler.hpp"

namespace narrows {
namespace {

using namespace test;

/// Flips one bit of the first payload of every message that has one, `times` times in all.
meddler::hook flips(std::shared_ptr<std::atomic<int>> times)
{
  return [times](frames m) {
    if (m.size() > 1 && !m[1].empty() && (*times)-- > 0) m[1][m[1].size() / 2] ^= 0x10;
    return messages{m};
  };
}

TEST(Peer, ABitFlippedOnceIsFoundAndTheRequestSentAgain)
{
  running_cloud server({network});
  for (const bool towards_cloud : {true, false}) {
    SCOPED_TRACE(towards_cloud ? "request" : "reply");
    const auto once = std::make_shared<std::atomic<int>>(1);
    meddler link(server.endpoint(), towards_cloud ? flips(once) : meddler::pass, towards_cloud ? meddler::pass : flips(once));
    auto client = edge_to(link.endpoint());
    ASSERT_TRUE(client) << client.error().text();
    const auto got = client->infer(input, plan_at(network, "both"), patience);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::remote);
    EXPECT_EQ(got->attempts, 2);
    EXPECT_NE(got->warning.find("checksum does not match"), std::string::npos) << got->warning;
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
  }
}

TEST(Peer, BitsThatAlwaysFlipAreAnIntegrityErrorAndTheCloudServesOthers)
{
  running_cloud server({network});
  const auto always = std::make_shared<std::atomic<int>>(1'000'000);
  meddler link(server.endpoint(), flips(always), meddler::pass);
  auto strict = edge_to(link.endpoint(), fallback_policy::never);
  ASSERT_TRUE(strict) << strict.error().text();
  const auto got = strict->infer(input, plan_at(network, "both"), patience);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::integrity);
  EXPECT_NE(got.error().text().find("tensor 'both'"), std::string::npos) << got.error().text();

  auto direct = edge_to(server.endpoint());
  ASSERT_TRUE(direct) << direct.error().text();
  EXPECT_EQ(direct->infer(input, plan_at(network, "both"), patience)->from, source::remote);
}

TEST(Peer, AProbeWhoseEchoIsLostOrNotItsOwnEndsAtItsTime)
{
  running_cloud server({network});
  for (const bool replaced : {false, true}) {
    meddler link(server.endpoint(), meddler::pass, [replaced](frames m) {
      const auto what = wire::decode(m[0]);
      if (what && std::get_if<wire::echo>(&*what) != nullptr) return replaced ? messages{{envelope(wire::echo{777'777})}} : messages{};
      return messages{m};
    });
    auto client = edge_to(link.endpoint());
    ASSERT_TRUE(client) << client.error().text();
    ASSERT_TRUE(client->begin_probe(100, 50ms));
    std::optional<result<clock::duration>> took;
    for (int i = 0; i < 4000 && !(took = client->probed()); ++i) std::this_thread::sleep_for(1ms);
    ASSERT_TRUE(took && !*took);
    EXPECT_EQ(took->error().code, errc::deadline);
    EXPECT_EQ(client->infer(input, plan_at(network, "both"), patience)->from, source::remote) << "requests go on";
  }
}

TEST(Peer, ADamagedEnvelopeIsSentAgainToo)
{
  running_cloud server({network});
  int left = 1;
  meddler link(server.endpoint(), [&left](frames m) {
    if (m.size() > 1 && left-- > 0) m[0][20] ^= 1;
    return messages{m};
  }, meddler::pass);
  auto client = edge_to(link.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
  EXPECT_EQ(got->attempts, 2);
}

TEST(Peer, DoubledRequestsAndRepliesAndUnknownOnesChangeNothing)
{
  running_cloud server({network});
  const auto twice = [](frames m) { return messages{m, m}; };
  meddler link(server.endpoint(), twice, [](frames m) {
    return messages{frames{envelope(wire::reply{12345, 0, {}, {}})}, m, m, frames{envelope(wire::failure{54321, errc::internal, "who?", 0})},
      frames{envelope(wire::cancel{1})}};
  });
  auto client = edge_to(link.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto x = random_tensor(picture.dims(), i);
    const std::vector<tensor_view> in{x.view()};
    const auto got = client->infer(in, plan_at(network, "both"), patience);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::remote);
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, x.view())));
  }
}

TEST(Peer, AReplyOfAnOldEpochIsDropped)
{
  running_cloud server({network});
  meddler link(server.endpoint(), meddler::pass, [](frames m) {
    auto old = *wire::decode(m[0]);
    auto* reply = std::get_if<wire::reply>(&old);
    if (reply == nullptr) return messages{m};
    auto changed = m;
    reply->epoch -= 1;
    changed[0] = envelope(*reply);
    for (auto& byte : changed[1]) byte = 0;
    return messages{changed, m};
  });
  auto client = edge_to(link.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  auto how = plan_at(network, "both");
  how.epoch = 7;
  const auto got = client->infer(input, how, patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
  EXPECT_EQ(got->epoch, 7U);
  EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
}

TEST(Peer, RepliesThatDoNotFitTheNetworkAreNotTaken)
{
  running_cloud server({network});
  using spoil = std::function<void(wire::reply&, frames&)>;
  const std::vector<std::pair<const char*, spoil>> ways{
    {"unknown output", [](wire::reply& r, frames&) { r.outputs[0].name = "both"; }},
    {"wrong shape", [](wire::reply& r, frames&) { r.outputs.back().what.dims = shape{6, 1}; }},
    {"wrong codec", [](wire::reply& r, frames&) { r.outputs.back().what.coded_as = codec::dense; r.outputs.back().what.width = 8; }},
    {"short payload", [](wire::reply&, frames& m) { m.back().pop_back(); }},
    {"missing payload", [](wire::reply&, frames& m) { m.pop_back(); }},
    {"missing output", [](wire::reply& r, frames& m) { r.outputs.pop_back(); m.pop_back(); }},
    {"surplus frames", [](wire::reply&, frames& m) { m.resize(500); }},
    {"no envelope", [](wire::reply&, frames& m) { m.assign(1, {1, 2, 3}); }},
  };
  for (const auto& way : ways) {
    SCOPED_TRACE(way.first);
    meddler link(server.endpoint(), meddler::pass, [&way](frames m) {
      auto read = *wire::decode(m[0]);
      auto* reply = std::get_if<wire::reply>(&read);
      if (reply == nullptr) return messages{m};
      way.second(*reply, m);
      if (m[0].size() > 3) m[0] = envelope(*reply);
      return messages{m};
    });
    auto client = edge_to(link.endpoint());
    ASSERT_TRUE(client) << client.error().text();
    const auto got = client->infer(input, plan_at(network, "both"), patience);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::fallback);
    EXPECT_NE(got->warning, "");
    EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
  }
}

TEST(Peer, ACloudOfAnotherFormatIsRefusedWithBothVersions)
{
  running_cloud server({network});
  meddler link(server.endpoint(), meddler::pass, [](frames m) {
    auto read = *wire::decode(m[0]);
    if (auto* met = std::get_if<wire::welcome>(&read)) {
      met->format_version = 9;
      m[0] = envelope(*met);
    }
    return messages{m};
  });
  const auto client = edge_to(link.endpoint());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::unsupported_version);
  EXPECT_NE(client.error().text().find("format 9"), std::string::npos) << client.error().text();
}

TEST(Peer, ACloudThatAcceptsAndSaysNothingCountsAsUnreachable)
{
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
  auto options = to("tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
  options.connect_timeout = 100ms;
  auto client = edge::connect(network, step_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::fallback);
  options.fallback = fallback_policy::never;
  const auto strict = edge::connect(network, step_engine(), options);
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().code, errc::unreachable);
  ::close(listener);
}

}  // namespace
}  // namespace narrows
