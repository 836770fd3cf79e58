// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/partition/enumerate.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>

#include "profile/small_network.hpp"

namespace narrows {
namespace {

struct Enumerate : testing::Test {
  Enumerate()
  {
    device.layers = assumed_node_times(*g, 1e8);
    server.layers = assumed_node_times(*g, 1e10);
    device.codecs.entries = {{codec::dense, 4, 1e-6, 1e-9, 2e-6, 2e-9}};
    server.codecs.entries = {{codec::dense, 4, 5e-6, 5e-9, 7e-6, 7e-9}};
  }
  std::vector<candidate> all(const accuracy_table* table = nullptr)
  {
    auto made = enumerate_candidates(*g, cuts, {&device, &server, table}, how);
    EXPECT_TRUE(made) << made.error().text();
    return made ? *made : std::vector<candidate>{};
  }
  const candidate* find(const std::vector<candidate>& in, const std::string& cut_name, codec coded_as, int width)
  {
    const auto it = std::find_if(in.begin(), in.end(), [&](const candidate& c) {
      return name_of(*g, c.what.at) == cut_name && !c.what.codings.empty() && c.what.codings[0].coded_as == coded_as &&
             c.what.codings[0].width == width;
    });
    return it == in.end() ? nullptr : &*it;
  }

  std::shared_ptr<const graph> g = test::small_network();
  std::vector<cut> cuts = single_tensor_cuts(*g);
  machine_profile device, server;
  enumerate_options how;
};

TEST_F(Enumerate, CostsACutByHand)
{
  const auto made = all();
  const auto* c = find(made, "narrow", codec::dense, 4);
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->where, placement::split);
  const double first = 8 * 16 * 16 * 27, narrow = 4 * 8 * 8 * 72, wide = 16 * 8 * 8 * 36, scores = 160;
  EXPECT_NEAR(c->cost.device_s, (first + narrow) / 1e8 + 3 * 2e-6, 1e-12);
  EXPECT_NEAR(c->cost.server_s, (wide + scores) / 1e10 + 4 * 2e-6, 1e-12);
  EXPECT_NEAR(c->cost.encode_s, 1e-6 + 256e-9, 1e-15);       // the device's codec
  EXPECT_NEAR(c->cost.decode_s, 7e-6 + 7 * 256e-9, 1e-15);   // the server's
  EXPECT_EQ(c->cost.payload_bytes, 128);                     // 4 x 8 x 8 values of 4 bits
  EXPECT_EQ(c->cost.bytes, 128 + how.envelope_bytes);
  EXPECT_EQ(c->cost.return_bytes, 40 + how.envelope_bytes);
  EXPECT_FALSE(c->cost.agreement);
  EXPECT_EQ(c->what.at.macs_head, static_cast<std::uint64_t>(first + narrow));
}

TEST_F(Enumerate, HasBothEndsOnceAndLossless)
{
  how.pixels = true;
  how.image_bytes = 700;
  how.image_decode_s = 0.25;
  const auto made = all();
  EXPECT_EQ(std::count_if(made.begin(), made.end(), [](const candidate& c) { return c.where == placement::device; }), 1);
  const auto end = std::find_if(made.begin(), made.end(), [](const candidate& c) { return c.where == placement::device; });
  EXPECT_EQ(end->cost.bytes, 0);
  EXPECT_EQ(end->cost.return_bytes, 0);
  EXPECT_EQ(end->cost.agreement, 1.0);
  EXPECT_TRUE(end->what.codings.empty());
  EXPECT_EQ(evaluate(*end, {bit_rate{0}, 1}).latency(), end->cost.device_s);

  const auto* raw = find(made, "input", codec::raw, 0);
  ASSERT_NE(raw, nullptr);
  EXPECT_EQ(raw->where, placement::cloud);
  EXPECT_EQ(raw->cost.device_s, 0);
  EXPECT_EQ(raw->cost.payload_bytes, 4 * 768);
  EXPECT_EQ(raw->cost.agreement, 1.0);
  EXPECT_EQ(find(made, "input", codec::pixels, 0)->cost.payload_bytes, 768);
  EXPECT_EQ(find(made, "input", codec::image, 0)->cost.payload_bytes, 700);
  EXPECT_EQ(find(made, "input", codec::image, 0)->cost.decode_s, 0.25);
  EXPECT_EQ(find(made, "pooled", codec::pixels, 0), nullptr);
}

TEST_F(Enumerate, LeavesOutWhatCannotPay)
{
  how.widths = {1, 4, 8};
  const auto made = all();
  EXPECT_NE(find(made, "pooled", codec::dense, 1), nullptr);
  EXPECT_EQ(find(made, "narrow", codec::dense, 1), nullptr);   // signed
  EXPECT_NE(find(made, "pooled", codec::sparse, 4), nullptr);
  EXPECT_EQ(find(made, "narrow", codec::sparse, 8), nullptr);  // hardly any zeros, so a mask only adds
  EXPECT_LT(find(made, "pooled", codec::runs, 4)->cost.payload_bytes, find(made, "pooled", codec::sparse, 4)->cost.payload_bytes);
  EXPECT_EQ(find(made, "pooled", codec::sparse, 1), nullptr);  // a mask is as large as the codes
}

TEST_F(Enumerate, TakesAgreementAndZerosFromTheTable)
{
  const accuracy_table table("", {{"pooled", 4, 0.9, 100, 0.75}, {"pooled", 8, 0.99, 100, 0.5}});
  const auto made = all(&table);
  EXPECT_EQ(find(made, "pooled", codec::sparse, 4)->cost.payload_bytes, 512 / 8 + 64);
  EXPECT_EQ(find(made, "pooled", codec::dense, 4)->cost.agreement, 0.9);
  EXPECT_EQ(find(made, "pooled", codec::dense, 6)->cost.agreement, 0.9);
  EXPECT_EQ(find(made, "pooled", codec::dense, 3)->cost.agreement, std::nullopt);
  EXPECT_EQ(find(made, "pooled", codec::raw, 0)->cost.agreement, 1.0);
}

TEST_F(Enumerate, CountsTheScalesOfACallersOwnCoding)
{
  how.code_with = [](const cut&, value_id, codec c, int width) {
    coding code;
    code.coded_as = c;
    code.width = width;
    code.group.axis = 1;
    return code;
  };
  const auto made = all();
  const auto* c = find(made, "pooled", codec::dense, 4);
  EXPECT_EQ(c->cost.bytes, 256 + how.envelope_bytes + 8 * 7);
  EXPECT_EQ(c->what.codings[0].group.axis, 1);
}

TEST_F(Enumerate, RefusesProfilesThatDoNotFit)
{
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, nullptr, nullptr}).error().code, errc::bad_input);
  how.widths = {17};
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, nullptr}, how).error().code, errc::bad_width);
  server.layers.nodes.pop_back();
  EXPECT_EQ(enumerate_candidates(*g, cuts, {&device, &server, nullptr}).error().code, errc::model_mismatch);
}

}  // namespace
}  // namespace narrows
