// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "outlines.hpp"

/// Drawn pictures: the data set of the bundled network, made from seeds instead of files.
///
/// A picture is a pure function of (class, seed), equal to the byte on every machine and with every compiler: there is
/// no floating point here at all. Lengths are fixed point, angles are 256ths of a turn looked up in a table
/// of integers, and the random numbers come from a generator written out in outlines.hpp, not from <random>, whose distributions
/// each standard library chooses for itself. tests/draw/pictures_test.cpp holds the hashes.
///
/// The class is told by outline alone. Colours, fill, background, place, size, angle, stretch, marks, light and noise
/// are drawn independently of it, so no single pixel says much: a linear classifier is hardly better than a guess.
namespace narrows::draw {

inline constexpr int side = 96;  ///< width and height of a picture, in pixels
inline constexpr int channels = 3;
inline constexpr std::size_t picture_bytes = std::size_t{side} * side * channels;

/// RGB, interleaved, row by row: pixel (x, y) starts at byte (y * side + x) * 3.
using picture = std::array<std::uint8_t, picture_bytes>;

namespace detail {

/// Where an object stands. Positions are in 16ths of a pixel, so that a pixel can be asked at four points.
class placement {
public:
  constexpr placement(std::int64_t x, std::int64_t y, int angle, std::int64_t radius_u, std::int64_t radius_v)
    : x_{x}, y_{y}, cos_{cosine(angle)}, sin_{sine(angle)},
      per_u_{(1024 << 16) / radius_u}, per_v_{(1024 << 16) / radius_v}
  {}

  /// Into the object's frame: turn (14 fraction bits), then scale (16 fraction bits).
  constexpr point local(std::int64_t x, std::int64_t y) const
  {
    const std::int64_t dx = x - x_, dy = y - y_;
    return {((dx * cos_ + dy * sin_) * per_u_) >> 30, ((dy * cos_ - dx * sin_) * per_v_) >> 30};
  }

private:
  std::int64_t x_, y_, cos_, sin_, per_u_, per_v_;
};

/// How many of the four points of each pixel an object covers.
using coverage = std::array<std::uint8_t, std::size_t{side} * side>;

constexpr std::size_t at(int x, int y) { return static_cast<std::size_t>(y * side + x); }

/// Covers what `contains(x, y)` (in 16ths of a pixel) holds of, within `reach` pixels of (middle_x, middle_y).
template <class Contains>
constexpr void cover(coverage& mask, int middle_x, int middle_y, int reach, Contains contains)
{
  mask.fill(0);
  for (int y = std::max(0, middle_y - reach); y < std::min(side, middle_y + reach + 1); ++y)
    for (int x = std::max(0, middle_x - reach); x < std::min(side, middle_x + reach + 1); ++x) {
      int hits = 0;
      for (const int sy : {4, 12})
        for (const int sx : {4, 12}) hits += contains(std::int64_t{x} * 16 + sx, std::int64_t{y} * 16 + sy) ? 1 : 0;
      mask[at(x, y)] = static_cast<std::uint8_t>(hits);
    }
}

struct colour {
  std::array<int, 3> rgb;
};

constexpr colour any_colour(random_source& random)
{
  colour c{};
  for (int& value : c.rgb) value = random.in(10, 245);
  return c;
}

constexpr colour near_colour(random_source& random, colour base, int distance)
{
  for (int& value : base.rgb) value = std::clamp(value + random.in(-distance, distance), 0, 255);
  return base;
}

/// `part` of 256 of the way from `from` to `to`.
constexpr colour between(colour from, colour to, std::int64_t part)
{
  for (std::size_t i = 0; i < 3; ++i) from.rgb[i] += static_cast<int>((to.rgb[i] - from.rgb[i]) * part / 256);
  return from;
}

constexpr int contrast(colour a, colour b)
{
  int sum = 0;
  for (std::size_t i = 0; i < 3; ++i) sum += std::max(a.rgb[i] - b.rgb[i], b.rgb[i] - a.rgb[i]);
  return sum;
}

/// A colour that stands out from two others, or the one of 32 tries that does so best.
constexpr colour contrasting_colour(random_source& random, colour a, colour b, int least)
{
  colour best{}, tried{};
  int best_contrast = -1;
  for (int attempt = 0; attempt < 32 && best_contrast < least; ++attempt) {
    tried = any_colour(random);
    const int stands_out = std::min(contrast(tried, a), contrast(tried, b));
    if (stands_out > best_contrast) best = tried, best_contrast = stands_out;
  }
  return best;
}

/// Two colours spread over the plane: what fills an object or lies behind it.
struct texture {
  enum class pattern { plain, gradient, stripes, checks, clouds };

  pattern kind;
  colour first, second;
  std::int64_t cos, sin;  // the direction along which it changes
  std::int64_t period;    // in the units of the points that are asked
  std::uint64_t cloud_seed;

  constexpr texture(random_source& random, colour one, colour two, int shortest, int longest)
    : kind{static_cast<pattern>(random.in(0, 4))}, first{one}, second{two}, cos{}, sin{}, period{}, cloud_seed{}
  {
    const int angle = random.in(0, 255);
    cos = cosine(angle), sin = sine(angle);
    period = random.in(shortest, longest);
    cloud_seed = random.bits();
  }

  /// A random part of 256 for each corner of a grid.
  constexpr std::int64_t knot(std::int64_t u, std::int64_t v) const
  {
    const std::uint64_t corner = static_cast<std::uint64_t>(u) * 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(v);
    return static_cast<std::int64_t>(mixed(cloud_seed + corner) >> 56);
  }

  constexpr colour operator()(point p) const
  {
    const std::int64_t u = (p.u * cos + p.v * sin) >> 14, v = (p.v * cos - p.u * sin) >> 14;
    const std::int64_t half = std::max<std::int64_t>(period / 2, 1);
    // Division that rounds down, also left of zero: 65536 half periods are more than any point is away.
    const std::int64_t cell_u = (u + half * 65536) / half, cell_v = (v + half * 65536) / half;
    switch (kind) {
    case pattern::plain: return first;
    case pattern::gradient: return between(first, second, std::clamp<std::int64_t>(128 + u * 64 / period, 0, 256));
    case pattern::stripes: return cell_u % 2 == 0 ? first : second;
    case pattern::checks: return (cell_u + cell_v) % 2 == 0 ? first : second;
    default: {
      const std::int64_t du = (u + half * 65536) % half * 256 / half, dv = (v + half * 65536) % half * 256 / half;
      const std::int64_t top = knot(cell_u, cell_v) * (256 - du) + knot(cell_u + 1, cell_v) * du;
      const std::int64_t bottom = knot(cell_u, cell_v + 1) * (256 - du) + knot(cell_u + 1, cell_v + 1) * du;
      return between(first, second, (top * (256 - dv) + bottom * dv) >> 16);
    }
    }
  }
};

using canvas = std::array<colour, std::size_t{side} * side>;

/// Paints `paint(x, y)` where the mask covers, blending at the rim.
template <class Paint>
constexpr void paint_through(canvas& on, const coverage& mask, Paint paint)
{
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      if (const int part = mask[at(x, y)]; part != 0) on[at(x, y)] = between(on[at(x, y)], paint(x, y), part * 64);
}

/// A small mark, round or four-cornered, from a dot to a line: it means nothing.
inline void add_mark(canvas& on, coverage& mask, random_source& random, colour ink, int longest)
{
  const int x = random.in(0, side * 16), y = random.in(0, side * 16);
  const int thick = random.in(10, 44);
  const int length = std::max(thick, random.in(16, longest * 16));
  const placement place{x, y, random.in(0, 255), length, thick};
  const bool round = random.one_in(2);
  cover(mask, x / 16, y / 16, length * 3 / 32 + 2, [&](std::int64_t px, std::int64_t py) {
    const point p = place.local(px, py);
    return round ? in_disc(p, 0, 0, 1024) : std::max(p.u, -p.u) <= 1024 && std::max(p.v, -p.v) <= 1024;
  });
  paint_through(on, mask, [&](int, int) { return ink; });
}

inline void soften(canvas& on)
{
  const canvas sharp = on;
  for (int y = 1; y + 1 < side; ++y)
    for (int x = 1; x + 1 < side; ++x)
      for (std::size_t c = 0; c < 3; ++c) {
        int sum = 0;
        for (const int dy : {-1, 0, 1})
          for (const int dx : {-1, 0, 1}) sum += sharp[at(x + dx, y + dy)].rgb[c];
        on[at(x, y)].rgb[c] = sum / 9;
      }
}

/// Light from one side, then noise (a triangular distribution: the sum of two bytes).
inline picture exposed(const canvas& from, random_source& random)
{
  const int light_x = random.in(-200, 200), light_y = random.in(-200, 200), gain = random.in(200, 290);
  const int grain = random.in(0, 44);
  picture out{};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const int light = gain + (light_x * (x - side / 2) + light_y * (y - side / 2)) / 128;
      const std::uint64_t noise = random.bits();
      for (std::size_t c = 0; c < 3; ++c) {
        const int a = static_cast<int>((noise >> (16 * c)) & 255), b = static_cast<int>((noise >> (16 * c + 8)) & 255);
        const int value = from[at(x, y)].rgb[c] * light / 256 + (a + b - 255) * grain / 256;
        out[at(x, y) * 3 + c] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
      }
    }
  return out;
}

}  // namespace detail

/// Draws an object of one class.
///
/// Shapes   the result is side x side x 3, interleaved RGB.
/// Units    class_index in [0, class_count); any seed. Equal arguments give equal bytes everywhere.
/// Errors   none. An index outside the range draws the last class.
/// Cost     well under a millisecond; nothing allocated, about 0.2 MB of stack.
inline picture draw_picture(int class_index, std::uint64_t seed)
{
  using namespace detail;
  random_source random{seed};
  canvas on{};
  coverage mask{};

  const colour ground = any_colour(random);
  const colour ground_too = near_colour(random, ground, 60);
  const texture behind{random, ground, ground_too, 10 * 16, 60 * 16};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) on[at(x, y)] = behind({(x - side / 2) * 16, (y - side / 2) * 16});
  for (int marks = random.in(2, 9); marks > 0; --marks) {
    const colour ink = any_colour(random);
    add_mark(on, mask, random, ink, 16);
  }

  const outline object{class_index, random};
  const int radius = random.in(19 * 16, 37 * 16);
  const int margin = radius * 7 / 8;
  const int x = random.in(margin, side * 16 - margin), y = random.in(margin, side * 16 - margin);
  const int angle = random.in(0, 255);
  const int stretch = random.in(216, 296);
  const placement place{x, y, angle, radius * stretch / 256, radius * 256 / stretch};
  const bool mirrored = random.one_in(2);
  const int wobble = random.in(0, 70), wave = random.in(40, 110), phase = random.in(0, 255);
  const auto frame = [&](std::int64_t px, std::int64_t py) {
    const point p = place.local(px, py);
    return point{p.u, mirrored ? -p.v : p.v};
  };
  cover(mask, x / 16, y / 16, radius * 3 / 32 + 2, [&](std::int64_t px, std::int64_t py) {
    const point p = frame(px, py);  // a hand that trembles a little: both coordinates sway along the other
    return object.contains({p.u + ((wobble * sine(phase + p.v * wave / 1024)) >> 14),
                            p.v + ((wobble * sine(phase + p.u * wave / 1024)) >> 14)});
  });

  if (random.one_in(3)) {  // a shadow: the same mask, moved
    const int shift_x = random.in(-5, 5), shift_y = random.in(-5, 5);
    for (int py = 0; py < side; ++py)
      for (int px = 0; px < side; ++px) {
        const int sx = px - shift_x, sy = py - shift_y;
        if (sx < 0 || sx >= side || sy < 0 || sy >= side) continue;
        on[at(px, py)] = between(on[at(px, py)], colour{}, mask[at(sx, sy)] * 24);
      }
  }

  const colour front = contrasting_colour(random, ground, ground_too, 190);
  colour front_too = near_colour(random, front, 60);
  if (std::min(contrast(front_too, ground), contrast(front_too, ground_too)) < 140)
    front_too = between(front, front_too, 96);
  const texture fill{random, front, front_too, 300, 1200};
  paint_through(on, mask, [&](int px, int py) { return fill(frame(px * 16 + 8, py * 16 + 8)); });

  for (int marks = random.in(0, 3); marks > 0; --marks) {  // in front of the object, sometimes in the colour behind it
    const colour ink = random.one_in(2) ? ground : any_colour(random);
    add_mark(on, mask, random, ink, 26);
  }
  if (random.one_in(4)) soften(on);
  return exposed(on, random);
}

/// One picture of a drawn set, and what is on it.
struct labelled_picture {
  int class_index;
  picture pixels;
};

/// The class of picture `index` of the set `seed`. Each run of class_count pictures, counted from the first, holds
/// every class once, in an order of its own, so a set of any length is balanced to within one picture per class.
constexpr int drawn_class(std::uint64_t seed, std::uint64_t index)
{
  constexpr auto classes = static_cast<std::uint64_t>(class_count);
  std::array<int, class_names.size()> order{};
  for (int c = 0; c < class_count; ++c) order[static_cast<std::size_t>(c)] = c;
  detail::random_source random{detail::mixed(seed ^ 0x6f72646572U) + index / classes};
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[static_cast<std::size_t>(random.in(0, static_cast<int>(left) - 1))]);
  return order[static_cast<std::size_t>(index % classes)];
}

/// Picture `index` of the set `seed`. A set is a sequence without end; a longer one begins with the shorter one.
inline labelled_picture drawn(std::uint64_t seed, std::uint64_t index)
{
  const int class_index = drawn_class(seed, index);
  return {class_index, draw_picture(class_index, detail::mixed(detail::mixed(seed) + index))};
}

}  // namespace narrows::draw
