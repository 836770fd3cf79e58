// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the kernels, included inside their namespaces by body.hpp, which says why. By itself empty.
//
// The narrower last block of 1..511 values goes through the code of a full one, so that no width has code of its own for it:
// rows of values are as far apart as they lie, each read and written as if it were a full one. What is too much belongs to the
// next row, and that is written later. The last row is a copy, and so are all of a tail too short for that; words have a full
// block's room.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

/// Where the rows of a block's values are: `pitch` values apart, but for the last one.
template <class T>
struct row_places {
  T* first;
  std::size_t pitch;
  T* last;
  template <int Row, int Rows>
  NARROWS_OP T* at() const
  {
    if constexpr (Row == Rows - 1) return last;
    else return first + Row * pitch;
  }
};

template <int Bits, class T>
NARROWS_OP row_places<T> full_block(T* first)
{
  return {first, block_lanes(Bits), first + (block_values - block_lanes(Bits))};
}

/// Bytes of a row of codes, of which those who take it in one turn need not be told.
template <int Bits>
NARROWS_OP std::size_t row_bytes(std::size_t lanes)
{
  return at_once * vec_bytes == 64 ? 64 : lanes * sizeof(code_t<Bits>);
}

/// Whether all rows but the last, read as full ones, end within the tail.
template <int Rows>
NARROWS_OP bool rows_fit(std::size_t n, std::size_t lanes)
{
  return (Rows - 2) * lanes + block_values / Rows <= n;
}

/// Room for the rows of a tail that do not fit; `Rows` is a block's.
template <class T, int Rows>
struct tail_copy {
  static constexpr std::size_t full = block_values / Rows;
  /// If rows do not fit there are at most (full + Rows - 2) / 2 lanes.
  alignas(64) T at[(full + Rows) / 2 * Rows + 2 * full];
};

NARROWS_OP void fill(float* to, std::size_t n, float with)
{
  for (std::size_t i = 0; i < n; i += floats) store_float(to + i, all_floats(with));
}
template <class Code>
NARROWS_OP void fill(Code* to, std::size_t n, Code)
{
  for (std::size_t i = 0; i < n; i += vec_bytes / sizeof(Code)) store(reinterpret_cast<std::uint8_t*>(to + i), zero());
}

/// Rows to read a tail from, `beyond` after its end.
template <class T, int Rows>
[[gnu::noinline]] NARROWS_TARGET row_places<const T> tail_rows(const T* x, std::size_t n, T beyond, tail_copy<T, Rows>& copy) noexcept
{
  constexpr std::size_t full = tail_copy<T, Rows>::full;
  const std::size_t lanes = (n + Rows - 1) / Rows;
  if (rows_fit<Rows>(n, lanes)) {
    std::memcpy(copy.at, x + (n - full), full * sizeof(T));
    fill(copy.at + full, full, beyond);
    return {x, lanes, copy.at + (full + (Rows - 1) * lanes - n)};
  }
  fill(copy.at + n, lanes * Rows + full - n, beyond);
  copy_bytes(reinterpret_cast<std::uint8_t*>(copy.at), reinterpret_cast<const std::uint8_t*>(x), n * sizeof(T));
  return {copy.at, lanes, copy.at + (Rows - 1) * lanes};
}

/// Rows to write a tail to.
template <class T, int Rows>
NARROWS_OP row_places<T> tail_rows(T* to, std::size_t n, tail_copy<T, Rows>& copy)
{
  const std::size_t lanes = (n + Rows - 1) / Rows;
  if (rows_fit<Rows>(n, lanes)) return {to, lanes, copy.at};
  return {copy.at, lanes, copy.at + (Rows - 1) * lanes};
}

/// Copies at least n <= 64 bytes, where `room` bytes may be read and written.
NARROWS_OP void copy_row(std::uint8_t* to, const std::uint8_t* from, std::size_t n, std::size_t room)
{
  if (vec_bytes < 64 && room >= 64) std::memcpy(to, from, 64);
  else copy_bytes(to, from, n);
}

/// What the kernel has not written in place.
template <class T, int Rows>
[[gnu::noinline]] NARROWS_TARGET void finish_tail(T* to, std::size_t n, const tail_copy<T, Rows>& copy) noexcept
{
  const std::size_t lanes = (n + Rows - 1) / Rows;
  const std::size_t done = rows_fit<Rows>(n, lanes) ? (Rows - 1) * lanes : 0;
  const auto* const from = reinterpret_cast<const std::uint8_t*>(copy.at);
  copy_bytes(reinterpret_cast<std::uint8_t*>(to + done), from, (n - done) * sizeof(T));
}

/// Words of a tail's lanes, to and from 64 bytes apart.
[[gnu::noinline]] NARROWS_TARGET inline void join_words(std::uint8_t* to, const std::uint8_t* words, std::size_t bytes, std::size_t count) noexcept
{
  for (std::size_t left = bytes * count; left > 0; left -= bytes, to += bytes, words += 64) copy_row(to, words, bytes, left);
}
[[gnu::noinline]] NARROWS_TARGET inline void part_words(std::uint8_t* words, const std::uint8_t* from, std::size_t bytes, std::size_t count) noexcept
{
  for (std::size_t left = bytes * count; left > 0; left -= bytes, from += bytes, words += 64) copy_row(words, from, bytes, left);
}

/// The same of the tail of n values, if there is one, in or out of their packed bytes.
template <int Bits>
NARROWS_OP void join_tail(std::uint8_t* out, const std::uint8_t* words, std::size_t n)
{
  const std::size_t bytes = lanes_of(n % block_values, Bits) * sizeof(code_t<Bits>);
  if (bytes > 0) join_words(out + n / block_values * block_bytes(Bits), words, bytes, Bits);
}
template <int Bits>
NARROWS_OP void part_tail(std::uint8_t* words, const std::uint8_t* packed, std::size_t n)
{
  const std::size_t bytes = lanes_of(n % block_values, Bits) * sizeof(code_t<Bits>);
  if (bytes > 0) part_words(words, packed + n / block_values * block_bytes(Bits), bytes, Bits);
}

#endif
