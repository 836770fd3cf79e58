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

/// n floats to codes of `bits` bits at `out`, by `levels`; n is a multiple of 512, all pointers start on 64-byte borders.
struct packer {
  std::string name;
  int bits;
  affine levels;
  promise gives;
  std::function<void(const float* x, std::size_t n, std::uint8_t* out)> run;
};

/// The way back.
struct unpacker {
  std::string name;
  int bits;
  affine levels;
  promise takes;
  std::function<void(const std::uint8_t* packed, std::size_t n, float* out)> run;
};

struct contenders {
  std::vector<packer> pack;
  std::vector<unpacker> unpack;
};

/// Levels for values in [-1, 1], as a signed feature map has them: the general case, zero is not the first code.
[[nodiscard]] constexpr affine task_levels(int bits) { return {2.0F / static_cast<float>((1 << bits) - 1), 1 << (bits - 1)}; }
/// Levels for values in [0, 1], as after a ReLU: zero is the first code, and packing has an addition less to do.
[[nodiscard]] constexpr affine relu_levels(int bits) { return {1.0F / static_cast<float>((1 << bits) - 1), 0}; }

void add_limit(contenders& to);         ///< the same bytes moved, no arithmetic; several ways, of which the fastest counts
void add_narrows(contenders& to);       ///< every kernel set of this CPU; named _relu where they pack by relu_levels
void add_scalar_loop(contenders& to);   ///< a loop over values and a bit buffer, -O2
void add_plain_loop(contenders& to);    ///< loops that a compiler vectorises, -O3 -march=native
void add_xnnpack(contenders& to);       ///< 8 bits
void add_onednn(contenders& to);        ///< 8 bits

/// Rows that have no contenders but each other.
struct timed {
  std::string name;   ///< <task>_u<bits>/<shape or rule>/<working set>
  std::size_t values;
  std::function<void()> run;
};
/// Scales per channel and lengths that are no multiple of a block, beside one scale and whole blocks: 1 MiB of `x` or less.
[[nodiscard]] std::vector<timed> shape_rows(const float* x, std::uint8_t* packed, float* back);
/// Finding a range, by each rule; x holds `most` values.
[[nodiscard]] std::vector<timed> range_rows(const float* x, std::size_t most);

}  // namespace narrows::bench
