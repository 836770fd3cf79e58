// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>

namespace narrows {

/// Codes of a block of the codec `runs`; the last block of a stream may hold fewer.
inline constexpr std::size_t runs_block = 4096;

/// How the codec takes the codes of a width apart (docs/format.md, section "runs"): w = code - 1 of a code that is not 0
/// is low bits and a head; the head is counted down by masks, and what is left of it after the last mask stands in planes.
struct runs_parts {
  int low_bits;      ///< planes of the low bits of w
  int levels;        ///< masks after the first one
  int rest_bits;     ///< planes of the rest
  unsigned largest;  ///< rest
};
inline namespace NARROWS_FLAGS {

[[nodiscard]] constexpr runs_parts runs_parts_of(int bits) noexcept
{
  const int low = std::max(0, bits - 3);
  const unsigned heads = (max_code(bits) - 1) >> low;
  const unsigned levels = std::min(3U, heads);
  const unsigned largest = heads - levels;
  return {low, static_cast<int>(levels), largest > 3 ? 3 : largest > 1 ? 2 : static_cast<int>(largest), largest};
}

}  // namespace NARROWS_FLAGS

/// How the bytes of a mask are written.
enum class mask_form : std::uint8_t {
  raw = 0,       ///< as they are
  squeezed = 1,  ///< which bytes are not 0, then those bytes
  changes = 2,   ///< each bit XOR the one before it, then as squeezed
  none = 3,      ///< of the first mask only: the block is planes of its codes
};

inline namespace NARROWS_FLAGS {

[[nodiscard]] constexpr std::size_t plane_bytes(std::size_t values) noexcept { return values / 8 + (values % 8 != 0); }

/// Most bytes of a block that an encoder writes: form none.
[[nodiscard]] constexpr std::size_t runs_block_bytes(std::size_t codes, int bits) noexcept
{
  return 1 + static_cast<std::size_t>(bits) * plane_bytes(codes);
}

}  // namespace NARROWS_FLAGS

namespace reference {

namespace detail::inline NARROWS_FLAGS {

/// Bytes into a buffer that has room for them.
struct byte_sink {
  std::span<std::uint8_t> out;
  std::size_t size = 0;
  constexpr void put(std::uint8_t byte) noexcept { out[size++] = byte; }
};

/// Bytes of a stream; 0, and `short_of` set, past its end.
struct byte_source {
  std::span<const std::uint8_t> in;
  std::size_t at = 0;
  bool short_of = false;
  constexpr std::uint8_t take() noexcept
  {
    if (at < in.size()) return in[at++];
    short_of = true;
    return 0;
  }
};

struct bit_mask {
  std::uint8_t bytes[runs_block / 8]{};
  [[nodiscard]] constexpr bool operator[](std::size_t i) const noexcept { return ((bytes[i / 8] >> (i % 8)) & 1) != 0; }
  constexpr void set(std::size_t i) noexcept { bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (1U << (i % 8))); }
};

/// Each bit XOR the one before it.
[[nodiscard]] constexpr bit_mask changes_of(const bit_mask& m, std::size_t count) noexcept
{
  bit_mask e;
  for (std::size_t i = 0; i < count; ++i)
    if (m[i] != (i > 0 && m[i - 1])) e.set(i);
  return e;
}

[[nodiscard]] constexpr std::size_t squeezed_bytes(const bit_mask& m, std::size_t bytes) noexcept
{
  std::size_t size = plane_bytes(bytes);
  for (std::size_t i = 0; i < bytes; ++i) size += m.bytes[i] != 0 ? 1 : 0;
  return size;
}

/// The smallest form; of equal ones the first.
constexpr mask_form put_mask(const bit_mask& m, std::size_t count, byte_sink& to) noexcept
{
  const std::size_t bytes = plane_bytes(count);
  const bit_mask e = changes_of(m, count);
  mask_form form = mask_form::raw;
  std::size_t least = bytes;
  if (squeezed_bytes(m, bytes) < least) {
    form = mask_form::squeezed;
    least = squeezed_bytes(m, bytes);
  }
  if (squeezed_bytes(e, bytes) < least) form = mask_form::changes;
  const bit_mask& chosen = form == mask_form::changes ? e : m;
  if (form != mask_form::raw)
    for (std::size_t i = 0; i < bytes; i += 8) {
      unsigned which = 0;
      for (std::size_t k = 0; k < 8 && i + k < bytes; ++k) which |= (chosen.bytes[i + k] != 0 ? 1U : 0U) << k;
      to.put(static_cast<std::uint8_t>(which));
    }
  for (std::size_t i = 0; i < bytes; ++i)
    if (form == mask_form::raw || chosen.bytes[i] != 0) to.put(chosen.bytes[i]);
  return form;
}

/// False if a bit past the end is set.
constexpr bool take_mask(byte_source& from, mask_form form, std::size_t count, bit_mask& m) noexcept
{
  const std::size_t bytes = plane_bytes(count);
  bit_mask which;
  if (form != mask_form::raw)
    for (auto& eight : std::span(which.bytes).first(plane_bytes(bytes))) eight = from.take();
  for (std::size_t i = 0; i < bytes; ++i) m.bytes[i] = form == mask_form::raw || which[i] ? from.take() : std::uint8_t{0};
  for (std::size_t i = count; i < 8 * bytes; ++i)
    if (m[i]) return false;
  if (form != mask_form::raw)
    for (std::size_t i = bytes; i < 8 * plane_bytes(bytes); ++i)
      if (which[i]) return false;
  if (form != mask_form::changes) return true;
  const bit_mask e = m;
  m = {};
  bool on = false;
  for (std::size_t i = 0; i < count; ++i) {
    on = on != e[i];
    if (on) m.set(i);
  }
  return true;
}

/// Bits 0 .. planes - 1 of each value, by groups of 64 values, bit by bit within a group.
constexpr void put_planes(std::span<const std::uint16_t> values, int planes, byte_sink& to) noexcept
{
  for (std::size_t first = 0; first < values.size(); first += 64) {
    const std::size_t n = std::min<std::size_t>(64, values.size() - first);
    for (int t = 0; t < planes; ++t)
      for (std::size_t i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (std::size_t k = 0; k < 8 && i + k < n; ++k) byte |= ((static_cast<unsigned>(values[first + i + k]) >> t) & 1U) << k;
        to.put(static_cast<std::uint8_t>(byte));
      }
  }
}

constexpr void take_planes(byte_source& from, int planes, std::span<std::uint16_t> values) noexcept
{
  std::fill(values.begin(), values.end(), std::uint16_t{0});
  for (std::size_t first = 0; first < values.size(); first += 64) {
    const std::size_t n = std::min<std::size_t>(64, values.size() - first);
    for (int t = 0; t < planes; ++t)
      for (std::size_t i = 0; i < n; i += 8) {
        const unsigned byte = from.take();
        for (std::size_t k = 0; k < 8 && i + k < n; ++k)
          values[first + i + k] = static_cast<std::uint16_t>(values[first + i + k] | (((byte >> k) & 1U) << t));
      }
  }
}

/// Removes the values whose bit is clear, counts the others down by one; returns how many are left.
constexpr std::size_t count_down(std::span<std::uint16_t> values, bit_mask& m) noexcept
{
  std::size_t count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) continue;
    m.set(i);
    values[count++] = static_cast<std::uint16_t>(values[i] - 1);
  }
  return count;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// One block of 1..4096 codes; returns the bytes written, at most runs_block_bytes. `out` has room for 16 KiB.
template <code_unit Code>
constexpr std::size_t pack_runs_block(std::span<const Code> codes, int bits, std::span<std::uint8_t> out) noexcept
{
  using namespace detail;
  const runs_parts parts = runs_parts_of(bits);
  std::uint16_t w[runs_block]{}, part[runs_block]{};
  std::copy(codes.begin(), codes.end(), w);
  byte_sink to{out};
  to.put(0);
  bit_mask nonzero;
  std::size_t n = count_down({w, codes.size()}, nonzero);
  unsigned forms = static_cast<unsigned>(put_mask(nonzero, codes.size(), to));
  put_planes({w, n}, parts.low_bits, to);
  for (std::size_t i = 0; i < n; ++i) part[i] = static_cast<std::uint16_t>(w[i] >> parts.low_bits);
  for (int level = 1; level <= parts.levels; ++level) {
    bit_mask m;
    const std::size_t left = count_down({part, n}, m);
    forms |= static_cast<unsigned>(put_mask(m, n, to)) << (2 * level);
    n = left;
  }
  put_planes({part, n}, parts.rest_bits, to);
  if (to.size > runs_block_bytes(codes.size(), bits)) {
    forms = static_cast<unsigned>(mask_form::none);
    std::copy(codes.begin(), codes.end(), w);
    to.size = 1;
    put_planes({w, codes.size()}, bits, to);
  }
  out[0] = static_cast<std::uint8_t>(forms);
  return to.size;
}

/// Inverse; `size` is what the block took of the stream. Errors: truncated; corrupt.
template <code_unit Code>
[[nodiscard]] constexpr errc unpack_runs_block(
  std::span<const std::uint8_t> stream, int bits, std::span<Code> codes, std::size_t& size) noexcept
{
  using namespace detail;
  const runs_parts parts = runs_parts_of(bits);
  std::uint16_t w[runs_block]{}, part[runs_block]{};
  byte_source from{stream};
  const unsigned forms = from.take();
  const auto form_of = [forms](int level) { return static_cast<mask_form>((forms >> (2 * level)) & 3U); };
  size = 0;
  if (form_of(0) == mask_form::none) {
    if (forms != static_cast<unsigned>(mask_form::none)) return errc::corrupt;
    take_planes(from, bits, {w, codes.size()});
    std::copy_n(w, codes.size(), codes.begin());
  } else {
    bit_mask masks[4];
    std::size_t counts[5]{codes.size()};
    for (int level = 0; level < 4; ++level) {
      const auto at = static_cast<std::size_t>(level);
      if (level > parts.levels) {
        if (form_of(level) != mask_form::raw) return errc::corrupt;
        continue;
      }
      if (form_of(level) == mask_form::none) return errc::corrupt;
      if (!take_mask(from, form_of(level), counts[at], masks[at])) return from.short_of ? errc::truncated : errc::corrupt;
      for (std::size_t i = 0; i < counts[at]; ++i) counts[at + 1] += masks[at][i] ? 1 : 0;
      if (level == 0) take_planes(from, parts.low_bits, {w, counts[1]});
    }
    const auto levels = static_cast<std::size_t>(parts.levels);
    take_planes(from, parts.rest_bits, {part, counts[levels + 1]});
    for (std::size_t i = 0; i < counts[levels + 1]; ++i)
      if (part[i] > parts.largest) return from.short_of ? errc::truncated : errc::corrupt;
    for (std::size_t level = levels; level > 0; --level)  // in place, from the back
      for (std::size_t i = counts[level], j = counts[level + 1]; i-- > 0;)
        part[i] = static_cast<std::uint16_t>(masks[level][i] ? part[--j] + 1 : 0);
    for (std::size_t i = 0; i < counts[1]; ++i) {
      const std::uint32_t whole = (static_cast<std::uint32_t>(part[i]) << parts.low_bits) | w[i];
      if (whole >= max_code(bits)) return from.short_of ? errc::truncated : errc::corrupt;
      w[i] = static_cast<std::uint16_t>(whole);
    }
    for (std::size_t i = 0, j = 0; i < codes.size(); ++i) codes[i] = static_cast<Code>(masks[0][i] ? w[j++] + 1 : 0);
  }
  size = from.at;
  return from.short_of ? errc::truncated : errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace reference

}  // namespace narrows
