// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "csv.hpp"

namespace narrows {
namespace {

using rows = std::vector<std::vector<std::string>>;

TEST(Csv, SplitsFieldsQuotesAndLines)
{
  EXPECT_EQ(tool::parse_csv("a,b\n1,\"x, \"\"y\"\"\"\r\n\n,\n\"two\nlines\",3"), (rows{{"a", "b"}, {"1", "x, \"y\""}, {"", ""}, {"two\nlines", "3"}}));
  EXPECT_EQ(tool::parse_csv(""), rows{});
  EXPECT_EQ(tool::parse_csv("\xEF\xBB\xBF" "file\n"), (rows{{"file"}}));
  EXPECT_EQ(tool::parse_csv("\"open"), (rows{{"open"}}));
}

TEST(Csv, WritesFieldsThatReadBack)
{
  for (const std::string text : {"plain", "with, comma", "with \"quotes\"", "two\nlines", ""})
    EXPECT_EQ(tool::parse_csv("x," + tool::csv_field(text)), (rows{{"x", text}}));
}

}  // namespace
}  // namespace narrows
