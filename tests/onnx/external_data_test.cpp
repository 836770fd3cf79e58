// SPDX-License-Identifier: BSD-3-Clause
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

using testing::HasSubstr;
using test::onnx_file;

/// A folder with a model whose weights lie in a file beside it, and a file outside that folder.
class ExternalData : public testing::Test {
protected:
  void SetUp() override
  {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    top_ = std::filesystem::path(testing::TempDir()) / (std::string("narrows_external_") + info->name());
    std::filesystem::remove_all(top_);
    std::filesystem::create_directories(top_ / "model" / "sub");
    const float values[] = {1, 2, 3, 4};
    for (const auto* name : {"outside.bin", "model/w.bin", "model/sub/w.bin"})
      std::ofstream(top_ / name, std::ios::binary).write(reinterpret_cast<const char*>(values), sizeof values);
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  result<model> load(const std::string& location, const std::string& offset = "0", const std::string& length = "8", bool allowed = true)
  {
    onnx_file f;
    f.input("x", {2}).output("y");
    auto& t = *f.graph().add_initializer();
    t.set_name("w");
    t.set_data_type(1);
    t.add_dims(2);
    t.set_data_location(1);
    const auto entry = [&](const char* key, const std::string& value) {
      auto& e = *t.add_external_data();
      e.set_key(key);
      e.set_value(value);
    };
    entry("location", location);
    entry("offset", offset);
    entry("length", length);
    f.node("Add", {"x", "w"}, {"y"});
    const auto bytes = f.bytes();
    std::ofstream(top_ / "model" / "m.onnx", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    import_options how;
    how.allow_external_data = allowed;
    return load_onnx(top_ / "model" / "m.onnx", how);
  }

  std::filesystem::path top_;
};

TEST_F(ExternalData, IsReadWhenAskedForAndHashed)
{
  const auto m = load("w.bin", "4");
  ASSERT_TRUE(m) << m.error().text();
  const auto& g = *m->network;
  EXPECT_EQ(g[g.nodes()[0].inputs[1]].constant->values()[0], 2);
  auto all = test::file_bytes(top_ / "model" / "m.onnx");
  const auto data = test::file_bytes(top_ / "model" / "w.bin");
  all.insert(all.end(), data.begin(), data.end());
  EXPECT_EQ(m->hash, sha256_hex(all));
  EXPECT_TRUE(load("sub/w.bin"));
}

TEST_F(ExternalData, IsRefusedUnlessAskedFor)
{
  const auto m = load("w.bin", "0", "8", false);
  ASSERT_FALSE(m);
  EXPECT_THAT(m.error().what, HasSubstr("m.onnx: tensor 'w': its data is in another file"));
}

TEST_F(ExternalData, NeverLeavesTheModelsFolder)
{
  for (const auto& location : {std::string("../outside.bin"), (top_ / "outside.bin").string(), std::string("sub/../../outside.bin"), std::string(), std::string("w.bin\0x", 7)})
    EXPECT_FALSE(load(location)) << location;
  std::filesystem::create_symlink(top_ / "outside.bin", top_ / "model" / "link.bin");
  const auto m = load("link.bin");
  ASSERT_FALSE(m);
  EXPECT_THAT(m.error().what, HasSubstr("outside the model's folder"));
}

TEST_F(ExternalData, MustBeThereAndLongEnough)
{
  EXPECT_FALSE(load("missing.bin"));
  EXPECT_FALSE(load("sub"));
  EXPECT_EQ(load("w.bin", "12").error().code, errc::truncated);
  EXPECT_EQ(load("w.bin", "18446744073709551615").error().code, errc::truncated);
  EXPECT_EQ(load("w.bin", "four").error().code, errc::bad_model);
  EXPECT_EQ(load("w.bin", "0", "7").error().code, errc::bad_model);
}

}  // namespace
}  // namespace narrows
