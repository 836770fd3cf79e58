// SPDX-License-Identifier: BSD-3-Clause
// Packs codes to 3 bits and back: the package's headers are found, and so is xsimd.
#include <cstdint>
#include <cstdio>
#include <vector>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/pack.hpp>
#include <narrows/pack/unpack.hpp>

int main()
{
  std::vector<std::uint8_t> codes(1000);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i * 5 % 8);
  std::vector<std::uint8_t> packed(narrows::packed_bytes<3>(codes.size()));
  std::vector<std::uint8_t> back(codes.size());
  narrows::pack<3>(codes, packed);
  narrows::unpack<3>(packed, back);
  std::printf("%zu codes in %zu bytes by %s\n", codes.size(), packed.size(), narrows::best_kernels().name.data());
  return back == codes ? 0 : 1;
}
