// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the x86 kernels, included inside their namespaces (see body.hpp). By itself empty.
//
// Floats to codes. Needs, beside what body.hpp names: all_words, all_bytes, all_floats, all_ints, product, rounded (floats to
// ints, INT_MIN for what no int holds), sum (of ints), saturated_sum (of words), narrow (two registers of ints to signed words),
// narrow_to_unsigned (the same to unsigned words), narrow_to_bytes (two of words to unsigned bytes), smaller_bytes and
// smaller_unsigned (unsigned), smaller_ints, smaller_words and larger_words (signed), all_ordered.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

struct levels {
  vecf inverse, low, high, seen[4];
  vec zero16, zero32, largest8;

  NARROWS_OP explicit levels(const quantizer& q)
    : inverse(all_floats(q.inverse)), low(all_floats(q.low)),
      high(all_floats(q.high)), seen{no_float(), no_float(), no_float(), no_float()},
      zero16(all_words(static_cast<short>(q.zero))), zero32(all_ints(q.zero)), largest8(all_bytes(static_cast<char>(q.largest)))
  {}
  NARROWS_OP bool all_finite() const
  {
    for (const vecf& s : seen)
      if (!all_ordered(s)) return false;
    return true;
  }
  /// Rounded product, for 8-bit codes. The convert turns what an int cannot hold into INT_MIN, as it should be for
  /// NaN and for -infinity; min, which hands a NaN on as its second operand, keeps large values away from it.
  template <int Part>
  NARROWS_OP vec round(const float* x)
  {
    const vecf value = load_float(x + Part * floats);
    note(seen[Part], value);
    return rounded(smaller(all_floats(0x1p30F), product(value, inverse)));
  }
  /// Rounded, clamped, zero added; max answers NaN with its second operand.
  template <int Part>
  NARROWS_OP vec clamp(const float* x)
  {
    const vecf value = load_float(x + Part * floats);
    note(seen[Part], value);
    return sum(rounded(smaller(larger(product(value, inverse), low), high)), zero32);
  }
  template <int Part>
  NARROWS_OP vec add_zero(vec words) const
  {
    return saturated_sum(words, zero16);
  }
};

/// The inverse scale of all registers.
struct one_scale {
  vecf inverse;
  template <int Part>
  NARROWS_OP vecf of() const
  {
    return inverse;
  }
};

/// For values whose products fit an int32: the convert says in MXCSR if one does not. Up to 8 bits any zero will do, for more it
/// must not be negative; without one (HasZero false, as after a ReLU) there is nothing to add.
template <bool HasZero, class Scales = one_scale>
struct quick_levels {
  static constexpr bool has_zero = HasZero;
  Scales scales;
  vec zero16, zero32, largest8, largest16;

  NARROWS_OP quick_levels(const quick_levels<HasZero>& l, Scales own)
    : scales(own), zero16(l.zero16), zero32(l.zero32), largest8(l.largest8), largest16(l.largest16)
  {}
  NARROWS_OP explicit quick_levels(const quantizer& q)
    requires std::is_same_v<Scales, one_scale>
    : scales{all_floats(q.inverse)}, zero16(all_words(static_cast<short>(q.zero))), zero32(all_ints(q.zero)),
      largest8(all_bytes(static_cast<char>(q.largest))), largest16(all_words(static_cast<short>(q.largest)))
  {}
  template <int Part>
  NARROWS_OP vec round(const float* x) const
  {
    return rounded(product(load_float(x + Part * floats), scales.template of<Part>()));
  }
  /// The zero, up to 2^17, added as an int, where no sum may pass the largest one.
  template <int Part>
  NARROWS_OP vec shifted(const float* x) const
  {
    if constexpr (!HasZero)
      return round<Part>(x);
    else
      return sum(smaller_ints(round<Part>(x), all_ints(0x40000000)), zero32);
  }
  template <int Part>
  NARROWS_OP vec add_zero(vec words) const
  {
    if constexpr (HasZero)
      return saturated_sum(words, zero16);
    else
      return words;
  }
};

/// The saturating narrowings clamp: |zero| <= 32000 leaves 16-bit sums enough room on both sides. From AVX2 on they interleave
/// 128-bit lanes; in_order8 puts the 4-byte pieces right, on packed words, of which there are fewer than rows.
template <int Bits, class Levels>
NARROWS_OP vec quantize8(const float* x, Levels& by)
{
  const vec first = by.template add_zero<0>(narrow(by.template round<0>(x), by.template round<1>(x)));
  const vec second = by.template add_zero<2>(narrow(by.template round<2>(x), by.template round<3>(x)));
  const vec bytes = narrow_to_bytes(first, second);
  if constexpr (Bits == 8)
    return bytes;
  else
    return smaller_bytes(bytes, by.largest8);
}

template <int Bits>
NARROWS_OP vec quantize16(const float* x, levels& by)
{
  return narrow_to_unsigned(by.clamp<0>(x), by.clamp<1>(x));
}
template <int Bits, class Levels>
NARROWS_OP vec quantize16(const float* x, const Levels& by)
{
  if constexpr (Levels::has_zero && Bits != any_width && Bits < 16) {
    // What saturates to 16 bits lies beyond the levels before and after a zero of at most 32767 is added.
    const vec sums = by.template add_zero<0>(narrow(by.template round<0>(x), by.template round<1>(x)));
    return smaller_words(larger_words(sums, zero()), by.largest16);
  } else {
    const vec words = narrow_to_unsigned(by.template shifted<0>(x), by.template shifted<1>(x));
    if constexpr (Bits == 16)
      return words;
    else
      return smaller_unsigned(words, by.largest16);
  }
}

#endif
