// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For exactly one translation unit of a program whose others define NARROWS_SEPARATE_KERNELS: defines the function that
// dispatch.hpp declares for them. Compile that unit with baseline flags.

#include <narrows/pack/kernel/all.hpp>

namespace narrows::inline separate_kernels {

[[nodiscard]] std::span<const kernel_set* const> available_kernels() noexcept;
std::span<const kernel_set* const> available_kernels() noexcept { return kernel::usable_sets(); }

}  // namespace narrows::inline separate_kernels
