// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

#include <narrows/graph/cut.hpp>
#include <narrows/pack/descriptor.hpp>

namespace narrows {

/// Where a network is cut and how each crossing tensor travels: one coding per entry of `at.tensors`.
struct plan {
  cut at;
  std::vector<coding> codings;
  std::uint64_t epoch = 0;   ///< grows when the policy switches; travels with each request
};

}  // namespace narrows
