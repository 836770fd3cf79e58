// SPDX-License-Identifier: BSD-3-Clause
// Damaged and hostile files: an error that names the cause, in one line, and never a crash. Run under the sanitizers too.
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <narrows/graph/cut.hpp>
#include <onnx/onnx_models.hpp>

namespace narrows {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using test::onnx_file;
using list = std::vector<std::int64_t>;

/// Limits that keep a lucky mutation from taking a gigabyte.
import_options tight()
{
  import_options how;
  how.max_constant_bytes = how.max_tensor_bytes = std::uint64_t{1} << 24;
  return how;
}

void expect_one_line(const error& e)
{
  EXPECT_EQ(e.text().find('\n'), std::string::npos);
  EXPECT_THAT(e.what, HasSubstr("test.onnx"));
}

TEST(BadModel, EveryTruncationIsNoticed)
{
  const auto bytes = test::small_cnn().bytes();
  int whole = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto m = import_onnx("test.onnx", {bytes.data(), n});
    if (m) {  // only where nothing but the end of the last list is missing
      ++whole;
      continue;
    }
    expect_one_line(m.error());
    EXPECT_TRUE(m.error().code == errc::truncated || m.error().code == errc::bad_model || m.error().code == errc::bad_graph) << n << ": " << m.error().text();
  }
  EXPECT_EQ(whole, 0);
}

TEST(BadModel, RandomDamageGivesErrorsOrAModelWhoseCutsCanBeListed)
{
  const auto bytes = test::small_cnn().bytes();
  std::mt19937 random(2026);
  int refused = 0;
  for (int i = 0; i < 6000; ++i) {
    auto damaged = bytes;
    const auto flips = 1 + random() % 4;
    for (std::size_t k = 0; k < flips; ++k) {
      const auto at = random() % damaged.size();
      if (random() % 2) damaged[at] = static_cast<std::uint8_t>(random());
      else damaged[at] ^= static_cast<std::uint8_t>(1U << random() % 8);
    }
    if (random() % 8 == 0) damaged.insert(damaged.begin() + static_cast<std::ptrdiff_t>(random() % damaged.size()), 1 + random() % 8, static_cast<std::uint8_t>(random()));
    if (random() % 8 == 0) damaged.erase(damaged.begin() + static_cast<std::ptrdiff_t>(random() % damaged.size()));
    SCOPED_TRACE(testing::Message() << "damage " << i << " of seed 2026");
    const auto m = import_onnx("test.onnx", damaged, tight());
    if (m) {
      EXPECT_GE(single_tensor_cuts(*m->network).size(), 2U);
      continue;
    }
    ++refused;
    expect_one_line(m.error());
  }
  EXPECT_GT(refused, 2000);  // many bytes are weights, where any value is right
}

TEST(BadModel, ACycleIsReportedWithItsNodes)
{
  onnx_file f;
  f.input("x", {2}).output("c");
  f.node("Add", {"x", "c"}, {"a"}, "first");
  f.node("Relu", {"a"}, {"b"}, "second");
  f.node("Neg", {"b"}, {"c"}, "third");
  const auto m = f.import();
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().code, errc::bad_graph);
  EXPECT_THAT(m.error().what, AllOf(HasSubstr("cycle"), HasSubstr("'first' -> 'second' -> 'third' -> 'first'")));
  onnx_file self;
  self.input("x", {2}).output("a");
  self.node("Add", {"x", "a"}, {"a"}, "loop");
  EXPECT_THAT(self.import().error().what, HasSubstr("'loop' -> 'loop'"));
}

TEST(BadModel, NamesThatDangleOrAppearTwiceAreReported)
{
  onnx_file dangling;
  dangling.input("x", {2}).output("y");
  dangling.node("Add", {"x", "nobody"}, {"y"}, "sum");
  EXPECT_THAT(dangling.import().error().what, HasSubstr("node 'sum' (Add): input 'nobody' is made by no node"));

  onnx_file twice;
  twice.input("x", {2}).output("y");
  twice.node("Relu", {"x"}, {"y"});
  twice.node("Neg", {"x"}, {"y"});
  EXPECT_THAT(twice.import().error().what, HasSubstr("'y' is made twice"));

  onnx_file weights;
  weights.input("x", {2}).weights("w", {2}).weights("w", {2}).output("y");
  weights.node("Add", {"x", "w"}, {"y"});
  EXPECT_THAT(weights.import().error().what, HasSubstr("two initializers are named 'w'"));

  onnx_file no_output;
  no_output.input("x", {2}).output("y");
  no_output.node("Relu", {"x"}, {"z"});
  EXPECT_THAT(no_output.import().error().what, HasSubstr("output 'y' is made by no node"));

  onnx_file through;
  through.input("x", {2}).output("x");
  through.node("Relu", {"x"}, {"z"});
  EXPECT_THAT(through.import().error().what, HasSubstr("output 'x' is an input"));

  onnx_file empty;
  EXPECT_EQ(empty.import().error().code, errc::bad_graph);
}

TEST(BadModel, NoOperatorSetOrATooNewOneIsReported)
{
  onnx_file f;
  f.input("x", {2}).output("y");
  f.node("Relu", {"x"}, {"y"});
  f.model.clear_opset_import();
  EXPECT_EQ(f.import().error().code, errc::bad_model);
  f.model.add_opset_import()->set_version(999);
  EXPECT_THAT(f.import().error().what, HasSubstr("operator set 999"));
  EXPECT_EQ(import_onnx("test.onnx", {}).error().code, errc::bad_model);
}

TEST(BadModel, GiantSizesAreRefusedBeforeMemoryIsTaken)
{
  constexpr auto big = std::int64_t{1} << 40;
  onnx_file input;
  input.input("x", {1, big}).output("y");
  input.node("Relu", {"x"}, {"y"});
  EXPECT_EQ(input.import().error().code, errc::limit_exceeded);

  onnx_file overflow;
  overflow.input("x", {big, big}).output("y");
  overflow.node("Relu", {"x"}, {"y"});
  EXPECT_EQ(overflow.import().error().code, errc::bad_shape);

  onnx_file filled;
  filled.input("x", {1}).integers("dims", {1 << 20, 1 << 20}).output("y");
  filled.node("ConstantOfShape", {"dims"}, {"w"}, "fill");
  filled.node("Add", {"x", "w"}, {"y"});
  EXPECT_THAT(filled.import().error().what, HasSubstr("node 'fill' (ConstantOfShape)"));
  EXPECT_EQ(filled.import().error().code, errc::limit_exceeded);

  onnx_file counted;
  counted.input("x", {1}).integers("lo", {0}, true).integers("hi", {std::numeric_limits<std::int64_t>::max() / 8}, true).integers("by", {1}, true).output("y");
  counted.node("Range", {"lo", "hi", "by"}, {"r"});
  counted.node("Reshape", {"x", "r"}, {"y"});
  EXPECT_FALSE(counted.import());

  onnx_file blown;  // each step is small; the broadcast is not
  blown.input("a", {1 << 20, 1}).input("b", {1, 1 << 20}).output("y");
  blown.node("Add", {"a", "b"}, {"y"}, "outer");
  EXPECT_EQ(blown.import().error().code, errc::limit_exceeded);

  onnx_file weights;
  weights.input("x", {1}).output("y");
  auto& t = *weights.graph().add_initializer();
  t.set_name("w");
  t.set_data_type(1);
  t.add_dims(big);
  weights.node("Add", {"x", "w"}, {"y"});
  EXPECT_EQ(weights.import().error().code, errc::limit_exceeded);
}

TEST(BadModel, HostileAttributesAreReportedWithTheirNode)
{
  constexpr auto huge = std::numeric_limits<std::int64_t>::max();
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
  const auto pool = [](const char* key, const list& values) {
    onnx_file f;
    f.input("x", {1, 1, 8, 8}).output("y");
    auto& n = f.node("MaxPool", {"x"}, {"y"}, "pool");
    if (std::string(key) != "kernel_shape") test::set(n, "kernel_shape", list{2, 2});
    test::set(n, key, values);
    return f.import();
  };
  for (const auto& values : {list{0, 0}, list{-1, 2}, list{huge, 1}, list{lowest, lowest}, list{1}, list{}, list{1, 1, 1}})
    for (const auto* key : {"kernel_shape", "strides", "pads"}) {
      const auto m = pool(key, values);
      ASSERT_FALSE(m) << key;
      EXPECT_THAT(m.error().what, HasSubstr("node 'pool' (MaxPool)"));
    }
  const auto axis = [](const char* op, std::int64_t a) {
    onnx_file f;
    f.input("x", {2, 3}).output("y");
    test::set(f.node(op, {"x"}, {"y"}, "n"), "axis", a);
    return f.import();
  };
  for (const auto* op : {"Softmax", "Concat", "Flatten", "Split"})
    for (const auto a : {huge, lowest, std::int64_t{3}, std::int64_t{-3}}) EXPECT_FALSE(axis(op, a)) << op << " " << a;

  const auto sliced = [](std::int64_t start, std::int64_t end, std::int64_t step) {
    onnx_file f;
    f.input("x", {7}).integers("s", {start}).integers("e", {end}).integers("a", {0}).integers("p", {step}).output("y");
    f.node("Slice", {"x", "s", "e", "a", "p"}, {"y"});
    return f.import();
  };
  for (const auto start : {lowest, std::int64_t{-1}, std::int64_t{0}, huge})
    for (const auto end : {lowest, std::int64_t{-1}, std::int64_t{0}, huge})
      for (const auto step : {lowest, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, huge})
        EXPECT_EQ(sliced(start, end, step).has_value(), step != 0) << start << " " << end << " " << step;

  onnx_file wrong_type;
  wrong_type.input("x", {2, 3}).output("y");
  test::set(wrong_type.node("Softmax", {"x"}, {"y"}, "n"), "axis", "one");
  EXPECT_THAT(wrong_type.import().error().what, HasSubstr("attribute 'axis' is not an integer"));

  for (const auto b : {huge, lowest, std::int64_t{0}}) {
    onnx_file f;
    f.input("x", {1, 4, 2, 2}).output("y");
    test::set(f.node("DepthToSpace", {"x"}, {"y"}, "n"), "blocksize", b);
    EXPECT_FALSE(f.import());
  }
  onnx_file scaled;
  scaled.input("x", {1, 1, 2, 2}).output("y");
  scaled.weights("scales", {4}, std::numeric_limits<float>::infinity());
  scaled.node("Resize", {"x", "", "scales"}, {"y"}, "n");
  EXPECT_FALSE(scaled.import());
}

TEST(BadModel, MessagesThatCostMoreThanTheyWeighAreCountedFirst)
{
  onnx_wire::Model m;
  m.set_ir_version(7);
  for (int i = 0; i < 60000; ++i) m.mutable_graph()->add_node();
  const auto s = m.SerializeAsString();
  const auto nodes = import_onnx("test.onnx", {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  EXPECT_EQ(nodes.error().code, errc::limit_exceeded);
  EXPECT_THAT(nodes.error().what, HasSubstr("50000 nodes"));

  onnx_wire::Model lists;
  auto& n = *lists.mutable_graph()->add_node();
  for (int i = 0; i < 600000; ++i) n.add_input();
  const auto t = lists.SerializeAsString();
  EXPECT_EQ(import_onnx("test.onnx", {reinterpret_cast<const std::uint8_t*>(t.data()), t.size()}).error().code, errc::limit_exceeded);

  import_options small;
  small.max_bytes = 10;
  EXPECT_EQ(test::small_cnn().import(small).error().code, errc::limit_exceeded);
}

TEST(BadModel, DeepNestingIsNotFollowed)
{
  // A subgraph in an attribute of a node of a subgraph, 20000 deep: attribute field 6 is a graph, its field 1 a node.
  std::string inner;
  for (int i = 0; i < 20000; ++i) {
    const auto wrap = [&](char tag) {
      std::string length;
      auto n = inner.size();
      do {
        length += static_cast<char>((n & 0x7F) | (n > 0x7F ? 0x80 : 0));
        n >>= 7;
      } while (n != 0);
      inner.insert(0, length);
      inner.insert(inner.begin(), tag);
    };
    wrap(i % 3 == 0 ? 0x0A : i % 3 == 1 ? 0x2A : 0x32);  // graph.node, node.attribute, attribute.g
    if (inner.size() > (1U << 18)) break;
  }
  onnx_file f;
  f.input("x", {2}).output("y");
  auto& n = f.node("If", {"x"}, {"y"}, "nested");
  test::attribute(n, "then_branch", 5).mutable_unknown_fields()->append("\x32").append(1, static_cast<char>(0x00));
  EXPECT_THAT(f.import().error().what, HasSubstr("node 'nested' (If)"));
  std::vector<std::uint8_t> deep(inner.begin(), inner.end());
  EXPECT_FALSE(import_onnx("test.onnx", deep));
  std::vector<std::uint8_t> groups(100000, 0x0B);  // group starts, the old way of nesting
  EXPECT_EQ(import_onnx("test.onnx", groups).error().code, errc::corrupt);
}

TEST(BadModel, NamesCannotBreakTheLine)
{
  onnx_file f;
  f.input("x", {2}).output("y");
  f.node("Bad\nOp\x1B[31m", {"x"}, {"y"}, "evil\r\nname" + std::string(5000, 'x'));
  const auto m = f.import();
  expect_one_line(m.error());
  EXPECT_EQ(m.error().text().find('\x1B'), std::string::npos);
  EXPECT_LT(m.error().text().size(), 1000U);
}

}  // namespace
}  // namespace narrows
