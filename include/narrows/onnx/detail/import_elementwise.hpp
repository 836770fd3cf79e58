// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/import_context.hpp>

/// Element-by-element operators of ONNX.
namespace narrows::detail {

using unary_kind = enum op::unary::kind;
using elementwise_kind = enum op::elementwise::kind;

inline void import_unary(node_context& c)
{
  struct entry {
    std::string_view type;
    unary_kind kind;
    float alpha, beta;  ///< defaults
    const char* beta_name;
  };
  static constexpr entry table[] = {
    {"Relu", unary_kind::relu, 0, 0, nullptr}, {"LeakyRelu", unary_kind::leaky_relu, 0.01F, 0, nullptr}, {"Elu", unary_kind::elu, 1, 0, nullptr},
    {"Selu", unary_kind::selu, 1.67326319217681884765625F, 1.05070102214813232421875F, "gamma"}, {"Sigmoid", unary_kind::sigmoid, 0, 0, nullptr},
    {"HardSigmoid", unary_kind::hard_sigmoid, 0.2F, 0.5F, "beta"}, {"HardSwish", unary_kind::hard_swish, 0, 0, nullptr},
    {"Tanh", unary_kind::tanh, 0, 0, nullptr}, {"Exp", unary_kind::exp, 0, 0, nullptr}, {"Log", unary_kind::log, 0, 0, nullptr},
    {"Sqrt", unary_kind::sqrt, 0, 0, nullptr}, {"Abs", unary_kind::abs, 0, 0, nullptr}, {"Neg", unary_kind::neg, 0, 0, nullptr},
    {"Reciprocal", unary_kind::reciprocal, 0, 0, nullptr}, {"Floor", unary_kind::floor, 0, 0, nullptr}, {"Ceil", unary_kind::ceil, 0, 0, nullptr},
    {"Erf", unary_kind::erf, 0, 0, nullptr}, {"Softplus", unary_kind::softplus, 0, 0, nullptr}, {"Softsign", unary_kind::softsign, 0, 0, nullptr},
  };
  if (!c.expect_inputs(1, 1)) return;
  for (const auto& e : table) {
    if (e.type != c.type()) continue;
    op::unary o{e.kind, e.alpha, e.beta};
    if (e.alpha != 0) o.alpha = c.real("alpha", e.alpha);
    // Selu before opset 6 had its constants rounded otherwise.
    if (e.kind == unary_kind::selu && c.opset() < 6) o = {e.kind, c.real("alpha", 1.6732F), c.real("gamma", 1.0507F)};
    else if (e.beta_name) o.beta = c.real(e.beta_name, e.beta);
    return c.emit(o, {c.run_time(0)});
  }
}

/// A bound of Clip: known now, or a scalar of the graph.
inline void import_clip(node_context& c)
{
  if (!c.expect_inputs(1, c.opset() < 11 ? 1 : 3)) return;
  constexpr float inf = std::numeric_limits<float>::infinity();
  std::array<float, 2> bound{-inf, inf};
  std::array<bool, 2> later{};
  if (c.opset() < 11) {
    bound = {c.real("min", std::numeric_limits<float>::lowest()), c.real("max", std::numeric_limits<float>::max())};
  } else {
    for (int i = 0; i < 2; ++i) {
      if (!c.has_input(i + 1)) continue;
      if (c.dims(i + 1).elements() != 1) return c.invalid("bound '" + c.input_name(i + 1) + "' is not a scalar");
      const auto* known = c.constant(i + 1);
      later[static_cast<std::size_t>(i)] = known == nullptr;
      if (!known) continue;
      if (known->type != onnx_type::float32) return c.refuse("bound '" + c.input_name(i + 1) + "' is " + name_of(known->type));
      bound[static_cast<std::size_t>(i)] = known->floats->values()[0];
    }
  }
  if (c.failed()) return;
  auto x = c.run_time(0);
  if (!later[0] && !later[1]) return c.emit(op::unary{unary_kind::clip, bound[0], bound[1]}, {x});
  // min(max(x, low), high), as the operator is defined when low > high too.
  const auto limit = [&](std::size_t i) {
    auto v = later[i] ? c.run_time(static_cast<int>(i) + 1) : c.constant_inner(tensor(shape{}, std::array{bound[i]}), i == 0 ? "/low" : "/high");
    // A bound of one element but higher rank would widen the result.
    if (!c.failed() && c.dims_of(v).rank() > c.dims_of(x).rank()) v = c.emit_inner(op::reshape{}, {v}, {shape{}}, i == 0 ? "/low_scalar" : "/high_scalar");
    return v;
  };
  const bool low = later[0] || bound[0] != -inf, high = later[1] || bound[1] != inf;
  if (low && high) x = c.emit_inner(op::elementwise{elementwise_kind::max}, {x, limit(0)}, {}, "/from_below");
  if (high) c.emit(op::elementwise{elementwise_kind::min}, {x, limit(1)});
  else c.emit(op::elementwise{elementwise_kind::max}, {x, limit(0)});
}

/// Before opset 7 a second operand was broadcast only on demand, its axes laid at `axis` of the first.
inline value_id legacy_operand(node_context& c)
{
  const auto v = c.run_time(1);
  if (c.failed()) return v;
  const auto a = c.dims(0), b = c.dims(1);
  if (c.integer("broadcast", 0) == 0) {
    if (a != b) c.invalid(to_string(a) + " and " + to_string(b) + " differ, and broadcast is not set");
    return v;
  }
  if (b.rank() > a.rank()) {
    c.invalid(to_string(b) + " does not broadcast to " + to_string(a));
    return v;
  }
  const auto first = c.has("axis") ? c.axis(c.integer("axis", 0), a.rank() + (b.rank() == 0 ? 1 : 0)) : a.rank() - b.rank();
  if (c.failed() || first + b.rank() > a.rank()) {
    c.invalid("axis does not fit " + to_string(a));
    return v;
  }
  if (first + b.rank() == a.rank()) return v;
  std::vector<std::int64_t> extents(b.dims().begin(), b.dims().end());
  extents.resize(a.rank() - first, 1);
  return c.emit_inner(op::reshape{}, {v}, {c.make_shape(extents)}, "/aligned");
}

inline void import_binary(node_context& c)
{
  static constexpr std::pair<std::string_view, elementwise_kind> table[] = {
    {"Add", elementwise_kind::add}, {"Sub", elementwise_kind::sub}, {"Mul", elementwise_kind::mul}, {"Div", elementwise_kind::div}, {"Pow", elementwise_kind::pow}};
  if (!c.expect_inputs(2, 2)) return;
  const auto x = c.run_time(0);
  const auto y = c.opset() < 7 ? legacy_operand(c) : c.run_time(1);
  if (c.failed()) return;
  for (const auto& [type, kind] : table)
    if (type == c.type()) return c.emit(op::elementwise{kind}, {x, y});
}

inline void import_variadic(node_context& c)
{
  static constexpr std::pair<std::string_view, elementwise_kind> table[] = {
    {"Sum", elementwise_kind::add}, {"Max", elementwise_kind::max}, {"Min", elementwise_kind::min}, {"Mean", elementwise_kind::mean}};
  if (c.inputs() < 1) return c.invalid("has no inputs");
  for (const auto& [type, kind] : table)
    if (type == c.type()) return c.emit(op::elementwise{kind}, c.all_run_time());
}

inline void import_prelu(node_context& c)
{
  if (!c.expect_inputs(2, 2)) return;
  const auto x = c.dims(0), slope = c.dims(1);
  auto s = c.run_time(1);
  if (c.failed()) return;
  // Before opset 7 a list of slopes belonged to the channels, whatever the rank.
  if (c.opset() < 7 && slope.rank() == 1 && x.rank() > 2) {
    std::vector<std::int64_t> extents(x.rank() - 1, 1);
    extents[0] = slope[0];
    s = c.emit_inner(op::reshape{}, {s}, {c.make_shape(extents)}, "/slopes");
  }
  c.emit(op::elementwise{elementwise_kind::prelu}, {c.run_time(0), s});
}

inline constexpr op_import elementwise_ops[] = {
  {"Relu", import_unary}, {"LeakyRelu", import_unary}, {"Elu", import_unary}, {"Selu", import_unary}, {"Sigmoid", import_unary},
  {"HardSigmoid", import_unary}, {"HardSwish", import_unary}, {"Tanh", import_unary}, {"Exp", import_unary}, {"Log", import_unary},
  {"Sqrt", import_unary}, {"Abs", import_unary}, {"Neg", import_unary}, {"Reciprocal", import_unary}, {"Floor", import_unary},
  {"Ceil", import_unary}, {"Erf", import_unary}, {"Softplus", import_unary}, {"Softsign", import_unary}, {"Clip", import_clip},
  {"Add", import_binary}, {"Sub", import_binary}, {"Mul", import_binary}, {"Div", import_binary}, {"Pow", import_binary},
  {"Sum", import_variadic}, {"Max", import_variadic}, {"Min", import_variadic}, {"Mean", import_variadic}, {"PRelu", import_prelu},
};

}  // namespace narrows::detail
