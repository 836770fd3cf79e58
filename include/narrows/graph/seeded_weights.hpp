// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/split_mix.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {

namespace detail {

/// Started from the seed and the FNV-1a hash of a tensor's name, so that a tensor's values do not depend on what else the
/// network holds.
class weight_source {
public:
  weight_source(std::uint64_t seed, std::string_view name) noexcept : from_(seed)
  {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    from_ = split_mix(from_.next() ^ hash);
  }
  /// Odd integer in (-2^24, 2^24), each as likely, as a float: exact, never 0, and as often negative as positive.
  float next_odd() noexcept { return static_cast<float>(static_cast<std::int32_t>(from_.next() >> 40) * 2 + 1 - (1 << 24)); }

private:
  split_mix from_;
};

/// Uniform in (middle - range, middle + range). At most one rounding to a float per step and nothing to contract: the product
/// with a power of two is exact, and where `middle` is not 0, `range` is a power of two.
inline tensor seeded_tensor(const shape& dims, std::uint64_t seed, std::string_view name, float middle, float range)
{
  tensor t(dims);
  weight_source source(seed, name);
  const float unit = range * 0x1p-24F;
  if (middle == 0)
    for (auto& v : t.values()) v = unit * source.next_odd();
  else
    for (auto& v : t.values()) v = middle + unit * source.next_odd();
  return t;
}

/// What is guessed of a tensor's values: their mean square, and whether they are as often negative as positive.
struct signal {
  float power = 1;
  bool symmetric = false;
};

/// Behind a function of one input. ReLU and its like keep half the power of a symmetric signal; of another one, such as the sum
/// at the end of a residual block, they may keep nearly all. To take it for larger than it is only makes weights smaller.
inline signal after(const op::unary& f, signal s) noexcept
{
  using kinds = enum op::unary::kind;
  switch (f.kind) {
  case kinds::identity: return s;
  case kinds::relu:
  case kinds::clip:
  case kinds::elu:
  case kinds::hard_swish:
  case kinds::softplus: return {s.symmetric ? s.power / 2 : s.power, false};
  case kinds::leaky_relu: {
    const double slope = static_cast<double>(f.alpha) * static_cast<double>(f.alpha);
    return {s.symmetric ? static_cast<float>(static_cast<double>(s.power) * ((1 + slope) / 2)) : s.power, false};
  }
  default: return {s.power, false};
  }
}

/// How many values meet in one output of a product with weights: what He's rule calls fan-in. 0: not such a node.
inline double fan_in(const graph& g, const node& n)
{
  const auto dims = [&](std::size_t i) -> const shape& { return g[n.inputs[i]].dims; };
  if (std::holds_alternative<op::conv>(n.operation)) return static_cast<double>(dims(1).product(1, 4));
  if (const auto* up = std::get_if<op::conv_transpose>(&n.operation)) {
    const auto reached = up->window.stride[0] * up->window.stride[1];
    return std::max(1.0, static_cast<double>(dims(0)[1] / up->groups * up->window.kernel[0] * up->window.kernel[1] / reached));
  }
  if (const auto* product = std::get_if<op::gemm>(&n.operation))
    return static_cast<double>(dims(0)[product->transpose_a ? 0 : 1]);
  if (std::holds_alternative<op::matmul>(n.operation)) return static_cast<double>(dims(0)[dims(0).rank() - 1]);
  return 0;
}

/// What a node makes of its inputs' signals. Rough where nothing rests on it: every product with weights starts anew at power 1.
inline signal signal_of(const graph& g, const node& n, const std::vector<signal>& known)
{
  const auto in = [&](std::size_t i) { return known[index(n.inputs[i])]; };
  if (n.inputs.empty()) return {};
  if (fan_in(g, n) > 0) return {1, true};
  if (const auto* pool = std::get_if<op::pool>(&n.operation))
    return {pool->kind == op::pool::kind::max ? 2 * in(0).power : in(0).power, false};
  if (const auto* f = std::get_if<op::unary>(&n.operation)) return after(*f, in(0));
  if (const auto* each = std::get_if<op::elementwise>(&n.operation)) {
    signal all = in(0);
    for (std::size_t i = 1; i < n.inputs.size(); ++i) {
      if (each->kind == op::elementwise::kind::add || each->kind == op::elementwise::kind::sub)
        all.power += in(i).power;
      else if (each->kind == op::elementwise::kind::mul)
        all.power *= in(i).power;
      else
        all.power = std::max(all.power, in(i).power);
      all.symmetric = all.symmetric && in(i).symmetric;
    }
    return all;
  }
  if (std::holds_alternative<op::concat>(n.operation)) {
    // Products of two floats are exact as doubles, so a contracted sum has the same bits.
    double sum = 0, values = 0;
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      const auto share = static_cast<float>(g[n.inputs[i]].dims.elements());
      sum += static_cast<double>(share) * static_cast<double>(in(i).power);
      values += static_cast<double>(share);
    }
    return {values > 0 ? static_cast<float>(sum / values) : 1, false};
  }
  return in(0);
}

/// Values for input `i` of a node.
inline tensor seeded_input(const graph& g, const node& n, std::size_t i, const std::vector<signal>& known, std::uint64_t seed)
{
  const auto& v = g[n.inputs[i]];
  if (const double meet = fan_in(g, n); i == 1 && meet > 0) {
    const double power = std::max(known[index(n.inputs[0])].power, 0x1p-60F);
    return seeded_tensor(v.dims, seed, v.name, 0, static_cast<float>(std::sqrt(3 / (meet * power))));
  }
  if (std::holds_alternative<op::batch_norm>(n.operation) && (i == 1 || i == 4))
    return seeded_tensor(v.dims, seed, v.name, 1, 0.25F);
  if (i > 0) return seeded_tensor(v.dims, seed, v.name, 0, 0.125F);
  return seeded_tensor(v.dims, seed, v.name, 0, 1);
}

}  // namespace detail

/// The same network with values for all weights that have none: made by integer arithmetic from the seed and each tensor's name,
/// the same bits on every machine.
///
/// Shapes   unchanged; so are names and ids.
/// Units    the input is taken to have mean square 1, as preprocessed pictures have.
/// Values   those of convolutions and products are uniform around 0, scaled so that what they make has a mean square near 1:
///          He's rule, with the mean square of what they read followed through the graph, so that each block of a residual
///          network adds about 1 and its sum grows by a straight line, not by powers. Scales and variances of a
///          normalisation lie within 0.25 of 1; biases, shifts and means within 0.125 of 0.
/// Source   He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, section 2.2.
/// Errors   none for a graph that the builder made.
/// Cost     memory for all weights, 4 bytes each; a nanosecond or so for each.
[[nodiscard]] inline result<std::shared_ptr<const graph>> with_seeded_weights(const graph& g, std::uint64_t seed)
{
  graph_builder out(g);
  std::vector<detail::signal> known(g.values().size());
  std::vector<bool> filled(g.values().size());
  for (const auto& n : g.nodes()) {
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      const auto& v = g[n.inputs[i]];
      if (!v.is_constant || v.constant || filled[index(n.inputs[i])]) continue;
      NARROWS_TRY(out.fill(n.inputs[i], detail::seeded_input(g, n, i, known, seed)));
      filled[index(n.inputs[i])] = true;
    }
    const auto made = detail::signal_of(g, n, known);
    for (const auto v : n.outputs) known[index(v)] = made;
    if (!n.outputs.empty()) known[index(n.outputs[0])] = detail::after(n.activation, made);
  }
  return out.finish(g.outputs());
}

}  // namespace narrows
