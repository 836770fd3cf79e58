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
//   in_order8, in_order16                          undo that order
//   values<Stream>(affine), load8, load16          load words in the order that the next two undo
//   dequantize8, dequantize16                      floats in memory order, by values or lane_values
//   what groups_body.hpp names                     for values of several scales
//   has_streams                                    whether values<true> writes whole lines, around the caches
//   conversions                                    of 16-bit floats, a base of `kernels`
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

template <int Bits>
inline constexpr auto all_rows = std::make_integer_sequence<int, lane_bits(Bits)>{};

/// Lanes of a register.
template <int Bits>
inline constexpr std::size_t vec_lanes = vec_bytes / sizeof(code_t<Bits>);

#include <narrows/pack/kernel/tail_body.hpp>

struct as_it_is {};

/// Rows of a block's codes, one row being 64 bytes; from lane `lane` on.
template <int Bits>
struct code_rows {
  row_places<const code_t<Bits>> from;
  std::size_t lane;
  as_it_is by;
  template <int Row>
  NARROWS_OP vec row() const
  {
    return load(reinterpret_cast<const std::uint8_t*>(from.template at<Row, lane_bits(Bits)>() + lane));
  }
  NARROWS_OP void put(std::uint8_t* to, vec word) const { store(to, word); }
};

/// How far ahead floats are fetched, in values: 4 KiB. Costs nothing in the caches and saves 5 to 10 % in memory.
inline constexpr std::size_t fetch_ahead = 1024;

/// Rows of a block's floats, quantised on the way.
template <int Bits, class Levels>
struct float_rows {
  row_places<const float> from;
  std::size_t lane;
  Levels& by;
  template <int Row>
  NARROWS_OP vec row() const
  {
    const float* const x = from.template at<Row, lane_bits(Bits)>() + lane;
    for (std::size_t line = 0; line < vec_lanes<Bits>; line += 16) __builtin_prefetch(x + line + fetch_ahead);
    if constexpr (Bits <= 8) return quantize8<Bits>(x, by);
    else return quantize16<Bits>(x, by);
  }
  NARROWS_OP void put(std::uint8_t* to, vec word) const
  {
    if constexpr (Bits <= 8) store(to, in_order8(word));
    else store(to, in_order16(word));
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
  if constexpr (s + Bits >= w) rows.put(out + Row * Bits / w * 64, word);
  if constexpr (s + Bits > w) word = spill<w, s, Bits>(code);
}

template <int Bits, class Rows, int... Row>
NARROWS_OP void pack_rows(Rows rows, std::uint8_t* out, std::integer_sequence<int, Row...>)
{
  vec word = zero();
  (pack_row<Bits, Row>(rows, out, word), ...);
}

/// Full blocks in place, a tail by way of copies; a row of `Rows` is made of where it is and `by`.
template <int Bits, class Rows, class T, class Levels>
NARROWS_OP void pack_values(const T* x, std::size_t n, T beyond, Levels& by, std::uint8_t* out)
{
  tail_copy<T, lane_bits(Bits)> copy;
  alignas(64) std::uint8_t words[block_bytes(Bits)];
  for (std::size_t i = 0; i < n; i += block_values) {
    const bool full = n - i >= block_values;
    const auto from = full ? full_block<Bits>(x + i) : tail_rows(x + i, n - i, beyond, copy);
    std::uint8_t* const to = full ? out + i / block_values * block_bytes(Bits) : words;
    for (std::size_t g = 0; g < row_bytes<Bits>(from.pitch); g += vec_bytes)
      pack_rows<Bits>(Rows{from, g / sizeof(code_t<Bits>), by}, to + g, all_rows<Bits>);
  }
  join_tail<Bits>(out, words, n);
}

template <int Bits>
NARROWS_TARGET void pack(const code_t<Bits>* codes, std::size_t n, std::uint8_t* out) noexcept
{
  as_it_is by;
  pack_values<Bits, code_rows<Bits>>(codes, n, code_t<Bits>{0}, by, out);
}

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

template <int Bits>
[[gnu::noinline]] NARROWS_TARGET bool quantize_pack_carefully(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out)
{
  bool finite = true;
  alignas(64) code_t<Bits> codes[block_values];
  for (std::size_t i = 0; i < n; i += block_values, out += block_bytes(Bits)) {
    const std::size_t m = n - i < block_values ? n - i : block_values;
    finite = quantize_carefully(x + i, m, q, codes) && finite;
    pack<Bits>(codes, m, out);
  }
  return finite;
}

/// A value whose product is so far below the levels, at -2^30 or at least at -2^19, that it becomes code 0, as absent ones are.
NARROWS_OP float below(const quantizer& q)
{
  const float low = -0x1p30F / q.inverse;
  return low < -0x1.fffffep127F ? -0x1.fffffep127F : low;
}

/// Quickly where it goes well; a piece with a value that is not finite, or far outside the levels, once more with care.
template <int Bits, bool HasZero>
NARROWS_OP bool quantize_quickly(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out)
{
  bool finite = true;
  const quick_levels<HasZero> by(q);
  for (std::size_t i = 0; i < n; i += quick_values, out += quick_values / block_values * block_bytes(Bits)) {
    const std::size_t m = n - i < quick_values ? n - i : quick_values;
    invalid_flag flag;
    pack_values<Bits, float_rows<Bits, const quick_levels<HasZero>>>(x + i, m, below(q), by, out);
    if (flag.raised()) finite = quantize_pack_carefully<Bits>(x + i, m, q, out) && finite;
  }
  return finite;
}

template <int Bits>
NARROWS_TARGET bool quantize_pack(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out) noexcept
{
  if (q.zero == 0) return quantize_quickly<Bits, false>(x, n, q, out);
  if (Bits <= 8 || (q.zero > 0 && (Bits == 16 || q.zero <= 0x7FFF))) return quantize_quickly<Bits, true>(x, n, q, out);
  return quantize_pack_carefully<Bits>(x, n, q, out);
}

template <int Bits>
struct code_sink {
  row_places<code_t<Bits>> to;
  std::size_t lane;
  as_it_is by;
  NARROWS_OP vec get(const std::uint8_t* from) const { return load(from); }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    store(reinterpret_cast<std::uint8_t*>(to.template at<Row, lane_bits(Bits)>() + lane), code);
  }
};

template <int Bits, class Values>
struct float_sink {
  row_places<float> to;
  std::size_t lane;
  const Values& by;
  NARROWS_OP vec get(const std::uint8_t* from) const
  {
    if constexpr (Bits <= 8) return load8(from);
    else return load16(from);
  }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    float* const x = to.template at<Row, lane_bits(Bits)>() + lane;
    if constexpr (Bits <= 8) dequantize8(code, by, x);
    else dequantize16(code, by, x);
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

/// Inverse of pack_values; `Tail` is false if there is none. Registers narrower than a row take its last part first: only that
/// has lanes of the next row, which are then written later.
template <int Bits, class Sink, bool Tail, class T, class Values>
NARROWS_OP void unpack_values(const std::uint8_t* packed, std::size_t n, const Values& by, T* to)
{
  tail_copy<T, lane_bits(Bits)> copy;
  alignas(64) std::uint8_t words[block_bytes(Bits)];
  if constexpr (Tail) part_tail<Bits>(words, packed, n);
  for (std::size_t i = 0; i < n; i += block_values) {
    const bool full = !Tail || n - i >= block_values;
    const auto rows = full ? full_block<Bits>(to + i) : tail_rows(to + i, n - i, copy);
    const std::uint8_t* const from = full ? packed + i / block_values * block_bytes(Bits) : words;
    for (std::size_t g = (row_bytes<Bits>(rows.pitch) + vec_bytes - 1) / vec_bytes * vec_bytes; g > 0;) {
      g -= vec_bytes;
      unpack_rows<Bits>(Sink{rows, g / sizeof(code_t<Bits>), by}, from + g, all_rows<Bits>);
    }
  }
  if (Tail && n % block_values > 0) finish_tail(to + n / block_values * block_values, n % block_values, copy);
}

template <int Bits>
NARROWS_TARGET void unpack(const std::uint8_t* packed, std::size_t n, code_t<Bits>* codes) noexcept
{
  unpack_values<Bits, code_sink<Bits>, true>(packed, n, as_it_is{}, codes);
}

NARROWS_OP bool on_line_border(const float* out) { return reinterpret_cast<std::uintptr_t>(out) % 64 == 0; }

template <int Bits>
NARROWS_TARGET void unpack_dequantize(const std::uint8_t* packed, std::size_t n, const affine& a, float* out) noexcept
{
  if (has_streams && n >= least_streamed && on_line_border(out)) {
    const std::size_t blocks = n / block_values;
    const values<has_streams> by(a);
    unpack_values<Bits, float_sink<Bits, values<has_streams>>, false>(packed, blocks * block_values, by, out);
    by.end();
    packed += blocks * block_bytes(Bits);
    out += blocks * block_values;
    n %= block_values;
  }
  unpack_values<Bits, float_sink<Bits, values<false>>, true>(packed, n, values<false>(a), out);
}

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
