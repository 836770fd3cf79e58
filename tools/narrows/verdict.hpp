// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace narrows::tool {

/// One row of a selftest: what was compared, how many times, and where it first differed.
struct verdict {
  std::string part;
  std::string what;
  std::size_t checks = 0;
  std::string failure;
  bool skipped = false;
  bool in_use = false;
};

/// Every width, length 0..4097 and place relative to a cache line, between pages that may not be touched; and every float there
/// is at 4 and 8 bits. A few minutes.
std::vector<verdict> check_exhaustively();

}  // namespace narrows::tool
