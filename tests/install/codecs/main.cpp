// SPDX-License-Identifier: BSD-3-Clause
// A tensor as LZ4, as Zstandard, as DEFLATE and back, with nothing but narrows::codecs.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <narrows/pack/codecs.hpp>
#include <narrows/pack/packed_tensor.hpp>

int second();

int main()
{
  narrows::use_library_codecs();
  narrows::tensor activation(narrows::shape{1, 8, 28, 28});
  for (std::size_t i = 0; i < activation.size(); ++i) activation.values()[i] = static_cast<float>(i / 8 % 4);
  std::vector<float> dense(activation.size()), got(activation.size());
  for (const auto codec : {narrows::codec::dense, narrows::codec::lz4, narrows::codec::zstd, narrows::codec::huffman}) {
    narrows::coding how;
    how.coded_as = codec;
    how.width = 4;
    narrows::aligned_vector<std::uint8_t> payload;
    const auto sent = narrows::encode(activation.view(), how, payload);
    if (!sent || sent->coded_as != codec) return 1;
    if (!narrows::decode(*sent, payload, got)) return 2;
    if (codec == narrows::codec::dense) dense = got;
    if (!std::equal(got.begin(), got.end(), dense.begin())) return 3;
    std::printf("%zu values in %zu bytes\n", got.size(), payload.size());
  }
  return second() == 16 ? 0 : 4;
}
