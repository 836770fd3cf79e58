// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>
#include <variant>

#include <narrows/graph/op.hpp>

namespace narrows {

/// Name of an activation or other one-input function ("relu").
[[nodiscard]] constexpr std::string_view name_of(enum op::unary::kind kind) noexcept
{
  using kinds = enum op::unary::kind;
  switch (kind) {
  case kinds::identity: return "identity";
  case kinds::relu: return "relu";
  case kinds::clip: return "clip";
  case kinds::leaky_relu: return "leaky_relu";
  case kinds::elu: return "elu";
  case kinds::selu: return "selu";
  case kinds::sigmoid: return "sigmoid";
  case kinds::hard_sigmoid: return "hard_sigmoid";
  case kinds::hard_swish: return "hard_swish";
  case kinds::tanh: return "tanh";
  case kinds::exp: return "exp";
  case kinds::log: return "log";
  case kinds::sqrt: return "sqrt";
  case kinds::abs: return "abs";
  case kinds::neg: return "neg";
  case kinds::reciprocal: return "reciprocal";
  case kinds::floor: return "floor";
  case kinds::ceil: return "ceil";
  case kinds::erf: return "erf";
  case kinds::softplus: return "softplus";
  case kinds::softsign: return "softsign";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view name_of(enum op::elementwise::kind kind) noexcept
{
  using kinds = enum op::elementwise::kind;
  switch (kind) {
  case kinds::add: return "add";
  case kinds::sub: return "sub";
  case kinds::mul: return "mul";
  case kinds::div: return "div";
  case kinds::min: return "min";
  case kinds::max: return "max";
  case kinds::mean: return "mean";
  case kinds::prelu: return "prelu";
  case kinds::pow: return "pow";
  }
  return "unknown";
}

namespace detail {

struct op_namer {
  constexpr std::string_view operator()(const op::conv&) const noexcept { return "conv"; }
  constexpr std::string_view operator()(const op::conv_transpose&) const noexcept { return "conv_transpose"; }
  constexpr std::string_view operator()(const op::pool& o) const noexcept
  {
    return o.kind == op::pool::kind::max ? "max_pool" : "average_pool";
  }
  constexpr std::string_view operator()(const op::global_pool& o) const noexcept
  {
    return o.kind == op::pool::kind::max ? "global_max_pool" : "global_average_pool";
  }
  constexpr std::string_view operator()(const op::batch_norm&) const noexcept { return "batch_norm"; }
  constexpr std::string_view operator()(const op::gemm&) const noexcept { return "gemm"; }
  constexpr std::string_view operator()(const op::matmul&) const noexcept { return "matmul"; }
  constexpr std::string_view operator()(const op::unary& o) const noexcept { return name_of(o.kind); }
  constexpr std::string_view operator()(const op::elementwise& o) const noexcept { return name_of(o.kind); }
  constexpr std::string_view operator()(const op::concat&) const noexcept { return "concat"; }
  constexpr std::string_view operator()(const op::split&) const noexcept { return "split"; }
  constexpr std::string_view operator()(const op::slice&) const noexcept { return "slice"; }
  constexpr std::string_view operator()(const op::pad&) const noexcept { return "pad"; }
  constexpr std::string_view operator()(const op::reshape&) const noexcept { return "reshape"; }
  constexpr std::string_view operator()(const op::transpose&) const noexcept { return "transpose"; }
  constexpr std::string_view operator()(const op::resize&) const noexcept { return "resize"; }
  constexpr std::string_view operator()(const op::reduce& o) const noexcept
  {
    using kinds = enum op::reduce::kind;
    switch (o.kind) {
    case kinds::mean: return "reduce_mean";
    case kinds::sum: return "reduce_sum";
    case kinds::max: return "reduce_max";
    case kinds::min: return "reduce_min";
    }
    return "reduce";
  }
  constexpr std::string_view operator()(const op::softmax& o) const noexcept { return o.log ? "log_softmax" : "softmax"; }
  constexpr std::string_view operator()(const op::lrn&) const noexcept { return "lrn"; }
};

}  // namespace detail

/// The operator's own name, for people ("conv", "max_pool", "relu").
[[nodiscard]] constexpr std::string_view name_of(const any_op& operation) { return std::visit(detail::op_namer{}, operation); }

}  // namespace narrows
