// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "csv.hpp"
#include "draw_image.hpp"
#include "npy.hpp"
#include "resize.hpp"

namespace narrows {
namespace {

using tool::picture;

// The same resampling written the slow way: for every output pixel the exact sum over all inputs, in double, with the
// intermediate picture rounded to whole levels as the 8-bit form does.
std::vector<double> oracle_axis(const std::vector<double>& in, int out)
{
  const auto n = static_cast<int>(in.size());
  const double scale = static_cast<double>(n) / out;
  const double reach = std::max(1.0, scale);
  std::vector<double> result;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale - 0.5;   // in units of input pixels, pixel k at k
    double sum = 0;
    double weights = 0;
    for (int k = 0; k < n; ++k) {
      const double w = std::max(0.0, 1 - std::abs(k - centre) / reach);
      sum += w * in[static_cast<std::size_t>(k)];
      weights += w;
    }
    result.push_back(sum / weights);
  }
  return result;
}

double oracle_value(const picture& p, int width, int height, int x, int y, int c)
{
  std::vector<double> line;
  for (int row = 0; row < p.height; ++row) {
    std::vector<double> in;
    for (int k = 0; k < p.width; ++k) in.push_back(p.pixels[static_cast<std::size_t>((row * p.width + k) * 3 + c)]);
    line.push_back(std::floor(oracle_axis(in, width)[static_cast<std::size_t>(x)] + 0.5));
  }
  return oracle_axis(line, height)[static_cast<std::size_t>(y)];
}

TEST(Resize, EqualsTheSlowSumInDoublePrecision)
{
  struct size { int from_w, from_h, to_w, to_h; };
  for (const auto& s : {size{17, 11, 5, 4}, {13, 9, 13, 4}, {9, 30, 4, 30}, {5, 4, 17, 11}, {31, 7, 10, 12}, {1, 1, 3, 2}, {8, 8, 1, 1}}) {
    SCOPED_TRACE(testing::Message() << s.from_w << "x" << s.from_h << " to " << s.to_w << "x" << s.to_h);
    const auto p = test::noise_picture(s.from_w, s.from_h, 11);
    const auto q = tool::resized(p, s.to_w, s.to_h);
    ASSERT_EQ(q.width, s.to_w);
    ASSERT_EQ(q.height, s.to_h);
    for (int y = 0; y < s.to_h; ++y)
      for (int x = 0; x < s.to_w; ++x)
        for (int c = 0; c < 3; ++c)   // half a level of the last rounding, and one level where an inner half was a tie
          EXPECT_NEAR(q.pixels[static_cast<std::size_t>((y * s.to_w + x) * 3 + c)], oracle_value(p, s.to_w, s.to_h, x, y, c), 0.75) << x << ' ' << y;
  }
}

TEST(Resize, KeepsAFlatPictureFlat)
{
  auto p = test::noise_picture(50, 41, 0);
  for (const std::uint8_t level : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{254}, std::uint8_t{255}}) {
    std::fill(p.pixels.begin(), p.pixels.end(), level);
    for (const auto& [w, h] : {std::pair{7, 3}, {49, 42}, {200, 100}}) {
      const auto q = tool::resized(p, w, h);
      for (const auto v : q.pixels) ASSERT_EQ(v, level) << w << 'x' << h;
    }
  }
}

TEST(Resize, ShortSideIsMetAndTheLongSideRoundsDown)
{
  picture p;
  p.width = 500;
  p.height = 375;
  EXPECT_EQ(tool::short_side_to(p, 256), std::pair(341, 256));   // 341.33
  std::swap(p.width, p.height);
  EXPECT_EQ(tool::short_side_to(p, 256), std::pair(256, 341));
  p.width = p.height = 86;
  EXPECT_EQ(tool::short_side_to(p, 256), std::pair(256, 256));
}

TEST(Resize, CropTakesTheMiddle)
{
  const auto p = test::noise_picture(7, 6, 2);
  const auto q = tool::central(p, 5, 4);
  ASSERT_TRUE(q);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 5; ++x)
      EXPECT_EQ(q->pixels[static_cast<std::size_t>((y * 5 + x) * 3)], p.pixels[static_cast<std::size_t>(((y + 1) * 7 + x + 1) * 3)]);
  const auto odd = tool::central(p, 4, 3);   // margins 3 and 3: 1.5 goes to 2
  const auto small = tool::central(p, 6, 5); // margins 1 and 1: 0.5 goes to 0
  ASSERT_TRUE(odd && small);
  EXPECT_EQ(odd->pixels[0], p.pixels[(2 * 7 + 2) * 3]);
  EXPECT_EQ(small->pixels[0], p.pixels[0]);
  const auto large = tool::central(p, 8, 3);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, errc::bad_input);
}

TEST(Resize, SharedCropsComeOutOfTheOwnImagePath)
{
  const auto shared = std::filesystem::path(NARROWS_SHARED_DIR);
  if (!std::filesystem::exists(shared / "models" / "reference" / "crops.csv")) GTEST_SKIP() << "no shared models beside this checkout";
  const auto bytes_of = [](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::vector<std::uint8_t>{std::istreambuf_iterator<char>(in), {}};
  };
  const auto list = bytes_of(shared / "models" / "reference" / "crops.csv");
  const auto rows = tool::parse_csv({reinterpret_cast<const char*>(list.data()), list.size()});
  for (const auto& [side, size] : {std::pair{256, 224}, {164, 144}}) {
    SCOPED_TRACE(size);
    const auto file = bytes_of(shared / "models" / "reference" / ("crops_" + std::to_string(size) + ".npy"));
    const auto crops = tool::parse_npy(file);
    ASSERT_TRUE(crops) << crops.error().text();
    const auto one = static_cast<std::size_t>(size * size * 3);
    ASSERT_EQ(crops->data.size(), one * 8);
    std::size_t far = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const auto photo = tool::decode_image(bytes_of(shared / "images" / "photos" / rows.at(i + 1).at(1)));
      ASSERT_TRUE(photo) << photo.error().text();
      const auto [w, h] = tool::short_side_to(*photo, side);
      const auto own = tool::central(tool::resized(*photo, w, h), size, size);
      ASSERT_TRUE(own);
      for (std::size_t k = 0; k < one; ++k) {
        const int d = std::abs(int{own->pixels[k]} - int{crops->data[i * one + k]});
        far += d > 1;
      }
    }
    // With Debian 12's libjpeg-turbo none differs at all; another version may round its colours otherwise.
    EXPECT_LT(static_cast<double>(far), 0.01 * static_cast<double>(8 * one));
  }
}

}  // namespace
}  // namespace narrows
