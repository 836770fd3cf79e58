// SPDX-License-Identifier: BSD-3-Clause
// Reverse tile calculation on one axis, against enumeration: which input each tap of each output reads.
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/partition/detail/reach.hpp>

namespace narrows::detail {
namespace {

constexpr int cases = 40000;

class source {
public:
  std::int64_t whole(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(engine_); }
  interval part_of(std::int64_t extent)
  {
    const auto a = whole(0, extent - 1), b = whole(0, extent - 1);
    return {std::min(a, b), std::max(a, b) + 1};
  }

private:
  std::mt19937_64 engine_{20261121};
};

constexpr std::int64_t border = -1;

/// Input index of each tap of each output of a window over `extent` values; the border where there is none.
std::vector<std::vector<std::int64_t>> taps(const op::window& w, std::int64_t extent, std::int64_t outputs)
{
  std::vector<std::vector<std::int64_t>> all;
  for (std::int64_t o = 0; o < outputs; ++o) {
    all.emplace_back();
    for (std::int64_t j = 0; j < w.kernel[0]; ++j) {
      const auto at = o * w.stride[0] - w.pads[0] + j * w.dilation[0];
      all.back().push_back(at < 0 || at >= extent ? border : at);
    }
  }
  return all;
}

TEST(Reach, OfWindowsReadsWhatTheTapsRead)
{
  source random;
  int empty = 0, hanging = 0;
  for (int n = 0; n < cases; ++n) {
    op::window w;
    w.kernel[0] = random.whole(1, 7);
    w.stride[0] = random.whole(1, 4);
    w.dilation[0] = random.whole(1, 3);
    w.pads[0] = random.whole(0, 9);
    w.pads[2] = random.whole(0, 9);
    const auto extent = random.whole(1, 20);
    const auto floor = positions_floor(extent, w, 0), ceil = positions_ceil(extent, w, 0);
    const bool ceil_mode = w.pads[0] < covered(w.kernel[0], w.dilation[0]) && w.pads[2] < covered(w.kernel[0], w.dilation[0]) && random.whole(0, 1) == 1;
    const auto outputs = ceil_mode ? ceil : floor;
    if (outputs < 1) continue;
    hanging += ceil_mode && ceil > floor;
    const auto wanted = random.part_of(outputs);
    const auto expected = taps(w, extent, outputs);
    const auto r = window_reach(w, 0, extent, wanted);
    ASSERT_EQ(r.made, wanted);
    std::int64_t first = extent, last = -1;
    for (auto o = wanted.begin; o < wanted.end; ++o)
      for (const auto at : expected[static_cast<std::size_t>(o)])
        if (at != border) {
          first = std::min(first, at);
          last = std::max(last, at);
        }
    if (r.read.empty()) {
      ++empty;
      ASSERT_EQ(last, -1);
      continue;
    }
    ASSERT_GE(r.read.begin, 0);
    ASSERT_LE(r.read.end, extent);
    ASSERT_LE(r.read.begin, first);
    ASSERT_GT(r.read.end, last);
    // No more than the first and the last window cover.
    ASSERT_TRUE((interval{wanted.begin * w.stride[0] - w.pads[0], (wanted.end - 1) * w.stride[0] - w.pads[0] + covered(w.kernel[0], w.dilation[0])}.contains(r.read)));
    op::window local = w;
    local.pads[0] = r.before;
    local.pads[2] = r.after;
    ASSERT_LE(r.before, w.pads[0]);
    ASSERT_LE(r.after, w.pads[2]);
    const auto got = taps(local, r.read.size(), wanted.size());
    for (auto o = wanted.begin; o < wanted.end; ++o)
      for (std::size_t j = 0; j < got[0].size(); ++j) {
        const auto at = got[static_cast<std::size_t>(o - wanted.begin)][j];
        ASSERT_EQ(at == border ? border : at + r.read.begin, expected[static_cast<std::size_t>(o)][j]) << "extent " << extent << ", output " << o << ", tap " << j;
      }
    // The builder's shape rule must come to the same number of outputs.
    ASSERT_LE(positions_floor(r.read.size(), local, 0), wanted.size());
    ASSERT_GE(ceil_mode ? positions_ceil(r.read.size(), local, 0) : positions_floor(r.read.size(), local, 0), wanted.size());
    // What counts in a mean that includes the border.
    if (ceil_mode)
      for (auto o = wanted.begin; o < wanted.end; ++o)
        for (std::int64_t j = 0; j < w.kernel[0]; ++j) {
          const auto at = o * w.stride[0] - w.pads[0] + j * w.dilation[0], here = (o - wanted.begin) * w.stride[0] - r.before + j * w.dilation[0];
          ASSERT_EQ(at < extent + w.pads[2], here < r.read.size() + r.after);
        }
  }
  EXPECT_GT(empty, 100);
  EXPECT_GT(hanging, 100);
}

TEST(Reach, OfTransposedWindowsReadsWhatAddsToTheOutputs)
{
  source random;
  for (int n = 0; n < cases; ++n) {
    op::window w;
    w.kernel[0] = random.whole(1, 5);
    w.stride[0] = random.whole(1, 5);
    w.dilation[0] = random.whole(1, 3);
    w.pads[0] = random.whole(0, 4);
    w.pads[2] = random.whole(0, 4);
    const auto padding = random.whole(0, std::max(w.stride[0], w.dilation[0]) - 1), extent = random.whole(1, 12);
    const auto outputs = w.stride[0] * (extent - 1) + padding + covered(w.kernel[0], w.dilation[0]) - w.pads[0] - w.pads[2];
    if (outputs < 1) continue;
    const auto wanted = random.part_of(outputs);
    const auto r = transpose_reach(w, 0, extent, wanted);
    const auto adds = [&](std::int64_t inputs, std::int64_t cut, std::int64_t shift, std::int64_t output) {
      std::vector<std::pair<std::int64_t, std::int64_t>> all;   // input, tap
      for (std::int64_t i = 0; i < inputs; ++i)
        for (std::int64_t j = 0; j < w.kernel[0]; ++j)
          if (i * w.stride[0] - cut + j * w.dilation[0] == output) all.emplace_back(i + shift, j);
      return all;
    };
    ASSERT_GE(r.before, 0);
    ASSERT_GE(r.after, 0);
    ASSERT_GE(r.read.begin, 0);
    ASSERT_LE(r.read.end, extent);
    ASSERT_LT(r.output_padding, std::max(w.stride[0], w.dilation[0]));
    ASSERT_EQ(w.stride[0] * (r.read.size() - 1) + r.output_padding + covered(w.kernel[0], w.dilation[0]) - r.before - r.after, wanted.size());
    for (auto o = wanted.begin; o < wanted.end; ++o)
      ASSERT_EQ(adds(extent, w.pads[0], 0, o), adds(r.read.size(), r.before, r.read.begin, o - wanted.begin)) << "output " << o;
  }
}

TEST(Reach, OfPadsReadsWhatThePaddedMapShows)
{
  using m = enum op::pad::mode;
  source random;
  for (int n = 0; n < cases; ++n) {
    const auto mode = std::vector{m::constant, m::reflect, m::edge}[static_cast<std::size_t>(random.whole(0, 2))];
    const auto extent = random.whole(1, 12);
    const auto most = mode == m::reflect ? extent - 1 : 14;
    auto before = random.whole(0, most), after = random.whole(0, most);
    if (random.whole(0, 3) == 0) before = -random.whole(0, extent - 1);
    if (mode != m::constant && before < 0) after = 0;
    if (extent + before + after < 1) continue;
    const auto wanted = random.part_of(extent + before + after);
    const auto shows = [mode](std::int64_t at, std::int64_t inputs) {
      if (at >= 0 && at < inputs) return at;
      if (mode == m::constant) return border;
      if (mode == m::edge) return at < 0 ? std::int64_t{0} : inputs - 1;
      return at < 0 ? -at : 2 * (inputs - 1) - at;
    };
    const auto r = pad_reach(mode, before, extent, wanted);
    ASSERT_FALSE(r.read.empty());
    ASSERT_GE(r.read.begin, 0);
    ASSERT_LE(r.read.end, extent);
    ASSERT_TRUE(r.made.contains(wanted));
    ASSERT_EQ(r.read.size() + r.before + r.after, r.made.size());
    ASSERT_TRUE(mode != m::reflect || std::max(r.before, r.after) < r.read.size());
    for (auto o = wanted.begin; o < wanted.end; ++o) {
      const auto here = shows(o - r.made.begin - r.before, r.read.size());
      ASSERT_EQ(here == border ? border : here + r.read.begin, shows(o - before, extent)) << "output " << o;
    }
  }
}

TEST(Reach, OfSlicesAndResizesHoldsWhatTheyRead)
{
  source random;
  for (int n = 0; n < cases; ++n) {
    const auto extent = random.whole(1, 30), to = random.whole(1, 40);
    op::resize z;
    z.mode = static_cast<enum op::resize::mode>(random.whole(0, 2));
    z.coordinates = static_cast<enum op::resize::coordinates>(random.whole(0, 4));
    z.rounding = static_cast<enum op::resize::rounding>(random.whole(0, 3));
    z.scales = {random.whole(0, 1) == 0 ? static_cast<double>(to) / static_cast<double>(extent) : static_cast<double>(to) / static_cast<double>(extent) + 0.01};
    const resize_map map(z, 0, extent, to);
    auto wanted = random.part_of(to);
    const auto r = resize_reach(map, wanted);
    ASSERT_TRUE(interval({0, extent}).contains(r.read));
    for (auto o = wanted.begin; o < wanted.end; ++o) {
      ASSERT_GE(map.reads(o).first, r.read.begin);
      ASSERT_LT(map.reads(o).second, r.read.end);
    }
    const auto step = random.whole(0, 1) == 0 ? random.whole(1, 4) : -random.whole(1, 4), count = random.whole(1, 10);
    const auto start = step > 0 ? random.whole(0, 3) : -step * (count - 1) + random.whole(0, 3);
    wanted = random.part_of(count);
    const auto s = slice_reach(start, step, wanted);
    const auto local = step > 0 ? 0 : s.read.size() - 1;
    for (auto o = wanted.begin; o < wanted.end; ++o) ASSERT_EQ(s.read.begin + local + (o - wanted.begin) * step, start + o * step);
    ASSERT_EQ(s.read.size(), (wanted.size() - 1) * std::abs(step) + 1);
  }
}

}  // namespace
}  // namespace narrows::detail
