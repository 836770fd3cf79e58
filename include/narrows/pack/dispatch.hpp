// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>

#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/scalar.hpp>

namespace narrows {

/// The kernel sets that this CPU can run, slowest first; never empty ("scalar" is always there).
[[nodiscard]] inline std::span<const kernel_set* const> available_kernels() noexcept
{
  static constexpr std::array<const kernel_set*, 1> all{&kernel::scalar::set};
  return all;
}

/// The set of that name, or null where this CPU or build has none.
[[nodiscard]] inline const kernel_set* find_kernels(std::string_view name) noexcept
{
  for (const auto* set : available_kernels())
    if (set->name == name) return set;
  return nullptr;
}

/// The set in use, chosen at the first call and kept.
[[nodiscard]] inline const kernel_set& best_kernels() noexcept
{
  static const kernel_set& chosen = [&]() -> const kernel_set& {
    if (const char* wanted = std::getenv("NARROWS_ISA"))
      if (const auto* set = find_kernels(wanted)) return *set;
    return *available_kernels().back();
  }();
  return chosen;
}

}  // namespace narrows
