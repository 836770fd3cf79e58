// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace narrows::test {

/// What a codec of another library sends for one chunk that its compressor made these bytes of.
inline std::vector<std::uint8_t> chunk(const std::vector<std::uint8_t>& compressed)
{
  std::vector<std::uint8_t> all(4 + compressed.size());
  for (std::size_t i = 0; i < 4; ++i) all[i] = static_cast<std::uint8_t>(compressed.size() >> (8 * i));
  std::copy(compressed.begin(), compressed.end(), all.begin() + 4);
  return all;
}

}  // namespace narrows::test
