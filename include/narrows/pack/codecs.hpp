// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <narrows/core/result.hpp>
#include <narrows/pack/chunks.hpp>
#include <narrows/pack/coder.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/quantize.hpp>

/// Codecs `lz4`, `zstd` and `huffman`: for peers that have LZ4, Zstandard and zlib, and to compare with. Needs
/// narrows::codecs; everything else of `pack` works without this header.
namespace narrows {

inline namespace NARROWS_FLAGS {

/// Zstandard's level 1: the levels above it spend several times as long on a few per cent of size.
inline constexpr int default_zstd_level = 1;

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// So many bits that no code crosses a byte. Bytes then repeat where neighbours do, which is what LZ4 and Zstandard look for;
/// of codes that cross bytes, and of one byte per code, they find less and are slower.
struct fields_within_bytes {
  [[nodiscard]] static constexpr int field_bits(int bits) noexcept { return bits <= 2 ? bits : bits <= 4 ? 4 : 8; }
};

/// A whole byte, so that a symbol of a code over bytes is one code of the tensor.
struct byte_fields {
  [[nodiscard]] static constexpr int field_bits(int) noexcept { return 8; }
};

struct lz4_block : fields_within_bytes {
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
class zstd_compressor : public fields_within_bytes {
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

class zstd_decompressor : public fields_within_bytes {
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

inline constexpr int raw_deflate = -15;   ///< zlib's windowBits for streams without its header, of any distance
inline constexpr int deflate_memory = 8;  ///< zlib's usual memLevel: a table for every 16383 symbols

/// Literals alone: no matches are looked for. A stream serves all chunks of a call; where it stands, zlib's state points to
/// it, so it stays there.
class deflate_compressor : public byte_fields {
public:
  deflate_compressor() noexcept
    : works_(deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_deflate, deflate_memory, Z_HUFFMAN_ONLY) == Z_OK)
  {
  }
  deflate_compressor(const deflate_compressor&) = delete;
  deflate_compressor& operator=(const deflate_compressor&) = delete;
  ~deflate_compressor() { deflateEnd(&stream_); }

  [[nodiscard]] std::size_t compress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) noexcept
  {
    if (!works_ || deflateReset(&stream_) != Z_OK) return 0;
    const auto room = std::min(to.size(), static_cast<std::size_t>(std::numeric_limits<uInt>::max()));
    stream_.next_in = const_cast<Bytef*>(from.data());  // which zlib does not write to
    stream_.avail_in = static_cast<uInt>(from.size());
    stream_.next_out = to.data();
    stream_.avail_out = static_cast<uInt>(room);
    return deflate(&stream_, Z_FINISH) == Z_STREAM_END ? room - stream_.avail_out : 0;
  }

private:
  z_stream stream_{};
  bool works_;
};

class deflate_decompressor : public byte_fields {
public:
  /// Decoding in one call into memory of the expected size needs no window. For a stream that does not end zlib would allocate
  /// one all the same; it gets no memory beyond its state, which exists before any byte is seen.
  deflate_decompressor() noexcept : works_(inflateInit2(&stream_, raw_deflate) == Z_OK)
  {
    stream_.zalloc = [](voidpf, uInt, uInt) noexcept -> voidpf { return nullptr; };
  }
  deflate_decompressor(const deflate_decompressor&) = delete;
  deflate_decompressor& operator=(const deflate_decompressor&) = delete;
  ~deflate_decompressor() { inflateEnd(&stream_); }

  [[nodiscard]] errc decompress(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) noexcept
  {
    if (!works_ || inflateReset(&stream_) != Z_OK) return errc::internal;
    stream_.next_in = const_cast<Bytef*>(from.data());
    stream_.avail_in = static_cast<uInt>(from.size());
    stream_.next_out = to.data();
    stream_.avail_out = static_cast<uInt>(to.size());
    const bool ended = inflate(&stream_, Z_FINISH) == Z_STREAM_END;
    return ended && stream_.avail_in == 0 && stream_.avail_out == 0 ? errc::ok : errc::corrupt;
  }

private:
  z_stream stream_{};
  bool works_;
};

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
/// A Huffman code over the codes, one byte each (two for u16 codes), as raw DEFLATE streams without matches; `out` needs room for
/// a byte more. Cost: allocates zlib's state of some 270 KiB; where there is no memory for it, short_buffer.
template <code_unit Code>
[[nodiscard]] result<std::size_t, errc> pack_huffman(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  return detail::pack_chunks(detail::deflate_compressor(), codes, bits, out);
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
/// The same for pack_huffman, of DEFLATE streams with matches too; also errc::internal (no memory for zlib's state of 7 KiB).
template <code_unit Code>
[[nodiscard]] errc unpack_huffman(std::span<const std::uint8_t> stream, int bits, std::span<Code> codes) noexcept
{
  return detail::unpack_chunks(detail::deflate_decompressor(), stream, bits, codes);
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
[[nodiscard]] inline result<std::size_t, errc> quantize_pack_huffman(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  return detail::quantize_chunks(detail::deflate_compressor(), x, map, bits, out);
}

/// Inverse up to rounding. Errors: those of check(scale_map), and of the unpack_ of the same codec.
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
[[nodiscard]] inline errc unpack_dequantize_huffman(
  std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept
{
  return detail::dequantize_chunks(detail::deflate_decompressor(), stream, map, bits, out);
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
inline constexpr coder huffman_coder{least_chunk_bytes, quantize_pack_huffman, unpack_dequantize_huffman};

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// From here on `encode`, `decode` and `check` (packed_tensor.hpp) of this program know lz4, zstd and huffman. May be
/// called more than once and from any thread.
inline void use_library_codecs() noexcept
{
  detail::library_coder(codec::lz4).store(&detail::lz4_coder, std::memory_order_release);
  detail::library_coder(codec::zstd).store(&detail::zstd_coder, std::memory_order_release);
  detail::library_coder(codec::huffman).store(&detail::huffman_coder, std::memory_order_release);
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
