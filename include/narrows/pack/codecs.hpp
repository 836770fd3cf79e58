// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include <lz4.h>
#include <zstd.h>

#include <narrows/core/result.hpp>
#include <narrows/pack/coder.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/quantize.hpp>

/// Codecs `lz4` and `zstd`: for peers that have these libraries, and to compare with. Needs narrows::codecs; everything
/// else of `pack` works without this header.
namespace narrows {

inline namespace NARROWS_FLAGS {

/// Zstandard's level 1: the levels above it spend several times as long on a few per cent of size.
inline constexpr int default_zstd_level = 1;

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Codes that are compressed together: their bytes fit on the stack, LZ4 can refer back through all of them, and no size
/// that these libraries see comes near the limits of their int interfaces.
inline constexpr std::size_t chunk_codes = 65536;
/// Each chunk starts with the number of its compressed bytes.
inline constexpr std::size_t chunk_header = 4;
/// Codes between floats and fields at a time: a multiple of 8, so that each step starts on a byte.
inline constexpr std::size_t chunk_step = 4096;

struct lz4_block {
  /// Returns 0 if `to` is too small.
  [[nodiscard]] std::size_t compress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) const noexcept
  {
    const auto room = std::min(to.size(), static_cast<std::size_t>(LZ4_COMPRESSBOUND(from.size())));
    const int written = LZ4_compress_default(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to.data()),
      static_cast<int>(from.size()), static_cast<int>(room));
    return written > 0 ? static_cast<std::size_t>(written) : 0;
  }
  /// `from` holds exactly the bytes of `to`, compressed, or is refused.
  [[nodiscard]] errc decompress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) const noexcept
  {
    if (from.size() > static_cast<std::size_t>(LZ4_COMPRESSBOUND(to.size())))
      return errc::corrupt;  // also keeps the int in range
    const int read = LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to.data()),
      static_cast<int>(from.size()), static_cast<int>(to.size()));
    return read >= 0 && static_cast<std::size_t>(read) == to.size() ? errc::ok : errc::corrupt;
  }
};

/// One direction at a time; a context serves all chunks of a call and is gone after it.
class zstd_compressor {
public:
  explicit zstd_compressor(int level) noexcept : context_(ZSTD_createCCtx()), level_(level) {}
  [[nodiscard]] std::size_t compress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) const noexcept
  {
    if (context_ == nullptr) return 0;
    const std::size_t written = ZSTD_compressCCtx(context_.get(), to.data(), to.size(), from.data(), from.size(), level_);
    return ZSTD_isError(written) != 0 ? 0 : written;
  }

private:
  struct release {
    void operator()(ZSTD_CCtx* c) const noexcept { ZSTD_freeCCtx(c); }
  };
  std::unique_ptr<ZSTD_CCtx, release> context_;
  int level_;
};

class zstd_decompressor {
public:
  zstd_decompressor() noexcept : context_(ZSTD_createDCtx()) {}
  /// The frame is looked at before it is decoded: exactly one, of today's format (a library may still read formats of
  /// before 2016, by code that few look at), and of the expected size. Decoding in one call into memory of that size
  /// needs no window of its own, so a frame cannot choose an allocation.
  [[nodiscard]] errc decompress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) const noexcept
  {
    constexpr std::uint8_t magic[] = {
      ZSTD_MAGICNUMBER & 0xFF, ZSTD_MAGICNUMBER >> 8 & 0xFF, ZSTD_MAGICNUMBER >> 16 & 0xFF, ZSTD_MAGICNUMBER >> 24};
    if (from.size() < sizeof magic || std::memcmp(from.data(), magic, sizeof magic) != 0) return errc::corrupt;
    if (ZSTD_getFrameContentSize(from.data(), from.size()) != to.size()) return errc::corrupt;
    if (ZSTD_findFrameCompressedSize(from.data(), from.size()) != from.size())
      return errc::corrupt;  // an error is no size of ours
    if (context_ == nullptr) return errc::internal;
    return ZSTD_decompressDCtx(context_.get(), to.data(), to.size(), from.data(), from.size()) == to.size() ? errc::ok
                                                                                                            : errc::corrupt;
  }

private:
  struct release {
    void operator()(ZSTD_DCtx* c) const noexcept { ZSTD_freeDCtx(c); }
  };
  std::unique_ptr<ZSTD_DCtx, release> context_;
};

/// Bits that a code of at most 8 bits gets: so many that no code crosses a byte. Bytes then repeat where neighbours do, which
/// is what both libraries look for; of codes that cross bytes, and of one byte per code, they find less and are slower.
[[nodiscard]] constexpr int field_bits(int bits) noexcept { return bits <= 2 ? bits : bits <= 4 ? 4 : 8; }

/// What n codes of a chunk are before compression: fields, or low bytes and then fields of the bits above them.
[[nodiscard]] constexpr std::size_t chunk_bytes(std::size_t n, int bits) noexcept
{
  return bits <= 8 ? linear_bytes(n, field_bits(bits)) : n + linear_bytes(n, field_bits(bits - 8));
}

inline void write_chunk_fields(std::span<const std::uint8_t> codes, int field, std::uint8_t* to) noexcept
{
  switch (field) {
  case 1: return write_fields<1>(codes, to);
  case 2: return write_fields<2>(codes, to);
  case 4: return write_fields<4>(codes, to);
  default: std::copy(codes.begin(), codes.end(), to);
  }
}

inline void read_chunk_fields(const std::uint8_t* from, int field, std::span<std::uint8_t> codes) noexcept
{
  switch (field) {
  case 1: return read_fields<1>(from, codes);
  case 2: return read_fields<2>(from, codes);
  case 4: return read_fields<4>(from, codes);
  default: std::copy_n(from, codes.size(), codes.begin());
  }
}

/// Whether n fields hold codes below 2^bits, and nothing but zeros behind the last: a code is below 2^bits if no bit above is
/// set, so all bytes can be asked at once.
[[nodiscard]] inline bool all_below(const std::uint8_t* bytes, std::size_t n, int bits) noexcept
{
  const int field = field_bits(bits);
  const std::size_t size = linear_bytes(n, field);
  if (const std::size_t used = n * static_cast<std::size_t>(field) % 8; used != 0 && bytes[size - 1] >> used != 0) return false;
  std::uint64_t seen[4] = {};
  std::size_t i = 0;
  for (; i + sizeof seen <= size; i += sizeof seen) {
    std::uint64_t some[4];
    std::memcpy(some, bytes + i, sizeof some);
    for (int k = 0; k < 4; ++k) seen[k] |= some[k];
  }
  std::uint64_t all = seen[0] | seen[1] | seen[2] | seen[3];
  for (; i < size; ++i) all |= bytes[i];
  const std::uint64_t above = bits == field ? 0
                              : field == 4  ? 0x8888888888888888U
                                            : (0xFFU >> bits << bits) * 0x0101010101010101U;
  return (all & above) == 0;
}

/// Compresses n codes that `fill(first, count, to)` yields; false from `fill` is handed on as not_finite.
template <code_unit Code, class By, class Fill>
result<std::size_t, errc> write_chunks(const By& by, std::size_t n, int bits, std::span<std::uint8_t> out, Fill fill) noexcept
{
  std::uint8_t bytes[chunk_codes * sizeof(Code)];
  bool finite = true;
  std::size_t at = 0;
  for (std::size_t first = 0; first < n; first += chunk_codes) {
    const std::size_t count = std::min(chunk_codes, n - first);
    for (std::size_t from = 0; from < count; from += chunk_step) {
      const std::size_t some = std::min(chunk_step, count - from);
      alignas(64) Code codes[chunk_step];
      finite = fill(first + from, some, codes) && finite;
      if constexpr (sizeof(Code) == 1) {
        write_chunk_fields({codes, some}, field_bits(bits), bytes + linear_bytes(from, field_bits(bits)));
      } else {
        std::uint8_t high[chunk_step];
        for (std::size_t i = 0; i < some; ++i) bytes[from + i] = static_cast<std::uint8_t>(codes[i]);
        for (std::size_t i = 0; i < some; ++i) high[i] = static_cast<std::uint8_t>(codes[i] >> 8);
        write_chunk_fields({high, some}, field_bits(bits - 8), bytes + count + linear_bytes(from, field_bits(bits - 8)));
      }
    }
    if (out.size() - at <= chunk_header) return errc::short_buffer;
    const std::size_t written = by.compress({bytes, chunk_bytes(count, bits)}, out.subspan(at + chunk_header));
    if (written == 0) return errc::short_buffer;
    for (std::size_t i = 0; i < chunk_header; ++i) out[at + i] = static_cast<std::uint8_t>(written >> (8 * i));
    at += chunk_header + written;
  }
  if (!finite) return errc::not_finite;
  return at;
}

/// `take(first, count, codes)` receives the codes in order, those of chunks already found good.
template <code_unit Code, class By, class Take>
errc read_chunks(const By& by, std::span<const std::uint8_t> stream, std::size_t n, int bits, Take take) noexcept
{
  std::uint8_t bytes[chunk_codes * sizeof(Code)];
  for (std::size_t first = 0; first < n; first += chunk_codes) {
    const std::size_t count = std::min(chunk_codes, n - first);
    if (stream.size() < chunk_header) return errc::truncated;
    std::size_t size = 0;
    for (std::size_t i = 0; i < chunk_header; ++i) size |= static_cast<std::size_t>(stream[i]) << (8 * i);
    stream = stream.subspan(chunk_header);
    if (size > stream.size()) return errc::truncated;
    if (const auto e = by.decompress(stream.first(size), {bytes, chunk_bytes(count, bits)}); e != errc::ok) return e;
    stream = stream.subspan(size);
    if (!(sizeof(Code) == 1 ? all_below(bytes, count, bits) : all_below(bytes + count, count, bits - 8))) return errc::corrupt;
    for (std::size_t from = 0; from < count; from += chunk_step) {
      const std::size_t some = std::min(chunk_step, count - from);
      alignas(64) Code codes[chunk_step];
      if constexpr (sizeof(Code) == 1) {
        read_chunk_fields(bytes + linear_bytes(from, field_bits(bits)), field_bits(bits), {codes, some});
      } else {
        std::uint8_t high[chunk_step];
        read_chunk_fields(bytes + count + linear_bytes(from, field_bits(bits - 8)), field_bits(bits - 8), {high, some});
        for (std::size_t i = 0; i < some; ++i) codes[i] = static_cast<Code>(bytes[from + i] | high[i] << 8);
      }
      take(first + from, some, static_cast<const Code*>(codes));
    }
  }
  return stream.empty() ? errc::ok : errc::corrupt;
}

template <code_unit Code, class By>
result<std::size_t, errc> pack_chunks(const By& by, std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return write_chunks<Code>(by, codes.size(), bits, out, [&](std::size_t first, std::size_t n, Code* to) {
    std::memcpy(to, codes.data() + first, n * sizeof(Code));
    return true;
  });
}

template <code_unit Code, class By>
errc unpack_chunks(const By& by, std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  return read_chunks<Code>(by, stream, codes.size(), bits,
    [&](std::size_t first, std::size_t n, const Code* from) { std::memcpy(codes.data() + first, from, n * sizeof(Code)); });
}

template <class By>
result<std::size_t, errc> quantize_chunks(
  const By& by, const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  const auto fill = [&](std::size_t first, std::size_t n, auto* to) {
    return quantize_range(best_kernels(), x, first, n, map, bits, to);
  };
  return code_bytes(bits) == 1 ? write_chunks<std::uint8_t>(by, x.size(), bits, out, fill)
                               : write_chunks<std::uint16_t>(by, x.size(), bits, out, fill);
}

template <class By>
errc dequantize_chunks(
  const By& by, std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  const streamed_output to(out.size());
  const auto take = [&](std::size_t first, std::size_t n, const auto* codes) {
    dequantize_range(best_kernels(), codes, first, n, map, out, to);
  };
  return code_bytes(bits) == 1 ? read_chunks<std::uint8_t>(by, stream, out.size(), bits, take)
                               : read_chunks<std::uint16_t>(by, stream, out.size(), bits, take);
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Codes at 1, 2, 4 or 8 bits each, compressed chunk by chunk as LZ4 blocks.
///
/// Shapes   codes: n.   out: as much as the stream may take; LZ4 expands noise by 1/255.
/// Returns  the bytes written.
/// Errors   bad_width; short_buffer (part of `out` is then overwritten).
/// Cost     68 KiB of stack (140 KiB for u16 codes) beside LZ4's own 16; nothing allocated.
/// Source   docs/format.md, section "Fields, compressed".
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_lz4(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  return detail::pack_chunks(detail::lz4_block{}, codes, bits, out);
}

/// The same as Zstandard frames. Cost: allocates Zstandard's context, of a size that only the level determines; where there
/// is no memory for it, short_buffer.
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_zstd(
  std::span<const Code> codes, int bits, std::span<std::uint8_t> out, int level = default_zstd_level) noexcept
{
  return detail::pack_chunks(detail::zstd_compressor(level), codes, bits, out);
}

/// Inverse of pack_lz4; `codes.size()` says how many. The stream is not trusted.
/// Errors: bad_width; truncated; corrupt (a block that is none or of another size, a code of more bits, bytes left over).
template <code_unit Code>
[[nodiscard]] errc unpack_lz4(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  return detail::unpack_chunks(detail::lz4_block{}, stream, bits, codes);
}
/// The same for pack_zstd; also errc::internal (no memory for Zstandard's context).
template <code_unit Code>
[[nodiscard]] errc unpack_zstd(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  return detail::unpack_chunks(detail::zstd_decompressor(), stream, bits, codes);
}

/// Quantises, then pack_lz4, chunk by chunk. Errors: those of check(scale_map); short_buffer; not_finite.
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_lz4(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  return detail::quantize_chunks(detail::lz4_block{}, x, map, bits, out);
}
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_zstd(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out, int level = default_zstd_level) noexcept
{
  return detail::quantize_chunks(detail::zstd_compressor(level), x, map, bits, out);
}

/// Inverse up to rounding. Errors: those of check(scale_map), and of unpack_lz4 and unpack_zstd.
[[nodiscard]] inline errc unpack_dequantize_lz4(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  return detail::dequantize_chunks(detail::lz4_block{}, stream, map, bits, out);
}
[[nodiscard]] inline errc unpack_dequantize_zstd(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  return detail::dequantize_chunks(detail::zstd_decompressor(), stream, map, bits, out);
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// A chunk has its header and at least one byte.
inline std::size_t least_chunk_bytes(std::size_t n) noexcept { return (n + chunk_codes - 1) / chunk_codes * (chunk_header + 1); }

inline constexpr coder lz4_coder{least_chunk_bytes, quantize_pack_lz4, unpack_dequantize_lz4};
inline constexpr coder zstd_coder{least_chunk_bytes,
  [](const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept {
    return quantize_pack_zstd(x, map, bits, out);
  },
  unpack_dequantize_zstd};

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// From here on `encode`, `decode` and `check` (packed_tensor.hpp) of this program know lz4 and zstd. May be called more
/// than once and from any thread.
inline void use_library_codecs() noexcept
{
  detail::library_coder(codec::lz4).store(&detail::lz4_coder, std::memory_order_release);
  detail::library_coder(codec::zstd).store(&detail::zstd_coder, std::memory_order_release);
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
