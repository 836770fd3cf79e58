// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {

/// A place where a graph is cut in two: the nodes of the head (closed under "what they read") and the tensors that
/// cross. `tensors` holds inputs or node outputs that the tail reads, ascending. Graph outputs made by the head do not
/// cross. The cut at the input has an empty head; the cut at the end has an empty tail and no tensors.
struct cut {
  std::vector<value_id> tensors;
  std::vector<bool> head;            ///< one flag per node of the graph
  std::uint64_t macs_head = 0;       ///< multiply-adds before the cut
  friend bool operator==(const cut& a, const cut& b) { return a.head == b.head; }
};

}  // namespace narrows
