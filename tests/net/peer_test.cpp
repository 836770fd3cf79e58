// SPDX-License-Identifier: BSD-3-Clause
// Peers that are not what they should be: a link that flips bits, a cloud that talks nonsense, edges that send garbage.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

using frames = std::vector<std::vector<std::uint8_t>>;
using messages = std::vector<frames>;

/// Receives one message, or nothing within a while. Of a ROUTER, the first frame is the peer.
frames receive(zmq::socket_t& from, std::chrono::milliseconds within = 0ms)
{
  zmq::pollitem_t item{from.handle(), 0, ZMQ_POLLIN, 0};
  frames got;
  if (zmq::poll(&item, 1, within) == 0) return got;
  zmq::message_t part;
  for (bool more = true; more;) {
    if (!from.recv(part)) break;
    more = part.more();
    const auto bytes = detail::bytes_of(part);
    got.emplace_back(bytes.begin(), bytes.end());
  }
  return got;
}

void send(zmq::socket_t& to, const frames& what)
{
  for (std::size_t i = 0; i < what.size(); ++i)
    to.send(zmq::buffer(what[i]), i + 1 < what.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

/// A link between one edge and a cloud, with a hand in between: either hook may change the frames (envelope first) of a
/// message, or multiply it.
class meddler {
public:
  using hook = std::function<messages(frames)>;

  meddler(const std::string& cloud, hook to_cloud, hook to_edge)
  {
    front_.set(zmq::sockopt::linger, 0);
    back_.set(zmq::sockopt::linger, 0);
    front_.bind("tcp://127.0.0.1:*");
    endpoint_ = front_.get(zmq::sockopt::last_endpoint);
    back_.connect(cloud);
    thread_ = std::jthread([this, to_cloud = std::move(to_cloud), to_edge = std::move(to_edge)](const std::stop_token& stop) {
      std::vector<std::uint8_t> peer;
      while (!stop.stop_requested()) {
        zmq::pollitem_t items[]{{front_.handle(), 0, ZMQ_POLLIN, 0}, {back_.handle(), 0, ZMQ_POLLIN, 0}};
        zmq::poll(items, 2, 10ms);
        for (auto m = receive(front_); !m.empty(); m = receive(front_)) {
          peer = m.front();
          m.erase(m.begin());
          for (const auto& out : to_cloud(std::move(m))) send(back_, out);
        }
        for (auto m = receive(back_); !m.empty(); m = receive(back_))
          for (auto& out : to_edge(std::move(m))) {
            out.insert(out.begin(), peer);
            send(front_, out);
          }
      }
    });
  }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  static messages pass(frames m) { return {std::move(m)}; }

private:
  zmq::context_t context_;
  zmq::socket_t front_{context_, zmq::socket_type::router};
  zmq::socket_t back_{context_, zmq::socket_type::dealer};
  std::string endpoint_;
  std::jthread thread_;
};

std::vector<std::uint8_t> envelope(const wire::message& m) { return *wire::encode(m); }

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

// --- edges that a cloud should survive --------------------------------------------------------------------------

/// Talks to a cloud frame by frame.
class raw_edge {
public:
  explicit raw_edge(const std::string& endpoint)
  {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.connect(endpoint);
  }
  void say(const frames& what) { send(socket_, what); }
  /// The code that the cloud answers with; ok for a reply or a welcome.
  errc hear()
  {
    const auto got = receive(socket_, patience);
    if (got.empty()) return errc::unreachable;
    const auto m = wire::decode(got[0]);
    if (!m) return errc::corrupt;
    const auto* failed = std::get_if<wire::failure>(&*m);
    return failed != nullptr ? failed->code : errc::ok;
  }
  void ignore() { while (!receive(socket_).empty()) {} }

private:
  zmq::context_t context_;
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
};

/// A request that a cloud answers, at cut "both".
std::pair<wire::request, frames> good_request(std::uint64_t id)
{
  const auto v = *network.network->find("both");
  const auto x = random_tensor((*network.network)[v].dims, 5);
  aligned_vector<std::uint8_t> payload;
  wire::tensor_header header;
  header.name = "both";
  header.what = *encode(x.view(), {codec::dense, 4, range_rule::min_max, {}, {}}, payload);
  header.crc32c = crc32c(payload);
  return {wire::request{id, 1, 0, network.hash, std::chrono::minutes(1), {header}}, {{payload.begin(), payload.end()}}};
}

errc answer_to(raw_edge& client, const wire::message& head, const frames& payloads)
{
  frames m{envelope(head)};
  m.insert(m.end(), payloads.begin(), payloads.end());
  client.say(m);
  return client.hear();
}

TEST(Hostile, EachKindOfWrongRequestGetsItsCode)
{
  running_cloud server({network});
  raw_edge client(server.endpoint());
  std::uint64_t id = 1;
  const auto with = [&](const std::function<void(wire::request&, frames&)>& spoil) {
    auto [r, payloads] = good_request(id++);
    spoil(r, payloads);
    return answer_to(client, r, payloads);
  };
  const auto fix = [](wire::request& r, frames& p) { r.tensors[0].crc32c = crc32c(p[0]); };
  EXPECT_EQ(with([](auto&, auto&) {}), errc::ok);
  EXPECT_EQ(with([](auto& r, auto&) { r.model_hash = std::string(64, 'x'); }), errc::model_mismatch);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].name = "nothing"; }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].name = "none"; }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].name = "input"; }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].name = "a.w"; }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].name = "sum"; }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto& p) { r.tensors.push_back(r.tensors[0]); p.push_back(p[0]); }), errc::bad_cut);
  EXPECT_EQ(with([](auto& r, auto& p) { r.tensors.clear(); p.clear(); }), errc::bad_cut);
  EXPECT_EQ(with([](auto&, auto& p) { p.clear(); }), errc::bad_message);
  EXPECT_EQ(with([](auto&, auto& p) { p.push_back({}); }), errc::bad_message);
  EXPECT_EQ(with([](auto&, auto& p) { p[0].pop_back(); }), errc::bad_message);
  EXPECT_EQ(with([](auto&, auto& p) { p[0][3] ^= 1; }), errc::integrity);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.dims = shape{1, 4, 5, 6}; }), errc::bad_descriptor);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.width = 5; }), errc::bad_descriptor);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.scales.clear(); }), errc::bad_descriptor);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.scales[0].scale = 0; }), errc::bad_scale);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.coded_as = codec::image; }), errc::unsupported_codec);
  EXPECT_EQ(with([&](auto& r, auto& p) {
    r.tensors[0].what.coded_as = codec::sparse;   // a mask of ones with nothing behind it
    p[0].assign(p[0].size(), 0xff);
    fix(r, p);
  }), errc::corrupt);
  EXPECT_EQ(with([](auto& r, auto&) { r.deadline_left = 0ms; }), errc::deadline);
  EXPECT_EQ(answer_to(client, wire::reply{id, 0, {}, {}}, {}), errc::bad_message);
  EXPECT_EQ(answer_to(client, wire::hello{id, network.hash, "x", {2, 3}, "steps", wire::tensors_hash(*network.network), {}}, {}), errc::unsupported_version);
  EXPECT_EQ(answer_to(client, wire::hello{id, network.hash, "x", {1}, "steps", 1, {}}, {}), errc::model_mismatch);
  client.say({{}});
  EXPECT_EQ(client.hear(), errc::bad_message);
  client.say(frames(1000, {1, 2, 3}));
  EXPECT_EQ(client.hear(), errc::limit_exceeded);
  client.say({std::vector<std::uint8_t>(1'000'000)});
  EXPECT_EQ(client.hear(), errc::limit_exceeded);
  EXPECT_EQ(with([](auto&, auto&) {}), errc::ok);
}

TEST(Hostile, ThousandsOfGarbageMessagesLeaveTheCloudServing)
{
  running_cloud server({network}, step_engine(), [] { cloud_options o; o.workers = 2; return o; }());
  std::mt19937 random(20);
  raw_edge stranger(server.endpoint());
  for (int i = 0; i < 4000; ++i) {
    frames m;
    if (i % 2 == 0) {
      m.resize(random() % 5 + 1);
      for (auto& part : m) {
        part.resize(random() % 100);
        for (auto& byte : part) byte = static_cast<std::uint8_t>(random());
      }
    } else {   // a good request with something changed behind the checksum
      auto [r, payloads] = good_request(static_cast<std::uint64_t>(i));
      m = payloads;
      if (random() % 2 == 0 && !m[0].empty()) {
        m[0][random() % m[0].size()] ^= static_cast<std::uint8_t>(1U << (random() % 8));
        if (random() % 2 == 0) r.tensors[0].crc32c = crc32c(m[0]);
      }
      auto e = envelope(r);
      for (auto changes = random() % 3; changes > 0; --changes) e[wire::prefix_bytes + random() % (e.size() - wire::prefix_bytes)] = static_cast<std::uint8_t>(random());
      const auto crc = crc32c(std::span(e).subspan(wire::prefix_bytes));
      for (std::size_t k = 0; k < 4; ++k) e[4 + k] = static_cast<std::uint8_t>(crc >> (8 * k));
      m.insert(m.begin(), std::move(e));
    }
    stranger.say(m);
    if (i % 64 == 0) stranger.ignore();
  }
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
}

TEST(Hostile, RawBytesOnThePortLeaveTheCloudServing)
{
  running_cloud server({network});
  const auto port = static_cast<std::uint16_t>(std::stoi(server.endpoint().substr(server.endpoint().rfind(':') + 1)));
  std::mt19937 random(21);
  for (int i = 0; i < 200; ++i) {
    const int s = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(s, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    std::vector<std::uint8_t> bytes(random() % 3000);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    if (i % 3 == 0) {   // a right greeting of ZMTP 3.0 first
      std::vector<std::uint8_t> greeting{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
      greeting.resize(64);
      bytes.insert(bytes.begin(), greeting.begin(), greeting.end());
    }
    static_cast<void>(::send(s, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    ::close(s);
  }
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  EXPECT_EQ(client->infer(input, plan_at(network, "both"), patience)->from, source::remote);
}

TEST(Hostile, AFrameBeyondTheLimitCostsItsSenderTheConnectionAndNobodyElse)
{
  cloud_options tight;
  tight.max_frame_bytes = 4096;
  running_cloud server({network}, step_engine(), tight);
  auto client = edge_to(server.endpoint());
  ASSERT_TRUE(client) << client.error().text();
  raw_edge stranger(server.endpoint());
  stranger.say({std::vector<std::uint8_t>(1'000'000)});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client->infer(input, plan_at(network, "both"), patience)->from, source::remote);
}

}  // namespace
}  // namespace narrows
