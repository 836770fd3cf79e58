// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the kernels, included inside their namespaces by body.hpp, which says why. By itself empty.
//
// Codes or floats to blocks, and back: row after row, quantised on the way. The layout of a block: docs/format.md.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

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

/// Levels, and whether the floats are asked for early.
template <class Levels>
struct fetched : Levels {
  bool ahead = fetching_ahead_pays();
  NARROWS_OP explicit fetched(const quantizer& q) : Levels(q) {}
};

/// Words of lanes, in and out of the order of quantised ones.
template <int Bits>
NARROWS_OP void put_words(std::uint8_t* to, vec words)
{
  if constexpr (Bits <= 8) store(to, in_order8(words));
  else store(to, in_order16(words));
}
template <int Bits>
NARROWS_OP vec get_words(const std::uint8_t* from)
{
  if constexpr (Bits <= 8) return load8(from);
  else return load16(from);
}

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
    if (by.ahead) fetch_lines_ahead<vec_lanes<Bits>>(x);
    if constexpr (Bits <= 8) return quantize8<Bits>(x, by);
    else return quantize16<Bits>(x, by);
  }
  NARROWS_OP void put(std::uint8_t* to, vec word) const { put_words<Bits>(to, word); }
};

/// Row after row into the word being filled, so that few registers are alive at any time. (A fold over the rows: nested
/// calls would take a compiler time quadratic in their number.)
template <int Bits, int Row, class Rows>
NARROWS_OP void pack_row(const Rows& rows, std::uint8_t* out, vec& word)
{
  constexpr int w = lane_bits(Bits);
  constexpr int s = Row * Bits % w;
  const vec code = rows.template row<Row>();
  if constexpr (s == 0) word = code;
  else word = insert<w, s, Bits>(word, code);
  if constexpr (s + Bits >= w) rows.put(out + Row * Bits / w * 64, word);
  if constexpr (s + Bits > w) word = spill<w, s, Bits>(code);
}

/// Part P of what `rows`, rows or sinks, begin with: P registers on.
template <int Bits, int P, class Rows>
NARROWS_OP Rows part_of(const Rows& rows)
{
  auto part = rows;
  if constexpr (P > 0) part.lane += P * vec_lanes<Bits>;
  return part;
}

template <int Bits, int Row, class Rows, int... P>
NARROWS_OP void pack_parts(const Rows& rows, std::uint8_t* out, vec* words, std::integer_sequence<int, P...>)
{
  (pack_row<Bits, Row>(part_of<Bits, P>(rows), out + P * vec_bytes, words[P]), ...);
}

template <int Bits, class Rows, int... Row>
NARROWS_OP void pack_rows(const Rows& rows, std::uint8_t* out, std::integer_sequence<int, Row...>)
{
  vec words[at_once] = {};
  (pack_parts<Bits, Row>(rows, out, words, all_parts), ...);
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
    for (std::size_t g = 0; g < row_bytes<Bits>(from.pitch); g += at_once * vec_bytes)
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
  using fetched_levels = const fetched<quick_levels<HasZero>>;
  fetched_levels by(q);
  for (std::size_t i = 0; i < n; i += quick_values, out += quick_values / block_values * block_bytes(Bits)) {
    const std::size_t m = n - i < quick_values ? n - i : quick_values;
    invalid_flag flag;
    pack_values<Bits, float_rows<Bits, fetched_levels>>(x + i, m, below(q), by, out);
    if (flag.raised()) finite = quantize_pack_carefully<Bits>(x + i, m, q, out) && finite;
  }
  return finite;
}

/// Whether quick_levels serve a zero.
template <int Bits>
constexpr bool quick_zero(std::int32_t zero)
{
  return Bits <= 8 || (zero >= 0 && (Bits == 16 || zero <= 0x7FFF));
}

template <int Bits>
NARROWS_TARGET bool quantize_pack(const float* x, std::size_t n, const quantizer& q, std::uint8_t* out) noexcept
{
  if (q.zero == 0) return quantize_quickly<Bits, false>(x, n, q, out);
  if (quick_zero<Bits>(q.zero)) return quantize_quickly<Bits, true>(x, n, q, out);
  return quantize_pack_carefully<Bits>(x, n, q, out);
}

template <int Bits>
struct code_sink {
  row_places<code_t<Bits>> to;
  std::size_t lane;
  as_it_is by;
  static constexpr bool masks = false;
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
  static constexpr bool masks = masks_fields && Bits <= 8;
  NARROWS_OP vec get(const std::uint8_t* from) const { return get_words<Bits>(from); }
  template <int Row>
  NARROWS_OP void put(vec code) const
  {
    float* const x = to.template at<Row, lane_bits(Bits)>() + lane;
    if constexpr (Bits <= 8) dequantize8<Bits>(code, by, x);
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
    sink.template put<Row>(join<w, s, Bits, !Sink::masks>(word, following));
    word = following;
  } else {
    sink.template put<Row>(extract<w, s, Bits, !Sink::masks>(word));
    if constexpr (s + Bits == w && Row + 1 < w) word = sink.get(in + next);
  }
}

template <int Bits, int Row, class Sink, int... P>
NARROWS_OP void unpack_parts(const Sink& sink, const std::uint8_t* in, vec* words, std::integer_sequence<int, P...>)
{
  if constexpr (Row == 0) ((words[P] = sink.get(in + P * vec_bytes)), ...);
  (unpack_row<Bits, Row>(part_of<Bits, P>(sink), in + P * vec_bytes, words[P]), ...);
}

template <int Bits, class Sink, int... Row>
NARROWS_OP void unpack_rows(const Sink& sink, const std::uint8_t* in, std::integer_sequence<int, Row...>)
{
  vec words[at_once];
  (unpack_parts<Bits, Row>(sink, in, words, all_parts), ...);
}

/// Inverse of pack_values; `Tail` is false if there is none. Where a row takes several turns its last part comes first: only that
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
    constexpr std::size_t step = at_once * vec_bytes;
    for (std::size_t g = (row_bytes<Bits>(rows.pitch) + step - 1) / step * step; g > 0;) {
      g -= step;
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

#endif
