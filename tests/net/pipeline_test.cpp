// SPDX-License-Identifier: BSD-3-Clause
// Many requests under way at once: device, link and cloud at work together, a bound on them, plans that change in between.
#include <semaphore>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// Waits for a counter of another thread; false if it never gets there.
bool reaches(const std::atomic<int>& counter, int value)
{
  const auto until = std::chrono::steady_clock::now() + patience;
  while (counter < value && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
  return counter == value;
}

TEST(Pipeline, TheNextHeadsRunBeforeTheFirstAnswerAndNeverBeyondTheBound)
{
  constexpr int bound = 3;
  constexpr int requests = 12;
  std::atomic<int> allowed{0};                       // answers that the cloud may give
  std::counting_semaphore<requests> may_answer(0);
  const auto cloud_side = std::make_shared<engine_controls>();
  cloud_side->on_run = [&] { static_cast<void>(may_answer.try_acquire_for(patience)); };
  running_cloud server({network}, held_engine(cloud_side));

  std::atomic<int> heads{0};
  std::atomic<bool> beyond{false};
  const auto device_side = std::make_shared<engine_controls>();
  // Those under way when a head begins: heads begun, less requests ended, which are no more than the answers allowed.
  device_side->on_run = [&] {
    if (++heads > bound + allowed) beyond = true;
  };
  auto options = to(server.endpoint());
  options.fallback = fallback_policy::never;         // so that the device runs heads only
  options.max_in_flight = bound;
  auto client = edge::connect(network, held_engine(device_side), options);
  ASSERT_TRUE(client) << client.error().text();

  const auto how = plan_at(network, "both");
  std::vector<result<request_id>> ids;
  std::jthread submitter([&] {
    for (int i = 0; i < requests; ++i) ids.push_back(client->submit({input, &how, patience, {}, nullptr}));
  });
  EXPECT_TRUE(reaches(heads, bound)) << "heads run while the first request has no answer";
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(heads, bound) << "the next one waits";
  for (int i = 1; i <= requests; ++i) {
    ++allowed;
    may_answer.release();
    EXPECT_TRUE(reaches(heads, std::min(requests, bound + i))) << "an answer makes room for one more";
  }
  submitter.join();
  EXPECT_FALSE(beyond);
  for (const auto& id : ids) {
    ASSERT_TRUE(id) << id.error().text();
    const auto got = client->wait(*id);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->from, source::remote);
  }
}

TEST(Pipeline, PlansSwitchedAmongRequestsUnderWayLoseAndMixNothing)
{
  const auto controls = std::make_shared<engine_controls>();
  std::atomic<unsigned> tails{0};
  controls->on_run = [&] { std::this_thread::sleep_for(std::chrono::milliseconds(tails++ * 7 % 4)); };   // answers overtake each other
  running_cloud server({network}, held_engine(controls), {.workers = 4});
  auto client = edge::connect(network, step_engine(), to(server.endpoint()));
  ASSERT_TRUE(client) << client.error().text();

  const auto cuts = *enumerate_cuts(*network.network, 2, 100);
  constexpr codec menu[]{codec::dense, codec::sparse, codec::runs, codec::raw};
  const auto plan_number = [&](std::size_t n) {      // a low width, so that each plan has bits of its own
    return plan_at(cuts[n * 5 % (cuts.size() - 1)], menu[n % 4], static_cast<int>(2 + n % 3), 100 + n);
  };
  const auto picture_number = [](std::size_t n) { return random_tensor(picture.dims(), static_cast<std::uint32_t>(500 + n)); };

  constexpr std::size_t requests = 96;
  constexpr std::size_t per_plan = 3;                // 8 are under way at once: always of several plans
  std::vector<request_id> ids;
  std::vector<std::vector<tensor>> answers(requests);
  std::jthread waiter;
  std::mutex mutex;
  std::condition_variable added;
  std::vector<std::string> trouble;
  waiter = std::jthread([&] {
    for (std::size_t i = 0; i < requests; ++i) {
      request_id id{};
      {
        std::unique_lock lock(mutex);
        added.wait(lock, [&] { return ids.size() > i; });
        id = ids[i];
      }
      auto got = client->wait(id);
      if (!got) trouble.push_back(got.error().text());
      else if (got->from != source::remote || got->epoch != 100 + i / per_plan || !got->warning.empty()) trouble.push_back("request " + std::to_string(i) + ": " + got->warning);
      else answers[i] = std::move(got->outputs);
      if (client->wait(id)) trouble.push_back("request " + std::to_string(i) + " ended twice");
    }
  });
  for (std::size_t i = 0; i < requests; ++i) {
    const auto x = picture_number(i);
    const std::vector<tensor_view> in{x.view()};
    const auto how = plan_number(i / per_plan);
    const auto id = client->submit({in, &how, patience, {}, nullptr});
    const std::lock_guard lock(mutex);
    ids.push_back(id ? *id : request_id{});
    added.notify_one();
  }
  waiter.join();
  EXPECT_TRUE(trouble.empty()) << trouble.size() << " of them: " << trouble.front();
  std::size_t differ = 0;
  for (std::size_t i = 0; i < requests; ++i) {
    EXPECT_TRUE(same_bits(answers[i], run_halves(network, picture_number(i).view(), plan_number(i / per_plan)))) << i;
    if (!same_bits(answers[i], run_halves(network, picture_number(i).view(), plan_number((i + per_plan) / per_plan)))) ++differ;
  }
  EXPECT_GT(differ, requests / 2) << "the plans tell their answers apart";
}

}  // namespace
}  // namespace narrows
