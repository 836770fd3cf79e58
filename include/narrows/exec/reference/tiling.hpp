// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <narrows/exec/reference/multiply.hpp>

/// How the outputs of a product are cut into register tiles. None of it shows in the results.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Rows (output channels) of one tile: as even as possible, since a tile of two rows keeps the units waiting.
struct panel {
  std::size_t begin, count;
};
[[nodiscard]] inline std::vector<panel> even_panels(std::size_t total, std::size_t most)
{
  std::vector<panel> all;
  const std::size_t count = (total + most - 1) / most;
  for (std::size_t i = 0, at = 0; i < count; ++i) {
    const std::size_t size = total / count + (i < total % count ? 1 : 0);
    all.push_back({at, size});
    at += size;
  }
  return all;
}

/// `length` neighbouring results: from lane `lane` of a tile to `target` of an output channel.
struct segment {
  std::ptrdiff_t target;
  std::size_t lane, length;
};
/// One or two registers of neighbouring positions, starting at `source` of the laid-out input.
struct tile {
  std::ptrdiff_t source;
  std::size_t vectors;
  std::size_t first_segment, segments;
  bool whole;                       ///< every lane is wanted, and they are neighbours in the output too
};
struct tiling {
  std::vector<tile> tiles;
  std::vector<segment> segments;

  /// Covers positions y * pitch + x (y < height, x < width) of which [y * width + x] is the place in the output.
  /// By rows, no tile straddles two of them; flat, the whole map is one run. A tile that would reach past the end
  /// starts earlier instead and writes only what is new.
  static tiling make(std::ptrdiff_t height, std::ptrdiff_t width, std::ptrdiff_t pitch, bool by_rows)
  {
    tiling t;
    if (height <= 0 || width <= 0) return t;
    if (by_rows)
      for (std::ptrdiff_t y = 0; y < height; ++y) t.cover(y * pitch, y * pitch + width, width, pitch, (height - 1) * pitch + width);
    else
      t.cover(0, (height - 1) * pitch + width, width, pitch, (height - 1) * pitch + width);
    return t;
  }

  /// Estimated cycles for `rows` output channels and `depth` steps; to compare tilings with.
  [[nodiscard]] double cost(std::size_t rows, std::size_t depth) const
  {
    double sum = 0;
    for (const auto& t : tiles) {
      const auto v = static_cast<double>(t.vectors), r = static_cast<double>(rows), p = static_cast<double>((rows + most_rows - 1) / most_rows);
      const double step = std::max({r * v / 2, 4 * p, (r + 2 * v * p) / 2});
      sum += step * static_cast<double>(depth) + r * v * (t.whole ? 1.5 : 6.0);
    }
    return sum;
  }

private:
  void cover(std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t width, std::ptrdiff_t pitch, std::ptrdiff_t limit)
  {
    constexpr auto w = static_cast<std::ptrdiff_t>(lanes);
    for (std::ptrdiff_t at = begin; at < end;) {
      if (at % pitch >= width) {  // between two rows
        at = (at / pitch + 1) * pitch;
        continue;
      }
      tile t{};
      t.vectors = end - at > w ? 2 : 1;
      const auto span = static_cast<std::ptrdiff_t>(t.vectors) * w;
      t.source = std::max<std::ptrdiff_t>(0, std::min(at, limit - span));
      const auto stop = std::min(t.source + span, end);
      t.first_segment = segments.size();
      for (auto from = at; from < stop;) {
        const auto x = from % pitch, y = from / pitch;
        if (x >= width) {
          from = (y + 1) * pitch;
          continue;
        }
        const auto length = std::min(width - x, stop - from);
        segments.push_back({y * width + x, static_cast<std::size_t>(from - t.source), static_cast<std::size_t>(length)});
        from += length;
      }
      t.segments = segments.size() - t.first_segment;
      t.whole = t.segments == 1 && segments.back().length == static_cast<std::size_t>(span);
      tiles.push_back(t);
      at = stop;
    }
  }
};

/// Writes the segments of a tile of `rows` channels, kept in `from` (`pitch` floats apart), to `to` (`stride` apart).
inline void scatter(const segment* segments, std::size_t count, std::size_t rows, const float* from, std::ptrdiff_t pitch, float* to,
                    std::ptrdiff_t stride) noexcept
{
  for (std::size_t s = 0; s < count; ++s) {
    const auto& g = segments[s];
    const float* source = from + g.lane;
    float* target = to + g.target;
    for (std::size_t r = 0; r < rows; ++r, source += pitch, target += stride) {
      std::size_t i = 0;
      for (; i + lanes <= g.length; i += lanes) store(target + i, load(source + i));
      if (i < g.length) store_part(target + i, load(source + i), g.length - i);
    }
  }
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
