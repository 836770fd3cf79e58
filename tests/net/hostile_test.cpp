// SPDX-License-Identifier: BSD-3-Clause
// Edges that a cloud should survive: wrong requests, garbage, frames beyond every limit.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/frames.hpp"

namespace narrows {
namespace {

using namespace test;

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
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.levels = {1}; }), errc::bad_descriptor);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.coded_as = codec::image; }), errc::unsupported_codec);
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.coded_as = codec::predicted; }), errc::unsupported_codec) << "for the input only";
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.coded_as = codec::zstd; }), errc::unsupported_codec) << "this cloud never asked for it";
  EXPECT_EQ(with([](auto& r, auto&) { r.tensors[0].what.coded_as = codec::huffman; }), errc::unsupported_codec) << "nor for this";
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
