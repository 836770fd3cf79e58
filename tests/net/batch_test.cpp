// SPDX-License-Identifier: BSD-3-Clause
// Requests of one model and cut that are run as one: bits, turns, and what does not fit together.
#include <narrows/graph/batched.hpp>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// A network of one operator on x [1,4,6,6], and weights [4,4,1,1] where it takes them.
result<std::shared_ptr<const graph>> one_op(any_op operation, std::vector<shape> stated = {}, const shape& dims = shape{1, 4, 6, 6}, bool weights = false)
{
  graph_builder g("one");
  node_description n;
  n.operation = std::move(operation);
  n.inputs = {*g.input("x", dims)};
  if (weights) n.inputs.push_back(*g.constant("w", random_tensor(shape{4, 4, 1, 1}, 3)));
  n.outputs = {"y"};
  n.shapes = std::move(stated);
  auto made = g.add(std::move(n));
  if (!made) return made.error();
  return g.finish({(*made)[0]});
}

TEST(Batch, ANetworkForSeveralRequestsGivesEachItsOwnBits)
{
  constexpr std::size_t requests = 3;
  const auto many = batched(*network.network, requests);
  ASSERT_TRUE(many) << many.error().text();
  ASSERT_EQ((*many)->values().size(), network.network->values().size());
  tensor x(shape{requests, 3, 5, 5});
  std::vector<tensor> each;
  for (std::size_t i = 0; i < requests; ++i) {
    each.push_back(random_tensor(picture.dims(), static_cast<std::uint32_t>(i)));
    std::ranges::copy(std::as_const(each[i]).values(), x.values().begin() + static_cast<std::ptrdiff_t>(i * each[i].size()));
  }
  const auto together = run_whole({"many", "", *many}, x.view());
  for (std::size_t i = 0; i < requests; ++i) {
    const auto alone = run_whole(network, each[i].view());
    ASSERT_EQ(together.size(), alone.size());
    for (std::size_t k = 0; k < alone.size(); ++k) {
      const auto part = together[k].values().subspan(i * alone[k].size(), alone[k].size());
      EXPECT_EQ(std::memcmp(part.data(), alone[k].values().data(), part.size_bytes()), 0) << i << ' ' << k;
    }
  }
}

TEST(Batch, WhatMixesRequestsIsRefusedByName)
{
  const auto refused = [](const result<std::shared_ptr<const graph>>& g) {
    EXPECT_TRUE(g) << g.error().text();
    const auto many = batched(**g, 4);
    return many ? std::string() : many.error().text();
  };
  EXPECT_EQ(refused(one_op(op::reshape{}, {shape{1, 144}})), "");
  EXPECT_NE(refused(one_op(op::reshape{}, {shape{4, 36}})).find("'y'"), std::string::npos) << "its axis 0 is not the requests'";
  EXPECT_EQ(refused(one_op(op::transpose{{0, 2, 3, 1}})), "");
  EXPECT_NE(refused(one_op(op::transpose{{1, 0, 2, 3}})).find("'y'"), std::string::npos);
  EXPECT_EQ(refused(one_op(op::softmax{1, 2, false})), "");
  EXPECT_NE(refused(one_op(op::softmax{0, 4, false})).find("'y'"), std::string::npos);
  EXPECT_NE(refused(one_op(op::reduce{op::reduce::kind::mean, {0, 1}}, {shape{1, 1, 6, 6}})).find("'y'"), std::string::npos);
  EXPECT_NE(refused(one_op(op::pad{op::pad::mode::constant, {1, 0, 0, 0}, {0, 0, 0, 0}, 0})).find("'y'"), std::string::npos);
  EXPECT_EQ(refused(one_op(op::conv{}, {}, shape{1, 4, 6, 6}, true)), "");
  EXPECT_NE(refused(one_op(op::unary{}, {}, shape{2, 4})).find("'x'"), std::string::npos) << "two requests at once already";
}

/// A request for the small network, and its payloads.
struct one_request {
  wire::request head;
  std::vector<aligned_vector<std::uint8_t>> payloads;

  one_request(std::uint64_t id, const std::string& tensor_name, const coding& how, std::uint32_t seed)
  {
    const auto x = random_tensor((*network.network)[*network.network->find(tensor_name)].dims, seed);
    payloads.emplace_back();
    wire::tensor_header header;
    header.name = tensor_name;
    header.what = *encode(x.view(), how, payloads[0]);
    header.crc32c = crc32c(payloads[0]);
    head = {id, 1, id + 100, network.hash, 1s, {header}};
  }
  [[nodiscard]] worker::together view() const { return {&head, {payloads.begin(), payloads.end()}}; }
};

TEST(Batch, AWorkerGivesRequestsRunAsOneTheBitsOfEachAlone)
{
  const auto controls = std::make_shared<engine_controls>();
  worker w({network}, held_engine(controls));
  worker alone({network}, step_engine());
  std::vector<one_request> requests;
  std::vector<worker::together> views;
  constexpr codec menu[]{codec::dense, codec::raw, codec::sparse};
  for (std::uint32_t i = 0; i < 7; ++i) requests.emplace_back(i, "both", coding{menu[i % 3], static_cast<int>(3 + i), range_rule::min_max, {}, {}}, i);
  for (const auto& r : requests) views.push_back(r.view());
  const auto check = [&](const std::vector<result<served>>& got) {
    ASSERT_EQ(got.size(), views.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto expected = alone.serve(*views[i].asked, views[i].payloads);
      ASSERT_EQ(static_cast<bool>(got[i]), static_cast<bool>(expected)) << i;
      if (!expected) {
        EXPECT_EQ(got[i].error().code, expected.error().code);
        continue;
      }
      EXPECT_EQ(got[i]->head.id, views[i].asked->id);
      EXPECT_EQ(got[i]->head.epoch, views[i].asked->epoch);
      EXPECT_EQ(got[i]->head.outputs, expected->head.outputs);   // checksums and all
      EXPECT_TRUE(same_bits(got[i]->outputs, expected->outputs)) << i;
    }
  };
  check(w.serve_together(views));
  EXPECT_EQ(controls->runs, 3) << "seven are four, two and one";

  requests[5].payloads[0][3] ^= 1;   // spoils its pair, which goes one by one
  check(w.serve_together(views));
  EXPECT_EQ(controls->runs, 3 + 1 + 1 + 1);
}

TEST(Batch, TheQueueTakesTheOldestAndThoseLikeItAndStarvesNobody)
{
  detail::job_queue queue(64, 1 << 20);
  const auto push = [&](std::uint64_t id, const std::string& tensor_name) {
    auto what = std::make_shared<detail::job>();
    what->peer = "peer";
    what->asked.id = id;
    what->asked.model_hash = network.hash;
    what->asked.tensors.emplace_back().name = tensor_name;
    what->asked.tensors[0].what.width = static_cast<int>(id % 8);   // codings may differ
    EXPECT_TRUE(queue.push(std::move(what)));
  };
  const auto take = [&](std::size_t most) {
    std::vector<std::uint64_t> ids;
    for (const auto& what : queue.pop_alike(most)) {
      ids.push_back(what->asked.id);
      queue.done(what);
    }
    return ids;
  };
  using ids = std::vector<std::uint64_t>;
  push(1, "both");
  push(2, "both");
  push(3, "c");
  for (std::uint64_t i = 4; i < 9; ++i) push(i, "both");   // a plan in fashion
  EXPECT_EQ(take(4), (ids{1, 2, 4, 5}));
  for (std::uint64_t i = 9; i < 20; ++i) push(i, "both");
  EXPECT_EQ(take(4), ids{3}) << "the next is the oldest, whatever comes in";
  EXPECT_EQ(take(1), ids{6});
  EXPECT_EQ(take(4), (ids{7, 8, 9, 10}));
  EXPECT_EQ(queue.size(), 9U);
}

TEST(Batch, ACloudRunsWaitingRequestsAsOneAndAnswersEach)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  cloud_options options;
  options.max_batch = 4;
  running_cloud server({network}, held_engine(controls), options);
  auto with = to(server.endpoint());
  with.fallback = fallback_policy::never;
  with.max_in_flight = 16;
  auto client = edge::connect(network, step_engine(), with);
  ASSERT_TRUE(client) << client.error().text();
  constexpr std::uint32_t requests = 10;
  const auto plan_number = [](std::uint32_t i) { return plan_at(*find_cut(*network.network, std::vector<std::string>{i == 5 ? "c" : "both"}), codec::dense, static_cast<int>(2 + i % 7), i); };
  std::vector<request_id> ids;
  std::stop_source stop;
  for (std::uint32_t i = 0; i < requests; ++i) {
    const auto x = random_tensor(picture.dims(), i);
    const std::vector<tensor_view> in{x.view()};
    const auto how = plan_number(i);
    const auto id = client->submit({in, &how, patience, i == 2 ? stop.get_token() : std::stop_token(), nullptr});
    ASSERT_TRUE(id) << id.error().text();
    ids.push_back(*id);
    if (i == 0)
      while (controls->waiting == 0) std::this_thread::sleep_for(1ms);   // the others find it at work
  }
  // A probe comes back when the front has read all that was sent before it.
  ASSERT_TRUE(client->begin_probe(8, patience));
  while (!client->probed()) std::this_thread::sleep_for(1ms);
  controls->on_run = [&] {
    if (controls->runs == 2) stop.request_stop();   // one of the four under way is not wanted any more
  };
  controls->held = false;
  for (std::uint32_t i = 0; i < requests; ++i) {
    const auto got = client->wait(ids[i]);
    if (i == 2) {
      EXPECT_FALSE(got);
      continue;
    }
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::remote);
    EXPECT_EQ(got->epoch, i);
    EXPECT_TRUE(same_bits(got->outputs, run_halves(network, random_tensor(picture.dims(), i).view(), plan_number(i)))) << i;
  }
  EXPECT_EQ(controls->runs, 4) << "the first, four as one, the one of another cut, four as one";
}

}  // namespace
}  // namespace narrows
