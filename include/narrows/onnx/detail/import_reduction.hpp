// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/import_context.hpp>
#include <narrows/onnx/detail/resolve_layout.hpp>

/// Softmax, reductions and resizing of ONNX.
namespace narrows::detail {

inline void import_softmax(node_context& c)
{
  if (!c.expect_inputs(1, 1)) return;
  const auto rank = c.dims(0).rank();
  const bool flattened = c.opset() < 13;  // all axes from `axis` on count as one
  const auto axis = c.axis(c.integer("axis", flattened ? 1 : -1), rank);
  c.emit(op::softmax{axis, flattened ? rank : axis + 1, c.type() == "LogSoftmax"}, {c.run_time(0)});
}

inline void import_reduce(node_context& c)
{
  using kinds = enum op::reduce::kind;
  static constexpr std::pair<std::string_view, kinds> table[] = {
    {"ReduceMean", kinds::mean}, {"ReduceSum", kinds::sum}, {"ReduceMax", kinds::max}, {"ReduceMin", kinds::min}};
  if (!c.expect_inputs(1, 2)) return;
  const auto x = c.dims(0);
  bool given = false;
  auto axes = resolved_axes(c, c.type() == "ReduceSum" ? 13 : 18, x.rank(), given);
  if (c.failed()) return;
  if (axes.empty()) {
    if (c.integer("noop_with_empty_axes", 0) != 0) return c.emit(op::reshape{}, {c.run_time(0)}, {x});
    for (std::size_t i = 0; i < x.rank(); ++i) axes.push_back(i);
  }
  const bool keep = c.integer("keepdims", 1) != 0;
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (!std::binary_search(axes.begin(), axes.end(), i)) out.push_back(x[i]);
    else if (keep) out.push_back(1);
  }
  const auto dims = c.make_shape(out);
  for (const auto& [type, kind] : table)
    if (type == c.type()) return c.emit(op::reduce{kind, axes}, {c.run_time(0)}, {dims});
}

inline void read_resize_modes(node_context& c, op::resize& o)
{
  using coordinates = enum op::resize::coordinates;
  using rounding = enum op::resize::rounding;
  static constexpr std::pair<std::string_view, coordinates> coordinate_names[] = {
    {"half_pixel", coordinates::half_pixel}, {"pytorch_half_pixel", coordinates::pytorch_half_pixel}, {"align_corners", coordinates::align_corners},
    {"asymmetric", coordinates::asymmetric}, {"tf_half_pixel_for_nn", coordinates::tf_half_pixel_for_nn}};
  static constexpr std::pair<std::string_view, rounding> rounding_names[] = {
    {"round_prefer_floor", rounding::round_prefer_floor}, {"round_prefer_ceil", rounding::round_prefer_ceil}, {"floor", rounding::floor}, {"ceil", rounding::ceil}};
  const auto choose = [&](const std::string& given, const auto& names, auto& out, const char* what) {
    for (const auto& [name, kind] : names)
      if (name == given) return void(out = kind);
    c.refuse(std::string(what) + " is '" + given + "'");
  };
  const auto mode = c.text("mode", "nearest");
  if (mode == "linear" || mode == "bilinear") o.mode = op::resize::mode::linear;
  else if (mode == "cubic") o.mode = op::resize::mode::cubic;
  else if (mode != "nearest") c.refuse("mode is '" + mode + "'");
  if (c.opset() < 11) {  // Upsample, and Resize of opset 10: asymmetric, rounded down
    o.coordinates = coordinates::asymmetric;
    o.rounding = rounding::floor;
    return;
  }
  choose(c.text("coordinate_transformation_mode", "half_pixel"), coordinate_names, o.coordinates, "coordinate_transformation_mode");
  choose(c.text("nearest_mode", "round_prefer_floor"), rounding_names, o.rounding, "nearest_mode");
  o.cubic_a = c.real("cubic_coeff_a", -0.75F);
  o.exclude_outside = c.integer("exclude_outside", 0) != 0;
  if (c.integer("antialias", 0) != 0) c.refuse("antialias is set");
  if (c.text("keep_aspect_ratio_policy", "stretch") != "stretch") c.refuse("keep_aspect_ratio_policy is not 'stretch'");
}

inline void import_resize(node_context& c)
{
  const auto x = c.dims(0);
  if (c.failed()) return;
  op::resize o;
  read_resize_modes(c, o);
  std::vector<float> scales;
  std::vector<std::int64_t> sizes;
  const bool upsample = c.type() == "Upsample";
  const int scales_at = upsample || c.opset() < 11 ? 1 : 2;
  if (upsample && c.opset() < 7) {
    scales = {1, 1, c.real("height_scale", 1), c.real("width_scale", 1)};
  } else if (upsample && c.opset() < 9) {
    scales = c.reals("scales").value_or(scales);
  } else {
    const auto is_empty = [&](int i) { return !c.has_input(i) || c.dims(i).elements() == 0; };
    if (!is_empty(scales_at)) scales = c.known_reals(scales_at, "scales");
    else if (scales_at == 2 && !is_empty(3)) sizes = c.known_integers(3, "sizes");
  }
  // From opset 18 on scales and sizes may be given for some axes only.
  if (const auto axes = c.integers("axes"); axes && !c.failed()) {
    std::vector<float> all_scales(x.rank(), 1.0F);
    std::vector<std::int64_t> all_sizes(x.dims().begin(), x.dims().end());
    if (axes->size() != (scales.empty() ? sizes.size() : scales.size())) return c.invalid("scales or sizes do not fit the axes");
    for (std::size_t i = 0; i < axes->size() && !c.failed(); ++i) {
      const auto a = c.axis((*axes)[i], x.rank());
      if (c.failed()) return;
      if (!scales.empty()) all_scales[a] = scales[i];
      else all_sizes[a] = sizes[i];
    }
    if (!scales.empty()) scales = all_scales;
    else sizes = all_sizes;
  }
  if (c.failed()) return;
  std::vector<std::int64_t> out;
  if (!scales.empty()) {
    if (scales.size() != x.rank()) return c.invalid("has " + std::to_string(scales.size()) + " scales for " + to_string(x));
    for (std::size_t i = 0; i < x.rank(); ++i) {
      const double scale = double(scales[i]), extent = std::floor(static_cast<double>(x[i]) * scale);
      if (!(scale > 0) || !(extent <= static_cast<double>(shape::max_elements))) return c.invalid("scale is " + std::to_string(scale));
      out.push_back(static_cast<std::int64_t>(extent));
      o.scales.push_back(scale);
    }
  } else {
    if (sizes.size() != x.rank()) return c.invalid("has neither scales nor sizes for each axis of " + to_string(x));
    for (std::size_t i = 0; i < x.rank(); ++i) {
      if (sizes[i] < 1 || x[i] < 1) return c.invalid("size is " + std::to_string(sizes[i]));
      o.scales.push_back(static_cast<double>(sizes[i]) / static_cast<double>(x[i]));
    }
    out = sizes;
  }
  const auto dims = c.make_shape(out);
  if (o.mode != op::resize::mode::nearest) {
    // Interpolation runs over the two innermost axes.
    for (std::size_t i = 0; i + 2 < x.rank(); ++i)
      if (dims[i] != x[i]) return c.refuse("interpolates along axis " + std::to_string(i) + " of " + to_string(x));
    if (x.rank() < 2) return c.refuse("interpolates a tensor of shape " + to_string(x));
  }
  c.emit(std::move(o), {c.run_time(0)}, {dims});
}

inline constexpr op_import reduction_ops[] = {
  {"Softmax", import_softmax}, {"LogSoftmax", import_softmax}, {"ReduceMean", import_reduce}, {"ReduceSum", import_reduce},
  {"ReduceMax", import_reduce}, {"ReduceMin", import_reduce}, {"Resize", import_resize}, {"Upsample", import_resize},
};

}  // namespace narrows::detail
