// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the x86 kernels, included inside their namespaces (see body.hpp). By itself empty.
//
// x86 has no shifts of bytes, so fields of 8-bit words move in 16-bit lanes and a mask removes what came over from the
// neighbouring byte. Needs shift_left<S>, shift_right<S> (16-bit lanes), both(a, b), either(a, b),
// either_masked(a, b, mask) = a | (b & mask), selected(mask, a, b) = (a & mask) | (b & ~mask), all_bytes, all_words, from_memory.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

/// Mask in each word of W bits: for one that all rows of a block use, and that so stays in a register.
template <int W, unsigned Mask>
NARROWS_OP vec mask_of()
{
  if constexpr (W == 8) return all_bytes(static_cast<char>(Mask));
  else return all_words(static_cast<short>(Mask));
}

template <int W, unsigned Mask>
struct repeated {
  static constexpr std::uint32_t word = Mask * (W == 8 ? 0x01010101U : 0x00010001U);
  alignas(64) static constexpr std::uint32_t at[16] = {word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word};
};

/// The same for masks that each row has its own of. (SSE g++ gives constants from memory anyway.)
template <int W, unsigned Mask>
NARROWS_OP vec row_mask()
{
  if constexpr (vec_bytes == 16) return mask_of<W, Mask>();
  else return load(reinterpret_cast<const std::uint8_t*>(&from_memory(repeated<W, Mask>::at)));
}

/// word | (code << S), the bits beyond W dropped.
template <int W, int S, int Bits>
NARROWS_OP vec insert(vec word, vec code)
{
  const vec moved = shift_left<S>(code);
  if constexpr (W == 8 && S + Bits > 8) return either_masked(word, moved, row_mask<8, (0xFFU << S) & 0xFFU>());
  else return either(word, moved);
}

/// The bits that insert dropped, at bit 0.
template <int W, int S, int Bits>
NARROWS_OP vec spill(vec code)
{
  const vec moved = shift_right<W - S>(code);
  if constexpr (W == 8) return both(moved, row_mask<8, (1U << (S + Bits - 8)) - 1>());
  else return moved;
}

/// The field at bit S of a word; not `Masked`, with anything above it.
template <int W, int S, int Bits, bool Masked>
NARROWS_OP vec extract(vec word)
{
  vec moved = word;
  if constexpr (S > 0) moved = shift_right<S>(word);
  if constexpr (!Masked || Bits == W || (W == 16 && S + Bits == 16)) return moved;
  else return both(moved, mask_of<W, (1U << Bits) - 1>());
}

/// The field whose low bits end `word` and whose high bits begin `following`; as `extract`.
template <int W, int S, int Bits, bool Masked>
NARROWS_OP vec join(vec word, vec following)
{
  const vec low = shift_right<S>(word);
  const vec high = shift_left<W - S>(following);
  constexpr unsigned all = (1U << Bits) - 1;
  constexpr unsigned first = (1U << (W - S)) - 1;
  if constexpr (!Masked && W == 8) return selected(row_mask<8, first>(), low, high);
  else if constexpr (W == 8) return either_masked(both(low, row_mask<8, first>()), high, row_mask<8, all & ~first>());
  else return both(either(low, high), mask_of<16, all>());
}

#endif
