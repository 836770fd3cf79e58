// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/fold_layout.hpp>
#include <narrows/onnx/detail/import_context.hpp>

/// Folding of arithmetic: on integers, as shapes are computed, and on float32.
namespace narrows::detail {

/// The value of an integer type that holds `x`'s low bits, as ONNX's fixed-width arithmetic has it.
inline std::int64_t wrapped(std::int64_t x, onnx_type type)
{
  switch (type) {
  case onnx_type::int8: return static_cast<std::int8_t>(x);
  case onnx_type::uint8: return static_cast<std::uint8_t>(x);
  case onnx_type::int16: return static_cast<std::int16_t>(x);
  case onnx_type::uint16: return static_cast<std::uint16_t>(x);
  case onnx_type::int32: return static_cast<std::int32_t>(x);
  case onnx_type::uint32: return static_cast<std::uint32_t>(x);
  case onnx_type::boolean: return x != 0;
  default: return x;
  }
}

/// Overflow and division by zero give nothing: a shape computed from them means nothing.
inline std::optional<std::int64_t> integer_result(std::string_view op, std::int64_t a, std::int64_t b)
{
  std::int64_t out = 0;
  if (op == "Add" || op == "Sum") return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Sub") return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Mul") return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Div") return b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min()) ? std::nullopt : std::optional(a / b);
  if (op == "Mod") {  // sign of the divisor
    if (b == 0 || b == -1) return b == 0 ? std::nullopt : std::optional<std::int64_t>(0);
    const auto r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  }
  if (op == "Max") return std::max(a, b);
  if (op == "Min") return std::min(a, b);
  if (op == "Equal") return a == b;
  if (op == "Less") return a < b;
  if (op == "Greater") return a > b;
  if (op == "And") return (a != 0) && (b != 0);
  if (op == "Or") return (a != 0) || (b != 0);
  return {};
}

inline std::optional<float> real_result(std::string_view op, float a, float b)
{
  if (op == "Add" || op == "Sum") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Max") return std::max(a, b);
  if (op == "Min") return std::min(a, b);
  if (op == "Pow") return std::pow(a, b);
  if (op == "Equal") return a == b ? 1.0F : 0.0F;
  if (op == "Less") return a < b ? 1.0F : 0.0F;
  if (op == "Greater") return a > b ? 1.0F : 0.0F;
  return {};
}

inline bool fold_binary(node_context& c)
{
  if (c.opset() < 7 && (c.has("broadcast") || c.has("axis"))) return false;  // lowered, and run with the network
  if (c.inputs() != 2) return false;
  const auto *a = c.constant(0), *b = c.constant(1);
  if (!a || !b) return true;
  if (a->type != b->type || a->type == onnx_type::float64) return c.refuse("computes on " + name_of(a->type) + " and " + name_of(b->type)), true;
  const auto out = broadcast(a->dims, b->dims);
  if (!out) return c.fail(out.error()), true;
  if (out->elements() > max_folded_moves) return false;
  if (!c.may_allocate(*out, 8)) return true;
  const auto source = [&](const onnx_constant& x) {
    const auto from = strides_of(x.dims);
    std::vector<std::int64_t> strides(out->rank(), 0);
    for (std::size_t i = 0; i < from.size(); ++i) strides[i + out->rank() - from.size()] = x.dims[i] == 1 ? 0 : from[i];
    return strided_source(*out, strides, 0);
  };
  const auto at_a = source(*a), at_b = source(*b);
  const bool truth = c.type() == "Equal" || c.type() == "Less" || c.type() == "Greater" || c.type() == "And" || c.type() == "Or";
  onnx_constant result{truth ? onnx_type::boolean : a->type, *out, nullptr, {}, {}};
  const auto n = out->elements();
  if (a->floats) {
    tensor t(*out);
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = real_result(c.type(), a->floats->values()[at_a(i)], b->floats->values()[at_b(i)]);
      if (!x) return false;
      if (truth) result.integers.push_back(*x != 0);
      else t.values()[i] = *x;
    }
    if (!truth) result.floats = std::make_shared<const tensor>(std::move(t));
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = integer_result(c.type(), a->integers[at_a(i)], b->integers[at_b(i)]);
      if (!x) return c.invalid("overflows or divides by zero"), true;
      result.integers.push_back(wrapped(*x, result.type));
    }
  }
  c.set_constant(0, std::move(result));
  return true;
}

inline bool fold_unary(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return true;
  const auto* x = c.constant(0);
  if (!x) return true;
  if (x->dims.elements() > max_folded_moves) return false;
  const auto& type = c.type();
  if (!c.may_allocate(x->dims, 8)) return true;
  if (x->type == onnx_type::float32) {
    const auto apply = [&](float v) -> std::optional<float> {
      if (type == "Neg") return -v;
      if (type == "Abs") return std::fabs(v);
      if (type == "Floor") return std::floor(v);
      if (type == "Ceil") return std::ceil(v);
      if (type == "Sqrt") return std::sqrt(v);
      if (type == "Reciprocal") return 1.0F / v;
      return {};
    };
    tensor t(x->dims);
    for (std::size_t i = 0; i < t.size(); ++i) {
      const auto v = apply(x->floats->values()[i]);
      if (!v) return false;
      t.values()[i] = *v;
    }
    return c.set_constant(0, onnx_constant::of(std::move(t))), true;
  }
  if (!is_integer(x->type)) return false;
  auto out = *x;
  for (auto& v : out.integers) {
    if (type == "Not") v = v == 0;
    else if (type == "Neg" && v != std::numeric_limits<std::int64_t>::min()) v = -v;
    else if (type == "Abs" && v != std::numeric_limits<std::int64_t>::min()) v = v < 0 ? -v : v;
    else return false;
  }
  c.set_constant(0, std::move(out));
  return true;
}

inline bool fold_cast(node_context& c)
{
  const auto x = c.share_constant(0);
  if (!x) return true;
  const auto to = static_cast<onnx_type>(c.integer("to", 0));
  if (c.failed()) return true;
  if (to == x->type) return c.share(0, x), true;
  if (!is_integer(to) && !is_real(to)) return c.refuse("casts to " + name_of(to)), true;
  if (to == onnx_type::float16 || to == onnx_type::bfloat16) return c.refuse("casts to " + name_of(to)), true;
  if (!c.may_allocate(x->dims, 8)) return true;
  const auto n = x->dims.elements();
  const auto real = [&](std::size_t i) {
    return x->floats ? double(x->floats->values()[i]) : x->type == onnx_type::float64 ? x->doubles[i] : static_cast<double>(x->integers[i]);
  };
  onnx_constant out{to, x->dims, nullptr, {}, {}};
  if (to == onnx_type::float32) {
    tensor t(x->dims);
    for (std::size_t i = 0; i < n; ++i) t.values()[i] = is_integer(x->type) ? static_cast<float>(x->integers[i]) : static_cast<float>(real(i));
    out.floats = std::make_shared<const tensor>(std::move(t));
  } else if (to == onnx_type::float64) {
    for (std::size_t i = 0; i < n; ++i) out.doubles.push_back(real(i));
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      if (is_integer(x->type)) {
        out.integers.push_back(wrapped(x->integers[i], to));
        continue;
      }
      const auto v = real(i);
      if (!(v > -9.2e18 && v < 9.2e18)) return c.invalid("casts " + std::to_string(v) + " to an integer"), true;
      out.integers.push_back(to == onnx_type::boolean ? v != 0 : wrapped(static_cast<std::int64_t>(v), to));
    }
  }
  c.set_constant(0, std::move(out));
  return true;
}

inline bool fold_range(node_context& c)
{
  if (!c.expect_inputs(3, 3)) return true;
  std::array<const onnx_constant*, 3> in{c.constant(0), c.constant(1), c.constant(2)};
  for (const auto* x : in)
    if (!x || x->dims.elements() != 1 || x->type != in[0]->type) return c.invalid("bounds are not three numbers of one type"), true;
  if (is_integer(in[0]->type)) {
    const auto start = in[0]->integers[0], limit = in[1]->integers[0], step = in[2]->integers[0];
    constexpr std::int64_t bound = std::int64_t{1} << 61;  // so that no difference wraps
    if (step == 0 || std::max({start, limit, step}) > bound || std::min({start, limit, step}) < -bound) return c.invalid("step is 0 or a bound is out of range"), true;
    const auto room = step > 0 ? limit - start : start - limit, stride = step > 0 ? step : -step;
    const auto n = room <= 0 ? 0 : (room - 1) / stride + 1;
    const auto dims = c.make_shape(std::array{n});
    if (!c.may_allocate(dims, 8)) return true;
    onnx_constant out{in[0]->type, dims, nullptr, {}, {}};
    for (std::int64_t i = 0; i < n; ++i) out.integers.push_back(start + i * step);
    return c.set_constant(0, std::move(out)), true;
  }
  if (in[0]->type != onnx_type::float32) return c.refuse("counts in " + name_of(in[0]->type)), true;
  const auto start = in[0]->floats->values()[0], limit = in[1]->floats->values()[0], step = in[2]->floats->values()[0];
  const auto count = std::ceil((double(limit) - double(start)) / double(step));
  if (!(count < 1e12)) return c.invalid("never ends"), true;
  const auto dims = c.make_shape(std::array{static_cast<std::int64_t>(std::max(0.0, count))});
  if (!c.may_allocate(dims, 4)) return true;
  tensor t(dims);
  for (std::size_t i = 0; i < t.size(); ++i) t.values()[i] = start + static_cast<float>(i) * step;
  c.set_constant(0, onnx_constant::of(std::move(t)));
  return true;
}

/// Where(condition, x, y) on lists of one length or single values.
inline bool fold_where(node_context& c)
{
  if (!c.expect_inputs(3, 3)) return true;
  const auto *when = c.constant(0), *x = c.constant(1), *y = c.constant(2);
  if (!when || !x || !y || !is_integer(when->type) || !is_integer(x->type) || x->type != y->type) return false;
  auto out = broadcast(when->dims, x->dims);
  if (out) out = broadcast(*out, y->dims);
  if (!out) return c.fail(out.error()), true;
  if (out->rank() > 1 || !c.may_allocate(*out, 8)) return false;
  onnx_constant result{x->type, *out, nullptr, {}, {}};
  const auto at = [](const onnx_constant& v, std::size_t i) { return v.integers[v.integers.size() == 1 ? 0 : i]; };
  for (std::size_t i = 0; i < out->elements(); ++i) result.integers.push_back(at(*when, i) != 0 ? at(*x, i) : at(*y, i));
  c.set_constant(0, std::move(result));
  return true;
}

/// Product of a list of extents, as `Size` is often written.
inline bool fold_reduce_product(node_context& c)
{
  const auto* x = c.constant(0);
  if (!x || !is_integer(x->type) || x->dims.rank() > 1) return false;
  std::int64_t product = 1;
  for (const auto v : x->integers)
    if (__builtin_mul_overflow(product, v, &product)) return c.invalid("overflows"), true;
  const bool keep = c.integer("keepdims", 1) != 0 && x->dims.rank() == 1;
  c.set_constant(0, {x->type, keep ? shape{1} : shape{}, nullptr, {product}, {}});
  return true;
}

inline constexpr op_fold arithmetic_folds[] = {
  {"Add", fold_binary}, {"Sub", fold_binary}, {"Mul", fold_binary}, {"Div", fold_binary}, {"Mod", fold_binary}, {"Pow", fold_binary},
  {"Max", fold_binary}, {"Min", fold_binary}, {"Equal", fold_binary}, {"Less", fold_binary}, {"Greater", fold_binary},
  {"And", fold_binary}, {"Or", fold_binary}, {"Not", fold_unary}, {"Neg", fold_unary}, {"Abs", fold_unary}, {"Floor", fold_unary},
  {"Ceil", fold_unary}, {"Sqrt", fold_unary}, {"Reciprocal", fold_unary}, {"Cast", fold_cast}, {"Range", fold_range},
  {"Where", fold_where}, {"ReduceProd", fold_reduce_product},
};

}  // namespace narrows::detail
