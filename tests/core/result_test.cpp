// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/core/result.hpp>

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace narrows {
namespace {

result<int> half(int n)
{
  if (n % 2 != 0) return error(errc::bad_input, "number " + std::to_string(n));
  return n / 2;
}

result<void> quarter_exists(int n)
{
  NARROWS_TRY(half(n));
  NARROWS_TRY(half(n / 2));
  return {};
}

TEST(Result, HoldsAValueOrTheReason)
{
  EXPECT_EQ(*half(8), 4);
  const auto failed = half(7);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errc::bad_input);
  EXPECT_EQ(failed.error().text(), "number 7: input does not fit");
}

TEST(Result, TryHandsTheFailureOn)
{
  EXPECT_TRUE(quarter_exists(8));
  const auto failed = quarter_exists(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what, "number 3");
}

TEST(Result, WorksInConstantEvaluationWithPlainCodes)
{
  constexpr result<int, errc> good = 3;
  constexpr result<int, errc> bad = errc::bad_width;
  static_assert(*good == 3);
  static_assert(bad.error() == errc::bad_width);
}

TEST(Errc, EveryCodeHasItsOwnSentence)
{
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(errc::internal); ++i) {
    const auto text = message(static_cast<errc>(i));
    EXPECT_NE(text, "unknown error") << i;
    EXPECT_TRUE(seen.insert(text).second) << text;
  }
}

}  // namespace
}  // namespace narrows
