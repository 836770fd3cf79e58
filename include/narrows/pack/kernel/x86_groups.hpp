// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the x86 kernels, included inside their namespaces (see body.hpp). By itself empty.
//
// Levels of which each lane has its own: what quick_levels are for one scale. groups_body.hpp fills them in, for the registers
// that one register of codes comes from.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

using veci = vec;
using vecw = vec;
NARROWS_OP vecw words_of(veci a, veci b) { return narrow(a, b); }

template <bool HasZero>
struct lane_levels {
  static constexpr bool has_zero = HasZero;
  vecf scale[4];   // the inverse ones
  vec zero[4];
  vec zero16[2];
  vec largest8, largest16;

  NARROWS_OP explicit lane_levels(int bits)
    : largest8(all_bytes(static_cast<char>(max_code(bits)))), largest16(all_words(static_cast<short>(max_code(bits))))
  {}
  template <int Part>
  NARROWS_OP vec round(const float* x) const
  {
    return rounded(product(load_float(x + Part * floats), scale[Part]));
  }
  template <int Part>
  NARROWS_OP vec shifted(const float* x) const
  {
    if constexpr (HasZero) return sum(smaller_ints(round<Part>(x), all_ints(0x40000000)), zero[Part]);
    else return round<Part>(x);
  }
  template <int Part>
  NARROWS_OP vec add_zero(vec words) const
  {
    if constexpr (HasZero) return saturated_sum(words, zero16[Part / 2]);
    else return words;
  }
};

#endif
