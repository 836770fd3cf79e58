// SPDX-License-Identifier: BSD-3-Clause
// Level 1 (the command line's -1) and level -1 (its --fast=1), with contexts that are kept.
#include <memory>

#include <zstd.h>

#include "contender.hpp"

namespace narrows::bench {

void add_zstd(std::vector<contender>& to)
{
  for (const int level : {1, -1})
    add_peer(to, level == 1 ? "zstd" : "zstd_fast", [level] {
      const std::shared_ptr<ZSTD_CCtx> writer(ZSTD_createCCtx(), ZSTD_freeCCtx);
      const std::shared_ptr<ZSTD_DCtx> reader(ZSTD_createDCtx(), ZSTD_freeDCtx);
      return byte_compressor{[=](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) {
                               const std::size_t n =
                                 ZSTD_compressCCtx(writer.get(), out.data(), out.size(), from.data(), from.size(), level);
                               return ZSTD_isError(n) != 0 ? 0 : n;
                             },
        [=](std::span<const std::uint8_t> from, std::span<std::uint8_t> out) {
          return ZSTD_decompressDCtx(reader.get(), out.data(), out.size(), from.data(), from.size()) == out.size();
        },
        [](std::size_t n) { return ZSTD_compressBound(n); }};
    });
}

}  // namespace narrows::bench
