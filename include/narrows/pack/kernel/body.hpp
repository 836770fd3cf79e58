// SPDX-License-Identifier: BSD-3-Clause
// No include guard: each x86 and ARM kernel file includes this text inside its own namespace, after it has defined
// NARROWS_TARGET (target attribute of its functions) and NARROWS_OP (the same, always inlined), since a template shared
// by several ISAs could carry the attribute of one only. By itself the file is empty.
//
// What the including file provides:
//   vec, vec_bytes, zero()                         a register of bytes
//   load, store                                    memory order
//   insert, spill, extract, join                   <W, S, Bits>: move a field of Bits bits to and from bit S of words of W; the
//                                                  latter two, if a fourth argument is false, with anything above it
//   vecf, load_float, smaller, larger, no_float    a register of floats
//   note(seen, x)                                  makes `seen` NaN for good once x holds a NaN or infinity
//   levels(quantizer), quantize8<Bits>, quantize16<Bits>   one vec of codes from 1 or 1/2 float per byte, in an order of its
//                                                  own; Bits may be any_width
//   quick_levels<HasZero>                          as levels, for values that invalid_flag has nothing against; from 9 bits on
//                                                  a zero >= 0, at 9 to 15 bits at most 32767
//   in_order8, in_order16                          undo that order
//   values<Stream>(affine), load8, load16          load words in the order that the next two undo
//   dequantize8<Bits>, dequantize16                floats in memory order, by values or lane_values; with masks_fields the
//                                                  former takes fields that have anything above them
//   what groups_body.hpp names                     for values of several scales
//   has_streams                                    whether values<true> writes whole lines, around the caches
//   conversions                                    of 16-bit floats, a base of `kernels`
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

template <int Bits>
inline constexpr auto all_rows = std::make_integer_sequence<int, lane_bits(Bits)>{};

/// Lanes of a register.
template <int Bits>
inline constexpr std::size_t vec_lanes = vec_bytes / sizeof(code_t<Bits>);

/// Registers of a row of 64 bytes that are worked on together: with half a row at a time AVX2 would go through each block of 2 KiB
/// twice and write half lines, a sixth slower. Four of 16 bytes would be more than SSE has registers for.
inline constexpr int at_once = vec_bytes == 32 ? 2 : 1;
inline constexpr auto all_parts = std::make_integer_sequence<int, at_once>{};

#include <narrows/pack/kernel/tail_body.hpp>

template <class Code, class Levels>
NARROWS_OP void quantize_vec(const float* x, Levels& by, Code* codes)
{
  auto* const to = reinterpret_cast<std::uint8_t*>(codes);
  if constexpr (sizeof(Code) == 1) store(to, in_order8(quantize8<any_width>(x, by)));
  else store(to, in_order16(quantize16<any_width>(x, by)));
}

/// A last, partial register overlaps the one before; the only one goes through a copy, which holds finite values that nobody
/// reads beyond the end.
template <class Code, class Levels>
NARROWS_OP void quantize_values(const float* x, std::size_t n, Levels& by, Code* codes)
{
  constexpr std::size_t step = vec_bytes / sizeof(Code);
  std::size_t i = 0;
  for (; i + step <= n; i += step) quantize_vec(x + i, by, codes + i);
  if (i < n && n >= step) {
    quantize_vec(x + n - step, by, codes + n - step);
  } else if (i < n) {
    float last[step]{};
    Code last_codes[step];
    std::memcpy(last, x + i, (n - i) * sizeof(float));
    quantize_vec(last, by, last_codes);
    std::memcpy(codes + i, last_codes, (n - i) * sizeof(Code));
  }
}

inline constexpr std::size_t quick_values = 16 * block_values;   // what is read once more is still in the second cache

/// Codes with care; says whether every value was finite. (One function for all widths: it is seldom needed.)
template <class Code>
NARROWS_TARGET bool quantize_carefully(const float* x, std::size_t n, const quantizer& q, Code* codes) noexcept
{
  levels careful(q);
  quantize_values(x, n, careful, codes);
  return careful.all_finite();
}

#include <narrows/pack/kernel/blocks_body.hpp>

template <class Code>
NARROWS_TARGET bool quantize(const float* x, std::size_t n, const quantizer& q, Code* codes) noexcept
{
  levels careful(q);
  constexpr std::size_t piece = quick_values, least = 256;   // fewer cost less than to ask for the flag
  if (n < least || (sizeof(Code) == 2 && q.zero < 0)) {
    quantize_values(x, n, careful, codes);
    return careful.all_finite();
  }
  for (std::size_t i = 0; i < n; i += piece) {
    const std::size_t m = n - i < piece ? n - i : piece;
    invalid_flag flag;
    if (q.zero == 0) {
      quick_levels<false> by(q);
      quantize_values(x + i, m, by, codes + i);
    } else {
      quick_levels<true> by(q);
      quantize_values(x + i, m, by, codes + i);
    }
    if (flag.raised()) quantize_values(x + i, m, careful, codes + i);
  }
  return careful.all_finite();
}

#include <narrows/pack/kernel/groups_body.hpp>

/// Whole registers of codes; returns how many codes.
template <class Code, class Values>
NARROWS_OP std::size_t dequantize_vecs(const Code* codes, std::size_t n, const Values& by, float* out)
{
  constexpr std::size_t step = vec_bytes / sizeof(Code);
  std::size_t i = 0;
  for (; i + step <= n; i += step) dequantize_vec(codes + i, by, out + i);
  return i;
}

template <class Code>
NARROWS_TARGET void dequantize(const Code* codes, std::size_t n, const affine& a, float* out, bool stream) noexcept
{
  constexpr std::size_t step = vec_bytes / sizeof(Code);
  const values<false> by(a);
  std::size_t i;
  if (has_streams && stream && on_line_border(out)) i = dequantize_vecs(codes, n, values<has_streams>(a), out);
  else i = dequantize_vecs(codes, n, by, out);
  if (i < n && n >= step) {
    dequantize_vec(codes + n - step, by, out + n - step);
  } else if (i < n) {
    Code last[step]{};
    float last_out[step];
    std::memcpy(last, codes + i, (n - i) * sizeof(Code));
    dequantize_vec(last, by, last_out);
    std::memcpy(out + i, last_out, (n - i) * sizeof(float));
  }
}

NARROWS_TARGET inline bool min_max(const float* x, std::size_t n, float& low, float& high) noexcept
{
  constexpr std::size_t step = vec_bytes / sizeof(float);
  if (n < 2 * step) return scalar::min_max(x, n, low, high);
  vecf lows[2] = {load_float(x), load_float(x + step)};
  vecf highs[2] = {lows[0], lows[1]};
  vecf seen[2] = {no_float(), no_float()};
  // The last two registers overlap what came before: the answer does not mind.
  for (std::size_t i = 0; i < n; i += 2 * step) {
    const std::size_t at = i + 2 * step <= n ? i : n - 2 * step;
    const vecf a = load_float(x + at);
    const vecf b = load_float(x + at + step);
    lows[0] = smaller(lows[0], a);
    lows[1] = smaller(lows[1], b);
    highs[0] = larger(highs[0], a);
    highs[1] = larger(highs[1], b);
    note(seen[0], a);
    note(seen[1], b);
  }
  float part[3 * 2 * step];
  for (std::size_t j = 0; j < 2; ++j) {
    store_float(part + j * step, lows[j]);
    store_float(part + (2 + j) * step, highs[j]);
    store_float(part + (4 + j) * step, seen[j]);
  }
  float unused = 0;
  scalar::min_max(part, 2 * step, low, unused);
  scalar::min_max(part + 2 * step, 2 * step, unused, high);
  return scalar::min_max(part + 4 * step, 2 * step, unused, unused);
}

/// These functions by the names that make_set (kernel_use.hpp) looks for.
struct kernels : conversions {
  template <int Bits>
  static constexpr auto pack_of = pack<Bits>;
  template <int Bits>
  static constexpr auto unpack_of = unpack<Bits>;
  template <int Bits>
  static constexpr auto quantize_pack_of = quantize_pack<Bits>;
  template <int Bits>
  static constexpr auto unpack_dequantize_of = unpack_dequantize<Bits>;
  template <class Code>
  static constexpr auto quantize_of = quantize<Code>;
  template <class Code>
  static constexpr auto dequantize_of = dequantize<Code>;
  template <class Code>
  static constexpr auto quantize_each_of = quantize_each<Code>;
  template <class Code>
  static constexpr auto dequantize_each_of = dequantize_each<Code>;
  static constexpr auto min_max_of = min_max;
};

#endif
