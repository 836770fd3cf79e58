// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/onnx/export.hpp>
#include <onnx/onnx_models.hpp>
#include <support/naive_engine.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using test::onnx_file;
using test::strings;

std::vector<tensor> run(const model& m, const std::vector<tensor>& in)
{
  auto e = any_engine(test::naive_engine{}).load(whole_slice(m.network));
  EXPECT_TRUE(e);
  std::vector<tensor> out;
  for (const auto& t : e->outputs()) out.emplace_back(t.dims);
  std::vector<tensor_view> from;
  for (const auto& t : in) from.push_back(t.view());
  std::vector<mutable_tensor_view> to;
  for (auto& t : out) to.push_back(t.view());
  EXPECT_TRUE(e->run(from, to, {}));
  return out;
}

std::vector<std::string> names(const graph& g, std::span<const value_id> values)
{
  std::vector<std::string> out;
  for (const auto v : values) out.push_back(g[v].name);
  return out;
}

tensor ramp(const shape& s)
{
  tensor t(s);
  for (std::size_t i = 0; i < t.size(); ++i) t.values()[i] = static_cast<float>(i % 17) / 8 - 1;
  return t;
}

TEST(Split, GivesTwoFilesThatTogetherAreTheModel)
{
  const auto bytes = test::small_cnn().bytes();
  import_options unfused;
  unfused.fuse = false;
  const auto whole = import_onnx("test.onnx", bytes, unfused);
  ASSERT_TRUE(whole);
  const auto x = ramp(shape{1, 3, 8, 8});
  const auto expected = run(*whole, {x});
  int cuts = 0;
  for (const auto& c : single_tensor_cuts(*whole->network)) {
    const auto at = name_of(*whole->network, c);
    if (at == "input" || at == "none") continue;
    SCOPED_TRACE(at);
    const auto files = split_onnx(bytes, strings{at});
    ASSERT_TRUE(files) << files.error().text();
    const auto head = import_onnx("head.onnx", files->head, unfused), tail = import_onnx("tail.onnx", files->tail, unfused);
    ASSERT_TRUE(head) << head.error().text();
    ASSERT_TRUE(tail) << tail.error().text();
    EXPECT_THAT(names(*head->network, head->network->outputs()), ElementsAre(at));
    EXPECT_THAT(names(*tail->network, tail->network->inputs()), ElementsAre(at));
    EXPECT_EQ(head->network->nodes().size() + tail->network->nodes().size(), whole->network->nodes().size());
    const auto answer = run(*tail, run(*head, {x}));
    EXPECT_TRUE(std::equal(answer[0].values().begin(), answer[0].values().end(), expected[0].values().begin()));
    ++cuts;
  }
  EXPECT_EQ(cuts, 5);
}

TEST(Split, WiderCutsAndOutputsOnBothSides)
{
  onnx_file f;
  f.input("x", {4}).output("side").output("end");
  f.node("Relu", {"x"}, {"a"});
  f.node("Neg", {"a"}, {"b"});
  f.node("Abs", {"a"}, {"c"});
  f.node("Exp", {"b"}, {"side"});
  f.node("Add", {"b", "c"}, {"sum"});
  f.node("Add", {"sum", "x"}, {"end"});
  const auto bytes = f.bytes();
  const auto files = split_onnx(bytes, strings{"sum", "side", "x"});
  EXPECT_FALSE(files);  // nothing reads `side`
  const auto two = split_onnx(bytes, strings{"sum", "x"});
  ASSERT_TRUE(two) << two.error().text();
  const auto head = import_onnx("h", two->head), tail = import_onnx("t", two->tail);
  ASSERT_TRUE(head) << head.error().text();
  ASSERT_TRUE(tail) << tail.error().text();
  EXPECT_THAT(names(*head->network, head->network->outputs()), ElementsAre("sum", "side"));  // an output the tail cannot make
  EXPECT_THAT(names(*tail->network, tail->network->inputs()), ElementsAre("x", "sum"));
  EXPECT_THAT(names(*tail->network, tail->network->outputs()), ElementsAre("end"));
}

TEST(Split, KeepsMetadataAndUnknownFields)
{
  auto f = test::small_cnn();
  // producer_name (field 2) and a metadata entry (field 14) are not in this program's description of the format.
  f.model.mutable_unknown_fields()->append("\x12\x04good\x72\x08\x0A\x01k\x12\x03" "val");
  const auto files = split_onnx(f.bytes(), strings{"r"});
  ASSERT_TRUE(files) << files.error().text();
  for (const auto& part : {files->head, files->tail}) {
    const std::string text(part.begin(), part.end());
    EXPECT_THAT(text, HasSubstr("\x12\x04good"));
    EXPECT_THAT(text, HasSubstr("val"));
  }
}

TEST(Split, RefusesWhatIsNoCut)
{
  const auto bytes = test::small_cnn().bytes();
  for (const auto& bad : {strings{"nowhere"}, strings{"w"}, strings{"input"}, strings{"none"}, strings{"y"}, strings{"shape"}, strings{}})
    EXPECT_EQ(split_onnx(bytes, bad).error().code, errc::bad_cut);
  EXPECT_FALSE(split_onnx({bytes.data(), bytes.size() / 2}, strings{"r"}));
}

TEST(Split, WorksAtEveryCutOfARealNetworkWithShapeArithmetic)
{
  const auto file = test::shared_models / "detect" / "ultraface_rfb_320.onnx";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no models beside the checkout";
  const auto bytes = test::file_bytes(file);
  const auto whole = import_onnx("whole", bytes);
  ASSERT_TRUE(whole);
  for (const auto& c : single_tensor_cuts(*whole->network)) {
    const auto at = name_of(*whole->network, c);
    if (at == "input" || at == "none") continue;
    SCOPED_TRACE(at);
    const auto files = split_onnx(bytes, strings{at});
    ASSERT_TRUE(files) << files.error().text();
    const auto head = import_onnx("head", files->head), tail = import_onnx("tail", files->tail);
    ASSERT_TRUE(head) << head.error().text();
    ASSERT_TRUE(tail) << tail.error().text();
    EXPECT_EQ(multiply_adds(*head->network) + multiply_adds(*tail->network), multiply_adds(*whole->network));
    EXPECT_EQ(multiply_adds(*head->network), c.macs_head);
  }
}

}  // namespace
}  // namespace narrows
