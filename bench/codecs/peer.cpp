// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <memory>
#include <utility>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/quantize.hpp>

#include "contender.hpp"

namespace narrows::bench {

namespace {

constexpr std::size_t chunk = 65536;  // a whole number of blocks

struct peer {
  byte_compressor by;
  affine levels;
  int bits = 0;
  bool packed = false;
  aligned_vector<std::uint8_t> stage = aligned_vector<std::uint8_t>(chunk);
  aligned_vector<std::uint8_t> stream;
  std::vector<std::size_t> sizes;  // of the stream's pieces

  [[nodiscard]] std::size_t staged(std::size_t n) const { return packed ? packed_bytes(n, bits) : n; }

  std::size_t encode(std::span<const float> x, const std::string& name)
  {
    sizes.clear();
    std::size_t at = 0;
    const scale_map map{{&levels, 1}, 1};
    for (std::size_t first = 0; first < x.size(); first += chunk) {
      const auto some = x.subspan(first, std::min(chunk, x.size() - first));
      const auto bytes = std::span(stage).first(staged(some.size()));
      const errc e = packed ? quantize_pack(some, map, bits, bytes) : quantize<std::uint8_t>(some, levels, bits, bytes);
      const std::size_t written = by.compress(bytes, std::span(stream).subspan(at));
      if (e != errc::ok || written == 0) fail(name, "does not compress");
      sizes.push_back(written);
      at += written;
    }
    return at + 4 * sizes.size();  // as ours, it would have to say them
  }

  void decode(std::span<float> out, const std::string& name)
  {
    std::size_t at = 0, piece = 0;
    const scale_map map{{&levels, 1}, 1};
    for (std::size_t first = 0; first < out.size(); first += chunk, ++piece) {
      const auto some = out.subspan(first, std::min(chunk, out.size() - first));
      const auto bytes = std::span(stage).first(staged(some.size()));
      if (!by.decompress(std::span(stream).subspan(at, sizes[piece]), bytes)) fail(name, "does not decompress");
      const errc e = packed ? unpack_dequantize(bytes, map, bits, some) : dequantize<std::uint8_t>(bytes, levels, some);
      if (e != errc::ok) fail(name, message(e));
      at += sizes[piece];
    }
  }
};

}  // namespace

void add_peer(std::vector<contender>& to, const std::string& name, std::function<byte_compressor()> make)
{
  for (const bool packed : {false, true}) {
    const std::string full = name + (packed ? "_packed" : "_bytes");
    const auto begin = [=](std::size_t most, const affine& levels, int bits) {
      const auto p = std::make_shared<peer>();
      p->by = make();
      p->levels = levels;
      p->bits = bits;
      p->packed = packed;
      p->stream.resize((most / chunk + 1) * p->by.most_bytes(p->staged(std::min(most, chunk))));
      return session{
        [=](std::span<const float> x) { return p->encode(x, full); }, [=](std::span<float> out) { p->decode(out, full); }};
    };
    to.push_back({full, begin});
  }
}

}  // namespace narrows::bench
