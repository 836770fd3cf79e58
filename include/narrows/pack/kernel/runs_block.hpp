// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/reference_runs.hpp>

/// A block of the codec `runs`, put together from steps that each ISA has its own of. Steps work on whole arrays, so that what
/// is called here need not be inlined (a template shared by ISAs cannot carry the target of one).
///
/// What `Steps` provides, all static and noexcept; n <= runs_block, arrays that are read or written in groups have room
/// for n rounded up to 64:
///   split(codes, n, mask, rest)            mask of the values that are not 0, padded with 0 to whole words of 8 bytes, and
///                                          those values less 1; returns how many
///   split_heads(w, n, low_bits, mask, rest)    the same of w >> low_bits
///   put_mask(mask, n, out, form)           the smallest form of a mask; returns its bytes
///   put_planes(values, n, planes, out)     returns the bytes
///   take_mask(in, n, form, mask, bytes)    false if a padding bit is set; `bytes` is what was read
///   count_ones(mask, n)
///   take_planes(in, n, planes, values)     returns the largest value
///   join(mask, n, rest, values)            inverse of split
///   join_heads(in, heads, n, low_bits, w)  low bits from planes, heads from heads; returns the largest
/// and, where one pass is faster than two, for codes of 8 bits:
///   quantize_split(x, n, q, mask, rest, kept)        codes of floats, split; false if one was not finite
///   join_dequantize(mask, n, rest, a, out, stream)   inverse of it
///   dequantize(values, n, a, out, stream)
namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

/// What a step may write beyond the end of its output, or read beyond that of its input.
inline constexpr std::size_t runs_slack = 64;

/// Room that encode_runs_block needs, and what decode_runs_block may read whatever the bytes say: four masks, then planes.
inline constexpr std::size_t runs_room = 1 + 4 * (runs_block / 8 + runs_block / 64) + 16 * (runs_block / 8) + runs_slack;

template <code_unit Code>
struct runs_arrays {
  alignas(64) Code w[runs_block + runs_slack];
  alignas(64) std::uint8_t part[2][runs_block + runs_slack];
  alignas(64) std::uint8_t mask[4][runs_block / 8 + runs_slack];
};

/// Puts a block together from its first split, the mask of n values in a.mask[0] and `left` others in a.w, both kept; 0 if it
/// were larger than its codes as planes.
template <class Steps, code_unit Code>
std::size_t encode_runs_parts(runs_arrays<Code>& a, std::size_t n, std::size_t left, int bits, std::uint8_t* out) noexcept
{
  const runs_parts parts = runs_parts_of(bits);
  unsigned forms = 0;
  std::size_t at = 1;
  at += Steps::put_mask(a.mask[0], n, out + at, forms);
  if (parts.low_bits > 0) at += Steps::put_planes(a.w, left, parts.low_bits, out + at);
  std::uint8_t* now = a.part[0];
  std::uint8_t* next = a.part[1];
  for (int level = 1; level <= parts.levels && left > 0; ++level) {
    const std::size_t before = left;
    left =
      level == 1 ? Steps::split_heads(a.w, before, parts.low_bits, a.mask[1], next) : Steps::split(now, before, a.mask[1], next);
    unsigned form = 0;
    at += Steps::put_mask(a.mask[1], before, out + at, form);
    forms |= form << (2 * level);
    std::swap(now, next);
  }
  if (left > 0 && parts.rest_bits > 0) at += Steps::put_planes(now, left, parts.rest_bits, out + at);
  if (at > runs_block_bytes(n, bits)) return 0;
  out[0] = static_cast<std::uint8_t>(forms);
  return at;
}

template <class Steps, code_unit Code>
std::size_t encode_runs_planes(const Code* codes, std::size_t n, int bits, std::uint8_t* out) noexcept
{
  out[0] = static_cast<std::uint8_t>(mask_form::none);
  return 1 + Steps::put_planes(codes, n, bits, out + 1);
}

/// Codes 1..4096 to the bytes of docs/format.md; returns how many. `out` has room for runs_room bytes.
template <class Steps, code_unit Code>
std::size_t encode_runs_block(const Code* codes, std::size_t n, int bits, std::uint8_t* out) noexcept
{
  runs_arrays<Code> a;
  const std::size_t left = Steps::split(codes, n, a.mask[0], a.w);
  const std::size_t bytes = encode_runs_parts<Steps>(a, n, left, bits, out);
  return bytes != 0 ? bytes : encode_runs_planes<Steps>(codes, n, bits, out);
}

/// The same of floats, whose codes have 8 bits at most; `finite` says whether they all were.
template <class Steps>
std::size_t encode_runs_floats(
  const float* x, std::size_t n, const quantizer& q, int bits, std::uint8_t* out, bool& finite) noexcept
{
  runs_arrays<std::uint8_t> a;
  std::size_t left = 0;
  finite = Steps::quantize_split(x, n, q, a.mask[0], a.w, left);
  if (const std::size_t bytes = encode_runs_parts<Steps>(a, n, left, bits, out); bytes != 0) return bytes;
  Steps::join(a.mask[0], n, a.w, a.part[0]);
  return encode_runs_planes<Steps>(a.part[0], n, bits, out);
}

/// Takes a block apart, up to its first split: the mask of n values in a.mask[0], the others in a.w. Returns the bytes that the
/// block takes, or 0 if it is corrupt. Reads up to runs_room bytes whatever they hold.
template <class Steps, code_unit Code>
std::size_t decode_runs_parts(const std::uint8_t* in, std::size_t n, int bits, runs_arrays<Code>& a) noexcept
{
  const runs_parts parts = runs_parts_of(bits);
  const unsigned forms = in[0];
  if ((forms >> (2 * (parts.levels + 1))) != 0) return 0;
  std::size_t at = 1;
  std::size_t counts[5] = {n, 0, 0, 0, 0};
  const std::uint8_t* low = in;
  for (int level = 0; level <= parts.levels; ++level) {
    const unsigned form = (forms >> (2 * level)) & 3U;
    if (form == static_cast<unsigned>(mask_form::none)) return 0;
    std::size_t bytes = 0;
    if (counts[level] > 0) {
      if (!Steps::take_mask(in + at, counts[level], form, a.mask[level], bytes)) return 0;
      counts[level + 1] = Steps::count_ones(a.mask[level], counts[level]);
    }
    at += bytes;
    if (level > 0) continue;
    low = in + at;
    at += static_cast<std::size_t>(parts.low_bits) * plane_bytes(counts[1]);
  }
  std::uint8_t* now = a.part[0];
  std::uint8_t* next = a.part[1];
  const std::size_t rest = counts[parts.levels + 1];
  if (parts.rest_bits > 0) {
    if (Steps::take_planes(in + at, rest, parts.rest_bits, now) > parts.largest) return 0;
    at += static_cast<std::size_t>(parts.rest_bits) * plane_bytes(rest);
  } else {
    std::memset(now, 0, rest);
  }
  for (int level = parts.levels; level > 0; --level) {
    Steps::join(a.mask[level], counts[level], now, next);
    std::swap(now, next);
  }
  if (Steps::join_heads(low, now, counts[1], parts.low_bits, a.w) >= max_code(bits)) return 0;
  return at;
}

[[nodiscard]] inline bool holds_planes(const std::uint8_t* block) noexcept
{
  return block[0] == static_cast<std::uint8_t>(mask_form::none);
}

/// Inverse of encode_runs_block; returns the bytes that the block takes, or 0 if it is corrupt. Reads up to runs_room bytes
/// whatever they hold, and writes whole groups of 64 codes.
template <class Steps, code_unit Code>
std::size_t decode_runs_block(const std::uint8_t* in, std::size_t n, int bits, Code* codes) noexcept
{
  if (holds_planes(in)) {
    Steps::take_planes(in + 1, n, bits, codes);
    return runs_block_bytes(n, bits);
  }
  runs_arrays<Code> a;
  const std::size_t bytes = decode_runs_parts<Steps>(in, n, bits, a);
  if (bytes != 0) Steps::join(a.mask[0], n, a.w, codes);
  return bytes;
}

/// The same to n floats; `stream` as in kernel_set.
template <class Steps>
std::size_t decode_runs_floats(
  const std::uint8_t* in, std::size_t n, int bits, const affine& levels, float* out, bool stream) noexcept
{
  runs_arrays<std::uint8_t> a;
  if (holds_planes(in)) {
    Steps::take_planes(in + 1, n, bits, a.w);
    Steps::dequantize(a.w, n, levels, out, stream);
    return runs_block_bytes(n, bits);
  }
  const std::size_t bytes = decode_runs_parts<Steps>(in, n, bits, a);
  if (bytes != 0) Steps::join_dequantize(a.mask[0], n, a.w, levels, out, stream);
  return bytes;
}

/// The set with an ISA's own steps.
template <class Steps>
[[nodiscard]] constexpr kernel_set with_runs(kernel_set t) noexcept
{
  t.encode_runs_u8 = encode_runs_block<Steps, std::uint8_t>;
  t.encode_runs_u16 = encode_runs_block<Steps, std::uint16_t>;
  t.decode_runs_u8 = decode_runs_block<Steps, std::uint8_t>;
  t.decode_runs_u16 = decode_runs_block<Steps, std::uint16_t>;
  if constexpr (requires {
                  Steps::quantize_split;
                  Steps::join_dequantize;
                }) {
    t.encode_runs_floats = encode_runs_floats<Steps>;
    t.decode_runs_floats = decode_runs_floats<Steps>;
  }
  return t;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
