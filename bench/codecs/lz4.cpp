// SPDX-License-Identifier: BSD-3-Clause
#include <lz4.h>

#include "contender.hpp"

namespace narrows::bench {

void add_lz4(std::vector<contender>& to)
{
  add_peer(to, "lz4", [] {
    return byte_compressor{[](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) {
                             return static_cast<std::size_t>(LZ4_compress_default(reinterpret_cast<const char*>(from.data()),
                               reinterpret_cast<char*>(out.data()), static_cast<int>(from.size()), static_cast<int>(out.size())));
                           },
      [](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) {
        return LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(out.data()),
                 static_cast<int>(from.size()), static_cast<int>(out.size())) == static_cast<int>(out.size());
      },
      [](std::size_t n) { return static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(n))); }};
  });
}

}  // namespace narrows::bench
