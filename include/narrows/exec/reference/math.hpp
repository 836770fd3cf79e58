// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include <narrows/exec/reference/simd.hpp>
#include <narrows/graph/op.hpp>

/// Elementary functions with the same bits on every instruction set that has a fused multiply-add: xsimd's and libm's
/// differ from one to the next. Polynomials are Taylor series on ranges small enough for binary32 (a few units in the
/// last place at worst). No product is followed by a sum except through `madd`, so no compiler flag can fuse more.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// c[0] + x * (c[1] + x * (...)).
template <std::size_t N>
[[nodiscard, gnu::always_inline]] inline vec polynomial(const vec& x, const float (&c)[N]) noexcept
{
  vec y(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) y = madd(y, x, vec(c[i]));
  return y;
}

/// e^x; 0 below -104, infinity above 89. x = n ln2 + r with |r| <= ln2 / 2.
[[nodiscard]] inline vec exponential(const vec& value) noexcept
{
  static constexpr float series[] = {1.0F, 1.0F, 1.0F / 2, 1.0F / 6, 1.0F / 24, 1.0F / 120, 1.0F / 720, 1.0F / 5040};
  const vec x = smaller(vec(89.0F), larger(vec(-104.0F), value));
  const vec magic(12582912.0F);                         // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  const vec shifted = madd(x, vec(1.442695041F), magic);
  const vec n = shifted - magic;
  const vec r = madd(n, vec(2.12194440e-4F), madd(n, vec(-0.693359375F), x));  // ln2 in two parts, the first short
  const int_vec exponent = bits_of(shifted) - int_vec(0x4B400000);
  const int_vec half = shift_right<1>(exponent);                 // in two steps, so that denormal results are reached
  const vec first = float_of(shift_left<23>(half + int_vec(127)));
  const vec second = float_of(shift_left<23>(exponent - half + int_vec(127)));
  return polynomial(r, series) * first * second;
}

/// Natural logarithm. x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(f / (2 + f)), f = m - 1.
[[nodiscard]] inline vec logarithm(const vec& value) noexcept
{
  static constexpr float series[] = {2.0F / 3, 2.0F / 5, 2.0F / 7, 2.0F / 9, 2.0F / 11};
  const auto denormal = value < vec(1.17549435e-38F);
  const vec x = xsimd::select(denormal, value * vec(33554432.0F), value);
  const int_vec bits = bits_of(x);
  const int_vec exponent = shift_right<23>(bits - int_vec(0x3F3504F3));
  const vec f = float_of(bits - shift_left<23>(exponent)) - vec(1.0F);
  const vec s = divide(f, f + vec(2.0F));
  const vec z = s * s;
  const vec log_m = madd(-s, madd(-z, polynomial(z, series), f), f);
  const vec e = to_float(exponent) - xsimd::select(denormal, vec(25.0F), vec(0.0F));
  vec y = madd(e, vec(0.693359375F), madd(e, vec(-2.12194440e-4F), log_m));
  y = xsimd::select(value == vec(std::numeric_limits<float>::infinity()), value, y);
  y = xsimd::select(value == vec(0.0F), vec(-std::numeric_limits<float>::infinity()), y);
  return xsimd::select(value >= vec(0.0F), y, vec(std::numeric_limits<float>::quiet_NaN()));
}

/// e^x - 1 for x <= 0, without loss where x is small.
[[nodiscard]] inline vec exponential_less_one(const vec& x) noexcept
{
  static constexpr float series[] = {1.0F, 1.0F / 2, 1.0F / 6, 1.0F / 24, 1.0F / 120, 1.0F / 720, 1.0F / 5040, 1.0F / 40320};
  return xsimd::select(x > vec(-0.5F), x * polynomial(x, series), exponential(x) - vec(1.0F));
}

[[nodiscard]] inline vec hyperbolic_tangent(const vec& x) noexcept
{
  static constexpr float series[] = {-1.0F / 3, 2.0F / 15, -17.0F / 315, 62.0F / 2835, -1382.0F / 155925, 21844.0F / 6081075, -929569.0F / 638512875.0F};
  const vec size = xsimd::abs(x);
  const vec z = x * x;
  const vec small = madd(x * z, polynomial(z, series), x);
  const vec large = vec(1.0F) - divide(vec(2.0F), exponential(size + size) + vec(1.0F));
  return xsimd::select(size < vec(0.5F), small, xsimd::select(x < vec(0.0F), -large, large));
}

[[nodiscard]] inline vec logistic(const vec& x) noexcept
{
  const vec e = exponential(-xsimd::abs(x));
  return divide(xsimd::select(x < vec(0.0F), e, vec(1.0F)), e + vec(1.0F));
}

/// log(1 + e^x), as max(x, 0) + 2 atanh(e / (2 + e)) with e = e^-|x|.
[[nodiscard]] inline vec soft_plus(const vec& x) noexcept
{
  static constexpr float series[] = {2.0F, 2.0F / 3, 2.0F / 5, 2.0F / 7, 2.0F / 9, 2.0F / 11, 2.0F / 13, 2.0F / 15};
  const vec e = exponential(-xsimd::abs(x));
  const vec s = divide(e, e + vec(2.0F));
  return madd(s, polynomial(s * s, series), larger(vec(0.0F), x));
}

/// Error function: Maclaurin series below 1, Abramowitz and Stegun 7.1.26 above (off by at most 2e-7).
[[nodiscard]] inline vec error_function(const vec& x) noexcept
{
  static constexpr float near[] = {1.0F, -1.0F / 3, 1.0F / 10, -1.0F / 42, 1.0F / 216, -1.0F / 1320, 1.0F / 9360, -1.0F / 75600,
    1.0F / 685440, -1.0F / 6894720, 1.0F / 76204800};
  static constexpr float far[] = {0.254829592F, -0.284496736F, 1.421413741F, -1.453152027F, 1.061405429F};
  const vec size = xsimd::abs(x);
  const vec z = x * x;
  const vec small = x * vec(1.128379167F) * polynomial(z, near);
  const vec t = divide(vec(1.0F), madd(size, vec(0.3275911F), vec(1.0F)));
  const vec large = madd(-(t * polynomial(t, far)), exponential(-z), vec(1.0F));
  return xsimd::select(size < vec(1.0F), small, xsimd::select(x < vec(0.0F), -large, large));
}

/// x^y, evaluated in binary64 as e^(y log x); C's special cases. Slow: for the rare Pow and LRN.
[[nodiscard]] inline float power(float base, float exponent) noexcept
{
  const auto x = static_cast<double>(base), y = static_cast<double>(exponent);
  if (y == 2) return base * base;
  const bool odd = std::fmod(y, 2.0) != 0;
  if (x == 0 || !std::isfinite(x) || !std::isfinite(y)) return static_cast<float>(std::pow(x, y));  // exact cases
  if (x < 0 && y != std::floor(y)) return std::numeric_limits<float>::quiet_NaN();
  constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
  int e = 0;
  double m = std::frexp(std::fabs(x), &e);
  if (m < 0.70710678118654752) { m *= 2; --e; }
  const double s = (m - 1) / (m + 1), z = s * s;
  double log_m = 2.0 / 23;
  for (int k = 21; k >= 1; k -= 2) log_m = madd_one(log_m, z, 2.0 / k);
  const double log_x = madd_one(static_cast<double>(e), ln2_high, madd_one(static_cast<double>(e), ln2_low, s * log_m));
  const double t = y * log_x;
  if (t > 100 || t < -120) return x < 0 && odd ? (t > 0 ? -std::numeric_limits<float>::infinity() : -0.0F)
                                               : (t > 0 ? std::numeric_limits<float>::infinity() : 0.0F);
  const double n = std::floor(t * 1.4426950408889634);
  const double r = madd_one(-n, ln2_low, madd_one(-n, ln2_high, t));
  double p = 1;
  for (int k = 16; k >= 1; --k) p = madd_one(p, r / k, 1.0);
  const auto size = static_cast<float>(std::ldexp(p, static_cast<int>(n)));
  return x < 0 && odd ? -size : size;
}

/// The activations that a kernel applies while its results are still in registers: min(high, max(low, x)).
struct clamp {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  /// False if the activation is not a clamp and has to follow on its own.
  [[nodiscard]] static bool covers(const op::unary& u, clamp& to) noexcept
  {
    using kind = enum op::unary::kind;
    if (u.kind == kind::relu) to.low = 0;
    else if (u.kind == kind::clip) { to.low = u.alpha; to.high = u.beta; }
    else return u.kind == kind::identity;
    return true;
  }
  [[nodiscard, gnu::always_inline]] vec operator()(const vec& x) const noexcept { return smaller(vec(high), larger(vec(low), x)); }
};

/// out[i] = u(in[i]) for n values; `in` may be `out`.
inline void apply(const op::unary& u, const float* in, float* out, std::size_t n) noexcept
{
  using kind = enum op::unary::kind;
  const vec a(u.alpha), b(u.beta), zero(0.0F), one(1.0F);
  const auto to = [&](auto f) { map(in, out, n, f); };
  switch (u.kind) {
  case kind::identity: if (in != out) std::copy_n(in, n, out); return;
  case kind::relu: return to([&](const vec& x) { return larger(zero, x); });
  case kind::clip: return to([&](const vec& x) { return smaller(b, larger(a, x)); });
  case kind::leaky_relu: return to([&](const vec& x) { return xsimd::select(x < zero, a * x, x); });
  case kind::elu: return to([&](const vec& x) { return xsimd::select(x < zero, a * exponential_less_one(x), x); });
  case kind::selu: return to([&](const vec& x) { return b * xsimd::select(x < zero, a * exponential_less_one(x), x); });
  case kind::sigmoid: return to([&](const vec& x) { return logistic(x); });
  case kind::hard_sigmoid: return to([&](const vec& x) { return smaller(one, larger(zero, madd(a, x, b))); });
  case kind::hard_swish: return to([&](const vec& x) { return x * smaller(one, larger(zero, madd(x, vec(1.0F / 6), vec(0.5F)))); });
  case kind::tanh: return to([&](const vec& x) { return hyperbolic_tangent(x); });
  case kind::exp: return to([&](const vec& x) { return exponential(x); });
  case kind::log: return to([&](const vec& x) { return logarithm(x); });
  case kind::sqrt: return to([&](const vec& x) { return square_root(x); });
  case kind::abs: return to([&](const vec& x) { return xsimd::abs(x); });
  case kind::neg: return to([&](const vec& x) { return -x; });
  case kind::reciprocal: return to([&](const vec& x) { return divide(one, x); });
  case kind::floor: return to([&](const vec& x) { return round_down(x); });
  case kind::ceil: return to([&](const vec& x) { return round_up(x); });
  case kind::erf: return to([&](const vec& x) { return error_function(x); });
  case kind::softplus: return to([&](const vec& x) { return soft_plus(x); });
  case kind::softsign: return to([&](const vec& x) { return divide(x, xsimd::abs(x) + one); });
  }
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
