// SPDX-License-Identifier: BSD-3-Clause
// Builds a small network and lists its cuts, with nothing but narrows::narrows.
#include <cstdio>

#include <narrows/narrows.hpp>

int main()
{
  using namespace narrows;
  graph_builder builder("line");
  const auto x = builder.input("x", shape{1, 3, 8, 8});
  if (!x) return 1;
  const auto pooled = builder.add({.name = {}, .type = {}, .operation = op::global_pool{}, .inputs = {*x}, .outputs = {"pooled"}});
  if (!pooled) return 2;
  const auto line = builder.finish(*pooled);
  if (!line) return 3;
  for (const auto& at : single_tensor_cuts(**line)) std::printf("%s\n", name_of(**line, at).c_str());
  return single_tensor_cuts(**line).size() == 2 ? 0 : 4;
}
