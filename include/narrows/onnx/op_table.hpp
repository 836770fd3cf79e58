// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <narrows/onnx/detail/import_convolution.hpp>
#include <narrows/onnx/detail/import_elementwise.hpp>
#include <narrows/onnx/detail/import_layout.hpp>
#include <narrows/onnx/detail/import_reduction.hpp>
#include <narrows/onnx/fold.hpp>

namespace narrows {

namespace detail {

inline const op_import* find_op(std::string_view type)
{
  for (const auto table : {std::span<const op_import>(convolution_ops), std::span<const op_import>(elementwise_ops), std::span<const op_import>(layout_ops),
         std::span<const op_import>(reduction_ops)})
    for (const auto& entry : table)
      if (entry.type == type) return &entry;
  return nullptr;
}

inline bool is_folded_op(std::string_view type)
{
  for (const auto table : {std::span<const op_fold>(layout_folds), std::span<const op_fold>(arithmetic_folds)})
    for (const auto& entry : table)
      if (entry.type == type) return true;
  return false;
}

}  // namespace detail

/// Newest version of the ONNX operator set whose definitions the import follows.
inline constexpr std::int64_t newest_opset = 21;

/// Is there an import for this ONNX operator (at run time or by folding, in at least one form)?
[[nodiscard]] inline bool knows_onnx_op(std::string_view type) { return detail::find_op(type) != nullptr || detail::is_folded_op(type); }

}  // namespace narrows
