// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What pictures.hpp draws: the classes, the outline of each, and the integer arithmetic and random numbers behind them.
namespace narrows::draw {

inline constexpr std::array<std::string_view, 10> class_names{
    "disc", "ring", "square", "triangle", "star", "cross", "crescent", "heart", "arrow", "spiral"};
inline constexpr int class_count = static_cast<int>(class_names.size());

namespace detail {

/// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer; every seed starts a usable sequence.
constexpr std::uint64_t mixed(std::uint64_t z)
{
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

class random_source {
public:
  constexpr explicit random_source(std::uint64_t seed) : state_{seed} {}

  constexpr std::uint64_t bits() { return mixed(state_ += 0x9e3779b97f4a7c15U); }

  /// An integer in [low, high]. Draws are made in separate statements or in braces, never as two arguments of one call:
  /// compilers disagree about the order in which arguments are evaluated.
  constexpr int in(int low, int high)
  {
    const auto choices = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<int>(((bits() >> 32) * choices) >> 32);
  }

  constexpr bool one_in(int n) { return in(1, n) == 1; }

private:
  std::uint64_t state_;
};

/// round(16384 * sin(quarter turn * i / 64))
inline constexpr std::array<std::int16_t, 65> quarter_sine{
    0,     402,   804,   1205,  1606,  2006,  2404,  2801,  3196,  3590,  3981,  4370,  4756,
    5139,  5520,  5897,  6270,  6639,  7005,  7366,  7723,  8076,  8423,  8765,  9102,  9434,
    9760,  10080, 10394, 10702, 11003, 11297, 11585, 11866, 12140, 12406, 12665, 12916, 13160,
    13395, 13623, 13842, 14053, 14256, 14449, 14635, 14811, 14978, 15137, 15286, 15426, 15557,
    15679, 15791, 15893, 15986, 16069, 16143, 16207, 16261, 16305, 16340, 16364, 16379, 16384};

/// Sine in units of 1/16384 of an angle in 256ths of a turn; any integer, negative ones too.
constexpr std::int64_t sine(std::int64_t angle)
{
  const auto a = static_cast<std::size_t>(angle & 255);
  const auto folded = quarter_sine[(a & 64U) != 0 ? 64 - (a & 63U) : (a & 63U)];
  return (a & 128U) != 0 ? -folded : folded;
}

constexpr std::int64_t cosine(std::int64_t angle) { return sine(angle + 64); }

/// A point of an object's own frame: its nominal radius is 1024 units, u points right and v down before it is turned.
struct point {
  std::int64_t u, v;
};

constexpr std::int64_t square_of(std::int64_t x) { return x * x; }
constexpr bool in_disc(point p, std::int64_t u, std::int64_t v, std::int64_t radius)
{
  return square_of(p.u - u) + square_of(p.v - v) <= square_of(radius);
}
constexpr bool in_band(point p, std::int64_t u, std::int64_t middle, std::int64_t half_width)
{
  return in_disc(p, u, 0, middle + half_width) && !in_disc(p, u, 0, middle - half_width);
}

/// Even-odd rule on integer corners: the ray to the right of `p` crosses an edge when p lies on its left.
template <std::size_t Corners>
constexpr bool in_polygon(point p, const std::array<point, Corners>& corners)
{
  bool inside = false;
  for (std::size_t i = 0, j = Corners - 1; i < Corners; j = i++) {
    const point a = corners[i], b = corners[j];
    if ((a.v > p.v) == (b.v > p.v)) continue;
    const std::int64_t turn = (b.u - a.u) * (p.v - a.v) - (p.u - a.u) * (b.v - a.v);
    if ((turn > 0) == (b.v > a.v)) inside = !inside;
  }
  return inside;
}

/// The outline of one class. `trait` holds the three proportions that vary between two objects of a class.
struct outline {
  int class_index;
  std::array<int, 3> trait;
  std::array<point, 10> star;  // the corners of the only outline that needs the sine table

  constexpr outline(int c, random_source& random) : class_index{c}, trait{}, star{}
  {
    for (int& t : trait) t = random.in(0, 255);
    for (std::size_t i = 0; i < star.size(); ++i) {
      const std::int64_t radius = i % 2 == 0 ? 1080 : 400 + trait[0] / 2;
      const auto angle = static_cast<std::int64_t>(i * 256 + 5) / 10;
      star[i] = {radius * sine(angle) / 16384, -radius * cosine(angle) / 16384};
    }
  }

  constexpr bool contains(point p) const
  {
    const std::int64_t a = trait[0], b = trait[1], c = trait[2];
    switch (class_index) {
    case 0: return in_disc(p, 0, 0, 900);
    case 1: return in_band(p, 0, 760 - a / 4, 230 - a / 2);
    case 2: return std::max(p.u, -p.u) <= 760 && std::max(p.v, -p.v) <= 760;
    case 3: return in_polygon<3>(p, {point{a - 128, -1000 + b}, point{900, 640}, point{-900, 640}});
    case 4: return in_polygon(p, star);
    case 5: {
      const auto [near, far] = std::minmax({std::max(p.u, -p.u), std::max(p.v, -p.v)});
      return far <= 960 && near <= 190 + a / 2;
    }
    case 6: return in_disc(p, 150, 0, 960) && !in_disc(p, 550 + a, 0, 860 + b / 4);
    case 7: {  // a square and a half disc on two of its sides, standing on a corner after a turn
      const point q{p.u - 170, p.v - 170};
      return (std::max(q.u, -q.u) <= 580 && std::max(q.v, -q.v) <= 580) || in_disc(q, -580, 0, 580) ||
             in_disc(q, 0, -580, 580);
    }
    case 8: {
      const std::int64_t shaft = 140 + a / 2, head = 560 + b, neck = 100 - c;
      return in_polygon<7>(p, {point{-1000, -shaft}, point{neck, -shaft}, point{neck, -head}, point{1040, 0},
                               point{neck, head}, point{neck, shaft}, point{-1000, shaft}});
    }
    default: {  // half circles about two centres, each one gap wider than the last, meet end to end
      const std::int64_t gap = 205 + a / 8, stroke = gap * (90 + b / 4) / 256;
      if (p.v < 0) return in_band(p, 0, gap, stroke) || in_band(p, 0, 3 * gap, stroke);
      return in_band(p, -gap, 2 * gap, stroke) || in_band(p, -gap, 4 * gap, stroke);
    }
    }
  }
};

}  // namespace detail
}  // namespace narrows::draw
