// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <narrows/pack/affine.hpp>

/// What takes part: each file of this folder adds its own.
namespace narrows::bench {

/// A way to bytes and back for tensors of up to a given number of values, with memory of its own that it fills once.
struct session {
  /// Returns the bytes of the stream, which the session keeps.
  std::function<std::size_t(std::span<const float> x)> encode;
  /// Values of the stream that `encode` made last; as many as it was given.
  std::function<void(std::span<float> out)> decode;
};

struct contender {
  std::string name;
  std::function<session(std::size_t most, const affine& levels, int bits)> begin;
  bool has_stream = true;  ///< false: makes codes and nothing else, so its size says nothing
};

void add_alone(std::vector<contender>& to);    ///< quantise to one byte per code, and dequantise: nothing is packed
void add_narrows(std::vector<contender>& to);  ///< every codec that this program can code, through encode and decode
void add_lz4(std::vector<contender>& to);
void add_zstd(std::vector<contender>& to);
void add_blosc(std::vector<contender>& to);

/// A compressor of bytes; no state but what `begin` of its contender made.
struct byte_compressor {
  std::function<std::size_t(std::span<const std::uint8_t> from, std::span<std::uint8_t> to)> compress;
  std::function<bool(std::span<const std::uint8_t> from, std::span<std::uint8_t> to)> decompress;
  std::size_t (*most_bytes)(std::size_t n);
};

/// Contenders NAME_bytes and NAME_packed: our quantise or quantise-and-pack for 65536 values, which stay in the cache, then
/// `make`'s compressor on the codes (one byte each) or on the packed bytes; and the way back.
void add_peer(std::vector<contender>& to, const std::string& name, std::function<byte_compressor()> make);

/// Ends the program: a benchmark of wrong answers is worth nothing.
[[noreturn]] void fail(std::string_view who, std::string_view why);

}  // namespace narrows::bench
