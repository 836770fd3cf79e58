// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/result.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/rans.hpp>
#include <narrows/pack/runs.hpp>
#include <narrows/pack/sparse.hpp>

/// What the codecs beyond `raw` and `dense` have in common: how `encode` and `decode` (packed_tensor.hpp) reach them.
namespace narrows {

/// How far the stream of any codec may exceed the dense one before a reader refuses it; writers fall back to dense well
/// before.
inline constexpr std::size_t codec_slack = 64;

/// Whether a codec is that of another library, which a peer may lack: needs narrows::codecs and a call of
/// use_library_codecs() (codecs.hpp).
[[nodiscard]] constexpr bool needs_library(codec c) noexcept { return c == codec::lz4 || c == codec::zstd || c == codec::huffman; }

inline namespace NARROWS_FLAGS {

/// A codec as functions.
struct coder {
  /// Fewest bytes that n > 0 codes can take: what a descriptor may claim.
  std::size_t (*least_bytes)(std::size_t n) noexcept;
  /// Quantises and codes; returns the bytes written. Errors: those of check(scale_map); short_buffer (`out` is too
  /// small); not_finite.
  result<std::size_t, errc> (*encode)(const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept;
  /// Inverse; `stream` is not trusted. Errors: those of check(scale_map); truncated; corrupt; internal (a library found no
  /// memory).
  errc (*decode)(std::span<const std::uint8_t> stream, const scale_map& map, int bits, const value_sink& out) noexcept;
};

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

inline constexpr coder runs_coder{[](std::size_t n) noexcept { return least_runs_bytes(n); }, quantize_pack_runs, unpack_dequantize_runs};
inline constexpr coder sparse_coder{[](std::size_t n) noexcept { return mask_bytes(n); }, quantize_pack_sparse, unpack_dequantize_sparse};

/// A frequency of each context, of two at least, and a state for each run.
inline constexpr coder rans_coder{[](std::size_t n) noexcept { return 2 + 2 * rans::states(n); }, quantize_pack_rans, unpack_dequantize_rans};

/// Codecs that need another library are there once their header was used (codecs.hpp), in units of these flags.
inline std::array<std::atomic<const coder*>, 3> library_coders{};

[[nodiscard]] inline std::atomic<const coder*>& library_coder(codec c) noexcept
{
  return library_coders[static_cast<std::size_t>(c) - static_cast<std::size_t>(codec::lz4)];
}

/// Null for codecs that this program cannot code: `raw` and `dense` have no need of it, pictures have no scales.
[[nodiscard]] inline const coder* coder_of(codec c) noexcept
{
  switch (c) {
  case codec::sparse: return &sparse_coder;
  case codec::runs: return &runs_coder;
  case codec::rans: return &rans_coder;
  default: return needs_library(c) ? library_coder(c).load(std::memory_order_acquire) : nullptr;
  }
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Whether this program can encode and decode tensors with a codec.
[[nodiscard]] inline bool can_code(codec c) noexcept
{
  return c == codec::raw || c == codec::dense || detail::coder_of(c) != nullptr;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
