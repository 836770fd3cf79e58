// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <limits>
#include <variant>

#include <narrows/graph/graph.hpp>

namespace narrows {

namespace detail {

constexpr std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept
{
  return a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a ? std::numeric_limits<std::uint64_t>::max() : a * b;
}
constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept
{
  return b > std::numeric_limits<std::uint64_t>::max() - a ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace detail

/// Multiply-adds of one node: those of convolutions and matrix products, as papers count them (bias, pooling,
/// element-by-element work and normalisation count 0; borders count as if they were data). Saturates.
[[nodiscard]] inline std::uint64_t multiply_adds(const graph& g, node_id n)
{
  const auto& at = g[n];
  const auto in = [&](std::size_t i) -> const shape& { return g[at.inputs[i]].dims; };
  const auto outputs = static_cast<std::uint64_t>(g[at.outputs[0]].dims.elements());
  std::int64_t each = 0;
  if (std::holds_alternative<op::conv>(at.operation)) {
    each = in(1).product(1, 4);
  } else if (std::holds_alternative<op::conv_transpose>(at.operation)) {
    return detail::saturating_multiply(in(0).elements(), static_cast<std::uint64_t>(in(1).product(1, 4)));
  } else if (const auto* gemm = std::get_if<op::gemm>(&at.operation)) {
    each = in(0)[gemm->transpose_a ? 0 : 1];
  } else if (std::holds_alternative<op::matmul>(at.operation)) {
    each = in(0)[in(0).rank() - 1];
  }
  return detail::saturating_multiply(outputs, static_cast<std::uint64_t>(each));
}

/// Of all nodes.
[[nodiscard]] inline std::uint64_t multiply_adds(const graph& g)
{
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < g.nodes().size(); ++i) sum = detail::saturating_add(sum, multiply_adds(g, static_cast<node_id>(i)));
  return sum;
}

/// Constant values that nodes read, each tensor once. In a fused graph normalisation has gone into the weights, so
/// this is less than the file holds; `model::parameters` has the file's figure.
[[nodiscard]] inline std::uint64_t parameters(const graph& g)
{
  std::uint64_t sum = 0;
  for (const auto& v : g.values())
    if (v.is_constant && !v.consumers.empty()) sum += v.dims.elements();
  return sum;
}

/// Bytes of a tensor as float32.
[[nodiscard]] inline std::uint64_t float_bytes(const graph& g, value_id v) { return std::uint64_t{4} * g[v].dims.elements(); }

}  // namespace narrows
