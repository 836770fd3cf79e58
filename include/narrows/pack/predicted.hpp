// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

[[nodiscard, gnu::always_inline]] inline int unfolded(int code) noexcept { return (code >> 1) ^ -(code & 1); }

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
  const kernel_set& with = best_kernels();
  with.split_planes[of.channels - 1](pixels.data(), plane, scratch.data());
  for (std::size_t c = 0; c < of.channels; ++c) with.predict_plane(scratch.data() + c * plane, of.height, of.width);

  const std::uint8_t* const codes = scratch.data();
  const std::size_t rest = (with.rest_bits(codes, *n) + 7) / 8;
  if (out.size() < detail::rest_header || out.size() - detail::rest_header < rest) return errc::short_buffer;
  detail::store_bytes<detail::rest_header>(rest, out.data());
  with.write_rest(codes, *n, out.data() + detail::rest_header, out.size() - detail::rest_header);
  const std::size_t before = detail::rest_header + rest;
  const auto coded = detail::write_rans<std::uint8_t>(with, *n, detail::class_width, out.subspan(before),
    [&](std::size_t first, std::size_t count, std::uint8_t* to) {
      with.classes_of(codes + first, count, to);
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
  const kernel_set& with = best_kernels();
  std::uint64_t at = 0;
  bool enough = true;
  const auto e = detail::read_rans<std::uint8_t>(with, stream.subspan(detail::rest_header + rest.size()), *n, detail::class_width,
    [&](std::size_t first, std::size_t count, const std::uint8_t* classes) {
      const std::size_t bits = with.rest_bits_of_classes(classes, count);
      if (!enough || bits > 8 * std::uint64_t{rest.size()} - at) {
        enough = false;
        return;
      }
      with.read_rest(rest.data(), rest.size(), at, classes, count, scratch.data() + first);
      at += bits;
    });
  if (e != errc::ok) return e;
  if (!enough || (at + 7) / 8 != rest.size() || (at % 8 != 0 && rest.back() >> (at % 8) != 0)) return errc::corrupt;
  detail::with_channels(of.channels, [&](auto channels) { detail::join_planes<channels>(scratch.data(), of.height, of.width, pixels.data()); });
  return errc::ok;
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
