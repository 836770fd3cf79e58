// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include <narrows/exec/reference/simd.hpp>

/// The multiply-add kernel under convolution, Gemm and MatMul: a tile of outputs held in registers while the sum runs.
///
///     out[i][j] = clamp(start + sum over k = 0, 1, ... of left(k, i) * right(k, j))      i < Rows, j < Vectors * lanes
///
/// The sum is taken in chunks of `chunk` consecutive k, one fused step per k in ascending order, and the chunks are added
/// in ascending order (which keeps rounding errors of long sums down). The bits of an output depend on nothing else:
/// not on the tile, and not on whether a sum was left in `out` as float32 between two chunks and taken up again.
namespace narrows::exec::inline NARROWS_EXEC_ISA {

inline constexpr std::size_t chunk = 32;

/// Where a kernel finds its operands. Row k of either side starts `offset[k]` floats from its base; without a table,
/// rows follow each other densely (Rows or Vectors * lanes floats each), which is how weights are laid out at load.
struct product {
  std::size_t depth = 0;                          ///< number of k
  const float* left = nullptr;                    ///< broadcast side: row k holds Rows values
  const std::ptrdiff_t* left_offset = nullptr;
  const float* right = nullptr;                   ///< vector side: row k holds Vectors * lanes values
  const std::ptrdiff_t* right_offset = nullptr;
  const float* start = nullptr;                   ///< bias: one per row (weights left) or per column (weights right)
  bool resume = false;                            ///< add to what `out` holds instead; only at a chunk's border
  float low = 0;                                  ///< bounds of the result
  float high = 0;
  float* out = nullptr;
  std::ptrdiff_t pitch = 0;                       ///< floats from one row of `out` to the next
};

/// On which side the packed weights are; the other side is read in place through an offset table.
enum class weights_side { left, right };

/// The largest tile that fits the registers: Rows x 2 sums, 2 columns, 1 broadcast.
#if defined(__AVX512F__)
inline constexpr std::size_t most_rows = 14;
#elif defined(__aarch64__)
inline constexpr std::size_t most_rows = 12;
#else
inline constexpr std::size_t most_rows = 6;
#endif

template <weights_side Side, std::size_t Rows, std::size_t Vectors>
void multiply(const product& p) noexcept
{
  float* const out = p.out;
  const std::ptrdiff_t pitch = p.pitch;
  const auto place = [out, pitch](std::size_t i, std::size_t j) __attribute__((always_inline)) {
    return out + static_cast<std::ptrdiff_t>(i) * pitch + static_cast<std::ptrdiff_t>(j * lanes);
  };
  const float* packed = Side == weights_side::left ? p.left : p.right;
  const std::ptrdiff_t* offset = Side == weights_side::left ? p.right_offset : p.left_offset;
  const float* read = Side == weights_side::left ? p.right : p.left;
  bool first = !p.resume;
  for (std::size_t left_over = p.depth;;) {
    vec sum[Rows][Vectors];
    NARROWS_EXEC_UNROLLED for (std::size_t i = 0; i < Rows; ++i)
      NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < Vectors; ++j) {
        if (!first || p.start == nullptr) sum[i][j] = vec(0.0F);
        else if constexpr (Side == weights_side::left) sum[i][j] = vec(p.start[i]);
        else sum[i][j] = load(p.start + j * lanes);
      }
    const std::size_t steps = left_over < chunk ? left_over : chunk;
    for (std::size_t k = 0; k < steps; ++k) {
      const float* left = Side == weights_side::left ? packed : read + offset[k];
      const float* right = Side == weights_side::left ? read + offset[k] : packed;
      vec column[Vectors];
      NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < Vectors; ++j) column[j] = load(right + j * lanes);
      NARROWS_EXEC_UNROLLED for (std::size_t i = 0; i < Rows; ++i) {
        const vec row(left[i]);
        NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] = madd(row, column[j], sum[i][j]);
      }
      packed += Side == weights_side::left ? Rows : Vectors * lanes;
    }
    offset += steps;
    left_over -= steps;
    if (!first)
      NARROWS_EXEC_UNROLLED for (std::size_t i = 0; i < Rows; ++i)
        NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] = load(place(i, j)) + sum[i][j];
    first = false;
    const vec low(left_over == 0 ? p.low : -std::numeric_limits<float>::infinity()), high(left_over == 0 ? p.high : std::numeric_limits<float>::infinity());
    NARROWS_EXEC_UNROLLED for (std::size_t i = 0; i < Rows; ++i)
      NARROWS_EXEC_UNROLLED for (std::size_t j = 0; j < Vectors; ++j) store(place(i, j), smaller(high, larger(low, sum[i][j])));
    if (left_over == 0) return;
  }
}

/// multiply<Side, rows, vectors> for a tile known at run time; 1 <= rows <= most_rows, vectors 1 or 2.
template <weights_side Side>
inline void multiply(std::size_t rows, std::size_t vectors, const product& p) noexcept
{
  using kernel = void (*)(const product&) noexcept;
  static constexpr auto table = []<std::size_t... R>(std::index_sequence<R...>) {
    return std::array<std::array<kernel, 2>, sizeof...(R)>{{{{&multiply<Side, R + 1, 1>, &multiply<Side, R + 1, 2>}}...}};
  }(std::make_index_sequence<most_rows>{});
  table[rows - 1][vectors - 1](p);
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
