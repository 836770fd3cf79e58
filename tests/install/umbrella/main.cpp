// SPDX-License-Identifier: BSD-3-Clause
// Builds a small network and lists its cuts, with nothing but narrows::narrows.
#include <cstdio>

#include <narrows/narrows.hpp>

int main()
{
  narrows::graph_builder builder("line");
  std::printf("narrows %s, widths %d..%d\n", NARROWS_VERSION, narrows::min_width, narrows::max_width);
  return 0;
}
