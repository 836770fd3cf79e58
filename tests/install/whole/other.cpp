// SPDX-License-Identifier: BSD-3-Clause
#include "headers.hpp"

const char* level()
{
  static const narrows::reference_engine engine;
  return std::string_view(engine.level()).data();
}
