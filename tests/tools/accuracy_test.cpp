// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models.hpp"
#include "npy.hpp"
#include "process.hpp"

namespace narrows {
namespace {

using test::shared;

class Photographs : public testing::TestWithParam<test::photo_model> {
protected:
  void SetUp() override
  {
    if (!std::filesystem::exists(shared("images/labels.csv"))) GTEST_SKIP() << "no shared photographs beside this checkout";
  }
  static std::vector<std::string> command(std::vector<std::string> more)
  {
    std::vector<std::string> all{"infer", shared("models/imagenet/" + GetParam().file)};
    all.insert(all.end(), GetParam().options.begin(), GetParam().options.end());
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_P(Photographs, AreRecognisedAsOftenAsPublished)
{
  const auto f = test::narrows(command({shared("images/photos"), "--labels", shared("images/labels.csv"), "-o", "json"}), std::chrono::minutes(9));
  ASSERT_EQ(f.code, 0) << f.err;
  const auto all = nlohmann::json::parse(f.out);
  const auto& s = all.at("summary");
  EXPECT_EQ(s.at("inputs"), 200);
  EXPECT_EQ(s.at("errors"), 0);
  EXPECT_LE(std::abs(s.at("top1").get<int>() - GetParam().top1), 3) << s.at("top1");
  EXPECT_LE(std::abs(s.at("top5").get<int>() - GetParam().top5), 3) << s.at("top5");
  std::printf("%s: top-1 %d (published %d), top-5 %d (%d)\n", GetParam().file.c_str(), s.at("top1").get<int>(), GetParam().top1, s.at("top5").get<int>(), GetParam().top5);
}

// The reference crops go through the program as 8-bit arrays of N x H x W x 3: no decoder, no resize.
TEST_P(Photographs, CropsGiveTheReferenceOutputs)
{
  const auto& m = GetParam();
  std::vector<std::string> options;
  for (std::size_t i = 0; i < m.options.size(); i += 2)
    if (m.options[i] != "--resize" && m.options[i] != "--crop") options.insert(options.end(), {m.options[i], m.options[i + 1]});
  const std::string size = m.file == "mcunet_144.onnx" ? "144" : "224";
  const test::scratch folder;
  std::vector<std::string> command{"infer", shared("models/imagenet/" + m.file), shared("models/reference/crops_" + size + ".npy"), "--save-output", folder / "out", "-o", "json"};
  command.insert(command.end(), options.begin(), options.end());
  const auto f = test::narrows(command);
  ASSERT_EQ(f.code, 0) << f.err;
  const auto text = test::text_of(shared("models/reference/" + m.file.substr(0, m.file.size() - 5) + "_output.npy"));
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  const auto expected = tool::parse_npy(bytes);
  ASSERT_TRUE(expected) << expected.error().text();
  std::vector<std::filesystem::path> files;
  for (const auto& e : std::filesystem::directory_iterator(folder / "out")) files.push_back(e.path());
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), 8U);
  const std::size_t each = expected->dims.elements() / 8;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto own_text = test::text_of(files[i]);
    const std::vector<std::uint8_t> own_bytes(own_text.begin(), own_text.end());
    const auto own = tool::parse_npy(own_bytes);
    ASSERT_TRUE(own) << own.error().text();
    ASSERT_EQ(own->dims.elements(), each);
    std::vector<float> a(each), b(each);
    tool::to_floats(*own, 0, a);
    tool::to_floats(*expected, i * each, b);
    double worst = 0;
    for (std::size_t k = 0; k < each; ++k) worst = std::max(worst, std::abs(static_cast<double>(a[k]) - static_cast<double>(b[k])));
    EXPECT_LE(worst, 5e-5) << "crop " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Photographs, testing::ValuesIn(test::photo_models()), [](const auto& each) {
  auto name = each.param.file.substr(0, each.param.file.find('.'));
  for (auto& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace narrows
