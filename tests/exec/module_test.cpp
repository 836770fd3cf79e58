// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <narrows/exec/module.hpp>

#include "exec/networks.hpp"
#include "support/naive_engine.hpp"

namespace narrows {
namespace {

namespace fs = std::filesystem;

class modules_in {
public:
  explicit modules_in(const fs::path& folder) { setenv("NARROWS_MODULE_DIR", folder.c_str(), 1); }
  ~modules_in() { unsetenv("NARROWS_MODULE_DIR"); }
  modules_in(const modules_in&) = delete;
  modules_in& operator=(const modules_in&) = delete;
};

TEST(ExecutorModules, GiveTheBestLevelOfThisCpu)
{
  const auto best = load_engine();
  ASSERT_TRUE(best) << best.error().text();
  EXPECT_EQ(best->level(), test::all_levels().front().engine.level());
}

TEST(ExecutorModules, SayHowTheyRound)
{
  for (const auto& [level, engine] : test::all_levels()) EXPECT_EQ(engine.level(), level == "v2" ? "reference-nofma" : "reference-fma") << level;
}

TEST(ExecutorModules, RefuseALevelThatDoesNotExist)
{
  const auto none = load_engine("v9");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::bad_input);
  EXPECT_NE(none.error().what.find("'v9'"), std::string::npos) << none.error().what;
}

TEST(ExecutorModules, NameTheFilesThatAreMissing)
{
  const modules_in nowhere("no/such/folder");
  const auto none = load_engine();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::io_error);
  EXPECT_NE(none.error().what.find("no/such/folder/narrows_exec_"), std::string::npos) << none.error().what;
}

TEST(ExecutorModules, RefuseAFileThatIsNoModule)
{
  const auto level = test::all_levels().front().name;
  const auto folder = fs::path(::testing::TempDir()) / "narrows_exec_module_test";
  fs::create_directories(folder);
  std::ofstream(folder / ("narrows_exec_" + level + ".so")) << "not a shared object";
  const modules_in there(folder);
  const auto none = load_engine(level);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::io_error);
  fs::remove_all(folder);
}

TEST(Executors, AreInterchangeableBehindOneType)
{
  test::network n(1);
  const auto g = n.finish({n.add(op::unary{op::unary::kind::relu}, {n.input(shape{3, 5})})});
  const auto slice = whole_slice(g);
  const auto in = test::inputs_for(slice, 1);
  const any_engine engines[] = {test::all_levels().front().engine, test::naive_engine{}};
  for (const auto& e : engines) {
    const auto out = test::load_and_run(e, slice, in);
    for (std::size_t i = 0; i < in[0].size(); ++i) EXPECT_EQ(out[0].values()[i], std::max(0.0F, in[0].values()[i])) << e.level();
  }
}

}  // namespace
}  // namespace narrows
