// SPDX-License-Identifier: BSD-3-Clause
// Packs a tensor to 4 bits and back, with nothing but narrows::pack.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <narrows/pack/packed_tensor.hpp>

int second();

int main()
{
  narrows::tensor activation(narrows::shape{1, 8, 7, 7});
  for (std::size_t i = 0; i < activation.size(); ++i) activation.values()[i] = static_cast<float>(i % 16);
  narrows::coding how;
  how.width = 4;
  narrows::aligned_vector<std::uint8_t> payload;
  const auto sent = narrows::encode(activation.view(), how, payload);
  if (!sent) return 1;
  std::vector<float> got(activation.size());
  if (!narrows::decode(*sent, payload, got)) return 2;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (std::abs(got[i] - activation.values()[i]) > 0.5F) return 3;
  std::printf("%zu values in %zu bytes\n", got.size(), payload.size());
  return second() == 16 ? 0 : 4;
}
