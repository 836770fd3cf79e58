// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <variant>
#include <vector>

#include <narrows/core/shape.hpp>

/// Operators of a graph: one struct each, with every attribute resolved (no auto_pad, no negative axis, no shape
/// given by a tensor). Feature maps are NCHW float32. Definitions follow ONNX (onnx.ai, "Operators"), opset 17.
namespace narrows::op {

/// Vertical and horizontal extents of a sliding window.
using pair = std::array<std::int64_t, 2>;
/// Top, left, bottom, right.
using borders = std::array<std::int64_t, 4>;

struct window {
  pair kernel{1, 1};
  pair stride{1, 1};
  pair dilation{1, 1};
  borders pads{0, 0, 0, 0};
  friend bool operator==(const window&, const window&) = default;
};

/// Inputs x [N,C,H,W], w [M,C/groups,kh,kw], optional b [M]. Output [N,M,oh,ow].
struct conv {
  op::window window;
  std::int64_t groups = 1;
};
/// Inputs x [N,C,H,W], w [C,M/groups,kh,kw], optional b [M].
struct conv_transpose {
  op::window window;
  pair output_padding{0, 0};
  std::int64_t groups = 1;
};
/// One window per channel. `count_include_pad` is for averages; ceil_mode is already in the output shape.
struct pool {
  enum class kind : std::uint8_t { max, average } kind = kind::max;
  op::window window;
  bool count_include_pad = false;
};
/// All of H and W; output [N,C,1,1].
struct global_pool {
  enum pool::kind kind = pool::kind::average;
};
/// Inputs x, scale, bias, mean, variance (each [C]).
struct batch_norm {
  float epsilon = 1e-5F;
};
/// alpha * A' * B' + beta * C; inputs A, B, optional C (broadcast to the output [M,N]).
struct gemm {
  float alpha = 1;
  float beta = 1;
  bool transpose_a = false;
  bool transpose_b = false;
};
/// numpy.matmul: leading axes broadcast.
struct matmul {};

/// Element by element on one input. `alpha`, `beta` mean: leaky_relu, elu, thresholded: alpha; hard_sigmoid:
/// clamp(alpha*x + beta, 0, 1); clip: [alpha, beta]; selu: alpha, gamma = beta.
struct unary {
  enum class kind : std::uint8_t {
    identity, relu, clip, leaky_relu, elu, selu, sigmoid, hard_sigmoid, hard_swish, tanh,
    exp, log, sqrt, abs, neg, reciprocal, floor, ceil, erf, softplus, softsign
  } kind = kind::identity;
  float alpha = 0;
  float beta = 0;
  friend bool operator==(const unary&, const unary&) = default;
};
/// Element by element on n >= 1 inputs (sub, div, prelu, pow: 2), broadcast like numpy; from left to right.
struct elementwise {
  enum class kind : std::uint8_t { add, sub, mul, div, min, max, mean, prelu, pow } kind = kind::add;
};
struct concat {
  std::size_t axis = 0;
};
/// One output per size.
struct split {
  std::size_t axis = 0;
  std::vector<std::int64_t> sizes;
};
/// One start and step per axis of the input; the output shape holds the counts. Steps may be negative.
struct slice {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> steps;
};
/// One amount before and after per axis (negative: cut away). Constant mode: optional second input holds the value.
struct pad {
  enum class mode : std::uint8_t { constant, reflect, edge } mode = mode::constant;
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> after;
  float value = 0;
};
/// Same values, other extents (Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout): the output shape says all.
struct reshape {};
struct transpose {
  std::vector<std::size_t> permutation;
};
/// Sizes come from the output shape; `scales` per axis as given (or output/input).
struct resize {
  /// Where input and output lie, along one axis, in the maps that they are parts of.
  struct part {
    std::int64_t input_first = 0, input_extent = 0;
    std::int64_t output_first = 0, output_extent = 0;
  };
  enum class mode : std::uint8_t { nearest, linear, cubic } mode = mode::nearest;
  enum class coordinates : std::uint8_t { half_pixel, pytorch_half_pixel, align_corners, asymmetric, tf_half_pixel_for_nn }
    coordinates = coordinates::half_pixel;
  enum class rounding : std::uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil } rounding = rounding::round_prefer_floor;
  std::vector<double> scales;
  float cubic_a = -0.75F;
  bool exclude_outside = false;
  /// Per axis; empty where the maps are whole. Coordinates are those of the whole maps, so that a tile has their bits.
  std::vector<part> parts{};
};
struct reduce {
  enum class kind : std::uint8_t { mean, sum, max, min } kind = kind::mean;
  std::vector<std::size_t> axes;  ///< ascending; keepdims is in the output shape
};
/// Normalised over axes [first, last): one axis from opset 13, all axes from `axis` on before.
struct softmax {
  std::size_t first = 0;
  std::size_t last = 0;
  bool log = false;
};
struct lrn {
  std::int64_t size = 1;
  float alpha = 1e-4F;
  float beta = 0.75F;
  float bias = 1;
};

}  // namespace narrows::op

namespace narrows {

using any_op = std::variant<op::conv, op::conv_transpose, op::pool, op::global_pool, op::batch_norm, op::gemm, op::matmul,
  op::unary, op::elementwise, op::concat, op::split, op::slice, op::pad, op::reshape, op::transpose, op::resize,
  op::reduce, op::softmax, op::lrn>;

}  // namespace narrows
