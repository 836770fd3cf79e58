// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the x86 kernels, included inside their namespaces (see body.hpp). By itself empty.
//
// x86 has no shifts of bytes, so fields of 8-bit words move in 16-bit lanes and a mask removes what came over from the
// neighbouring byte. Needs shift_left<S>, shift_right<S> (16-bit lanes), both(a, b), either(a, b),
// either_masked(a, b, mask) = a | (b & mask), all_bytes, all_words.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

template <int W>
NARROWS_OP vec mask_of(unsigned bits)
{
  if constexpr (W == 8) return all_bytes(static_cast<char>(bits));
  else return all_words(static_cast<short>(bits));
}

/// word | (code << S), the bits beyond W dropped.
template <int W, int S, int Bits>
NARROWS_OP vec insert(vec word, vec code)
{
  const vec moved = shift_left<S>(code);
  if constexpr (W == 8 && S + Bits > 8) return either_masked(word, moved, mask_of<8>((0xFFU << S) & 0xFFU));
  else return either(word, moved);
}

/// The bits that insert dropped, at bit 0.
template <int W, int S, int Bits>
NARROWS_OP vec spill(vec code)
{
  const vec moved = shift_right<W - S>(code);
  if constexpr (W == 8) return both(moved, mask_of<8>((1U << (S + Bits - 8)) - 1));
  else return moved;
}

/// The field at bit S of a word.
template <int W, int S, int Bits>
NARROWS_OP vec extract(vec word)
{
  if constexpr (Bits == W) return word;
  else {
    vec moved = word;
    if constexpr (S > 0) moved = shift_right<S>(word);
    if constexpr (W == 16 && S + Bits == 16) return moved;
    else return both(moved, mask_of<W>((1U << Bits) - 1));
  }
}

/// The field whose low bits end `word` and whose high bits begin `following`.
template <int W, int S, int Bits>
NARROWS_OP vec join(vec word, vec following)
{
  const vec low = shift_right<S>(word);
  const vec high = shift_left<W - S>(following);
  constexpr unsigned all = (1U << Bits) - 1;
  constexpr unsigned first = (1U << (W - S)) - 1;
  if constexpr (W == 8) return either_masked(both(low, mask_of<8>(first)), high, mask_of<8>(all & ~first));
  else return both(either(low, high), mask_of<16>(all));
}

#endif
