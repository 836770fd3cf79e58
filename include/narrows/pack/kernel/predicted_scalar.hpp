// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/runs_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

/// Codec predicted on any machine. Loops over bytes are such that compilers make vectors of them, at -O3.
namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

/// Least code of each class, and how many bits its codes have below the two that the class tells.
inline constexpr std::array<std::uint8_t, 16> class_base{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192};
inline constexpr std::array<std::uint8_t, 16> class_rest{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6};

/// By comparison alone.
[[nodiscard, gnu::always_inline]] constexpr std::uint8_t class_of(unsigned code) noexcept
{
  std::uint8_t k = 0;
  for (std::size_t b = 1; b < class_base.size(); ++b) k = static_cast<std::uint8_t>(k + (code >= class_base[b]));
  return k;
}
inline void classes_of(const std::uint8_t* codes, std::size_t n, std::uint8_t* classes) noexcept
{
  for (std::size_t i = 0; i < n; ++i) classes[i] = class_of(codes[i]);
}

[[nodiscard]] inline std::size_t rest_bits(const std::uint8_t* codes, std::size_t n) noexcept
{
  constexpr std::size_t piece = 32;  // of at most 6 each: their sum is a byte
  std::size_t sum = 0;
  for (std::size_t first = 0; first < n; first += piece) {
    std::uint8_t part = 0;
    for (std::size_t i = first; i < std::min(n, first + piece); ++i)
      for (int b = 2; b < 8; ++b) part = static_cast<std::uint8_t>(part + (codes[i] >= (1 << b)));
    sum += part;
  }
  return sum;
}
[[nodiscard]] inline std::size_t rest_bits_of_classes(const std::uint8_t* classes, std::size_t n) noexcept
{
  std::size_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += class_rest[classes[i] & 15U];
  return sum;
}

/// Eight fields of at most 6 bits, and the up to 7 bits before them, fit a word.
inline constexpr std::size_t rest_group = 8;

/// Where a stream of rest bits stands: `count` bits of its byte `at` are known, and stand there already.
struct rest_place {
  std::uint64_t held = 0;
  unsigned count = 0;
  std::size_t at = 0;
};

/// Writes from a place on that other code has come to.
inline void write_rest_from(
  rest_place place, const std::uint8_t* codes, std::size_t n, std::uint8_t* out, std::size_t room) noexcept
{
  // By code: its rest bits, and above them how many.
  static constexpr auto fields = [] {
    std::array<std::uint16_t, 256> made{};
    for (unsigned c = 0; c < 256; ++c)
      made[c] = static_cast<std::uint16_t>((c - class_base[class_of(c)]) | unsigned{class_rest[class_of(c)]} << 8);
    return made;
  }();
  auto [held, count, at] = place;
  for (std::size_t i = 0; i < n;) {
    const std::size_t end = std::min(n, i + rest_group);
    for (; i < end; ++i) {
      const unsigned f = fields[codes[i]];
      held |= std::uint64_t{f & 0xFF} << count;
      count += f >> 8;
    }
    if (room - at >= 8) store_word(out + at, held);
    else
      for (std::size_t b = 0; 8 * b < count; ++b) out[at + b] = static_cast<std::uint8_t>(held >> (8 * b));
    at += count / 8;
    held >>= count & 56U;
    count &= 7U;
  }
}
inline void write_rest(const std::uint8_t* codes, std::size_t n, std::uint8_t* out, std::size_t room) noexcept
{
  write_rest_from({}, codes, n, out, room);
}

inline void read_rest(const std::uint8_t* from, std::size_t size, std::uint64_t at, const std::uint8_t* classes, std::size_t n,
  std::uint8_t* codes) noexcept
{
  for (std::size_t i = 0; i < n;) {
    const auto first = static_cast<std::size_t>(at / 8);
    std::uint64_t held = 0;
    if (size - first >= 8) held = load_word(from + first);
    else
      for (std::size_t b = first; b < size; ++b) held |= std::uint64_t{from[b]} << (8 * (b - first));
    held >>= at % 8;
    const std::size_t end = std::min(n, i + rest_group);
    for (; i < end; ++i) {
      const unsigned k = classes[i] & 15U;
      const unsigned rest = class_rest[k];
      codes[i] = static_cast<std::uint8_t>(class_base[k] + (held & ((1U << rest) - 1)));
      held >>= rest;
      at += rest;
    }
  }
}

[[nodiscard, gnu::always_inline]] inline std::uint8_t folded(std::uint8_t residual) noexcept
{
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(residual << 1) ^ (residual >= 128 ? 0xFF : 0));
}

/// Codes of n values that have neighbours on the left and above. The prediction is left + above - the median of left, above and
/// above-left, which is the median edge detector in arithmetic of bytes.
inline void residuals(const std::uint8_t* row, const std::uint8_t* above, std::size_t n, std::uint8_t* codes) noexcept
{
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t left = (row - 1)[i], up = above[i], corner = (above - 1)[i];
    const std::uint8_t low = std::min(left, up), high = std::max(left, up);
    const std::uint8_t middle = std::max(low, std::min(high, corner));
    codes[i] = folded(static_cast<std::uint8_t>(row[i] - left - up + middle));
  }
}
/// The same in the first row.
inline void first_residuals(const std::uint8_t* row, std::size_t n, std::uint8_t* codes) noexcept
{
  for (std::size_t i = 0; i < n; ++i) codes[i] = folded(static_cast<std::uint8_t>(row[i] - (row - 1)[i]));
}

/// Values of a row to codes, in place, but for the first one: from the last one on, so that neighbours are still values.
inline void predict_row(std::uint8_t* row, std::size_t width, bool top) noexcept
{
  constexpr std::size_t piece = 512;
  std::uint8_t codes[piece];
  for (std::size_t end = width; end > 1;) {
    const std::size_t first = end > piece ? end - piece : 1;
    if (top) first_residuals(row + first, end - first, codes);
    else residuals(row + first, row + first - width, end - first, codes);
    std::memcpy(row + first, codes, end - first);
    end = first;
  }
}
/// The first one of a row, which its last neighbours need as it was.
inline void predict_first(std::uint8_t* row, std::size_t width, bool top) noexcept
{
  row[0] = folded(static_cast<std::uint8_t>(row[0] - (top ? 128 : *(row - width))));
}

/// Rows likewise from the last one on.
inline void predict_plane(std::uint8_t* plane, std::size_t height, std::size_t width) noexcept
{
  for (std::size_t y = height; y-- > 0;) {
    predict_row(plane + y * width, width, y == 0);
    predict_first(plane + y * width, width, y == 0);
  }
}

/// Pixels `first` to `n` of n; the green is taken off its neighbours.
template <std::size_t Channels>
void split_planes_from(std::size_t first, const std::uint8_t* pixels, std::size_t n, std::uint8_t* planes) noexcept
{
  for (std::size_t i = first; i < n; ++i) {
    const std::uint8_t* const pixel = pixels + i * Channels;
    const int off = Channels >= 3 ? pixel[1 % Channels] - 128 : 0;
    for (std::size_t c = 0; c < Channels; ++c) planes[c * n + i] = static_cast<std::uint8_t>(pixel[c] - (c == 0 || c == 2 ? off : 0));
  }
}
template <std::size_t Channels>
void split_planes(const std::uint8_t* pixels, std::size_t n, std::uint8_t* planes) noexcept
{
  split_planes_from<Channels>(0, pixels, n, planes);
}

[[nodiscard]] constexpr kernel_set with_predicted(kernel_set t) noexcept
{
  t.split_planes = {split_planes<1>, split_planes<2>, split_planes<3>, split_planes<4>};
  t.predict_plane = predict_plane;
  t.classes_of = classes_of;
  t.rest_bits = rest_bits;
  t.rest_bits_of_classes = rest_bits_of_classes;
  t.write_rest = write_rest;
  t.read_rest = read_rest;
  return t;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
