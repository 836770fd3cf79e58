// SPDX-License-Identifier: BSD-3-Clause
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "draw_image.hpp"
#include "files.hpp"
#include "input.hpp"
#include "npy.hpp"
#include "scratch.hpp"
#include "units.hpp"

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tool::preprocessing;

const shape rgb_8{1, 3, 8, 8};

template <class Bytes>
void write_bytes(const std::filesystem::path& file, const Bytes& bytes)
{
  test::write_text(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// A TensorProto by hand: dims (field 1), data_type (2), float_data packed (4) or raw_data (9).
std::string tensor_proto(const std::vector<int>& dims, const std::vector<float>& values, bool raw)
{
  std::string t;
  for (const int d : dims) t += std::string("\x08") + static_cast<char>(d);
  t += std::string("\x10\x01", 2);
  std::string data(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  t += raw ? '\x4A' : '\x22';
  t += static_cast<char>(0x80 | (data.size() & 127));
  t += static_cast<char>(data.size() >> 7);
  return t + data;
}

TEST(Preprocessing, ReadsSizesAndChannels)
{
  EXPECT_EQ(tool::parse_size("256")->width, 256);
  EXPECT_EQ(tool::parse_size("256")->height, 0);
  EXPECT_EQ(tool::parse_size("320x240")->height, 240);
  for (const auto* bad : {"", "0", "-1", "x", "3x", "x3", "1x2x3", "16385", "12a", "99999999999"}) EXPECT_FALSE(tool::parse_size(bad)) << bad;
  EXPECT_THAT(*tool::parse_channels("127.5"), ElementsAre(127.5F, 127.5F, 127.5F));
  EXPECT_THAT(*tool::parse_channels("1,2.5,-3"), ElementsAre(1, 2.5F, -3));
  for (const auto* bad : {"", "1,2", "1,2,3,4", "a", "1,,2", "nan", "inf"}) EXPECT_FALSE(tool::parse_channels(bad)) << bad;
}

TEST(Preprocessing, ReadsUnits)
{
  EXPECT_DOUBLE_EQ(tool::parse_duration("20ms")->count(), 0.02);
  EXPECT_DOUBLE_EQ(tool::parse_duration("1.5s")->count(), 1.5);
  EXPECT_DOUBLE_EQ(tool::parse_duration("0")->count(), 0);
  EXPECT_DOUBLE_EQ(tool::parse_bit_rate("5Mbit")->bits_per_second, 5e6);
  EXPECT_DOUBLE_EQ(tool::parse_bit_rate("2.5Gbit/s")->bits_per_second, 2.5e9);
  for (const auto* bad : {"", "5", "ms", "-1ms", "5 years", "1e9s"}) EXPECT_FALSE(tool::parse_duration(bad)) << bad;
  for (const auto* bad : {"", "5", "5MB", "0Mbit", "-5Mbit", "5mbit"}) EXPECT_FALSE(tool::parse_bit_rate(bad)) << bad;
}

TEST(Preprocessing, NormalisesInTheOrderOfTheNetwork)
{
  const std::vector<std::uint8_t> pixels{10, 20, 30, 40, 50, 60};   // two pixels, R G B
  preprocessing how;
  how.mean = {{1, 2, 3}};
  how.std = {{2, 4, 8}};
  auto x = tool::normalised(pixels, how, shape{1, 3, 1, 2});
  ASSERT_TRUE(x);
  EXPECT_THAT(std::vector<float>(x->values().begin(), x->values().end()), ElementsAre(4.5F, 19.5F, 4.5F, 12, 27 / 8.0F, 57 / 8.0F));
  how.order = tool::channel_order::bgr;   // mean and std stand in the network's order
  x = tool::normalised(pixels, how, shape{1, 3, 1, 2});
  ASSERT_TRUE(x);
  EXPECT_THAT(std::vector<float>(x->values().begin(), x->values().end()), ElementsAre(14.5F, 29.5F, 4.5F, 12, 7 / 8.0F, 37 / 8.0F));
  EXPECT_FALSE(tool::normalised(pixels, how, shape{1, 3, 2, 2}));
  EXPECT_FALSE(tool::normalised(pixels, how, shape{6}));
}

TEST(Preprocessing, GreyNetworksGetLuma)
{
  tool::picture p;
  p.width = 2;
  p.height = 1;
  p.pixels = {77, 77, 77, 255, 0, 0};
  const auto grey = tool::pixels_for(p, {}, shape{1, 1, 1, 2});
  ASSERT_TRUE(grey);
  EXPECT_THAT(*grey, ElementsAre(77, 76));   // 0.299 * 255
}

TEST(Preprocessing, LongThinPicturesAreNotBlownUp)
{
  auto p = test::noise_picture(1, 20000, 1);
  preprocessing how;
  how.resize = preprocessing::size{16384, 0};
  const auto out = tool::pixels_for(std::move(p), how, rgb_8);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, errc::limit_exceeded);
}

TEST(Preprocessing, TakesDefaultsFromTheFileBesideTheModel)
{
  const test::scratch folder;
  EXPECT_FALSE(tool::beside_model(folder / "net.onnx")->resize);
  test::write_text(folder / "net.json", R"({"resize": 256, "crop": 224, "mean": [1, 2, 3], "std": 4, "order": "bgr", "label_offset": 1, "classes": "names.csv", "other": {}})");
  const auto how = tool::beside_model(folder / "net.onnx");
  ASSERT_TRUE(how) << how.error().text();
  EXPECT_EQ(how->resize->width, 256);
  EXPECT_EQ(how->crop, 224);
  EXPECT_THAT(*how->mean, ElementsAre(1, 2, 3));
  EXPECT_THAT(*how->std, ElementsAre(4, 4, 4));
  EXPECT_EQ(how->order, tool::channel_order::bgr);
  EXPECT_EQ(how->label_offset, 1);
  EXPECT_EQ(how->classes, folder / "names.csv");
  preprocessing given;
  given.crop = 100;
  given.fill_from(*how);
  EXPECT_EQ(given.crop, 100);
  EXPECT_EQ(given.label_offset, 1);
  for (const auto* bad : {"", "[]", "{", R"({"resize": -1})", R"({"resize": "big"})", R"({"mean": [1, 2]})", R"({"std": 0})", R"({"order": "gbr"})", R"({"label-offset": 1.5})", R"({"classes": 3})"}) {
    test::write_text(folder / "net.json", bad);
    const auto refused = tool::beside_model(folder / "net.onnx");
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, errc::bad_input);
    EXPECT_THAT(refused.error().what, HasSubstr("net.json"));
  }
}

TEST(Inputs, AFolderGivesItsPicturesInNameOrderByContent)
{
  const test::scratch folder;
  const auto p = test::ramp_picture(8, 8);
  write_bytes(folder / "b.dat", test::png_file(p));
  write_bytes(folder / "a.JPEG", test::jpeg_file(p));
  test::write_text(folder / "c.png", "not one");
  std::filesystem::create_directory(folder / "d.png");
  const auto list = tool::list_inputs({folder.path().string()}, rgb_8);
  ASSERT_TRUE(list) << list.error().text();
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].file.filename(), "a.JPEG");
  EXPECT_EQ((*list)[1].file.filename(), "b.dat");
  tool::input_loader loader(rgb_8, {});
  const auto in = loader.load((*list)[1]);
  ASSERT_TRUE(in) << in.error().text();
  EXPECT_EQ(in->pixels, p.pixels);
  EXPECT_EQ(in->file, test::png_file(p));
  EXPECT_EQ(in->values.dims(), rgb_8);
  EXPECT_EQ(in->values.values()[64], p.pixels[1]) << "planes, not pixels";
}

TEST(Inputs, ArraysOfSeveralRecordsAreSeveralInputs)
{
  const test::scratch folder;
  tensor three(shape{3, 3, 8, 8});
  for (std::size_t i = 0; i < three.size(); ++i) three.values()[i] = static_cast<float>(i);
  write_bytes(folder / "x.npy", tool::to_npy(three.view()));
  const auto list = tool::list_inputs({folder / "x.npy"}, rgb_8);
  ASSERT_TRUE(list) << list.error().text();
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[2].name, folder / "x.npy" + "[2]");
  tool::input_loader loader(rgb_8, {});
  const auto in = loader.load((*list)[2]);
  ASSERT_TRUE(in);
  EXPECT_EQ(in->values.values()[5], 2 * 192 + 5);
  EXPECT_TRUE(in->pixels.empty());
  // Without the batch axis, and of the wrong shape.
  write_bytes(folder / "y.npy", tool::to_npy(tensor(shape{3, 8, 8}).view()));
  EXPECT_EQ(tool::list_inputs({folder / "y.npy"}, rgb_8)->size(), 1U);
  write_bytes(folder / "z.npy", tool::to_npy(tensor(shape{3, 8, 9}).view()));
  const auto wrong = tool::list_inputs({folder / "z.npy"}, rgb_8);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().what, HasSubstr("3x8x9"));
}

TEST(Inputs, SerialisedTensorsFeedTheNetworkDirectly)
{
  const test::scratch folder;
  std::vector<float> values(192);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.5F;
  for (const bool raw : {false, true}) {
    test::write_text(folder / "x.pb", tensor_proto({1, 3, 8, 8}, values, raw));
    tool::input_loader loader(rgb_8, {});
    const auto in = loader.load({folder / "x.pb", 0, "x.pb"});
    ASSERT_TRUE(in) << in.error().text();
    EXPECT_TRUE(std::equal(values.begin(), values.end(), in->values.values().begin()));
    tool::input_loader other(shape{1, 3, 8, 4}, {});
    const auto wrong = other.load({folder / "x.pb", 0, "x.pb"});
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().what, HasSubstr("1x3x8x8"));
  }
  const auto whole = tensor_proto({1, 3, 8, 8}, values, true);
  for (std::size_t n = 0; n < whole.size(); n += 37) {
    test::write_text(folder / "short.pb", whole.substr(0, n));
    tool::input_loader loader(rgb_8, {});
    EXPECT_FALSE(loader.load({folder / "short.pb", 0, "short.pb"})) << n;
  }
}

TEST(Files, AppearWholeOrNotAtAll)
{
  const test::scratch folder;
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  const auto in_folder = [&] { return std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator{}); };
  {
    auto f = tool::new_file::write(folder / "a", bytes);
    ASSERT_TRUE(f) << f.error().text();
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  }
  EXPECT_EQ(in_folder(), 0) << "not committed: nothing stays";
  {
    auto f = tool::new_file::write(folder / "a", bytes);
    ASSERT_TRUE(f->commit());
  }
  EXPECT_EQ(*tool::read_file(folder / "a", 10), bytes);
  EXPECT_EQ(in_folder(), 1);
  EXPECT_EQ(tool::read_file(folder / "a", 2).error().code, errc::limit_exceeded);
  EXPECT_EQ(tool::read_file(folder.path(), 2).error().code, errc::io_error);
}

}  // namespace
}  // namespace narrows
