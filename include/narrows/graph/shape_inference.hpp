// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/graph/detail/shapes_convolution.hpp>
#include <narrows/graph/detail/shapes_layout.hpp>
#include <narrows/graph/op.hpp>

namespace narrows {

/// Checks an operator's attributes against its inputs and gives the shape of each output.
///
/// Shapes   `stated`: the output shape, where the attributes leave it open (reshape, resize, slice); where they leave a
///          choice (reduce with or without the reduced axes, pool with or without a last window that hangs over), the
///          choice; else none, or what must come out.
/// Errors   bad_node (attributes or inputs make no sense), bad_shape (output out of range), limit_exceeded (a window
///          attribute above 65536). The text says which, without the name of the node.
/// Source   onnx.ai, "Operators", opset 17.
inline result<std::vector<shape>> infer_shapes(const any_op& operation, std::span<const shape> inputs, std::span<const shape> stated = {})
{
  auto out = std::visit([&](const auto& o) { return detail::shapes_of(o, inputs, stated); }, operation);
  if (!out || stated.empty()) return out;
  if (stated.size() != out->size()) return detail::bad_node("has " + std::to_string(out->size()) + " outputs, not " + std::to_string(stated.size()));
  for (std::size_t i = 0; i < stated.size(); ++i)
    if (stated[i] != (*out)[i]) return detail::bad_node("output is " + to_string((*out)[i]) + ", not " + to_string(stated[i]));
  return out;
}

}  // namespace narrows
