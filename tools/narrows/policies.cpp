// SPDX-License-Identifier: BSD-3-Clause
#include "policies.hpp"

#include <array>

#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/policies/cloud_only.hpp>
#include <narrows/schedule/policies/device_only.hpp>
#include <narrows/schedule/policies/joint.hpp>
#include <narrows/schedule/policies/planned_once.hpp>
#include <narrows/schedule/policies/published.hpp>

namespace narrows::tool {

namespace {

struct asked {
  objective goal;
  link_state assumed;
  published_goal of_papers;
};

template <published Which, bool WithFiles>
any_policy of_paper(const asked& a)
{
  return published_policy<Which, WithFiles>(a.of_papers == published_goal::own ? objective_of(Which, a.goal) : a.goal);
}

struct known_policy {
  std::string_view name;
  any_policy (*make)(const asked&);
};
template <published Which, bool WithFiles>
constexpr known_policy known_paper{published_policy<Which, WithFiles>::name, of_paper<Which, WithFiles>};

const std::array<known_policy, 15> known{{
  {joint::name, [](const asked& a) -> any_policy { return joint(a.goal); }},
  {"best", [](const asked& a) -> any_policy { return best_candidate(a.goal); }},
  {planned_once::name, [](const asked& a) -> any_policy { return planned_once(a.goal, a.assumed); }},
  {device_only::name, [](const asked&) -> any_policy { return device_only{}; }},
  {cloud_only::name, [](const asked& a) -> any_policy { return cloud_only(a.goal); }},
  known_paper<published::neurosurgeon, false>, known_paper<published::neurosurgeon, true>,
  known_paper<published::dads, false>, known_paper<published::dads, true>,
  known_paper<published::spinn, false>, known_paper<published::spinn, true>,
  known_paper<published::jalad, false>, known_paper<published::jalad, true>,
  known_paper<published::jalad_runs, false>, known_paper<published::jalad_runs, true>,
}};

}  // namespace

const std::vector<std::string>& policy_names()
{
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& k : known) all.emplace_back(k.name);
    return all;
  }();
  return names;
}

any_policy policy_named(std::string_view name, const objective& goal, const link_state& assumed, published_goal of_papers)
{
  const asked a{goal, assumed, of_papers};
  for (const auto& k : known)
    if (k.name == name) return k.make(a);
  return joint(goal);
}

}  // namespace narrows::tool
