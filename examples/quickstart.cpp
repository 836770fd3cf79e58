// SPDX-License-Identifier: BSD-3-Clause
// Packs a feature map to a few bits per value, as a device does before it sends one, and reads it back.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include <narrows/pack/packed_tensor.hpp>

int main()
{
  // 64 channels of 56x56 values as a ReLU leaves them: half zeros, the rest up to 2.
  narrows::tensor map(narrows::shape{1, 64, 56, 56});
  std::uint32_t state = 1;
  for (float& x : map.values()) {
    state = state * 1664525U + 1013904223U;
    x = std::max(0.0F, static_cast<float>(state >> 8) * 0x1p-22F - 2.0F);
  }
  const auto float_bytes = 4 * map.size();
  std::printf("%zu values, %zu bytes as float32\n\n", map.size(), float_bytes);
  std::printf("bits  codec    bytes   smaller  largest error\n");

  narrows::aligned_vector<std::uint8_t> payload;   // what goes over the network, beside a small descriptor
  narrows::tensor back(map.dims());
  for (const int bits : {8, 4, 2}) {
    for (const auto codec : {narrows::codec::dense, narrows::codec::sparse}) {
      const auto described = narrows::encode(map.view(), {codec, bits}, payload);
      if (!described) return std::puts(narrows::message(described.error()).data()), 1;
      const auto decoded = narrows::decode(*described, payload, back.values());
      if (!decoded) return std::puts(narrows::message(decoded.error()).data()), 1;

      float worst = 0;
      for (std::size_t i = 0; i < map.size(); ++i)
        worst = std::max(worst, std::abs(map.values()[i] - back.values()[i]));
      std::printf("%4d  %-6s %7zu  %6.1fx  %13.4f\n", bits, narrows::to_string(codec).data(), payload.size(),
                  static_cast<double>(float_bytes) / static_cast<double>(payload.size()), static_cast<double>(worst));
    }
  }
}
