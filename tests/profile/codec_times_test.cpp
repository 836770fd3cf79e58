// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/profile/codec_times.hpp>

#include <array>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(MeasureCodecTimes, HasOneEntryPerCodecAndWidthAndOneForCodecsWithoutCodes)
{
  constexpr std::array codecs{codec::raw, codec::dense, codec::sparse};
  constexpr std::array widths{4, 11};
  const auto times = measure_codec_times(codecs, widths, 2);
  ASSERT_TRUE(times) << times.error().text();
  ASSERT_EQ(times->entries.size(), 5U);
  ASSERT_NE(times->find(codec::sparse, 11), nullptr);
  EXPECT_EQ(times->find(codec::sparse, 11)->width, 11);
  EXPECT_EQ(times->find(codec::dense, 5), nullptr);
  EXPECT_NE(times->find(codec::raw, 0), nullptr);
  for (const auto& e : times->entries) {
    EXPECT_GE(e.encode_per_call_s, 0);
    EXPECT_GE(e.decode_per_call_s, 0);
    EXPECT_GT(e.encode_s(200704), 0) << to_string(e.coded_as) << ' ' << e.width;
    EXPECT_GT(e.decode_s(200704), 0) << to_string(e.coded_as) << ' ' << e.width;
  }
}

TEST(MeasureCodecTimes, RefusesWhatEncodeRefuses)
{
  constexpr std::array codecs{codec::dense};
  constexpr std::array widths{17};
  EXPECT_EQ(measure_codec_times(codecs, widths, 1).error().code, errc::bad_width);
  EXPECT_EQ(measure_codec_times(codecs, widths, 0).error().code, errc::bad_input);
}

TEST(CodecTime, IsALine)
{
  const codec_time t{codec::dense, 4, 1, 0.5, 2, 0.25};
  EXPECT_EQ(t.encode_s(10), 6);
  EXPECT_EQ(t.decode_s(4), 3);
}

}  // namespace
}  // namespace narrows
