// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/dot.hpp>

namespace narrows {
namespace {

using testing::HasSubstr;

TEST(Dot, HasABoxPerNodeAnArrowPerReaderAndQuotesNames)
{
  test::sure_builder b("a \"net\"");
  const auto x = b.input("x\n1", shape{2, 3});
  const auto y = b.add("y", op::matmul{}, {x, b.constant("w", tensor(shape{3, 5}))});
  const auto text = to_dot(*b.finish({b.relu("z", y)}));
  EXPECT_THAT(text, HasSubstr("digraph \"a \\\"net\\\"\" {"));
  EXPECT_THAT(text, HasSubstr("n0 [label=\"y_node\\nmatmul\\n30 multiply-adds\"]"));
  EXPECT_THAT(text, HasSubstr("v0 -> n0 [label=\"x?1\\n2x3\"]"));
  EXPECT_THAT(text, HasSubstr("n0 -> n1 [label=\"y\\n2x5\"]"));
  EXPECT_EQ(text.find("\"w"), std::string::npos);
}

}  // namespace
}  // namespace narrows
