// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <narrows/graph/graph.hpp>

/// Tensors in double precision, for the oracles.
namespace narrows::test {

using index_tuple = std::vector<std::int64_t>;

/// A tensor in double precision.
struct wide_tensor {
  shape dims;
  std::vector<double> values;

  wide_tensor() = default;
  explicit wide_tensor(const shape& s, double fill = 0) : dims(s), values(s.elements(), fill) {}
  explicit wide_tensor(tensor_view x) : dims(x.dims()), values(x.values().begin(), x.values().end()) {}

  [[nodiscard]] std::size_t offset(const index_tuple& at) const
  {
    std::int64_t flat = 0;
    for (std::size_t i = 0; i < dims.rank(); ++i) flat = flat * dims[i] + at[i];
    return static_cast<std::size_t>(flat);
  }
  [[nodiscard]] double& operator[](const index_tuple& at) { return values[offset(at)]; }
  [[nodiscard]] double operator[](const index_tuple& at) const { return values[offset(at)]; }
  /// The value that numpy's broadcasting puts at `at` of a larger shape.
  [[nodiscard]] double broadcast(const index_tuple& at) const
  {
    index_tuple own(dims.rank());
    for (std::size_t i = 0; i < own.size(); ++i) {
      const auto from = at[at.size() - own.size() + i];
      own[i] = dims[i] == 1 ? 0 : from;
    }
    return (*this)[own];
  }
};

/// Calls f(index) for every index of a shape, last axis fastest.
template <class F>
void for_each_index(const shape& s, F f)
{
  index_tuple at(s.rank(), 0);
  for (std::size_t n = s.elements(); n > 0; --n) {
    f(std::as_const(at));
    for (std::size_t i = s.rank(); i-- > 0;) {
      if (++at[i] < s[i]) break;
      at[i] = 0;
    }
  }
}

inline double naive_unary(const op::unary& u, double x)
{
  using k = enum op::unary::kind;
  const double a = static_cast<double>(u.alpha);
  const double b = static_cast<double>(u.beta);
  const auto clamp01 = [](double v) { return std::min(1.0, std::max(0.0, v)); };
  switch (u.kind) {
  case k::identity: return x;
  case k::relu: return x < 0 ? 0 : x;
  case k::clip: return std::min(b, std::max(a, x));
  case k::leaky_relu: return x < 0 ? a * x : x;
  case k::elu: return x < 0 ? a * std::expm1(x) : x;
  case k::selu: return x < 0 ? b * a * std::expm1(x) : b * x;
  case k::sigmoid: return 1 / (1 + std::exp(-x));
  case k::hard_sigmoid: return clamp01(a * x + b);
  case k::hard_swish: return x * clamp01(x / 6 + 0.5);
  case k::tanh: return std::tanh(x);
  case k::exp: return std::exp(x);
  case k::log: return std::log(x);
  case k::sqrt: return std::sqrt(x);
  case k::abs: return std::abs(x);
  case k::neg: return -x;
  case k::reciprocal: return 1 / x;
  case k::floor: return std::floor(x);
  case k::ceil: return std::ceil(x);
  case k::erf: return std::erf(x);
  case k::softplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  case k::softsign: return x / (1 + std::abs(x));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace narrows::test
