// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/rans.hpp>

/// Codec `predicted`: the 8-bit pixels of a picture, lossless, as what a simple prediction leaves. Normative text: docs/format.md.
namespace narrows {

/// A picture of 8-bit pixels, the channels of a pixel together (height x width x channels).
struct picture_extents {
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t channels = 0;
};

inline namespace NARROWS_FLAGS {

/// Bytes of its pixels. Errors: bad_shape (channels outside 1..4, or 2^32 bytes and more).
[[nodiscard]] constexpr result<std::size_t, errc> picture_bytes(const picture_extents& of) noexcept
{
  constexpr std::uint64_t most = std::min<std::uint64_t>(0xFFFF'FFFF, std::numeric_limits<std::size_t>::max());
  if (of.channels < 1 || of.channels > 4) return errc::bad_shape;
  if (of.height == 0 || of.width == 0) return std::size_t{0};
  if (of.width > most / of.channels || of.height > most / (of.width * of.channels)) return errc::bad_shape;
  return of.height * of.width * of.channels;
}

/// The picture that a network's input takes. Errors: bad_shape (not 1 x channels x height x width, or those of picture_bytes).
[[nodiscard]] constexpr result<picture_extents, errc> picture_of(const shape& nchw) noexcept
{
  if (nchw.rank() != 4 || nchw[0] != 1 || nchw[1] < 1 || nchw[2] < 0 || nchw[3] < 0) return errc::bad_shape;
  const picture_extents made{static_cast<std::size_t>(nchw[2]), static_cast<std::size_t>(nchw[3]), static_cast<std::size_t>(nchw[1])};
  if (const auto n = picture_bytes(made); !n) return n.error();
  return made;
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Bits of a class: where the highest bit of a code stands, and the bit below it.
inline constexpr int class_width = 4;
/// Bytes that say how many bytes of rest bits follow.
inline constexpr std::size_t rest_header = 4;
/// Least code of each class, and how many bits its codes have below the two that the class tells.
inline constexpr std::array<std::uint8_t, 16> class_base{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192};
inline constexpr std::array<std::uint8_t, 16> class_rest{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6};

/// Classes by comparison alone: compilers make vectors of bytes of it.
inline void classes_of(const std::uint8_t* codes, std::size_t n, std::uint8_t* classes) noexcept
{
  for (std::size_t i = 0; i < n; ++i) {
    std::uint8_t k = 0;
    for (std::size_t b = 1; b < class_base.size(); ++b) k = static_cast<std::uint8_t>(k + (codes[i] >= class_base[b]));
    classes[i] = k;
  }
}

/// Rest bits of n codes.
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

/// Eight fields of at most 6 bits, and the up to 7 bits before them, fit a word.
inline constexpr std::size_t rest_group = 8;

/// Writes the rest bits of n codes to the start of `out`, which has room for them.
inline void write_rest(const std::uint8_t* codes, std::size_t n, std::span<std::uint8_t> out) noexcept
{
  // By code: its rest bits, and above them how many.
  static constexpr auto fields = [] {
    std::array<std::uint16_t, 256> made{};
    for (unsigned c = 0, k = 0; c < 256; ++c) {
      while (k + 1 < 16 && c >= class_base[k + 1]) ++k;
      made[c] = static_cast<std::uint16_t>((c - class_base[k]) | unsigned{class_rest[k]} << 8);
    }
    return made;
  }();
  std::uint64_t held = 0;
  unsigned count = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t end = std::min(n, i + rest_group);
    for (; i < end; ++i) {
      const unsigned f = fields[codes[i]];
      held |= std::uint64_t{f & 0xFF} << count;
      count += f >> 8;
    }
    if (out.size() - at >= 8) store_bytes<8>(held, out.data() + at);
    else
      for (std::size_t b = 0; 8 * b < count; ++b) out[at + b] = static_cast<std::uint8_t>(held >> (8 * b));
    at += count / 8;
    held >>= count & 56U;
    count &= 7U;
  }
}

/// Reads them from bit `at` on; turns classes into codes where they stand. The caller has counted that the bits are there.
inline void read_rest(std::span<const std::uint8_t> from, std::uint64_t at, std::uint8_t* codes, std::size_t n) noexcept
{
  for (std::size_t i = 0; i < n;) {
    const auto first = static_cast<std::size_t>(at / 8);
    std::uint64_t held = 0;
    if (from.size() - first >= 8) held = load_bytes<8>(from.data() + first);
    else
      for (std::size_t b = first; b < from.size(); ++b) held |= std::uint64_t{from[b]} << (8 * (b - first));
    held >>= at % 8;
    const std::size_t end = std::min(n, i + rest_group);
    for (; i < end; ++i) {
      const unsigned k = codes[i] & 15U;
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
[[nodiscard, gnu::always_inline]] inline int unfolded(int code) noexcept { return (code >> 1) ^ -(code & 1); }

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

/// Values of a plane to codes, in place: from the last one to the first, so that neighbours are still values.
inline void predict_plane(std::uint8_t* plane, std::size_t height, std::size_t width) noexcept
{
  constexpr std::size_t piece = 512;
  std::uint8_t codes[piece];
  for (std::size_t y = height; y-- > 0;) {
    std::uint8_t* const row = plane + y * width;
    for (std::size_t end = width; end > 1;) {
      const std::size_t first = end > piece ? end - piece : 1;
      if (y > 0) residuals(row + first, row + first - width, end - first, codes);
      else first_residuals(row + first, end - first, codes);
      std::memcpy(row + first, codes, end - first);
      end = first;
    }
    row[0] = folded(static_cast<std::uint8_t>(row[0] - (y > 0 ? *(row - width) : 128)));
  }
}

/// Planes of an interleaved picture, the green taken off its neighbours.
template <std::size_t Channels>
void split_planes(const std::uint8_t* pixels, std::size_t count, std::uint8_t* planes) noexcept
{
  for (std::size_t i = 0; i < count; ++i, pixels += Channels) {
    const int off = Channels >= 3 ? pixels[1 % Channels] - 128 : 0;
    for (std::size_t c = 0; c < Channels; ++c) planes[c * count + i] = static_cast<std::uint8_t>(pixels[c] - (c == 0 || c == 2 ? off : 0));
  }
}

/// Inverse of prediction and split: all channels of a pixel at once, since each waits for its own left neighbour only.
template <std::size_t Channels>
void join_planes(const std::uint8_t* codes, std::size_t height, std::size_t width, std::uint8_t* pixels) noexcept
{
  const std::size_t count = height * width, stride = width * Channels;
  // A pixel as the planes have it.
  const auto plain = [](const std::uint8_t* pixel, int* values) {
    const int off = Channels >= 3 ? pixel[1 % Channels] - 128 : 0;
    for (std::size_t c = 0; c < Channels; ++c) values[c] = c == 0 || c == 2 ? (pixel[c] - off) & 0xFF : pixel[c];
  };
  for (std::size_t y = 0; y < height; ++y) {
    int left[Channels], corner[Channels];
    for (std::size_t c = 0; c < Channels; ++c) left[c] = corner[c] = 128;
    if (y > 0) {
      plain(pixels - stride, left);  // the first column is predicted by what is above
      plain(pixels - stride, corner);
    }
    const auto step = [&](std::size_t x, const int* up) {
      for (std::size_t c = 0; c < Channels; ++c) {
        const int low = std::min(up[c], corner[c]), high = std::max(up[c], corner[c]);
        const int ahead = up[c] + unfolded(codes[c * count + x]);
        left[c] = (left[c] + ahead - std::min(std::max(left[c], low), high)) & 0xFF;
        corner[c] = up[c];
      }
      const int off = Channels >= 3 ? left[1 % Channels] - 128 : 0;
      for (std::size_t c = 0; c < Channels; ++c) pixels[c] = static_cast<std::uint8_t>(left[c] + (c == 0 || c == 2 ? off : 0));
      pixels += Channels;
    };
    if (y == 0) {
      // Above and above-left alike predict the left.
      const int none[Channels]{};
      for (std::size_t c = 0; c < Channels; ++c) corner[c] = 0;
      for (std::size_t x = 0; x < width; ++x) step(x, none);
    } else {
      for (std::size_t x = 0; x < width; ++x) {
        int up[Channels];
        plain(pixels - stride, up);
        step(x, up);
      }
    }
    codes += width;
  }
}

/// Calls use(constant) with 1 to 4 channels as a compile-time constant.
template <class Use>
void with_channels(std::size_t channels, Use use) noexcept
{
  switch (channels) {
  case 1: return use(std::integral_constant<std::size_t, 1>{});
  case 2: return use(std::integral_constant<std::size_t, 2>{});
  case 3: return use(std::integral_constant<std::size_t, 3>{});
  default: return use(std::integral_constant<std::size_t, 4>{});
  }
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Packs the pixels of a picture without loss: each is predicted by its neighbours on the left and above, and what is left is
/// entropy coded.
///
/// Shapes   pixels: height x width x channels, 8 bits each, n in all.   scratch: n bytes at least, unspecified afterwards.   out: n - 1
///          bytes are worth having, since codec `pixels` takes n.
/// Returns  the bytes written; 0 for an empty picture.
/// Errors   bad_shape (those of picture_bytes; another number of pixels), short_buffer (`scratch`, or `out`, of which part is then
///          overwritten).
/// Cost     about five passes; nothing allocated, up to 64 KiB of stack.
/// Source   docs/format.md, section "predicted"; the prediction is that of LOCO-I (JPEG-LS, ITU-T T.87; Weinberger, Seroussi and
///          Sapiro, IEEE Trans. Image Processing 9(8), 2000).
[[nodiscard]] inline result<std::size_t, errc> pack_predicted(std::span<const std::uint8_t> pixels, const picture_extents& of,
  std::span<std::uint8_t> scratch, std::span<std::uint8_t> out) noexcept
{
  const auto n = picture_bytes(of);
  if (!n) return n.error();
  if (pixels.size() != *n) return errc::bad_shape;
  if (*n == 0) return std::size_t{0};
  if (scratch.size() < *n) return errc::short_buffer;
  const std::size_t plane = of.height * of.width;
  detail::with_channels(of.channels, [&](auto channels) { detail::split_planes<channels>(pixels.data(), plane, scratch.data()); });
  for (std::size_t c = 0; c < of.channels; ++c) detail::predict_plane(scratch.data() + c * plane, of.height, of.width);

  const std::uint8_t* const codes = scratch.data();
  const std::size_t rest = (detail::rest_bits(codes, *n) + 7) / 8;
  if (out.size() < detail::rest_header || out.size() - detail::rest_header < rest) return errc::short_buffer;
  detail::store_bytes<detail::rest_header>(rest, out.data());
  detail::write_rest(codes, *n, out.subspan(detail::rest_header));
  const std::size_t before = detail::rest_header + rest;
  const auto coded = detail::write_rans<std::uint8_t>(best_kernels(), *n, detail::class_width, out.subspan(before),
    [&](std::size_t first, std::size_t count, std::uint8_t* to) {
      detail::classes_of(codes + first, count, to);
      return true;
    });
  if (!coded) return coded.error();
  return before + *coded;
}

/// Inverse of pack_predicted. The stream is not trusted.
///
/// Shapes   scratch: n bytes at least.   pixels: n, unspecified after an error.
/// Errors   bad_shape, short_buffer (`scratch`), as pack_predicted; truncated and corrupt, as unpack_rans; corrupt also where
///          the rest bits are not those that the classes ask for, or unused ones are not 0.
/// Cost     about four passes; nothing allocated.
[[nodiscard]] inline errc unpack_predicted(std::span<const std::uint8_t> stream, const picture_extents& of, std::span<std::uint8_t> scratch,
  std::span<std::uint8_t> pixels) noexcept
{
  const auto n = picture_bytes(of);
  if (!n) return n.error();
  if (pixels.size() != *n) return errc::bad_shape;
  if (*n == 0) return stream.empty() ? errc::ok : errc::corrupt;
  if (scratch.size() < *n) return errc::short_buffer;
  if (stream.size() < detail::rest_header) return errc::truncated;
  const auto rest_bytes = detail::load_bytes<detail::rest_header>(stream.data());
  if (rest_bytes > stream.size() - detail::rest_header) return errc::truncated;
  const auto rest = stream.subspan(detail::rest_header, static_cast<std::size_t>(rest_bytes));
  std::uint64_t at = 0;
  bool enough = true;
  const auto e = detail::read_rans<std::uint8_t>(best_kernels(), stream.subspan(detail::rest_header + rest.size()), *n, detail::class_width,
    [&](std::size_t first, std::size_t count, const std::uint8_t* classes) {
      std::uint64_t bits = 0;
      for (std::size_t i = 0; i < count; ++i) bits += detail::class_rest[classes[i] & 15U];
      if (!enough || bits > 8 * std::uint64_t{rest.size()} - at) {
        enough = false;
        return;
      }
      std::memcpy(scratch.data() + first, classes, count);
      detail::read_rest(rest, at, scratch.data() + first, count);
      at += bits;
    });
  if (e != errc::ok) return e;
  if (!enough || (at + 7) / 8 != rest.size() || (at % 8 != 0 && rest.back() >> (at % 8) != 0)) return errc::corrupt;
  detail::with_channels(of.channels, [&](auto channels) { detail::join_planes<channels>(scratch.data(), of.height, of.width, pixels.data()); });
  return errc::ok;
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
