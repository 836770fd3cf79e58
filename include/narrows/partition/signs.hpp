// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include <narrows/graph/graph.hpp>
#include <narrows/graph/op.hpp>

namespace narrows {

/// What is known about the signs of a tensor from the operators before it, weakest first.
enum class value_sign : std::uint8_t {
  either,       ///< anything
  not_negative, ///< 0 and above
  rectified,    ///< 0 and above, with many exact zeros: a ReLU, or a selection from one
};

namespace detail {

[[nodiscard]] inline value_sign sign_after(const op::unary& u, value_sign before)
{
  using kinds = enum op::unary::kind;
  switch (u.kind) {
  case kinds::identity: return before;
  case kinds::relu: return value_sign::rectified;
  case kinds::clip: return u.alpha == 0 ? value_sign::rectified : u.alpha > 0 ? value_sign::not_negative : std::min(before, value_sign::not_negative);
  case kinds::leaky_relu: case kinds::elu: case kinds::selu: case kinds::sqrt: case kinds::softsign: case kinds::floor: case kinds::ceil:
  case kinds::hard_swish: case kinds::tanh: case kinds::erf: return before;   // odd or rising through 0
  case kinds::sigmoid: case kinds::hard_sigmoid: case kinds::exp: case kinds::abs: case kinds::softplus: return value_sign::not_negative;
  case kinds::log: case kinds::neg: case kinds::reciprocal: return value_sign::either;
  }
  return value_sign::either;
}

[[nodiscard]] inline value_sign sign_before_activation(const node& n, const std::vector<value_sign>& signs)
{
  if (n.inputs.empty()) return value_sign::either;
  const value_sign first = signs[index(n.inputs.front())];
  value_sign weakest = first;
  for (const auto v : n.inputs) weakest = std::min(weakest, signs[index(v)]);
  const auto averaged = [](value_sign s) { return std::min(s, value_sign::not_negative); };

  if (const auto* u = std::get_if<op::unary>(&n.operation)) return sign_after(*u, first);
  if (const auto* p = std::get_if<op::pool>(&n.operation)) return p->kind == op::pool::kind::max ? first : averaged(first);
  if (const auto* p = std::get_if<op::global_pool>(&n.operation)) return p->kind == op::pool::kind::max ? first : averaged(first);
  if (const auto* e = std::get_if<op::elementwise>(&n.operation)) {
    using kinds = enum op::elementwise::kind;
    switch (e->kind) {
    case kinds::add: case kinds::mul: case kinds::max: case kinds::min: case kinds::mean: return averaged(weakest);
    case kinds::sub: case kinds::div: case kinds::prelu: case kinds::pow: return value_sign::either;
    }
  }
  if (std::holds_alternative<op::concat>(n.operation)) return weakest;
  if (std::holds_alternative<op::split>(n.operation) || std::holds_alternative<op::slice>(n.operation) ||
      std::holds_alternative<op::reshape>(n.operation) || std::holds_alternative<op::transpose>(n.operation))
    return first;
  if (const auto* s = std::get_if<op::softmax>(&n.operation)) return s->log ? value_sign::either : value_sign::not_negative;
  if (std::holds_alternative<op::lrn>(n.operation)) return first;
  return value_sign::either;
}

}  // namespace detail

/// The sign of every value of a graph, by index; inputs and constants count as `either`. One pass over the nodes.
[[nodiscard]] inline std::vector<value_sign> signs_of(const graph& g)
{
  std::vector<value_sign> signs(g.values().size(), value_sign::either);
  for (const node& n : g.nodes()) {
    const value_sign before = detail::sign_before_activation(n, signs);
    for (std::size_t i = 0; i < n.outputs.size(); ++i)
      signs[index(n.outputs[i])] = i == 0 ? detail::sign_after(n.activation, before) : before;
  }
  return signs;
}

}  // namespace narrows
