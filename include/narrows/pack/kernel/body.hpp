// SPDX-License-Identifier: BSD-3-Clause
// No include guard: each x86 and ARM kernel file includes this text inside its own namespace, after it has defined
// NARROWS_TARGET (target attribute of its functions) and NARROWS_OP (the same, always inlined), since a template shared
// by several ISAs could carry the attribute of one only. By itself the file is empty.
//
// What the including file provides:
//   vec, vec_bytes, zero()                         a register of bytes
//   load, store                                    memory order
//   insert, spill, extract, join                   <W, S, Bits>: move a field of Bits bits to and from bit S of words of W
//   vecf, load_float, smaller, larger, no_float    a register of floats
//   note(seen, x)                                  makes `seen` NaN for good once x holds a NaN or infinity
//   levels(quantizer), quantize8<Bits>, quantize16<Bits>   one vec of codes from 1 or 1/2 float per byte, in an order of its
//                                                  own; Bits may be any_width
//   quick_levels<HasZero>                          as levels, for values that invalid_flag has nothing against; from 9 bits on
//                                                  a zero >= 0, at 9 to 15 bits at most 32767
//   store8, store16                                undo that order
//   values<Stream>(affine), load8, load16          load words in the order that the next two undo
//   dequantize8, dequantize16                      floats in memory order, by values or lane_values
//   what groups_body.hpp names                     for values of several scales
//   has_streams                                    whether values<true> writes whole lines, around the caches
//   conversions                                    of 16-bit floats, a base of `kernels`
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

template <int Bits>
inline constexpr auto all_rows = std::make_integer_sequence<int, lane_bits(Bits)>{};

/// Rows of a block's codes, one row being 64 bytes.
struct code_rows {
  const std::uint8_t* from;
  template <int Row>
  NARROWS_OP vec row() const
  {
    return load(from + Row * 64);
  }
  template <int Bits>
  NARROWS_OP void put(std::uint8_t* to, vec word) const
  {
    store(to, word);
  }
};

/// How far ahead floats are fetched, in values: 4 KiB. Costs nothing in the caches and saves 5 to 10 % in memory.
inline constexpr std::size_t fetch_ahead = 1024;

/// Rows of a block's floats, quantised on the way.
template <int Bits, class Levels>
struct float_rows {
  const float* from;
  Levels& by;
  template <int Row>
  NARROWS_OP vec row() const
  {
    const float* const x = from + Row * (Bits <= 8 ? 64 : 32);
    for (std::size_t line = 0; line < vec_bytes / (Bits <= 8 ? 1 : 2); line += 16) __builtin_prefetch(x + line + fetch_ahead);
    if constexpr (Bits <= 8) return quantize8<Bits>(x, by);
    else return quantize16<Bits>(x, by);
  }
  template <int B>
  NARROWS_OP void put(std::uint8_t* to, vec word) const
  {
    if constexpr (B <= 8) store8(to, word);
    else store16(to, word);
  }
};

/// Row after row into the word being filled, so that few registers are alive at any time. (A fold over the rows: nested
/// calls would take a compiler time quadratic in their number.)
template <int Bits, int Row, class Rows>
NARROWS_OP void pack_row(Rows& rows, std::uint8_t* out, vec& word)
{
  constexpr int w = lane_bits(Bits);
  constexpr int s = Row * Bits % w;
  const vec code = rows.template row<Row>();
  if constexpr (s == 0) word = code;
  else word = insert<w, s, Bits>(word, code);
  if constexpr (s + Bits >= w) rows.template put<Bits>(out + Row * Bits / w * 64, word);
  if constexpr (s + Bits > w) word = spill<w, s, Bits>(code);
}

template <int Bits, class Rows, int... Row>
NARROWS_OP void pack_rows(Rows rows, std::uint8_t* out, std::integer_sequence<int, Row...>)
{
  vec word = zero();
  (pack_row<Bits, Row>(rows, out, word), ...);
}

template <int Bits>
NARROWS_TARGET void pack(const code_t<Bits>* codes, std::size_t blocks, std::uint8_t* out) noexcept
{
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(codes);
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t g = 0; g < 64; g += vec_bytes) {
      const code_rows rows{bytes + b * block_values * sizeof(code_t<Bits>) + g};
      pack_rows<Bits>(rows, out + b * block_bytes(Bits) + g, all_rows<Bits>);
    }
}

template <int Bits, class Levels>
NARROWS_OP void quantize_blocks(const float* x, std::size_t blocks, Levels& by, std::uint8_t* out)
{
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t g = 0; g < 64; g += vec_bytes) {
      const float_rows<Bits, Levels> rows{x + b * block_values + g / sizeof(code_t<Bits>), by};
      pack_rows<Bits>(rows, out + b * block_bytes(Bits) + g, all_rows<Bits>);
    }
}

template <class Code, class Levels>
NARROWS_OP void quantize_vec(const float* x, Levels& by, Code* codes)
{
  auto* const to = reinterpret_cast<std::uint8_t*>(codes);
  if constexpr (sizeof(Code) == 1) store8(to, quantize8<any_width>(x, by));
  else store16(to, quantize16<any_width>(x, by));
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

inline constexpr std::size_t quick_blocks = 16;   // what is read once more is still in the second cache

/// A block's codes with care; says whether every value was finite. (One function for all widths: it is seldom needed.)
template <class Code>
NARROWS_TARGET bool quantize_carefully(const float* x, const quantizer& q, Code* codes) noexcept
{
  levels careful(q);
  quantize_values(x, block_values, careful, codes);
  return careful.all_finite();
}

template <int Bits>
NARROWS_OP bool quantize_pack_carefully(const float* x, std::size_t blocks, const quantizer& q, std::uint8_t* out)
{
  bool finite = true;
  alignas(64) code_t<Bits> codes[block_values];
  for (std::size_t b = 0; b < blocks; ++b) {
    finite = quantize_carefully(x + b * block_values, q, codes) && finite;
    pack<Bits>(codes, 1, out + b * block_bytes(Bits));
  }
  return finite;
}

/// Quickly where it goes well; a piece with a value that is not finite, or far outside the levels, once more with care.
template <int Bits, bool HasZero>
NARROWS_OP bool quantize_quickly(const float* x, std::size_t blocks, const quantizer& q, std::uint8_t* out)
{
  bool finite = true;
  const quick_levels<HasZero> by(q);
  for (std::size_t b = 0; b < blocks; b += quick_blocks) {
    const std::size_t n = blocks - b < quick_blocks ? blocks - b : quick_blocks;
    invalid_flag flag;
    quantize_blocks<Bits>(x + b * block_values, n, by, out + b * block_bytes(Bits));
    if (flag.raised()) finite = quantize_pack_carefully<Bits>(x + b * block_values, n, q, out + b * block_bytes(Bits)) && finite;
  }
  return finite;
}

template <int Bits>
NARROWS_TARGET bool quantize_pack(const float* x, std::size_t blocks, const quantizer& q, std::uint8_t* out) noexcept
{
  if (q.zero == 0) return quantize_quickly<Bits, false>(x, blocks, q, out);
  if (Bits <= 8 || (q.zero > 0 && (Bits == 16 || q.zero <= 0x7FFF))) return quantize_quickly<Bits, true>(x, blocks, q, out);
  return quantize_pack_carefully<Bits>(x, blocks, q, out);
}

struct code_sink {
  std::uint8_t* to;
  NARROWS_OP vec get(const std::uint8_t* from) const { return load(from); }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    store(to + Row * 64, code);
  }
};

template <int Bits, class Values>
struct float_sink {
  float* to;
  const Values& by;
  NARROWS_OP vec get(const std::uint8_t* from) const
  {
    if constexpr (Bits <= 8) return load8(from);
    else return load16(from);
  }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    if constexpr (Bits <= 8) dequantize8(code, by, to + Row * 64);
    else dequantize16(code, by, to + Row * 32);
  }
};

template <int Bits, int Row, class Sink>
NARROWS_OP void unpack_row(const Sink& sink, const std::uint8_t* in, vec& word)
{
  constexpr int w = lane_bits(Bits);
  constexpr int s = Row * Bits % w;
  constexpr int next = (Row * Bits / w + 1) * 64;
  if constexpr (s + Bits > w) {
    const vec following = sink.get(in + next);
    sink.template put<Row>(join<w, s, Bits>(word, following));
    word = following;
  } else {
    sink.template put<Row>(extract<w, s, Bits>(word));
    if constexpr (s + Bits == w && Row + 1 < w) word = sink.get(in + next);
  }
}

template <int Bits, class Sink, int... Row>
NARROWS_OP void unpack_rows(const Sink& sink, const std::uint8_t* in, std::integer_sequence<int, Row...>)
{
  vec word = sink.get(in);
  (unpack_row<Bits, Row>(sink, in, word), ...);
}

template <int Bits>
NARROWS_TARGET void unpack(const std::uint8_t* packed, std::size_t blocks, code_t<Bits>* codes) noexcept
{
  auto* const bytes = reinterpret_cast<std::uint8_t*>(codes);
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t g = 0; g < 64; g += vec_bytes) {
      const code_sink sink{bytes + b * block_values * sizeof(code_t<Bits>) + g};
      unpack_rows<Bits>(sink, packed + b * block_bytes(Bits) + g, all_rows<Bits>);
    }
}

template <int Bits, class Values>
NARROWS_OP void dequantize_blocks(const std::uint8_t* packed, std::size_t blocks, const Values& by, float* out)
{
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t g = 0; g < 64; g += vec_bytes) {
      const float_sink<Bits, Values> sink{out + b * block_values + g / sizeof(code_t<Bits>), by};
      unpack_rows<Bits>(sink, packed + b * block_bytes(Bits) + g, all_rows<Bits>);
    }
}

NARROWS_OP bool on_line_border(const float* out) { return reinterpret_cast<std::uintptr_t>(out) % 64 == 0; }

template <int Bits>
NARROWS_TARGET void unpack_dequantize(const std::uint8_t* packed, std::size_t blocks, const affine& a, float* out) noexcept
{
  if constexpr (has_streams) {
    if (blocks >= least_streamed / block_values && on_line_border(out)) {
      const values<has_streams> by(a);
      dequantize_blocks<Bits>(packed, blocks, by, out);
      return by.end();
    }
  }
  dequantize_blocks<Bits>(packed, blocks, values<false>(a), out);
}

template <class Code>
NARROWS_TARGET bool quantize(const float* x, std::size_t n, const quantizer& q, Code* codes) noexcept
{
  levels careful(q);
  constexpr std::size_t piece = quick_blocks * block_values, least = 256;   // fewer cost less than to ask for the flag
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
