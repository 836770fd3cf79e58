// SPDX-License-Identifier: BSD-3-Clause
// A worker without sockets.
#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// A request at `at` with the tensors coded as `how`, and its payloads.
struct made_request {
  wire::request head;
  std::vector<aligned_vector<std::uint8_t>> payloads;

  made_request(const std::string& tensor_name, const coding& how)
  {
    const auto v = *network.network->find(tensor_name);
    const auto x = random_tensor((*network.network)[v].dims, 3);
    payloads.emplace_back();
    wire::tensor_header header;
    header.name = tensor_name;
    header.what = *encode(x.view(), how, payloads[0]);
    header.crc32c = crc32c(payloads[0]);
    head = {5, 1, 42, network.hash, 1s, {header}};
  }
  [[nodiscard]] result<served> by(worker& w) const
  {
    const std::vector<std::span<const std::uint8_t>> views(payloads.begin(), payloads.end());
    return w.serve(head, views);
  }
};

TEST(Worker, RepliesWithTheOutputsOfTheTailAndTheirChecksums)
{
  worker w({network}, step_engine());
  const auto got = made_request("both", {codec::dense, 6, range_rule::min_max, {}, {}}).by(w);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->head.id, 5U);
  EXPECT_EQ(got->head.epoch, 42U);
  ASSERT_EQ(got->outputs.size(), 1U);   // "early" is the head's
  EXPECT_EQ(got->head.outputs[0].name, "scores");
  EXPECT_EQ(got->head.outputs[0].what.coded_as, codec::raw);
  EXPECT_EQ(got->head.outputs[0].crc32c, crc32c(detail::bytes_of(got->outputs[0].view().values())));
}

TEST(Worker, WhatTheEngineOrTheDecoderThrowsIsAnErrorNotAnEnd)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->on_run = [] { throw std::runtime_error("out of luck"); };
  worker w({network}, held_engine(controls));
  const auto got = made_request("both", {}).by(w);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::internal);
  EXPECT_NE(got.error().text().find("out of luck"), std::string::npos);
}

TEST(Worker, AStoppedRunIsCancelled)
{
  const auto controls = std::make_shared<engine_controls>();
  worker w({network}, held_engine(controls));
  const made_request asked("both", {});
  std::stop_source stop;
  stop.request_stop();
  const std::vector<std::span<const std::uint8_t>> views(asked.payloads.begin(), asked.payloads.end());
  const auto got = w.serve(asked.head, views, stop.get_token());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::cancelled);
}

TEST(Worker, PixelsBehindTheInputAndWithoutADecoderAreRefused)
{
  worker w({network}, step_engine(), {.decode_input = [](const model&, const descriptor&, std::span<const std::uint8_t>, const shape&) -> result<tensor> {
    return tensor(shape{1, 1});   // not what was expected
  }});
  made_request later("both", {codec::raw, 0, range_rule::min_max, {}, {}});
  later.head.tensors[0].what.coded_as = codec::pixels;
  EXPECT_EQ(later.by(w).error().code, errc::unsupported_codec);
  later.head.tensors[0].what.coded_as = codec::predicted;
  EXPECT_EQ(later.by(w).error().code, errc::unsupported_codec);
  made_request first("picture", {codec::raw, 0, range_rule::min_max, {}, {}});
  first.head.tensors[0].what.coded_as = codec::image;
  EXPECT_EQ(first.by(w).error().code, errc::bad_input);
  worker plain({network}, step_engine());
  EXPECT_EQ(first.by(plain).error().code, errc::unsupported_codec);
}

}  // namespace
}  // namespace narrows
