// SPDX-License-Identifier: BSD-3-Clause
// Packs values to 4 bits and back, with nothing but narrows::pack. At one width only: a program that encodes compiles every kernel,
// which tests/pack/mixed_flags and the consumer of the codecs do.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <narrows/pack/packed_tensor.hpp>

int second();

int main()
{
  std::vector<float> activation(8 * 7 * 7);
  for (std::size_t i = 0; i < activation.size(); ++i) activation[i] = static_cast<float>(i % 16);
  const narrows::affine scale{1, 0};
  std::vector<std::uint8_t> payload(narrows::packed_bytes<4>(activation.size()));
  if (!narrows::quantize_pack<4>(activation, scale, payload)) return 1;
  std::vector<float> got(activation.size());
  narrows::unpack_dequantize<4>(payload, scale, got);
  for (std::size_t i = 0; i < got.size(); ++i)
    if (std::abs(got[i] - activation[i]) > 0.5F) return 2;
  std::printf("%zu values in %zu bytes\n", got.size(), payload.size());
  return second() == 16 ? 0 : 3;
}
