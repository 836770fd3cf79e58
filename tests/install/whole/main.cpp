// SPDX-License-Identifier: BSD-3-Clause
// Every component in one program of two translation units; a file that is no model must be an error value.
#include "headers.hpp"

#include <cstdio>

int main()
{
  const std::uint8_t bytes[] = {0xff, 0x00, 0xff};
  const auto imported = narrows::import_onnx("broken.onnx", bytes);
  if (imported) return 1;
  std::printf("%s\n%s\n", level(), imported.error().text().c_str());
  return 0;
}
