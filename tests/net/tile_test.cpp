// SPDX-License-Identifier: BSD-3-Clause
// Tiles made by clouds over sockets, and clouds that vanish, fall silent or send nonsense.
#include <narrows/net/tile_crew.hpp>
#include <narrows/net/tile_maker.hpp>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// "picture" 5x5 up to "c": two convolutions, a sum and a concat.
graph_slice stack()
{
  const value_id from[] = {*network.network->find("picture")};
  return *stack_between(network.network, from, *network.network->find("c"));
}
tiled_stack tiles(int rows, int columns) { return *tile_stack(stack(), *equal_lines(stack(), {rows, columns})); }

std::vector<tensor> untiled()
{
  auto loaded = any_engine(step_engine()).load(stack());
  std::vector<tensor> made{tensor(loaded->outputs()[0].dims)};
  const mutable_tensor_view out[] = {made[0].view()};
  EXPECT_TRUE(loaded->run(input, out, {}));
  return made;
}

bool right(const result<tensor>& got) { return got && same_bits({*got}, untiled()); }

result<tile_crew> crew_of(const std::vector<std::string>& endpoints, const crew_options& options = {}, const model& m = network)
{
  std::vector<edge_options> workers;
  for (const auto& e : endpoints) workers.push_back(to(e));
  return tile_crew::connect(m, step_engine(), std::move(workers), options);
}

TEST(TileTeam, ThreadsMakeTheBitsOfTheWhole)
{
  for (const auto& how : {tiles(1, 2), tiles(3, 3), tiles(5, 5)})
    for (const int threads : {1, 3}) {
      auto team = tile_team::make(step_engine(), how);
      ASSERT_TRUE(team) << team.error().text();
      EXPECT_TRUE(right(team->run(input, threads)));
      EXPECT_TRUE(right(team->run(input, threads)));
    }
  auto team = tile_team::make(step_engine(), tiles(2, 2));
  EXPECT_EQ(team->run({}, 1).error().code, errc::bad_input);
  std::stop_source stopped;
  stopped.request_stop();
  const auto controls = std::make_shared<engine_controls>();
  EXPECT_EQ(tile_team::make(held_engine(controls), tiles(2, 2))->run(input, 2, stopped.get_token()).error().code, errc::cancelled);
}

TEST(TileCrew, MakesTheBitsOfTheWhole)
{
  running_cloud one({network}), two({network});
  auto crew = crew_of({one.endpoint(), two.endpoint()});
  ASSERT_TRUE(crew) << crew.error().text();
  ASSERT_EQ(crew->wait_for_workers(patience), 2U);
  for (const auto& how : {tiles(1, 2), tiles(2, 2), tiles(3, 3), tiles(5, 5)}) {
    crew_report report;
    const auto got = crew->run(how, input, patience, {}, &report);
    EXPECT_TRUE(right(got)) << (got ? "other bits" : got.error().text());
    EXPECT_EQ(report.by_worker[0] + report.by_worker[1], how.tiles.size());
    EXPECT_EQ(report.here, 0U);
    EXPECT_EQ(report.sent, how.tiles.size());
  }
}

TEST(TileCrew, WhatALostWorkerHadGoesToAnother)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud steady({network});
  running_cloud doomed({network}, held_engine(controls));
  auto crew = crew_of({doomed.endpoint(), steady.endpoint()});
  ASSERT_EQ(crew->wait_for_workers(patience), 2U);
  std::jthread killer([&] {
    while (controls->waiting == 0) std::this_thread::sleep_for(1ms);
    doomed.kill();
  });
  crew_report report;
  EXPECT_TRUE(right(crew->run(tiles(3, 3), input, patience, {}, &report)));
  EXPECT_GE(report.again, 1U);
  EXPECT_EQ(report.by_worker, (std::vector<std::size_t>{0, 9}));
}

TEST(TileCrew, WhatASilentWorkerHadGoesToAnotherAndALateAnswerDoesNoHarm)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud steady({network});
  running_cloud silent({network}, held_engine(controls));
  crew_options options;
  options.tile_timeout = 200ms;
  auto crew = crew_of({silent.endpoint(), steady.endpoint()}, options);
  ASSERT_EQ(crew->wait_for_workers(patience), 2U);
  crew_report report;
  EXPECT_TRUE(right(crew->run(tiles(2, 2), input, patience, {}, &report)));
  EXPECT_GE(report.again, 1U);
  controls->held = false;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(right(crew->run(tiles(2, 2), input, patience)));
}

TEST(TileCrew, MakesTilesHereWhereNobodyElseDoes)
{
  std::string gone;
  {
    running_cloud nobody({network});
    gone = nobody.endpoint();
  }
  crew_report report;
  EXPECT_TRUE(right(crew_of({gone})->run(tiles(2, 2), input, patience, {}, &report)));
  EXPECT_EQ(report.here, 4U);
  crew_options never;
  never.fallback = fallback_policy::never;
  EXPECT_EQ(crew_of({gone}, never)->run(tiles(2, 2), input, patience).error().code, errc::unreachable);

  running_cloud other({small_model(std::string(64, 'b'))});   // another model is never asked
  auto crew = crew_of({other.endpoint()}, never);
  EXPECT_EQ(crew->wait_for_workers(patience), 0U);
  EXPECT_EQ(crew->run(tiles(2, 2), input, patience).error().code, errc::unreachable);
  EXPECT_EQ(crew_of({}).error().code, errc::bad_input);
  EXPECT_EQ(crew_of({"tcp://192.0.2.1:5599"}).error().code, errc::authentication);
}

TEST(TileCrew, EndsByItsDeadlineOrWhenToldTo)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->held = true;
  running_cloud held({network}, held_engine(controls));
  auto crew = crew_of({held.endpoint()});
  ASSERT_EQ(crew->wait_for_workers(patience), 1U);
  EXPECT_EQ(crew->run(tiles(2, 2), input, 50ms).error().code, errc::deadline);
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  EXPECT_EQ(crew->run(tiles(2, 2), input, patience, stop.get_token()).error().code, errc::cancelled);
  EXPECT_EQ(crew->run(tiles(2, 2), input, 0ms).error().code, errc::bad_input);
}

TEST(TileCrew, AWorkerThatFailsCostsItsAttemptsOnly)
{
  const auto controls = std::make_shared<engine_controls>();
  controls->on_run = [] { throw std::runtime_error("out of luck"); };
  running_cloud broken({network}, held_engine(controls));
  crew_options options;
  options.max_attempts = 3;
  crew_report report;
  auto crew = crew_of({broken.endpoint()}, options);
  ASSERT_EQ(crew->wait_for_workers(patience), 1U);
  EXPECT_TRUE(right(crew->run(tiles(1, 2), input, patience, {}, &report)));
  EXPECT_EQ(report.sent, 6U);
  EXPECT_EQ(report.here, 2U);
  options.fallback = fallback_policy::never;
  auto strict = crew_of({broken.endpoint()}, options);
  ASSERT_EQ(strict->wait_for_workers(patience), 1U);
  EXPECT_NE(strict->run(tiles(1, 2), input, patience).error().text().find("out of luck"), std::string::npos);
}

/// A request for rows 0-1 of "c", which needs the picture's rows 0-4.
struct tile_asked {
  wire::tile_request head;
  tensor part{shape{1, 3, 5, 5}, picture.values()};

  tile_asked() { head = {7, network.hash, 1s, {"picture"}, "c", {{interval{0, 2}, interval{0, 5}}}, {detail::raw_header("picture", part.view())}}; }
  [[nodiscard]] result<served> by(tile_maker& maker, std::size_t bytes = SIZE_MAX) const
  {
    const auto all = detail::bytes_of(part.view().values());
    const std::vector<std::span<const std::uint8_t>> payloads{all.first(std::min(bytes, all.size()))};
    return maker.make(head, payloads);
  }
};

TEST(TileMaker, ChecksEveryFieldBeforeItMakesATile)
{
  worker serving({network}, step_engine());
  tile_maker maker(serving, 1, 2, steady_time());
  const auto good = tile_asked().by(maker);
  ASSERT_TRUE(good) << good.error().text();
  EXPECT_EQ(good->head.id, 7U);
  EXPECT_EQ(good->outputs[0].dims(), (shape{1, 4, 2, 5}));

  const auto code = [&](auto change, std::size_t bytes = SIZE_MAX) {
    tile_asked t;
    change(t);
    const auto got = t.by(maker, bytes);
    return got ? errc::ok : got.error().code;
  };
  EXPECT_EQ(code([](auto& t) { t.head.model_hash[0] = 'x'; }), errc::model_mismatch);
  EXPECT_EQ(code([](auto& t) { t.head.from = {"nothing"}; }), errc::bad_cut);
  EXPECT_EQ(code([](auto& t) { t.head.from = {"a.w"}; }), errc::bad_cut);
  EXPECT_EQ(code([](auto& t) { t.head.from.clear(); }), errc::bad_cut);
  EXPECT_EQ(code([](auto& t) { t.head.from = {"a"}; }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.to = "picture"; }), errc::bad_cut);
  EXPECT_EQ(code([](auto& t) { t.head.to = "mean"; t.head.wanted = {{interval{0, 1}, interval{0, 1}}}; }), errc::bad_cut);
  EXPECT_EQ(code([](auto& t) { t.head.to = "scores"; t.head.wanted = {{interval{0, 1}, interval{0, 1}}}; }), errc::bad_cut);
  for (const auto& rows : {interval{0, 6}, interval{2, 2}, interval{3, 2}, interval{-1, 2}, interval{0, INT64_MAX}, interval{INT64_MIN, INT64_MAX}})
    EXPECT_EQ(code([&](auto& t) { t.head.wanted.axes[0] = rows; }), errc::bad_shape);
  EXPECT_EQ(code([](auto& t) { t.head.wanted.axes[0] = {0, 1}; }), errc::bad_message);   // needs fewer rows than were sent
  EXPECT_EQ(code([](auto& t) { t.head.parts.clear(); }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.parts.push_back(t.head.parts[0]); }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.parts[0].name = "a"; }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.parts[0].what.dims = shape{1, 3, 25, 1}; }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.parts[0].what.coded_as = codec::pixels; }), errc::bad_message);
  EXPECT_EQ(code([](auto& t) { t.head.parts[0].crc32c ^= 1; }), errc::integrity);
  EXPECT_EQ(code([](auto&) {}, 299), errc::bad_message);
  EXPECT_EQ(code([](auto&) {}, 0), errc::bad_message);
  EXPECT_EQ(code([](auto&) {}), errc::ok);
}

}  // namespace
}  // namespace narrows
