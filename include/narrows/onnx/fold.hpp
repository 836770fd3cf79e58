// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/onnx/detail/fold_arithmetic.hpp>
#include <narrows/onnx/detail/fold_layout.hpp>

namespace narrows::detail {

/// Evaluates a node whose inputs are known (Shape and Size: whose input's shape is known). False: not an operator that
/// is folded, or not in this form; it then runs with the network. Errors are in the context.
inline bool fold_node(node_context& c)
{
  const auto& type = c.type();
  const bool shape_only = type == "Shape" || type == "Size";
  if (!shape_only && type != "Constant" && (c.inputs() == 0 || !c.all_constant())) return false;
  for (const auto table : {std::span<const op_fold>(layout_folds), std::span<const op_fold>(arithmetic_folds)})
    for (const auto& f : table)
      if (f.type == type) return f.handle(c) || c.failed();
  return false;
}

}  // namespace narrows::detail
