// SPDX-License-Identifier: BSD-3-Clause
// Blosc 1 around LZ4, its default level, one thread. Bits are shuffled within bytes of their own; bytes, of which there is one
// per code, as if four made a word (elements of one byte are never shuffled).
#include <blosc.h>

#include "contender.hpp"

namespace narrows::bench {

void add_blosc(std::vector<contender>& to)
{
  for (const int shuffle : {BLOSC_SHUFFLE, BLOSC_BITSHUFFLE})
    add_peer(to, shuffle == BLOSC_SHUFFLE ? "blosc_shuffle" : "blosc_bitshuffle", [shuffle] {
      return byte_compressor{[shuffle](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) -> std::size_t {
                               const int n = blosc_compress_ctx(5, shuffle, shuffle == BLOSC_SHUFFLE ? 4 : 1, from.size(),
                                 from.data(), out.data(), out.size(), "lz4", 0, 1);
                               return n > 0 ? static_cast<std::size_t>(n) : 0;
                             },
        [](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) {
          return blosc_decompress_ctx(from.data(), out.data(), out.size(), 1) == static_cast<int>(out.size());
        },
        [](std::size_t n) { return n + BLOSC_MAX_OVERHEAD; }};
    });
}

}  // namespace narrows::bench
