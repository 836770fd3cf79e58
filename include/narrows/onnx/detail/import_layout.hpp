// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/import_context.hpp>
#include <narrows/onnx/detail/resolve_layout.hpp>

/// Operators of ONNX that move, cut and join values.
namespace narrows::detail {

inline void import_same_values(node_context& c)
{
  if (c.inputs() < 1) return c.invalid("has no inputs");
  if (c.type() == "Dropout") {
    if (c.has_input(2)) {
      const auto training = c.known_integers(2, "training_mode");
      if (!c.failed() && !training.empty() && training[0] != 0) return c.refuse("is in training mode");
    }
    c.unsupported(1, "narrows gives no dropout mask");
  }
  if (c.type() == "Cast" && c.integer("to", 0) != static_cast<std::int64_t>(onnx_type::float32))
    return c.refuse("casts to " + name_of(static_cast<onnx_type>(c.integer("to", 0))) + "; at run time narrows has float32 only");
  const auto x = c.run_time(0);
  c.emit(op::reshape{}, {x}, {c.dims(0)});
}

inline void import_reshape(node_context& c)
{
  const auto x = c.dims(0);
  const auto out = resolved_reshape(c, x);
  if (!c.failed()) c.emit(op::reshape{}, {c.run_time(0)}, {out});
}

inline void import_transpose(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  auto permutation = resolved_permutation(c, c.dims(0).rank());
  c.emit(op::transpose{std::move(permutation)}, {c.run_time(0)});
}

inline void import_concat(node_context& c)
{
  if (c.inputs() < 1) return c.invalid("has no inputs");
  if (c.opset() >= 4 && !c.has("axis")) return c.invalid("attribute 'axis' is missing");
  const auto axis = c.axis(c.integer("axis", 1), c.dims(0).rank());
  c.emit(op::concat{axis}, c.all_run_time());
}

inline void import_split(node_context& c)
{
  if (!c.expect_inputs(1, 2)) return;
  const auto x = c.dims(0);
  const auto axis = c.axis(c.integer("axis", 0), x.rank());
  auto sizes = resolved_split(c, x, axis);
  if (c.failed()) return;
  const auto count = static_cast<int>(sizes.size());
  c.emit(op::split{axis, std::move(sizes)}, {c.run_time(0)}, {}, count);
}

inline void import_slice(node_context& c)
{
  const auto x = c.dims(0);
  auto s = resolved_slice(c, x);
  if (!c.failed()) c.emit(op::slice{std::move(s.starts), std::move(s.steps)}, {c.run_time(0)}, {s.out});
}

/// Gather along an axis with one known index, or with known neighbouring ones: a slice.
inline void import_gather(node_context& c)
{
  if (!c.expect_inputs(2, 2)) return;
  const auto x = c.dims(0), index_dims = c.dims(1);
  const auto axis = c.axis(c.integer("axis", 0), x.rank());
  const auto* known = c.constant(1);
  if (c.failed()) return;
  if (!known) return c.refuse("indices '" + c.input_name(1) + "' are computed at run time");
  if (!is_integer(known->type)) return c.invalid("indices are " + name_of(known->type));
  auto at = known->integers;
  for (auto& i : at) {
    if (i < -x[axis] || i >= x[axis]) return c.invalid("index " + std::to_string(i) + " is outside " + to_string(x));
    if (i < 0) i += x[axis];
  }
  const auto step = at.size() > 1 ? at[1] - at[0] : 1;
  for (std::size_t i = 1; i < at.size(); ++i)
    if (step == 0 || at[i] - at[i - 1] != step) return c.refuse("indices are not evenly spaced");
  op::slice s{std::vector<std::int64_t>(x.rank(), 0), std::vector<std::int64_t>(x.rank(), 1)};
  std::vector<std::int64_t> cut(x.dims().begin(), x.dims().end()), out(x.dims().begin(), x.dims().begin() + static_cast<std::ptrdiff_t>(axis));
  s.starts[axis] = at.empty() ? 0 : at[0];
  s.steps[axis] = step;
  cut[axis] = static_cast<std::int64_t>(at.size());
  out.insert(out.end(), index_dims.dims().begin(), index_dims.dims().end());
  out.insert(out.end(), x.dims().begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.dims().end());
  const auto cut_dims = c.make_shape(cut), out_dims = c.make_shape(out);
  if (cut_dims == out_dims) return c.emit(std::move(s), {c.run_time(0)}, {cut_dims});
  const auto y = c.emit_inner(std::move(s), {c.run_time(0)}, {cut_dims}, "/slice");
  c.emit(op::reshape{}, {y}, {out_dims});
}

inline void import_pad(node_context& c)
{
  if (!c.expect_inputs(1, c.opset() < 11 ? 1 : 4)) return;
  const auto x = c.dims(0);
  op::pad o;
  const auto mode = c.text("mode", "constant");
  if (mode == "reflect") o.mode = op::pad::mode::reflect;
  else if (mode == "edge") o.mode = op::pad::mode::edge;
  else if (mode != "constant") return c.refuse("mode is '" + mode + "'");
  std::vector<value_id> in{c.run_time(0)};
  std::vector<std::int64_t> pads;
  if (c.opset() < 11) {
    const auto given = c.integers(c.opset() < 2 ? "paddings" : "pads");
    if (!given) return c.invalid("attribute 'pads' is missing");
    pads = *given;
    o.value = c.real("value", 0);
  } else {
    pads = c.known_integers(1, "pads");
    if (c.has_input(3)) pads = spread_pads(c, pads, c.known_integers(3, "axes"), x.rank());
    if (c.has_input(2) && o.mode == op::pad::mode::constant) {
      const auto* known = c.constant(2);
      if (known && known->type == onnx_type::float32 && known->dims.elements() == 1) o.value = known->floats->values()[0];
      else in.push_back(c.run_time(2));
    }
  }
  if (c.failed()) return;
  if (pads.size() != 2 * x.rank()) return c.invalid("has " + std::to_string(pads.size()) + " pads for " + to_string(x));
  o.before.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(x.rank()));
  o.after.assign(pads.begin() + static_cast<std::ptrdiff_t>(x.rank()), pads.end());
  c.emit(std::move(o), std::move(in));
}

/// A larger shape by broadcasting: a product with ones, which changes no value.
inline void import_expand(node_context& c)
{
  if (!c.expect_inputs(2, 2)) return;
  const auto wanted = c.make_shape(c.known_integers(1, "shape"));
  const auto x = c.run_time(0);
  if (c.failed()) return;
  auto out = broadcast(c.dims_of(x), wanted);
  if (!out) return c.fail(std::move(out).error());
  if (*out == c.dims_of(x)) return c.emit(op::reshape{}, {x}, {*out});
  if (!c.may_allocate(*out, 4)) return;
  tensor ones(*out);
  std::fill(ones.values().begin(), ones.values().end(), 1.0F);
  c.emit(op::elementwise{op::elementwise::kind::mul}, {x, c.constant_inner(std::move(ones), "/ones")});
}

/// DepthToSpace and SpaceToDepth as reshape, transpose, reshape (their definition).
inline void import_depth_space(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  const auto x = c.dims(0);
  const auto b = c.integer("blocksize", 0);
  const auto mode = c.text("mode", "DCR");
  const auto v = c.run_time(0);
  if (c.failed()) return;
  if (x.rank() != 4 || b < 1 || b > 65536) return c.invalid("blocksize " + std::to_string(b) + " on " + to_string(x));
  std::vector<std::int64_t> apart, together;
  std::vector<std::size_t> order;
  if (c.type() == "DepthToSpace") {
    if (x[1] % (b * b) != 0) return c.invalid(std::to_string(x[1]) + " channels do not divide by " + std::to_string(b * b));
    const auto channels = x[1] / (b * b);
    apart = mode == "CRD" ? std::vector{x[0], channels, b, b, x[2], x[3]} : std::vector{x[0], b, b, channels, x[2], x[3]};
    order = mode == "CRD" ? std::vector<std::size_t>{0, 1, 4, 2, 5, 3} : std::vector<std::size_t>{0, 3, 4, 1, 5, 2};
    together = {x[0], channels, x[2] * b, x[3] * b};
  } else {
    if (x[2] % b != 0 || x[3] % b != 0) return c.invalid(to_string(x) + " does not divide into blocks of " + std::to_string(b));
    apart = {x[0], x[1], x[2] / b, b, x[3] / b, b};
    order = {0, 3, 5, 1, 2, 4};
    together = {x[0], x[1] * b * b, x[2] / b, x[3] / b};
  }
  const auto in_blocks = c.emit_inner(op::reshape{}, {v}, {c.make_shape(apart)}, "/blocks");
  const auto moved = c.emit_inner(op::transpose{std::move(order)}, {in_blocks}, {}, "/moved");
  c.emit(op::reshape{}, {moved}, {c.make_shape(together)});
}

inline constexpr op_import layout_ops[] = {
  {"Identity", import_same_values}, {"Dropout", import_same_values}, {"Cast", import_same_values}, {"Reshape", import_reshape}, {"Flatten", import_reshape},
  {"Squeeze", import_reshape}, {"Unsqueeze", import_reshape}, {"Transpose", import_transpose}, {"Concat", import_concat}, {"Split", import_split},
  {"Slice", import_slice}, {"Gather", import_gather}, {"Pad", import_pad}, {"Expand", import_expand}, {"DepthToSpace", import_depth_space},
  {"SpaceToDepth", import_depth_space},
};

}  // namespace narrows::detail
