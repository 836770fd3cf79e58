// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/detail/window_extent.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/op.hpp>

namespace narrows::zoo {

inline constexpr op::unary relu{op::unary::kind::relu};
inline constexpr op::unary relu6{op::unary::kind::clip, 0, 6};
inline constexpr op::unary leaky{op::unary::kind::leaky_relu, 0.1F};  ///< Darknet's

/// A window without borders ("valid").
[[nodiscard]] constexpr op::window valid(op::pair kernel, std::int64_t stride = 1) noexcept { return {kernel, {stride, stride}}; }
[[nodiscard]] constexpr op::window valid(std::int64_t kernel, std::int64_t stride = 1) noexcept
{
  return valid({kernel, kernel}, stride);
}

/// A window with half an odd kernel of border on each side: stride 1 keeps the extents.
[[nodiscard]] constexpr op::window same(op::pair kernel, std::int64_t stride = 1) noexcept
{
  return {kernel, {stride, stride}, {1, 1}, {kernel[0] / 2, kernel[1] / 2, kernel[0] / 2, kernel[1] / 2}};
}
[[nodiscard]] constexpr op::window same(std::int64_t kernel, std::int64_t stride = 1) noexcept
{
  return same({kernel, kernel}, stride);
}

/// What stands around a convolution: a normalisation, or else a bias, and an activation.
struct conv_style {
  op::unary activation{};
  bool norm = false;
  float epsilon = 1e-5F;
  std::int64_t groups = 1;
};

/// Writes a network layer by layer, with weights known by shape alone. A layer's name is that of the tensor it ends in; what
/// comes before the end has a suffix ("conv1/conv", "conv1/norm", "conv1"), and so have the weights. The first layer that does
/// not fit is reported by `finish`; those after it are left out.
class layer_writer {
public:
  explicit layer_writer(std::string name) : builder_(std::move(name)) {}

  /// A square picture of three channels, batch 1.
  value_id image(std::int64_t side)
  {
    auto dims = shape::make(std::array<std::int64_t, 4>{1, 3, side, side});
    return dims ? take(builder_.input("image", *dims))
                : take(result<value_id>(error(dims.error(), "image of side " + std::to_string(side))));
  }

  value_id conv(
    const std::string& name, value_id x, std::int64_t channels, const op::window& window, const conv_style& style = {})
  {
    if (failed_) return {};
    std::vector<value_id> in{
      x, weights(name + "/weight", {channels, dims(x)[1] / style.groups, window.kernel[0], window.kernel[1]})};
    const bool bare = !style.norm && style.activation == op::unary{};
    if (!style.norm) in.push_back(weights(name + "/bias", {channels}));
    x = add(name, bare ? name : name + "/conv", op::conv{window, style.groups}, std::move(in));
    if (style.norm) {
      in = {x};
      for (const char* part : {"/scale", "/shift", "/mean", "/variance"}) in.push_back(weights(name + part, {channels}));
      const auto called = name + "/norm";
      x = add(called, style.activation == op::unary{} ? name : called, op::batch_norm{style.epsilon}, std::move(in));
    }
    return style.activation == op::unary{} ? x : activate(name, x, style.activation);
  }

  /// All values of a picture, as one row, times a matrix.
  value_id dense(const std::string& name, value_id x, std::int64_t outputs, const op::unary& activation = {})
  {
    if (failed_) return {};
    const bool bare = activation == op::unary{};
    std::vector<value_id> in{x, weights(name + "/weight", {outputs, dims(x)[1]}), weights(name + "/bias", {outputs})};
    x = add(name, bare ? name : name + "/dense", op::gemm{1, 1, false, true}, std::move(in));
    return bare ? x : activate(name, x, activation);
  }

  value_id max_pool(const std::string& name, value_id x, const op::window& window)
  {
    return add(name, name, op::pool{op::pool::kind::max, window}, {x});
  }
  /// With a last window that hangs over the end where the stride does not fit (Caffe's pools, ceil_mode elsewhere).
  value_id max_pool_ceil(const std::string& name, value_id x, const op::window& window)
  {
    if (failed_) return {};
    const auto& in = dims(x);
    const auto out = shape::make(std::array{
      in[0], in[1], narrows::detail::positions_ceil(in[2], window, 0), narrows::detail::positions_ceil(in[3], window, 1)});
    return add(name, name, op::pool{op::pool::kind::max, window}, {x}, {out ? *out : in});
  }
  value_id average_pool(const std::string& name, value_id x, const op::window& window, bool count_include_pad)
  {
    return add(name, name, op::pool{op::pool::kind::average, window, count_include_pad}, {x});
  }
  value_id global_average(const std::string& name, value_id x) { return add(name, name, op::global_pool{}, {x}); }
  value_id lrn(const std::string& name, value_id x, const op::lrn& how) { return add(name, name, how, {x}); }
  value_id concat(const std::string& name, std::vector<value_id> parts)
  {
    return add(name, name, op::concat{1}, std::move(parts));
  }
  value_id sum(const std::string& name, value_id a, value_id b, const op::unary& activation = {})
  {
    if (activation == op::unary{}) return add(name, name, op::elementwise{}, {a, b});
    return activate(name, add(name, name + "/sum", op::elementwise{}, {a, b}), activation);
  }
  value_id flatten(const std::string& name, value_id x)
  {
    if (failed_) return {};
    return add(name, name, op::reshape{}, {x}, {shape{1, dims(x).product(1, 4)}});
  }
  value_id softmax(const std::string& name, value_id x) { return add(name, name, op::softmax{1, 2, false}, {x}); }
  /// The end of most classifiers: the mean of each channel, one matrix, probabilities.
  value_id classifier(value_id x, std::int64_t classes = 1000)
  {
    return softmax("prob", dense("fc", flatten("flatten", global_average("pool", x)), classes));
  }

  [[nodiscard]] const shape& dims(value_id v) const { return builder_.dims(v); }

  /// Errors: those of the first layer that does not fit: bad_shape (side below 0 or far too large), bad_node (a map became too
  /// small for a window).
  result<std::shared_ptr<const graph>> finish(value_id output)
  {
    if (failed_) return failure_;
    return builder_.finish({output});
  }

private:
  value_id weights(std::string name, std::initializer_list<std::int64_t> extents)
  {
    return take(builder_.constant(std::move(name), shape(extents)));
  }
  value_id activate(const std::string& name, value_id x, const op::unary& f) { return add(name + "/activation", name, f, {x}); }
  value_id add(std::string node, std::string output, any_op operation, std::vector<value_id> in, std::vector<shape> stated = {})
  {
    if (failed_) return {};
    node_description what{std::move(node), {}, std::move(operation), std::move(in), {}, std::move(stated)};
    what.outputs.push_back(std::move(output));
    auto made = builder_.add(std::move(what));
    return made ? (*made)[0] : take(result<value_id>(std::move(made).error()));
  }
  value_id take(result<value_id> r)
  {
    if (r) return *r;
    if (!failed_) failure_ = std::move(r).error();
    failed_ = true;
    return {};
  }

  graph_builder builder_;
  error failure_;
  bool failed_ = false;
};

}  // namespace narrows::zoo
