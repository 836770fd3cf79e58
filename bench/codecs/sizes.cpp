// SPDX-License-Identifier: BSD-3-Clause
#include "sizes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include <narrows/pack/quantize.hpp>

namespace narrows::bench {

namespace {

/// Bits per value that a coder needs who knows how often each code occurs, and nothing else.
double entropy(std::span<const float> x, const affine& levels, int bits)
{
  std::vector<std::uint8_t> codes(x.size());
  if (quantize<std::uint8_t>(x, levels, bits, codes) != errc::ok) fail("entropy", "quantise");
  std::size_t counts[256] = {};
  for (const auto c : codes) ++counts[c];
  double sum = 0;
  for (const auto count : counts)
    if (count > 0) {
      const double share = static_cast<double>(count) / static_cast<double>(x.size());
      sum -= share * std::log2(share);
    }
  return sum;
}

}  // namespace

void print_sizes(std::span<const contender> all, std::span<const activation> tensors, std::span<const int> widths)
{
  std::printf("network,tensor,values,zeros,order,bits,entropy,contender,bits_per_value\n");
  for (const auto& a : tensors) {
    const auto n = static_cast<double>(a.values.size());
    const double zeros = static_cast<double>(std::count(a.values.begin(), a.values.end(), 0.0F)) / n;
    const auto turned = in_nhwc(a);
    for (const int bits : widths) {
      const auto levels = levels_for(a.values, bits);
      const double least = entropy(a.values, levels, bits);
      for (const bool nhwc : {false, true})
        for (const auto& c : all) {
          if (!c.has_stream) continue;
          const auto bytes = c.begin(a.values.size(), levels, bits).encode(nhwc ? turned : a.values);
          std::printf("%s,%s,%zu,%.4f,%s,%d,%.6f,%s,%.6f\n", a.network.c_str(), a.tensor.c_str(), a.values.size(), zeros,
            nhwc ? "nhwc" : "nchw", bits, least, c.name.c_str(), 8 * static_cast<double>(bytes) / n);
        }
    }
  }
}

}  // namespace narrows::bench
