// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include <narrows/exec/reference/step.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// A buffer that must hold its values from step `first` to step `last`, both included.
struct lifetime {
  std::size_t first = 0, last = 0;
  std::size_t floats = 0;
  std::size_t offset = 0;          ///< set by `place`, in floats, on a 64-byte border
};

/// Gives each buffer a place in one arena so that buffers alive at the same step do not overlap; returns the arena's
/// size in floats. Largest buffers first, each at the lowest gap that fits (Pisarchyk and Lee, "Efficient memory
/// management for deep neural net inference", 2020: greedy by size).
[[nodiscard]] inline std::size_t place(std::vector<lifetime>& buffers)
{
  std::vector<lifetime*> order;
  for (auto& b : buffers) order.push_back(&b);
  std::stable_sort(order.begin(), order.end(), [](const lifetime* a, const lifetime* b) { return a->floats > b->floats; });
  std::vector<const lifetime*> placed;  // by offset
  std::size_t total = 0;
  for (auto* b : order) {
    std::size_t at = 0, best = std::numeric_limits<std::size_t>::max(), slack = best;
    for (const auto* other : placed) {
      if (other->last < b->first || b->last < other->first) continue;
      if (other->offset >= at + padded(b->floats) && other->offset - at < slack) {
        best = at;
        slack = other->offset - at;
      }
      at = std::max(at, other->offset + padded(other->floats));
    }
    b->offset = best == std::numeric_limits<std::size_t>::max() ? at : best;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), b, [](const lifetime* x, const lifetime* y) { return x->offset < y->offset; }), b);
    total = std::max(total, b->offset + padded(b->floats));
  }
  return total;
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
