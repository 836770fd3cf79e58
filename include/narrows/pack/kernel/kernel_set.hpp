// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <narrows/pack/affine.hpp>
#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/rans_model.hpp>

namespace narrows {

/// Which levels values have: value i those of scales[(i / inner) mod count].
struct level_map {
  const affine* scales;
  std::size_t count;
  std::size_t inner;
};

/// From so many floats on (32 MiB), outputs are written around the caches, which would first read each line: less than half the
/// time where they are memory's anyway. Smaller ones stay in a shared cache for whoever reads them next.
inline constexpr std::size_t least_streamed = std::size_t{8} << 20;

/// Everything that runs differently per ISA, as a table of plain functions; dispatch.hpp picks one table per process.
///
/// Shapes   "n" is any number of values, of which those after the last full block of 512 are packed as a narrower one. Pointers
///          need no alignment; input and output must not overlap. Nothing outside the stated ranges is read or written.
/// Index    a width's entry is at [bits - 1]; of pack_u16 and unpack_u16, which serve 9..16 bits, at [bits - 9].
/// Answer   the bytes and values of reference.hpp, bit for bit. Functions that read floats say whether all were finite.
struct kernel_set {
  std::string_view name;  ///< as in NARROWS_ISA

  std::array<void (*)(const std::uint8_t* codes, std::size_t n, std::uint8_t* out) noexcept, 8> pack_u8;
  std::array<void (*)(const std::uint16_t* codes, std::size_t n, std::uint8_t* out) noexcept, 8> pack_u16;
  std::array<void (*)(const std::uint8_t* packed, std::size_t n, std::uint8_t* codes) noexcept, 8> unpack_u8;
  std::array<void (*)(const std::uint8_t* packed, std::size_t n, std::uint16_t* codes) noexcept, 8> unpack_u16;

  std::array<bool (*)(const float* x, std::size_t n, const quantizer&, std::uint8_t* out) noexcept, 16> quantize_pack;
  std::array<void (*)(const std::uint8_t* packed, std::size_t n, const affine&, float* out) noexcept, 16> unpack_dequantize;

  bool (*quantize_u8)(const float* x, std::size_t n, const quantizer&, std::uint8_t* codes) noexcept;
  bool (*quantize_u16)(const float* x, std::size_t n, const quantizer&, std::uint16_t* codes) noexcept;
  /// `stream`: these are part of an output of least_streamed values or more; who passes it has a streamed_output until the end.
  void (*dequantize_u8)(const std::uint8_t* codes, std::size_t n, const affine&, float* out, bool stream) noexcept;
  void (*dequantize_u16)(const std::uint16_t* codes, std::size_t n, const affine&, float* out, bool stream) noexcept;

  /// n values of several scales, the first of them number `first` of its tensor; null where there is nothing better than calls of
  /// the functions above. quantize_each answers false, and the codes do not count, for values that are not finite or far outside
  /// the levels, and for 16-bit codes with a negative zero point.
  bool (*quantize_each_u8)(const float* x, std::size_t first, std::size_t n, const level_map&, int bits, std::uint8_t* codes) noexcept;
  bool (*quantize_each_u16)(const float* x, std::size_t first, std::size_t n, const level_map&, int bits, std::uint16_t* codes) noexcept;
  void (*dequantize_each_u8)(const std::uint8_t* codes, std::size_t first, std::size_t n, const level_map&, float* out) noexcept;
  void (*dequantize_each_u16)(const std::uint16_t* codes, std::size_t first, std::size_t n, const level_map&, float* out) noexcept;

  /// Blocks of several scales in one pass; null where there is nothing better than codes. They return how many values they did, from the
  /// first on: all whole blocks, or 0 where the groups have several zeros, or a length, that they do not serve, or are too few to pay.
  /// Packing stops before a run of blocks that quantize_each would answer false for; bytes may have been written there.
  std::array<std::size_t (*)(const float* x, std::size_t first, std::size_t n, const level_map&, std::uint8_t* out) noexcept, 16>
    quantize_pack_each;
  std::array<std::size_t (*)(const std::uint8_t* packed, std::size_t first, std::size_t n, const level_map&, float* out) noexcept, 16>
    unpack_dequantize_each;

  /// n values of 16 bits (half.hpp), in the machine's byte order, to and from floats.
  void (*widen_half)(const std::uint8_t* halves, std::size_t n, float* out) noexcept;
  void (*narrow_half)(const float* x, std::size_t n, std::uint8_t* halves) noexcept;
  void (*widen_bfloat)(const std::uint8_t* bfloats, std::size_t n, float* out) noexcept;
  void (*narrow_bfloat)(const float* x, std::size_t n, std::uint8_t* bfloats) noexcept;

  /// Smallest and largest of n > 0 values; both unspecified when the answer is false.
  bool (*min_max)(const float* x, std::size_t n, float& low, float& high) noexcept;

  /// Mask bytes (n rounded up to 8) and the non-zero codes in order; returns how many. `nonzero` has room for n.
  std::size_t (*compress_u8)(const std::uint8_t* codes, std::size_t n, std::uint8_t* mask, std::uint8_t* nonzero) noexcept;
  std::size_t (*compress_u16)(const std::uint16_t* codes, std::size_t n, std::uint8_t* mask, std::uint16_t* nonzero) noexcept;
  /// Inverse; returns how many of `nonzero` were used: the set bits among the first n of the mask. `nonzero` must be
  /// readable for n codes, used or not.
  std::size_t (*expand_u8)(const std::uint8_t* mask, std::size_t n, const std::uint8_t* nonzero, std::uint8_t* codes) noexcept;
  std::size_t (*expand_u16)(const std::uint8_t* mask, std::size_t n, const std::uint16_t* nonzero, std::uint16_t* codes) noexcept;
  /// quantize_u8 then compress_u8, and expand_u8 then dequantize_u8, in one pass; null where two are as good. `nonzero` has
  /// room, and is readable, for n codes rounded up to 64.
  bool (*quantize_compress)(const float* x, std::size_t n, const quantizer&, std::uint8_t* mask, std::uint8_t* nonzero,
    std::size_t& count) noexcept;
  std::size_t (*expand_dequantize)(const std::uint8_t* mask, std::size_t n, const std::uint8_t* nonzero, const affine&, float* out,
    bool stream) noexcept;
  /// Bits that are 1.
  std::size_t (*count_ones)(const std::uint8_t* bytes, std::size_t n) noexcept;

  /// A block of the codec `runs` (runs_block.hpp says how much room there must be); 0 < n <= runs_block. Encoding returns the
  /// bytes written, decoding those read, or 0 for a block that is corrupt.
  std::size_t (*encode_runs_u8)(const std::uint8_t* codes, std::size_t n, int bits, std::uint8_t* out) noexcept;
  std::size_t (*encode_runs_u16)(const std::uint16_t* codes, std::size_t n, int bits, std::uint8_t* out) noexcept;
  std::size_t (*decode_runs_u8)(const std::uint8_t* in, std::size_t n, int bits, std::uint8_t* codes) noexcept;
  std::size_t (*decode_runs_u16)(const std::uint8_t* in, std::size_t n, int bits, std::uint16_t* codes) noexcept;

  /// The same of floats, through codes of 8 bits and fewer, in one pass; null where two are as good.
  std::size_t (*encode_runs_floats)(
    const float* x, std::size_t n, const quantizer&, int bits, std::uint8_t* out, bool& finite) noexcept;
  std::size_t (*decode_runs_floats)(
    const std::uint8_t* in, std::size_t n, int bits, const affine&, float* out, bool stream) noexcept;

  /// Codec rans, the first n symbols of a block, 0 < n <= rans::block_codes, whatever n is, `symbols` has room for a whole
  /// block, each below `with.symbols`. The bytes go to `out`, n at most; 64 more may be written. Returns how many there are.
  std::size_t (*rans_encode)(const rans::tables& with, const std::uint8_t* symbols, std::size_t n, rans::state_bytes& states,
                             std::uint8_t* out) noexcept;
  /// Inverse; takes bytes of `stream` before `at`, downwards to `bottom` at most. Returns where it stopped, or
  /// rans::underflow; states and symbols are then unspecified. rans::margin bytes from `at` on must be readable.
  std::size_t (*rans_decode)(const rans::tables& with, const std::uint8_t* stream, std::size_t bottom, std::size_t at,
                             std::size_t n, rans::state_bytes& states, std::uint8_t* symbols) noexcept;

  /// Codec predicted, whose definitions predicted_scalar.hpp has. The planes of an interleaved picture of n pixels, by channels - 1.
  std::array<void (*)(const std::uint8_t* pixels, std::size_t n, std::uint8_t* planes) noexcept, 4> split_planes;
  /// Values of a plane to codes, in place.
  void (*predict_plane)(std::uint8_t* plane, std::size_t height, std::size_t width) noexcept;
  void (*classes_of)(const std::uint8_t* codes, std::size_t n, std::uint8_t* classes) noexcept;
  /// Rest bits of n codes, or of codes of n classes, which are below 16.
  std::size_t (*rest_bits)(const std::uint8_t* codes, std::size_t n) noexcept;
  std::size_t (*rest_bits_of_classes)(const std::uint8_t* classes, std::size_t n) noexcept;
  /// Writes the rest bits of n codes to `out`, which has room for them; the rest of the room is unspecified then.
  void (*write_rest)(const std::uint8_t* codes, std::size_t n, std::uint8_t* out, std::size_t room) noexcept;
  /// Inverse, from bit `at` of `size` bytes on, which hold what the classes ask for.
  void (*read_rest)(const std::uint8_t* from, std::size_t size, std::uint64_t at, const std::uint8_t* classes, std::size_t n,
    std::uint8_t* codes) noexcept;
};

}  // namespace narrows
