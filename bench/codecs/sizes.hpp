// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>

#include "activations.hpp"
#include "contender.hpp"

namespace narrows::bench {

/// Prints one line of CSV for each tensor, order, width and contender: bits per value, beside the entropy of the codes.
void print_sizes(std::span<const contender> all, std::span<const activation> tensors, std::span<const int> widths);

}  // namespace narrows::bench
