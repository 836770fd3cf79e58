// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <string>

#include <narrows/graph/detail/shape_rules.hpp>
#include <narrows/graph/detail/window_extent.hpp>
#include <narrows/graph/op.hpp>

/// Output shapes of the operators that slide a window or multiply matrices.
namespace narrows::detail {

inline result<void> check_kernel(const op::window& w, const shape& weights)
{
  NARROWS_TRY(check_window(w));
  if (weights[2] != w.kernel[0] || weights[3] != w.kernel[1])
    return bad_node("kernel is " + std::to_string(w.kernel[0]) + "x" + std::to_string(w.kernel[1]) + ", weights are " + to_string(weights));
  return {};
}

inline result<void> check_bias(shapes_in in, std::int64_t channels)
{
  if (in.size() < 3 || in[2] == shape{channels}) return {};
  return bad_node("bias is " + to_string(in[2]) + ", needs " + std::to_string(channels));
}

inline error window_too_large(const op::window& w, const shape& x)
{
  return bad_node("window " + std::to_string(covered(w.kernel[0], w.dilation[0])) + "x" +
                  std::to_string(covered(w.kernel[1], w.dilation[1])) + " does not fit into the padded input " + to_string(x));
}

inline result<shapes> shapes_of(const op::conv& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 2, 3));
  NARROWS_TRY(expect_rank(in[0], 4, "input"));
  NARROWS_TRY(expect_rank(in[1], 4, "weight tensor"));
  const auto &x = in[0], &w = in[1];
  NARROWS_TRY(check_kernel(o.window, w));
  if (o.groups < 1 || x[1] % o.groups != 0 || w[0] % o.groups != 0 || w[1] != x[1] / o.groups)
    return bad_node("weights " + to_string(w) + " do not fit input " + to_string(x) + " in " + std::to_string(o.groups) + " groups");
  NARROWS_TRY(check_bias(in, w[0]));
  const std::array out{x[0], w[0], positions_floor(x[2], o.window, 0), positions_floor(x[3], o.window, 1)};
  if (out[2] == 0 || out[3] == 0) return window_too_large(o.window, x);
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::conv_transpose& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 2, 3));
  NARROWS_TRY(expect_rank(in[0], 4, "input"));
  NARROWS_TRY(expect_rank(in[1], 4, "weight tensor"));
  const auto &x = in[0], &w = in[1];
  NARROWS_TRY(check_kernel(o.window, w));
  if (o.groups < 1 || o.groups > max_window_attribute || x[1] % o.groups != 0 || w[0] != x[1])
    return bad_node("weights " + to_string(w) + " do not fit input " + to_string(x) + " in " + std::to_string(o.groups) + " groups");
  const auto channels = w[1] * o.groups;
  NARROWS_TRY(check_bias(in, channels));
  std::array<std::int64_t, 4> out{x[0], channels, 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto &win = o.window;
    if (o.output_padding[i] < 0 || o.output_padding[i] >= std::max(win.stride[i], win.dilation[i]))
      return bad_node("output padding is " + std::to_string(o.output_padding[i]) + ", needs less than stride or dilation");
    if (x[i + 2] < 1) return bad_node("input is " + to_string(x));
    out[i + 2] = win.stride[i] * (x[i + 2] - 1) + o.output_padding[i] + covered(win.kernel[i], win.dilation[i]) - win.pads[i] - win.pads[i + 2];
    if (out[i + 2] < 1) return bad_node("pads cut away the whole output of input " + to_string(x));
  }
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::pool& o, shapes_in in, shapes_in stated)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  NARROWS_TRY(expect_rank(in[0], 4, "input"));
  NARROWS_TRY(check_window(o.window));
  const auto& x = in[0];
  std::array<std::int64_t, 4> out{x[0], x[1], 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto window = covered(o.window.kernel[i], o.window.dilation[i]);
    // A window that lies in the border alone has no largest value and no mean.
    if (o.window.pads[i] >= window || o.window.pads[i + 2] >= window)
      return bad_node("a pad is as large as the window of " + std::to_string(window));
    const auto least = positions_floor(x[i + 2], o.window, i), most = positions_ceil(x[i + 2], o.window, i);
    const auto n = stated.empty() ? least : stated[0].rank() == 4 ? stated[0][i + 2] : -1;
    if (n < least || n > most) return bad_node("stated output does not follow from input " + to_string(x));
    out[i + 2] = n;
  }
  if (out[2] == 0 || out[3] == 0) return window_too_large(o.window, x);
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::global_pool&, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  NARROWS_TRY(expect_rank(in[0], 4, "input"));
  if (in[0][2] == 0 || in[0][3] == 0) return bad_node("input " + to_string(in[0]) + " has nothing to pool");
  return one_shape(std::array<std::int64_t, 4>{in[0][0], in[0][1], 1, 1});
}

inline result<shapes> shapes_of(const op::gemm& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 2, 3));
  NARROWS_TRY(expect_rank(in[0], 2, "A"));
  NARROWS_TRY(expect_rank(in[1], 2, "B"));
  const auto &a = in[0], &b = in[1];
  const auto m = o.transpose_a ? a[1] : a[0], ka = o.transpose_a ? a[0] : a[1];
  const auto n = o.transpose_b ? b[0] : b[1], kb = o.transpose_b ? b[1] : b[0];
  if (ka != kb) return bad_node("inner extents differ: A is " + to_string(a) + ", B is " + to_string(b));
  auto out = make_shape(std::array{m, n});
  if (!out) return unexpected(std::move(out).error());
  if (in.size() == 3)
    if (auto c = broadcast(*out, in[2]); !c || *c != *out) return bad_node("C " + to_string(in[2]) + " does not broadcast to " + to_string(*out));
  return shapes{*out};
}

inline result<shapes> shapes_of(const op::matmul&, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 2, 2));
  const auto &a = in[0], &b = in[1];
  if (a.rank() == 0 || b.rank() == 0) return bad_node("a scalar cannot be multiplied as a matrix");
  const auto inner_a = a[a.rank() - 1];
  const auto inner_b = b.rank() == 1 ? b[0] : b[b.rank() - 2];
  if (inner_a != inner_b) return bad_node("inner extents differ: " + to_string(a) + " and " + to_string(b));
  const auto outer = [](const shape& s) { return *shape::make(s.dims().first(s.rank() < 2 ? 0 : s.rank() - 2)); };
  auto batch = broadcast(outer(a), outer(b));
  if (!batch) return unexpected(std::move(batch).error());
  std::vector<std::int64_t> out(batch->dims().begin(), batch->dims().end());
  if (a.rank() > 1) out.push_back(a[a.rank() - 2]);
  if (b.rank() > 1) out.push_back(b[b.rank() - 1]);
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::batch_norm& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 5, 5));
  if (in[0].rank() < 2) return bad_node("input is " + to_string(in[0]) + ", needs rank 2 or more");
  for (std::size_t i = 1; i < 5; ++i)
    if (in[i] != shape{in[0][1]})
      return bad_node("statistics are " + to_string(in[i]) + ", needs one value for each of " + std::to_string(in[0][1]) + " channels");
  if (!(o.epsilon >= 0)) return bad_node("epsilon is negative");
  return shapes{in[0]};
}

inline result<shapes> shapes_of(const op::lrn& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  if (in[0].rank() < 2) return bad_node("input is " + to_string(in[0]) + ", needs rank 2 or more");
  if (o.size < 1 || o.size > max_window_attribute) return bad_node("size is " + std::to_string(o.size));
  return shapes{in[0]};
}

}  // namespace narrows::detail
