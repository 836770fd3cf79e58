// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/layout.hpp>

#include "contender.hpp"

namespace narrows::bench {

namespace {

void add_packer(contenders& to, const kernel_set* set, const char* suffix, int bits, const affine& levels)
{
  const auto width = static_cast<std::size_t>(bits - 1);
  to.pack.push_back({std::string(set->name) + suffix, bits, levels, promise::block_layout,
    [set, width, q = quantizer(levels, bits)](const float* x, std::size_t n, std::uint8_t* out) { set->quantize_pack[width](x, n, q, out); }});
}

}  // namespace

void add_narrows(contenders& to)
{
  for (const auto* set : available_kernels())
    for (int bits = 1; bits <= 16; ++bits) {
      const auto width = static_cast<std::size_t>(bits - 1);
      const auto levels = task_levels(bits);
      add_packer(to, set, "", bits, levels);
      add_packer(to, set, "_relu", bits, relu_levels(bits));
      to.unpack.push_back({std::string(set->name), bits, levels, promise::block_layout,
        [set, width, levels](const std::uint8_t* packed, std::size_t n, float* out) { set->unpack_dequantize[width](packed, n, levels, out); }});
    }
}

}  // namespace narrows::bench
