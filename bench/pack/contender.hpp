// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <narrows/pack/affine.hpp>

/// What takes part: each file of this folder adds its own.
namespace narrows::bench {

/// Whether the bytes (or values) must be those of the reference, codes alone (linear order), or nothing at all.
enum class promise { block_layout, linear_layout, nothing };

/// n floats to codes of `bits` bits at `out`, by the levels of `task_levels(bits)`; n is a multiple of 512, all
/// pointers start on 64-byte borders.
struct packer {
  std::string name;
  int bits;
  promise gives;
  std::function<void(const float* x, std::size_t n, std::uint8_t* out)> run;
};

/// The way back.
struct unpacker {
  std::string name;
  int bits;
  promise takes;
  std::function<void(const std::uint8_t* packed, std::size_t n, float* out)> run;
};

struct contenders {
  std::vector<packer> pack;
  std::vector<unpacker> unpack;
};

/// Levels for values in [-1, 1], as a signed feature map has them: the general case, zero is not the first code.
[[nodiscard]] constexpr affine task_levels(int bits) { return {2.0F / static_cast<float>((1 << bits) - 1), 1 << (bits - 1)}; }

void add_limit(contenders& to);         ///< the same bytes moved, no arithmetic; several ways, of which the fastest counts
void add_narrows(contenders& to);       ///< every kernel set of this CPU
void add_scalar_loop(contenders& to);   ///< a loop over values and a bit buffer, -O2
void add_plain_loop(contenders& to);    ///< loops that a compiler vectorises, -O3 -march=native
void add_xnnpack(contenders& to);       ///< 8 bits
void add_onednn(contenders& to);        ///< 8 bits

}  // namespace narrows::bench
