// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <graph/graphs.hpp>
#include <narrows/graph/cut.hpp>

namespace narrows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A random network of `count` nodes on one or two inputs, with constants, nodes of two outputs and several graph outputs.
std::shared_ptr<const graph> random_graph(unsigned seed, int count)
{
  std::mt19937 random(seed);
  graph_builder b("random");
  std::vector<value_id> readable{*b.input("x0", shape{2, 2})};
  if (random() % 3 == 0) readable.push_back(*b.input("x1", shape{2, 2}));
  const auto weight = *b.constant("w", tensor(shape{2, 2}));
  std::vector<value_id> outputs;
  for (int i = 0; i < count; ++i) {
    const auto name = test::numbered("n", i);
    // Recent tensors more often, so that the graphs are deep.
    const auto pick = [&] { return readable[readable.size() - 1 - std::min<std::size_t>(random() % 3 + random() % 3, readable.size() - 1)]; };
    std::vector<value_id> made;
    switch (random() % 5) {
    case 0: made = *b.add({name, "", op::elementwise{}, {pick(), pick()}, {name}}); break;
    case 1: made = *b.add({name, "", op::elementwise{}, {pick(), weight}, {name}}); break;
    case 2: made = random() % 4 == 0 ? *b.add({name, "", op::unary{}, {weight}, {name}}) : *b.add({name, "", op::matmul{}, {pick(), pick()}, {name}}); break;
    case 3: {
      auto halves = *b.add({name, "", op::split{0, {1, 1}}, {pick()}, {name + "a", name + "b"}});
      made = *b.add({name + "j", "", op::concat{0}, {halves[0], halves[1]}, {name}});
      break;
    }
    default: made = *b.add({name, "", op::unary{op::unary::kind::relu}, {pick()}, {name}}); break;
    }
    readable.push_back(made[0]);
    if (random() % 6 == 0) outputs.push_back(made[0]);
  }
  if (std::find(outputs.begin(), outputs.end(), readable.back()) == outputs.end()) outputs.push_back(readable.back());
  return *b.finish(outputs);
}

/// Every set of nodes that contains the makers of all it reads, by trying all sets; grouped by what crosses, smallest first.
std::map<std::vector<value_id>, std::vector<std::vector<bool>>> all_heads(const graph& g)
{
  std::map<std::vector<value_id>, std::vector<std::vector<bool>>> out;
  const auto n = g.nodes().size();
  for (std::size_t bits = 0; bits < (std::size_t{1} << n); ++bits) {
    std::vector<bool> head(n);
    for (std::size_t i = 0; i < n; ++i) head[i] = bits >> i & 1;
    bool closed = true;
    std::set<value_id> crossing;
    for (std::size_t i = 0; i < n; ++i)
      for (const auto v : g.nodes()[i].inputs) {
        const auto maker = g[v].producer;
        if (head[i] && maker && !head[index(*maker)]) closed = false;
        if (!head[i] && !g[v].constant && (!maker || head[index(*maker)])) crossing.insert(v);
      }
    if (closed) out[{crossing.begin(), crossing.end()}].push_back(head);
  }
  for (auto& [tensors, heads] : out)
    std::stable_sort(heads.begin(), heads.end(), [](const auto& a, const auto& b) { return std::count(a.begin(), a.end(), true) < std::count(b.begin(), b.end(), true); });
  return out;
}

TEST(Cuts, AreThoseOfABruteForceOverAllSetsOfNodes)
{
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto g = random_graph(seed, 4 + static_cast<int>(seed % 6));
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << g->nodes().size() << " nodes");
    ASSERT_LE(g->nodes().size(), 20U);
    const auto expected = all_heads(*g);
    for (int widest = 1; widest <= 3; ++widest) {
      std::map<std::vector<value_id>, std::vector<bool>> found;
      const auto cuts = widest == 1 ? result<std::vector<cut>>(single_tensor_cuts(*g)) : enumerate_cuts(*g, widest, 100000);
      ASSERT_TRUE(cuts) << cuts.error().text();
      EXPECT_EQ(cuts->front(), input_cut(*g));
      EXPECT_EQ(cuts->back(), end_cut(*g));
      for (std::size_t i = 1; i + 1 < cuts->size(); ++i) EXPECT_TRUE(found.emplace((*cuts)[i].tensors, (*cuts)[i].head).second) << "listed twice";
      const auto at_input = input_cut(*g).tensors;
      std::size_t count = 0;
      for (const auto& [tensors, heads] : expected) {
        if (tensors.empty() || tensors == at_input || tensors.size() > static_cast<std::size_t>(widest)) continue;
        ++count;
        ASSERT_EQ(found.count(tensors), 1U);
        EXPECT_EQ(found.at(tensors), heads.front());
        // The smallest head is inside every other one.
        for (const auto& other : heads)
          for (std::size_t i = 0; i < other.size(); ++i) EXPECT_TRUE(other[i] || !heads.front()[i]);
      }
      EXPECT_EQ(found.size(), count);
    }
    // Names lead back to the cut, and tensors that cut nothing are refused.
    const auto pairs = enumerate_cuts(*g, 2, 100000);
    for (const auto& c : *pairs) {
      std::vector<std::string> names;
      for (const auto v : c.tensors) names.push_back((*g)[v].name);
      if (names.empty()) names = {"none"};
      const auto again = find_cut(*g, names);
      ASSERT_TRUE(again) << again.error().text();
      EXPECT_EQ(*again, c);
    }
    for (std::size_t a = 0; a < g->values().size(); ++a) {
      const std::vector<std::string> names{g->values()[a].name};
      const auto c = find_cut(*g, names);
      EXPECT_EQ(c.has_value(), expected.count({static_cast<value_id>(a)}) == 1) << names[0];
      if (!c) { EXPECT_EQ(c.error().code, errc::bad_cut); }
    }
  }
}

TEST(Cuts, SlicesRunOnTheirOwnAndTogetherMakeTheGraph)
{
  for (unsigned seed = 200; seed < 260; ++seed) {
    const auto g = random_graph(seed, 9);
    SCOPED_TRACE(seed);
    const auto cuts = enumerate_cuts(*g, 3, 100000);
    for (const auto& c : *cuts) {
      const auto head = head_slice(g, c), tail = tail_slice(g, c);
      EXPECT_EQ(head.nodes.size() + tail.nodes.size(), g->nodes().size());
      EXPECT_EQ(tail.inputs, c.tensors);
      EXPECT_TRUE(std::equal(c.tensors.begin(), c.tensors.end(), head.outputs.begin()));
      std::multiset<value_id> outputs(head.outputs.begin() + static_cast<std::ptrdiff_t>(c.tensors.size()), head.outputs.end());
      outputs.insert(tail.outputs.begin(), tail.outputs.end());
      for (const auto v : c.tensors)  // an output that the tail reads as well crosses and is not repeated
        if (std::count(g->outputs().begin(), g->outputs().end(), v) > 0) outputs.insert(v);
      EXPECT_EQ(outputs, (std::multiset<value_id>(g->outputs().begin(), g->outputs().end())));
      for (const auto& part : {head, tail}) {
        std::set<value_id> known(part.inputs.begin(), part.inputs.end());
        for (const auto n : part.nodes) {
          for (const auto v : (*g)[n].inputs) EXPECT_TRUE((*g)[v].constant || known.count(v) == 1);
          known.insert((*g)[n].outputs.begin(), (*g)[n].outputs.end());
        }
        for (const auto v : part.outputs) EXPECT_EQ(known.count(v), 1U);
      }
    }
  }
}

TEST(Cuts, ResidualBlocksAreCutBeforeAndBehindOnly)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{4, 4});
  const auto stem = b.relu("stem", x);
  const auto branch = b.relu("branch", b.relu("inner", stem));
  const auto sum = b.add("sum", op::elementwise{}, {branch, stem});
  const auto g = b.finish({b.relu("end", sum)});
  std::vector<std::string> names;
  for (const auto& c : single_tensor_cuts(*g)) names.push_back(name_of(*g, c));
  EXPECT_THAT(names, ElementsAre("input", "stem", "sum", "none"));
  const auto inside = find_cut(*g, std::array<std::string, 1>{"branch"});
  ASSERT_FALSE(inside);
  EXPECT_THAT(inside.error().what, HasSubstr("'stem' would cross as well"));
  const auto both = find_cut(*g, std::array<std::string, 2>{"stem", "branch"});
  ASSERT_TRUE(both);
  EXPECT_EQ(name_of(*g, *both), "stem,branch");
  EXPECT_THAT(find_cut(*g, std::array<std::string, 1>{"nowhere"}).error().what, HasSubstr("nowhere"));
  EXPECT_THAT(find_cut(*g, std::array<std::string, 1>{"end"}).error().what, HasSubstr("nothing behind the cut reads"));
}

TEST(Cuts, ATailMayNeedTheInput)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{4});
  const auto y = b.relu("y", x);
  const auto g = b.finish({b.add("sum", op::elementwise{}, {y, x})});
  EXPECT_EQ(single_tensor_cuts(*g).size(), 2U);
  const auto wide = *enumerate_cuts(*g, 2, 10);
  ASSERT_EQ(wide.size(), 3U);
  EXPECT_EQ(name_of(*g, wide[1]), "x,y");
  const auto head = head_slice(g, wide[1]);
  EXPECT_THAT(head.outputs, ElementsAre(x, y));  // the input is passed through
}

TEST(Cuts, CountMultiplyAddsOfTheHead)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{2, 3});
  const auto y = b.add("y", op::matmul{}, {x, b.constant("w", tensor(shape{3, 5}))});
  const auto g = b.finish({b.add("z", op::matmul{}, {y, b.constant("v", tensor(shape{5, 7}))})});
  const auto cuts = single_tensor_cuts(*g);
  ASSERT_EQ(cuts.size(), 3U);
  EXPECT_EQ(cuts[0].macs_head, 0U);
  EXPECT_EQ(cuts[1].macs_head, 2U * 3 * 5);
  EXPECT_EQ(cuts[2].macs_head, 2U * 3 * 5 + 2U * 5 * 7);
}

TEST(Cuts, StopAtTheStatedLimit)
{
  test::sure_builder b;
  const auto x = b.input("x", shape{4});
  std::vector<value_id> branches;
  for (int i = 0; i < 12; ++i) branches.push_back(b.relu(test::numbered("b", i), b.relu(test::numbered("a", i), x)));
  const auto g = b.finish({b.add("join", op::concat{0}, branches)});
  const auto cuts = enumerate_cuts(*g, 12, 100);
  ASSERT_FALSE(cuts);
  EXPECT_EQ(cuts.error().code, errc::limit_exceeded);
  EXPECT_THAT(cuts.error().what, HasSubstr("100"));
}

}  // namespace
}  // namespace narrows
