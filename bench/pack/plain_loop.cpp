// SPDX-License-Identifier: BSD-3-Clause
// The block layout in plain loops over arrays, the width a template parameter: what a compiler's vectoriser makes of it.
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "contender.hpp"

namespace narrows::bench {

namespace {

template <int Bits>
void pack_plain(const float* x, std::size_t n, affine levels, std::uint8_t* out)
{
  using word = std::conditional_t<(Bits <= 8), std::uint8_t, std::uint16_t>;
  constexpr int w = 8 * sizeof(word), lanes = 512 / w;
  const float inverse = 1.0F / levels.scale, largest = static_cast<float>((1 << Bits) - 1), zero = static_cast<float>(levels.zero);
  for (std::size_t b = 0; b < n; b += 512, out += 64 * Bits) {
    word words[Bits * lanes]{};
    for (int r = 0; r < w; ++r) {
      const int at = r * Bits / w, shift = r * Bits % w;
      for (int lane = 0; lane < lanes; ++lane) {
        const float level = std::nearbyint(x[b + static_cast<std::size_t>(r * lanes + lane)] * inverse) + zero;
        const auto code = static_cast<unsigned>(static_cast<int>(std::min(std::max(level, 0.0F), largest)));
        words[at * lanes + lane] = static_cast<word>(words[at * lanes + lane] | code << shift);
        if (shift + Bits > w) words[(at + 1) * lanes + lane] = static_cast<word>(words[(at + 1) * lanes + lane] | code >> (w - shift));
      }
    }
    std::copy_n(reinterpret_cast<const std::uint8_t*>(words), 64 * Bits, out);
  }
}

template <int Bits>
void unpack_plain(const std::uint8_t* packed, std::size_t n, affine levels, float* out)
{
  using word = std::conditional_t<(Bits <= 8), std::uint8_t, std::uint16_t>;
  constexpr int w = 8 * sizeof(word), lanes = 512 / w;
  for (std::size_t b = 0; b < n; b += 512, packed += 64 * Bits) {
    word words[Bits * lanes + lanes]{};
    std::copy_n(packed, 64 * Bits, reinterpret_cast<std::uint8_t*>(words));
    for (int r = 0; r < w; ++r) {
      const int at = r * Bits / w, shift = r * Bits % w;
      for (int lane = 0; lane < lanes; ++lane) {
        const unsigned both = static_cast<unsigned>(words[at * lanes + lane]) | static_cast<unsigned>(words[(at + 1) * lanes + lane]) << w;
        const auto code = static_cast<std::int32_t>(both >> shift & ((1U << Bits) - 1));
        out[b + static_cast<std::size_t>(r * lanes + lane)] = static_cast<float>(code - levels.zero) * levels.scale;
      }
    }
  }
}

template <int Bits>
void add(contenders& to)
{
  const auto levels = task_levels(Bits);
  to.pack.push_back({"plain_loop", Bits, task_levels(Bits), promise::block_layout, [=](const float* x, std::size_t n, std::uint8_t* out) { pack_plain<Bits>(x, n, levels, out); }});
  to.unpack.push_back({"plain_loop", Bits, task_levels(Bits), promise::block_layout, [=](const std::uint8_t* packed, std::size_t n, float* out) { unpack_plain<Bits>(packed, n, levels, out); }});
}

}  // namespace

void add_plain_loop(contenders& to)
{
  [&]<int... Bits>(std::integer_sequence<int, Bits...>) { (add<Bits + 1>(to), ...); }(std::make_integer_sequence<int, 16>{});
}

}  // namespace narrows::bench
