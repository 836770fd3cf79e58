// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <narrows/graph/detail/window_extent.hpp>
#include <narrows/onnx/detail/import_context.hpp>

/// Convolutions, pools, matrix products and normalisations of ONNX.
namespace narrows::detail {

/// A window with `spatial` axes read from the attributes; those of one spatial axis get a second one of extent 1.
struct window_attributes {
  op::window window;
  std::string auto_pad;
  bool ceil = false;
};

inline window_attributes read_window(node_context& c, std::size_t spatial, std::optional<std::vector<std::int64_t>> kernel)
{
  window_attributes out;
  const auto list = [&](const char* key, std::size_t count, std::int64_t otherwise) {
    auto v = c.integers(key).value_or(std::vector<std::int64_t>(count, otherwise));
    if (v.size() != count) {
      c.invalid(std::string("attribute '") + key + "' has " + std::to_string(v.size()) + " values, needs " + std::to_string(count));
      v.assign(count, otherwise);
    }
    return v;
  };
  if (!kernel && !c.has("kernel_shape")) c.invalid("attribute 'kernel_shape' is missing");
  if (!kernel || c.has("kernel_shape")) kernel = list("kernel_shape", spatial, 1);
  const auto stride = list("strides", spatial, 1), dilation = list("dilations", spatial, 1), pads = list("pads", 2 * spatial, 0);
  if (c.failed()) return out;
  for (std::size_t i = 0; i < spatial; ++i) {
    out.window.kernel[i] = (*kernel)[i];
    out.window.stride[i] = stride[i];
    out.window.dilation[i] = dilation[i];
    out.window.pads[i] = pads[i];
    out.window.pads[i + 2] = pads[i + spatial];
  }
  out.auto_pad = c.text("auto_pad", "NOTSET");
  out.ceil = c.integer("ceil_mode", 0) != 0;
  if (auto valid = check_window(out.window); !valid) c.fail(valid.error());
  const auto& a = out.auto_pad;
  if (a != "NOTSET" && a != "VALID" && a != "SAME_UPPER" && a != "SAME_LOWER" && !a.empty()) c.invalid("auto_pad is '" + a + "'");
  return out;
}

/// Borders from auto_pad, now that the input is known. SAME: output = ceil(input / stride), the odd value after
/// (UPPER) or before (LOWER).
inline void resolve_auto_pad(window_attributes& w, const shape& x)
{
  if (w.auto_pad == "VALID") w.window.pads = {0, 0, 0, 0};
  if (w.auto_pad != "SAME_UPPER" && w.auto_pad != "SAME_LOWER") return;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto extent = x[i + 2], stride = w.window.stride[i];
    const auto out = (extent + stride - 1) / stride;
    const auto total = std::max<std::int64_t>(0, (out - 1) * stride + covered(w.window.kernel[i], w.window.dilation[i]) - extent);
    const auto less = total / 2, more = total - less;
    w.window.pads[i] = w.auto_pad == "SAME_UPPER" ? less : more;
    w.window.pads[i + 2] = w.auto_pad == "SAME_UPPER" ? more : less;
  }
}

/// Spatial axes of input 0: 1 or 2. Anything else is refused.
inline std::size_t spatial_axes(node_context& c)
{
  const auto x = c.dims(0);
  if (c.failed()) return 2;
  if (x.rank() == 3 || x.rank() == 4) return x.rank() - 2;
  if (x.rank() < 3) c.invalid("input is " + to_string(x));
  else c.refuse("has " + std::to_string(x.rank() - 2) + " spatial axes; narrows has 1 and 2");
  return 2;
}

/// A 3-D value [N,C,W] as [N,C,W,1]. Constants stay constants.
inline value_id widen(node_context& c, int input)
{
  const auto v = c.run_time(input);
  if (c.failed()) return v;
  const auto s = c.dims_of(v);
  if (s.rank() != 3) {
    c.invalid("input '" + c.input_name(input) + "' is " + to_string(s));
    return v;
  }
  if (const auto* known = c.constant(input)) return c.constant_inner(tensor(c.make_shape(std::array{s[0], s[1], s[2], std::int64_t{1}}), known->floats->values()), "/2d_weights");
  return c.emit_inner(op::reshape{}, {v}, {c.make_shape(std::array{s[0], s[1], s[2], std::int64_t{1}})}, input == 0 ? "/2d_input" : "/2d_weights");
}

/// Emits a sliding-window operator, through two reshapes if it has one spatial axis.
inline void emit_window(node_context& c, any_op operation, std::size_t spatial, std::vector<value_id> in, std::vector<shape> stated = {})
{
  if (spatial == 2) return c.emit(std::move(operation), std::move(in), std::move(stated));
  const auto y = c.emit_inner(std::move(operation), std::move(in), std::move(stated), "/2d_output");
  if (c.failed()) return;
  const auto s = c.dims_of(y);
  c.emit(op::reshape{}, {y}, {c.make_shape(std::array{s[0], s[1], s[2]})});
}

inline void import_conv(node_context& c)
{
  if (!c.expect_inputs(2, 3)) return;
  const auto spatial = spatial_axes(c);
  const auto weights = c.dims(1);
  if (c.failed()) return;
  if (weights.rank() != spatial + 2) return c.invalid("weights are " + to_string(weights));
  auto w = read_window(c, spatial, std::vector<std::int64_t>(weights.dims().begin() + 2, weights.dims().end()));
  const auto groups = c.integer("group", 1);
  std::vector<value_id> in = spatial == 2 ? c.all_run_time() : std::vector{widen(c, 0), widen(c, 1)};
  if (spatial == 1 && c.has_input(2)) in.push_back(c.run_time(2));
  if (c.failed()) return;
  resolve_auto_pad(w, c.dims_of(in[0]));
  emit_window(c, op::conv{w.window, groups}, spatial, std::move(in));
}

inline void import_conv_transpose(node_context& c)
{
  if (!c.expect_inputs(2, 3)) return;
  if (spatial_axes(c) != 2) return c.refuse("has 1 spatial axis; narrows has 2");
  const auto x = c.dims(0), weights = c.dims(1);
  if (c.failed()) return;
  if (weights.rank() != 4) return c.invalid("weights are " + to_string(weights));
  auto w = read_window(c, 2, std::vector<std::int64_t>{weights[2], weights[3]});
  op::conv_transpose o;
  o.groups = c.integer("group", 1);
  const auto extra = c.integers("output_padding").value_or(std::vector<std::int64_t>(2, 0));
  const auto wanted = c.integers("output_shape");
  if (extra.size() != 2 || (wanted && wanted->size() != 2 && wanted->size() != 4)) c.invalid("output_padding or output_shape does not have 2 values");
  if (c.failed()) return;
  const bool same = w.auto_pad == "SAME_UPPER" || w.auto_pad == "SAME_LOWER";
  for (std::size_t i = 0; i < 2; ++i) {
    if (extra[i] < 0 || extra[i] > max_window_attribute) return c.invalid("output_padding is " + std::to_string(extra[i]));
    o.output_padding[i] = extra[i];
    if (w.auto_pad == "VALID") w.window.pads[i] = w.window.pads[i + 2] = 0;
    if (!wanted && !same) continue;
    const auto target = wanted ? (*wanted)[wanted->size() - 2 + i] : x[i + 2] * w.window.stride[i];
    if (target < 1 || target > shape::max_elements) return c.invalid("output extent is " + std::to_string(target));
    const auto total = w.window.stride[i] * (x[i + 2] - 1) + extra[i] + covered(w.window.kernel[i], w.window.dilation[i]) - target;
    if (total < 0) return c.refuse("output_shape asks for more than the window reaches");
    w.window.pads[i] = w.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.window.pads[i + 2] = total - w.window.pads[i];
  }
  o.window = w.window;
  c.emit(o, c.all_run_time());
}

inline void import_pool(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  const bool max = c.type() == "MaxPool";
  const auto spatial = spatial_axes(c);
  if (c.failed()) return;
  auto w = read_window(c, spatial, {});
  if (c.integer("storage_order", 0) != 0) c.refuse("storage_order is not 0");
  if (!max && c.integers("dilations") && c.opset() < 19) c.invalid("AveragePool has no dilations before opset 19");
  c.unsupported(1, "narrows does not give the indices of the largest values");
  const auto x = spatial == 2 ? c.run_time(0) : widen(c, 0);
  if (c.failed()) return;
  const auto dims = c.dims_of(x);
  resolve_auto_pad(w, dims);
  op::pool o{max ? op::pool::kind::max : op::pool::kind::average, w.window, c.integer("count_include_pad", 0) != 0};
  std::vector<shape> stated;
  if (w.ceil) {
    const std::array out{dims[0], dims[1], positions_ceil(dims[2], w.window, 0), positions_ceil(dims[3], w.window, 1)};
    stated.push_back(c.make_shape(out));
  }
  emit_window(c, o, spatial, {x}, std::move(stated));
}

inline void import_global_pool(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  const auto kind = c.type() == "GlobalMaxPool" ? op::pool::kind::max : op::pool::kind::average;
  const auto spatial = spatial_axes(c);
  const auto x = spatial == 2 ? c.run_time(0) : widen(c, 0);
  if (!c.failed()) emit_window(c, op::global_pool{kind}, spatial, {x});
}

inline void import_gemm(node_context& c)
{
  if (!c.expect_inputs(2, 3)) return;
  op::gemm o;
  o.alpha = c.real("alpha", 1);
  o.beta = c.real("beta", 1);
  o.transpose_a = c.integer("transA", 0) != 0;
  o.transpose_b = c.integer("transB", 0) != 0;
  c.emit(o, c.all_run_time());
}

inline void import_matmul(node_context& c)
{
  if (c.expect_inputs(2, 2)) c.emit(op::matmul{}, c.all_run_time());
}

inline void import_batch_norm(node_context& c)
{
  if (!c.expect_inputs(5, 5)) return;
  const bool training = c.opset() >= 14 ? c.integer("training_mode", 0) != 0 : c.opset() < 7 ? c.integer("is_test", 0) == 0 : false;
  if (training) return c.refuse("is in training mode");
  if (c.integer("spatial", 1) != 1) return c.refuse("spatial is not 1");
  for (int i = 1; i < c.outputs(); ++i) c.unsupported(i, "narrows gives no running statistics");
  c.emit(op::batch_norm{c.real("epsilon", 1e-5F)}, c.all_run_time());
}

inline void import_lrn(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  if (!c.has("size")) return c.invalid("attribute 'size' is missing");
  const op::lrn o{c.integer("size", 1), c.real("alpha", 1e-4F), c.real("beta", 0.75F), c.real("bias", 1)};
  c.emit(o, {c.run_time(0)});
}

inline constexpr op_import convolution_ops[] = {
  {"Conv", import_conv}, {"ConvTranspose", import_conv_transpose}, {"MaxPool", import_pool}, {"AveragePool", import_pool},
  {"GlobalAveragePool", import_global_pool}, {"GlobalMaxPool", import_global_pool}, {"Gemm", import_gemm}, {"MatMul", import_matmul},
  {"BatchNormalization", import_batch_norm}, {"LRN", import_lrn},
};

}  // namespace narrows::detail
