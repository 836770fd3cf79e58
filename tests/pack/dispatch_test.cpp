// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/dispatch.hpp>

#include <cstdlib>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace narrows {
namespace {

TEST(Dispatch, ScalarIsAlwaysThereAndNamesAreUnique)
{
  std::set<std::string_view> names;
  for (const auto* set : available_kernels()) names.insert(set->name);
  EXPECT_EQ(names.size(), available_kernels().size());
  EXPECT_EQ(available_kernels().front()->name, "scalar");
  EXPECT_EQ(find_kernels("scalar"), available_kernels().front());
  EXPECT_EQ(find_kernels("no such set"), nullptr);
}

TEST(Dispatch, EveryEntryOfEveryTableIsFilled)
{
  for (const auto* set : available_kernels()) {
    SCOPED_TRACE(set->name);
    for (std::size_t i = 0; i < 8; ++i)
      EXPECT_TRUE(set->pack_u8[i] && set->pack_u16[i] && set->unpack_u8[i] && set->unpack_u16[i]);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_TRUE(set->quantize_pack[i] && set->unpack_dequantize[i]);
    EXPECT_TRUE(set->quantize_u8 && set->quantize_u16 && set->dequantize_u8 && set->dequantize_u16 && set->min_max);
    EXPECT_TRUE(set->compress_u8 && set->compress_u16 && set->expand_u8 && set->expand_u16);
  }
}

// A child process, since the choice is made once per process.
std::string chosen_with(const char* wanted)
{
  EXPECT_EXIT({
    ::setenv("NARROWS_ISA", wanted, 1);
    const std::string expected = find_kernels(wanted) != nullptr ? wanted : std::string(available_kernels().back()->name);
    const bool right = best_kernels().name == expected;
    ::setenv("NARROWS_ISA", "scalar", 1);
    std::exit(right && best_kernels().name == expected ? 0 : 1);
  }, testing::ExitedWithCode(0), "");
  return wanted;
}

TEST(DispatchDeathTest, EnvironmentForcesASetThatThisCpuHas)
{
#if defined(__aarch64__)
  // An emulated program cannot start itself anew. A fork will do where this case has a process of its own, as under ctest.
  GTEST_FLAG_SET(death_test_style, "fast");
#else
  GTEST_FLAG_SET(death_test_style, "threadsafe");
#endif
  for (const auto* set : available_kernels()) chosen_with(std::string(set->name).c_str());
  chosen_with("z80");
}

}  // namespace
}  // namespace narrows
