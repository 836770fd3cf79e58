// SPDX-License-Identifier: BSD-3-Clause
// Holds the table that tools/conformance prints.
#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <conformance/conformance.hpp>
#include <narrows/exec/reference/engine.hpp>
#include <onnx/onnx_models.hpp>
#include <support/naive_engine.hpp>

namespace narrows {
namespace {

using conformance::outcome;
using testing::HasSubstr;

void expect_table(const any_engine& engine, bool topologies)
{
  const auto root = test::shared_models / "conformance";
  if (!std::filesystem::exists(root)) GTEST_SKIP() << "no conformance cases beside the checkout: " << root;
  std::map<std::string, std::map<outcome, int>> tiers;
  for (const auto& c : conformance::read_index(root / "index.csv")) {
    if (c.tier == "topology" && !topologies) continue;
    const auto r = conformance::run_case(engine, root, c);
    ++tiers[c.tier][r.how];
    EXPECT_NE(r.how, outcome::failed) << c.name << ": " << r.why;
    if (c.tier != "extra") { EXPECT_EQ(r.how, outcome::passed) << c.name << ": " << r.why; }
    if (r.how == outcome::refused) { EXPECT_THAT(r.why, HasSubstr(": node '")) << c.name; }
  }
  EXPECT_EQ(tiers["core"][outcome::passed], 383);
  EXPECT_EQ(tiers["extra"][outcome::passed], 57);
  EXPECT_EQ(tiers["extra"][outcome::refused], 50);
  if (topologies) { EXPECT_EQ(tiers["topology"][outcome::passed], 9); }
}

TEST(Conformance, EveryCorePassesAndTheRestPassesOrIsRefusedByName) { expect_table(reference_engine{}, true); }

/// The same through the plain loops of the oracle: what fails here is the import's fault.
TEST(Conformance, TheImportAloneIsRight) { expect_table(test::naive_engine{}, false); }

}  // namespace
}  // namespace narrows
