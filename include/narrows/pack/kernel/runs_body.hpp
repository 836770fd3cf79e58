// SPDX-License-Identifier: BSD-3-Clause
// No include guard: ISA files include this text inside their own namespace, as body.hpp. By itself the file is empty.
//
// The steps of runs_block.hpp, 64 values or 64 bits of a mask at a time. What the including file provides:
//   compress_u8, expand_u8                    as in kernel_set
//   count(word)                               bits of a word that are 1
//   nonzero_of_64(bytes)                      bit i: whether byte i is not 0
//   plane_of_64(bytes, t)                     bit i: bit t of byte i
//   add_plane_64(bytes, word, t)              the inverse: sets bit t of byte i, which is 0, to bit i
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

struct runs_steps {
  static constexpr auto load_word = scalar::load_word;
  static constexpr auto store_word = scalar::store_word;
  NARROWS_OP static std::uint64_t first(std::size_t n) { return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; }
  NARROWS_OP static bool has_padding(const std::uint8_t* mask, std::size_t n) { return n % 8 != 0 && (mask[n / 8] >> (n % 8)) != 0; }

  NARROWS_TARGET static std::size_t split(const std::uint8_t* codes, std::size_t n, std::uint8_t* mask,
                                          std::uint8_t* rest) noexcept
  {
    store_word(mask + n / 64 * 8, 0);
    const std::size_t kept = compress_u8(codes, n, mask, rest);
    for (std::size_t i = 0; i < kept; i += 16)   // whole registers, into the slack
      for (std::size_t k = 0; k < 16; ++k) rest[i + k] = static_cast<std::uint8_t>(rest[i + k] - 1);
    return kept;
  }
  NARROWS_TARGET static std::size_t split(const std::uint16_t* codes, std::size_t n, std::uint8_t* mask,
                                          std::uint16_t* rest) noexcept
  {
    store_word(mask + n / 64 * 8, 0);
    const std::size_t kept = scalar::compress(codes, n, mask, rest);
    for (std::size_t i = 0; i < kept; i += 16)
      for (std::size_t k = 0; k < 16; ++k) rest[i + k] = static_cast<std::uint16_t>(rest[i + k] - 1);
    return kept;
  }

  template <code_unit Code>
  NARROWS_TARGET static std::size_t split_heads(const Code* w, std::size_t n, int low_bits, std::uint8_t* mask,
                                                std::uint8_t* rest) noexcept
  {
    std::uint8_t heads[runs_block + runs_slack];
    for (std::size_t i = 0; i < n; i += 16)
      for (std::size_t k = 0; k < 16; ++k) heads[i + k] = static_cast<std::uint8_t>(w[i + k] >> low_bits);
    return split(static_cast<const std::uint8_t*>(heads), n, mask, rest);
  }

  NARROWS_TARGET static std::size_t put_mask(const std::uint8_t* mask, std::size_t n, std::uint8_t* out, unsigned& form) noexcept
  {
    const std::size_t bytes = plane_bytes(n), which = plane_bytes(bytes);
    std::uint8_t plain[runs_block / 8 + runs_slack], changes[runs_block / 8 + runs_slack];
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < bytes; i += 8) {
      const std::uint64_t m = load_word(mask + i);
      const std::uint64_t there = first(n - 8 * i);   // the change after the last bit is none of the mask's
      store_word(plain + i, m);
      store_word(changes + i, (m ^ (m << 1 | last)) & there);
      last = m >> 63;
    }
    std::size_t sizes[2] = {which, which};
    for (std::size_t i = 0; i < bytes; i += 64) {
      const std::uint64_t there = first(bytes - i);
      sizes[0] += count(nonzero_of_64(plain + i) & there);
      sizes[1] += count(nonzero_of_64(changes + i) & there);
    }
    if (sizes[0] >= bytes && sizes[1] >= bytes) {
      form = static_cast<unsigned>(mask_form::raw);
      std::memcpy(out, mask, bytes);
      return bytes;
    }
    const bool by_changes = sizes[1] < sizes[0];
    form = static_cast<unsigned>(by_changes ? mask_form::changes : mask_form::squeezed);
    return which + compress_u8(by_changes ? changes : plain, bytes, out, out + which);
  }

  NARROWS_OP static std::uint8_t* put_planes_64(const std::uint8_t* values, std::size_t n, int planes, std::uint8_t* out)
  {
    const std::size_t bytes = plane_bytes(n < 64 ? n : 64);
    for (int t = 0; t < planes; ++t) {
      store_word(out, plane_of_64(values, t) & first(n));
      out += bytes;
    }
    return out;
  }
  NARROWS_TARGET static std::size_t put_planes(const std::uint8_t* values, std::size_t n, int planes, std::uint8_t* out) noexcept
  {
    std::uint8_t* to = out;
    for (std::size_t i = 0; i < n; i += 64) to = put_planes_64(values + i, n - i, planes, to);
    return static_cast<std::size_t>(to - out);
  }
  NARROWS_TARGET static std::size_t put_planes(const std::uint16_t* values, std::size_t n, int planes, std::uint8_t* out) noexcept
  {
    std::uint8_t* to = out;
    for (std::size_t i = 0; i < n; i += 64) {
      std::uint8_t low[64], high[64];
      for (std::size_t k = 0; k < 64; ++k) low[k] = static_cast<std::uint8_t>(values[i + k] & 0xFF);
      for (std::size_t k = 0; k < 64; ++k) high[k] = static_cast<std::uint8_t>(values[i + k] >> 8);
      to = put_planes_64(low, n - i, planes < 8 ? planes : 8, to);
      if (planes > 8) to = put_planes_64(high, n - i, planes - 8, to);
    }
    return static_cast<std::size_t>(to - out);
  }

  NARROWS_TARGET static bool take_mask(const std::uint8_t* in, std::size_t n, unsigned form, std::uint8_t* mask,
                                       std::size_t& bytes) noexcept
  {
    const std::size_t whole = plane_bytes(n), which = plane_bytes(whole);
    store_word(mask + n / 64 * 8, 0);
    if (form == static_cast<unsigned>(mask_form::raw)) {
      std::memcpy(mask, in, whole);
      bytes = whole;
      return !has_padding(mask, n);
    }
    if (has_padding(in, whole)) return false;
    bytes = which + expand_u8(in, whole, in + which, mask);
    if (has_padding(mask, n)) return false;
    if (form == static_cast<unsigned>(mask_form::squeezed)) return true;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < whole; i += 8) {
      std::uint64_t m = load_word(mask + i);
      for (unsigned s = 1; s < 64; s *= 2) m ^= m << s;   // each bit XOR all before it
      m ^= std::uint64_t{0} - last;
      last = m >> 63;
      store_word(mask + i, m & first(n - 8 * i));
    }
    return true;
  }

  /// The mask is padded with 0 to whole words.
  NARROWS_TARGET static std::size_t count_ones(const std::uint8_t* mask, std::size_t n) noexcept
  {
    std::size_t set = 0;
    for (std::size_t i = 0; i < n; i += 64) set += count(load_word(mask + i / 8));
    return set;
  }

  /// Sets bits that are 0. Returns how far it read.
  NARROWS_OP static const std::uint8_t* take_planes_64(const std::uint8_t* in, std::size_t n, int planes, std::uint8_t* values)
  {
    const std::size_t bytes = plane_bytes(n < 64 ? n : 64);
    for (int t = 0; t < planes; ++t) {
      add_plane_64(values, load_word(in) & first(n), t);
      in += bytes;
    }
    return in;
  }
  template <code_unit Code>
  NARROWS_OP static std::uint32_t largest(const Code* values, std::size_t n)
  {
    Code most[16]{};
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16)
      for (std::size_t k = 0; k < 16; ++k) most[k] = values[i + k] > most[k] ? values[i + k] : most[k];
    std::uint32_t all = 0;
    for (; i < n; ++i) all = values[i] > all ? values[i] : all;
    for (const Code m : most) all = m > all ? m : all;
    return all;
  }
  NARROWS_TARGET static unsigned take_planes(const std::uint8_t* in, std::size_t n, int planes, std::uint8_t* values) noexcept
  {
    for (std::size_t i = 0; i < n; i += 64) {
      std::memset(values + i, 0, 64);
      in = take_planes_64(in, n - i, planes, values + i);
    }
    return largest(values, n);
  }
  NARROWS_TARGET static unsigned take_planes(const std::uint8_t* in, std::size_t n, int planes, std::uint16_t* values) noexcept
  {
    for (std::size_t i = 0; i < n; i += 64) {
      std::uint8_t low[64]{}, high[64]{};
      in = take_planes_64(in, n - i, planes < 8 ? planes : 8, low);
      if (planes > 8) in = take_planes_64(in, n - i, planes - 8, high);
      for (std::size_t k = 0; k < 64; ++k) values[i + k] = static_cast<std::uint16_t>(high[k] << 8 | low[k]);
    }
    return 0;   // planes of 16-bit codes are never checked: all their values are codes
  }

  template <code_unit Code>
  NARROWS_TARGET static void join(const std::uint8_t* mask, std::size_t n, Code* rest, Code* values) noexcept
  {
    const std::size_t kept = count_ones(mask, n);
    for (std::size_t i = 0; i < kept; i += 16)
      for (std::size_t k = 0; k < 16; ++k) rest[i + k] = static_cast<Code>(rest[i + k] + 1);
    if constexpr (sizeof(Code) == 1) expand_u8(mask, n, rest, values);
    else scalar::expand(mask, n, rest, values);
  }

  template <code_unit Code>
  NARROWS_TARGET static std::uint32_t join_heads(const std::uint8_t* in, const std::uint8_t* heads, std::size_t n, int low_bits,
                                                 Code* w) noexcept
  {
    take_planes(in, n, low_bits, w);
    for (std::size_t i = 0; i < n; i += 16)
      for (std::size_t k = 0; k < 16; ++k) w[i + k] = static_cast<Code>(heads[i + k] << low_bits | w[i + k]);
    return largest(w, n);
  }
};

#endif
