// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the x86 kernels, included inside their namespaces (see body.hpp). By itself empty.
//
// Codes to floats, without a conversion: code k in the low bits of the float 1.5 * 2^23 makes 1.5 * 2^23 + k, a raised code, from
// which a raised zero is taken away, both exactly. Words interleaved with the upper half of such floats are widened and raised in
// one. Needs, beside what body.hpp names: all_floats, all_ints, all_words, product, difference (of floats), stream_float, unpack_low
// and unpack_high (words of two registers, interleaved per 128 bits), as_floats (bits).
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

/// What codes are raised by that lie S bits above the lowest of their floats.
template <int S>
inline constexpr float raise = 1.5F * static_cast<float>(1 << (23 - S));

constexpr std::int32_t raised_zero(std::int32_t zero) { return std::bit_cast<std::int32_t>(raise<0>) + zero; }

template <bool Stream>
struct values {
  static constexpr int second_byte = 8;   // is taken where it lies
  vecf scale, zero, zero8;
  NARROWS_OP explicit values(const affine& a)
    : scale(all_floats(a.scale)), zero(as_floats(all_ints(raised_zero(a.zero)))), zero8(all_floats(raise<8> + static_cast<float>(a.zero)))
  {}
  template <int S>
  NARROWS_OP vecf code(vecf raised) const
  {
    return difference(raised, S == 0 ? zero : zero8);
  }
  template <int Part, int S>
  NARROWS_OP void put(float* to, vecf raised) const
  {
    const vecf value = product(code<S>(raised), scale);
    if constexpr (Stream) stream_float(to + Part * floats, value);
    else store_float(to + Part * floats, value);
  }
  NARROWS_OP void end() const
  {
    if constexpr (Stream) _mm_sfence();
  }
};

/// As values, where each lane has its own (groups_body.hpp).
template <bool HasZero>
struct lane_values {
  static constexpr int second_byte = 0;   // is shifted to where the zeros are
  vecf scale[4];
  vecf zero[4];   // raised ones

  template <int Part, int>
  NARROWS_OP void put(float* to, vecf raised) const
  {
    const vecf code = difference(raised, HasZero ? zero[Part] : all_floats(raise<0>));
    store_float(to + Part * floats, product(code, scale[Part]));
  }
};

template <int First, class Values>
NARROWS_OP void dequantize_words(vec codes, const Values& by, float* to)
{
  const vec upper = all_words(raised_zero(0) >> 16);
  by.template put<First, 0>(to, as_floats(unpack_low(codes, upper)));
  by.template put<First + 1, 0>(to, as_floats(unpack_high(codes, upper)));
}
template <class Values>
NARROWS_OP void dequantize16(vec codes, const Values& by, float* to)
{
  dequantize_words<0>(codes, by, to);
}

#endif
