// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <narrows/core/tensor.hpp>
#include <narrows/exec/reference/tiling.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Weights W[m][k] in the order in which the kernel reads them: panels of up to most_rows channels, row k of a panel
/// holding its channels side by side.
struct left_weights {
  std::vector<panel> panels;
  std::size_t depth = 0;

  left_weights() = default;
  left_weights(std::size_t channels, std::size_t k) : panels(even_panels(channels, most_rows)), depth(k) {}
  [[nodiscard]] std::size_t floats() const noexcept { return panels.empty() ? 0 : (panels.back().begin + panels.back().count) * depth; }

  /// W[m][k] is at from[m * row + k * column].
  void pack(const float* from, std::ptrdiff_t row, std::ptrdiff_t column, float* to) const noexcept
  {
    for (const auto& p : panels)
      for (std::size_t k = 0; k < depth; ++k)
        for (std::size_t i = 0; i < p.count; ++i)
          *to++ = from[static_cast<std::ptrdiff_t>(p.begin + i) * row + static_cast<std::ptrdiff_t>(k) * column];
  }
  [[nodiscard]] const float* at(const panel& p, const float* packed) const noexcept { return packed + p.begin * depth; }
};

/// Weights W[k][n] for the kernel's vector side: panels of two registers of columns (the last may be one), row k of a
/// panel holding its columns side by side, zeros beyond the last.
struct right_weights {
  std::size_t columns = 0, depth = 0;

  static constexpr std::size_t wide = 2 * lanes;
  [[nodiscard]] std::size_t panels() const noexcept { return (columns + wide - 1) / wide; }
  [[nodiscard]] std::size_t vectors(std::size_t panel) const noexcept { return columns - panel * wide > lanes ? 2 : 1; }
  [[nodiscard]] std::size_t valid(std::size_t panel) const noexcept { return std::min(wide, columns - panel * wide); }
  [[nodiscard]] std::size_t padded_columns() const noexcept { return (columns + lanes - 1) / lanes * lanes; }
  [[nodiscard]] std::size_t floats() const noexcept { return padded_columns() * depth; }

  /// W[k][n] is at from[k * row + n * column].
  void pack(const float* from, std::ptrdiff_t row, std::ptrdiff_t column, float* to) const noexcept
  {
    for (std::size_t p = 0; p < panels(); ++p)
      for (std::size_t k = 0; k < depth; ++k)
        for (std::size_t j = 0; j < vectors(p) * lanes; ++j)
          *to++ = j < valid(p) ? from[static_cast<std::ptrdiff_t>(k) * row + static_cast<std::ptrdiff_t>(p * wide + j) * column] : 0.0F;
  }
  [[nodiscard]] const float* at(std::size_t panel, const float* packed) const noexcept { return packed + panel * wide * depth; }
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
