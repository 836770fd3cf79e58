// SPDX-License-Identifier: BSD-3-Clause
// program KERNELS: has the baseline unit pack, which must choose KERNELS (`native`: what /proc/cpuinfo lets expect). Where the
// CPU has AVX-512, also the wide unit. Nothing here includes narrows.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace baseline {
bool packs_rightly();
bool encodes_rightly();
const char* kernels();
}  // namespace baseline
namespace wide {
bool packs_rightly();
bool encodes_rightly();
}  // namespace wide

namespace {

/// Another witness of what the CPU has than the dispatcher's.
std::string expected_here()
{
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line) && line.compare(0, 5, "flags") != 0) {}
  line += ' ';
  const auto has = [&](const char* flag) { return line.find(std::string(" ") + flag + " ") != std::string::npos; };
  if (has("avx512f") && has("avx512bw")) return has("avx512vbmi") && has("avx512_vbmi2") ? "avx512_vbmi" : "avx512";
  if (has("avx2") && has("fma") && has("popcnt")) return "avx2";
  return has("sse4_1") ? "sse4_1" : "generic";
}

}  // namespace

int main(int argc, char** argv)
{
  if (argc != 2) return 2;
  const std::string wanted = std::strcmp(argv[1], "native") == 0 ? expected_here() : argv[1];
  std::printf("baseline unit: %s, %s expected\n", baseline::kernels(), wanted.c_str());
  if (wanted != baseline::kernels() || !baseline::packs_rightly()) return 1;
  if (wanted.compare(0, 6, "avx512") != 0) return 0;
  std::puts("wide unit");
  return baseline::encodes_rightly() && wide::packs_rightly() && wide::encodes_rightly() ? 0 : 1;
}
