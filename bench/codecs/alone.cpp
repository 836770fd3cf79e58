// SPDX-License-Identifier: BSD-3-Clause
// Quantise to one byte per code and dequantise: what every codec does besides its own work.
#include <memory>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/quantize.hpp>

#include "contender.hpp"

namespace narrows::bench {

void add_alone(std::vector<contender>& to)
{
  const auto begin = [](std::size_t most, const affine& levels, int bits) {
    const auto codes = std::make_shared<aligned_vector<std::uint8_t>>(most);
    return session{[=](std::span<const float> x) {
                     if (quantize<std::uint8_t>(x, levels, bits, *codes) != errc::ok) fail("alone", "quantise");
                     return x.size();
                   },
      [=](std::span<float> out) {
        if (dequantize<std::uint8_t>(std::span(*codes).first(out.size()), levels, out) != errc::ok) fail("alone", "dequantise");
      }};
  };
  to.push_back({"alone", begin, false});
}

}  // namespace narrows::bench
