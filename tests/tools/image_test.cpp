// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "draw_image.hpp"
#include "image.hpp"
#include "image_write.hpp"

namespace narrows {
namespace {

using testing::HasSubstr;
using tool::decode_image;
using tool::picture;

int largest_difference(const picture& a, const picture& b)
{
  if (a.width != b.width || a.height != b.height || a.pixels.size() != b.pixels.size()) return 256;
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return most;
}

std::array<std::uint8_t, 3> pixel(const picture& p, int x, int y)
{
  const auto* at = &p.pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(p.width) + static_cast<std::size_t>(x)) * 3];
  return {at[0], at[1], at[2]};
}

TEST(ImageWrite, WritesTheJpegOfTheLibrary)
{
  for (const auto& p : {test::noise_picture(33, 17, 1), test::ramp_picture(64, 48)})
    for (const int quality : {20, 94, 95, 100}) {
      const auto file = tool::encode_jpeg(p, quality);
      ASSERT_TRUE(file) << file.error().text();
      EXPECT_EQ(*file, test::jpeg_file(p, {.quality = quality, .half_chroma = quality < 95})) << quality;
    }
}

TEST(ImageWrite, PngComesBackAsItWas)
{
  for (const auto& p : {test::noise_picture(33, 17, 2), test::ramp_picture(1, 1), test::ramp_picture(224, 224)}) {
    const auto file = tool::encode_png(p);
    ASSERT_TRUE(file) << file.error().text();
    const auto back = decode_image(*file);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(largest_difference(p, *back), 0);
  }
}

TEST(ImageWrite, RefusesAPictureWithoutItsPixels)
{
  auto p = test::ramp_picture(8, 8);
  p.pixels.pop_back();
  EXPECT_EQ(tool::encode_jpeg(p, 90).error().code, errc::bad_input);
  EXPECT_EQ(tool::encode_png(p).error().code, errc::bad_input);
  EXPECT_EQ(tool::encode_png(picture()).error().code, errc::bad_input);
}

TEST(Image, KindIsReadFromTheContent)
{
  EXPECT_EQ(tool::image_kind_of(test::jpeg_file(test::ramp_picture(8, 8))), tool::image_kind::jpeg);
  EXPECT_EQ(tool::image_kind_of(test::png_file(test::ramp_picture(8, 8))), tool::image_kind::png);
  EXPECT_EQ(tool::image_kind_of(std::vector<std::uint8_t>{'G', 'I', 'F', '8'}), tool::image_kind::unknown);
  EXPECT_EQ(tool::image_kind_of({}), tool::image_kind::unknown);
}

TEST(Image, PngComesBackPixelForPixel)
{
  for (const auto& [w, h] : {std::pair{1, 1}, {7, 5}, {64, 33}}) {
    SCOPED_TRACE(testing::Message() << w << "x" << h);
    const auto p = test::noise_picture(w, h, 1);
    for (const bool interlaced : {false, true}) {
      test::png_form form;
      form.interlaced = interlaced;
      const auto back = decode_image(test::png_file(p, form));
      ASSERT_TRUE(back) << back.error().text();
      EXPECT_EQ(largest_difference(*back, p), 0);
    }
  }
}

TEST(Image, PngOfEveryColourTypeBecomesRgb)
{
  test::png_form grey;
  grey.color = PNG_COLOR_TYPE_GRAY;
  auto p = decode_image(test::png_file(2, 1, {{7, 250}}, grey));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{7, 7, 7, 250, 250, 250}));

  grey.depth = 1;   // two pixels in the top bits of one byte
  p = decode_image(test::png_file(2, 1, {{0x40}}, grey));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{0, 0, 0, 255, 255, 255}));

  grey.depth = 16;
  p = decode_image(test::png_file(1, 1, {{0x80, 0x00}}, grey));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{128, 128, 128}));

  test::png_form palette;
  palette.color = PNG_COLOR_TYPE_PALETTE;
  palette.palette = {{10, 20, 30}, {200, 100, 50}};
  for (const bool transparent : {false, true}) {
    palette.transparent = transparent;
    p = decode_image(test::png_file(2, 1, {{1, 0}}, palette));
    ASSERT_TRUE(p) << p.error().text();
    EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{200, 100, 50, 10, 20, 30})) << transparent;
  }

  test::png_form alpha;
  alpha.color = PNG_COLOR_TYPE_RGB_ALPHA;
  p = decode_image(test::png_file(1, 1, {{1, 2, 3, 0}}, alpha));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{1, 2, 3}));

  alpha.color = PNG_COLOR_TYPE_GRAY_ALPHA;
  p = decode_image(test::png_file(1, 1, {{9, 128}}, alpha));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->pixels, (std::vector<std::uint8_t>{9, 9, 9}));
}

TEST(Image, JpegOfEveryFormComesBackClose)
{
  const auto p = test::ramp_picture(61, 47);
  for (const bool progressive : {false, true})
    for (const bool half : {false, true}) {
      test::jpeg_form form;
      form.progressive = progressive;
      form.half_chroma = half;
      const auto back = decode_image(test::jpeg_file(p, form));
      ASSERT_TRUE(back) << back.error().text();
      EXPECT_LE(largest_difference(*back, p), half ? 9 : 3) << progressive << half;
    }
}

TEST(Image, GreyJpegIsWidenedToThreeEqualChannels)
{
  test::jpeg_form form;
  form.components = 1;
  const auto p = test::ramp_picture(32, 16);
  const auto back = decode_image(test::jpeg_file(p, form));
  ASSERT_TRUE(back) << back.error().text();
  for (int x = 0; x < 32; ++x) {
    const auto [r, g, b] = pixel(*back, x, 5);
    EXPECT_EQ(r, g);
    EXPECT_EQ(r, b);
    EXPECT_NEAR(r, pixel(p, x, 5)[0], 3);
  }
}

TEST(Image, CmykJpegWithoutBlackInkIsItsOwnColour)
{
  test::jpeg_form form;
  form.components = 4;
  const auto p = test::ramp_picture(32, 16);
  const auto back = decode_image(test::jpeg_file(p, form));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_LE(largest_difference(*back, p), 4);
}

// Corner colours of a picture whose stored corners are A B / C D, by the figure of the EXIF standard (tag 0x0112).
TEST(Image, OrientationTurnsTheCornersAsExifSays)
{
  picture stored = test::ramp_picture(3, 2);
  const auto paint = [&](int x, int y, std::uint8_t v) { std::fill_n(&stored.pixels[static_cast<std::size_t>(y * 3 + x) * 3], 3, v); };
  paint(0, 0, 'A');
  paint(2, 0, 'B');
  paint(0, 1, 'C');
  paint(2, 1, 'D');
  const char* const expected[] = {"ABCD", "ABCD", "BADC", "DCBA", "CDAB", "ACBD", "CADB", "DBCA", "BDAC"};
  for (int orientation = 0; orientation <= 8; ++orientation) {
    const auto p = tool::oriented(stored, orientation);
    const bool swapped = orientation >= 5;
    ASSERT_EQ(p.width, swapped ? 2 : 3);
    ASSERT_EQ(p.height, swapped ? 3 : 2);
    std::string corners;
    for (const int y : {0, p.height - 1})
      for (const int x : {0, p.width - 1}) corners += static_cast<char>(pixel(p, x, y)[0]);
    EXPECT_EQ(corners, expected[orientation]) << orientation;
  }
}

TEST(Image, OrientationIsAppliedInBothFormats)
{
  const auto p = test::ramp_picture(40, 24);
  test::jpeg_form jpeg;
  jpeg.orientation = 6;
  const auto a = decode_image(test::jpeg_file(p, jpeg));
  ASSERT_TRUE(a) << a.error().text();
  EXPECT_LE(largest_difference(*a, tool::oriented(p, 6)), 3);
  test::png_form png;
  png.orientation = 8;
  const auto b = decode_image(test::png_file(p, png));
  ASSERT_TRUE(b) << b.error().text();
  EXPECT_EQ(largest_difference(*b, tool::oriented(p, 8)), 0);
}

TEST(Image, BrokenExifBlocksMeanNoOrientation)
{
  const std::vector<std::uint8_t> good{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  EXPECT_EQ(tool::exif_orientation(good), 6);
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_EQ(tool::exif_orientation(std::span(good).first(n)), 1) << n;
  auto far = good;
  far[7] = 0xFF;   // directory past the end
  EXPECT_EQ(tool::exif_orientation(far), 1);
  auto nine = good;
  nine[18] = 9;
  EXPECT_EQ(tool::exif_orientation(nine), 1);
}

TEST(Image, EveryTruncationIsAnErrorWithOneLine)
{
  const auto p = test::noise_picture(40, 30, 3);
  test::jpeg_form progressive;
  progressive.progressive = true;
  test::png_form interlaced;
  interlaced.interlaced = true;
  for (const auto& file : {test::jpeg_file(p), test::jpeg_file(p, progressive), test::png_file(p), test::png_file(p, interlaced)}) {
    const bool jpeg = tool::image_kind_of(file) == tool::image_kind::jpeg;
    for (std::size_t n = 0; n < file.size() - (jpeg ? 2 : 0); n += 1 + n / 50) {   // a JPEG without its end mark is whole
      const auto back = decode_image(std::span(file).first(n));
      ASSERT_FALSE(back) << n << " of " << file.size();
      EXPECT_EQ(back.error().code, errc::bad_image);
      EXPECT_EQ(back.error().text().find('\n'), std::string::npos);
    }
  }
}

TEST(Image, FlippedBitsNeverCrashAndPngNoticesThem)
{
  const auto p = test::noise_picture(24, 18, 4);
  test::jpeg_form progressive;
  progressive.progressive = true;
  std::mt19937 random(5);
  for (const auto& file : {test::jpeg_file(p), test::jpeg_file(p, progressive), test::png_file(p)})
    for (int i = 0; i < 1500; ++i) {
      auto damaged = file;
      const auto bit = random() % (file.size() * 8);
      damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << bit % 8);
      const auto back = decode_image(damaged);
      if (!back) {
        EXPECT_TRUE(back.error().code == errc::bad_image || back.error().code == errc::limit_exceeded) << back.error().text();
      } else {
        EXPECT_EQ(back->pixels.size(), static_cast<std::size_t>(back->width) * static_cast<std::size_t>(back->height) * 3);
        if (tool::image_kind_of(file) == tool::image_kind::png) {
          EXPECT_EQ(largest_difference(*back, p), 0) << "bit " << bit;
        }
      }
    }
}

TEST(Image, HugeDeclaredSizesAreRefusedBeforeMemoryIsTaken)
{
  auto jpeg = test::jpeg_file(test::ramp_picture(16, 16));
  const std::uint8_t frame[] = {0xFF, 0xC0};
  const auto sof = static_cast<std::size_t>(std::search(jpeg.begin(), jpeg.end(), std::begin(frame), std::end(frame)) - jpeg.begin());
  ASSERT_LT(sof + 9, jpeg.size());
  auto large = jpeg;
  for (std::size_t i = 5; i < 9; ++i) large[sof + i] = 0xF0;   // 61680 x 61680
  auto back = decode_image(large);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, errc::limit_exceeded);
  EXPECT_THAT(back.error().what, HasSubstr("61680 x 61680"));
  large = jpeg;
  large[sof + 5] = large[sof + 7] = 0x1F;                      // about 8000 x 8000 in a file of a few hundred bytes
  back = decode_image(large);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, errc::bad_image);
  EXPECT_THAT(back.error().what, HasSubstr("too few bytes"));

  tool::image_limits small;
  small.max_pixels = 255;
  EXPECT_EQ(decode_image(jpeg, small).error().code, errc::limit_exceeded);
  EXPECT_EQ(decode_image(test::png_file(test::ramp_picture(16, 16)), small).error().code, errc::limit_exceeded);
  small.max_pixels = 256;
  EXPECT_TRUE(decode_image(jpeg, small));
  small.max_file_bytes = 10;
  EXPECT_EQ(decode_image(jpeg, small).error().code, errc::limit_exceeded);
}

TEST(Image, ScansOfAProgressiveJpegAreCounted)
{
  test::jpeg_form form;
  form.progressive = true;
  tool::image_limits limits;
  limits.max_scans = 3;
  const auto back = decode_image(test::jpeg_file(test::ramp_picture(32, 32), form), limits);
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().what, HasSubstr("scans"));
}

TEST(Image, AllSharedPhotographsDecodeToTheirListedSizes)
{
  const auto folder = std::filesystem::path(NARROWS_SHARED_DIR) / "images" / "photos";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared photographs beside this checkout";
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<std::uint8_t> file{std::istreambuf_iterator<char>(in), {}};
    const auto p = decode_image(file);
    ASSERT_TRUE(p) << entry.path() << p.error().text();
    ++seen;
  }
  EXPECT_EQ(seen, 200);
}

}  // namespace
}  // namespace narrows
