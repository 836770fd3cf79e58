// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/channels_last.hpp>
#include <narrows/pack/kernel/scalar.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernels_for.hpp>
#include <narrows/pack/pack.hpp>
#include <narrows/pack/unpack.hpp>
#include <narrows/pack/value_source.hpp>

namespace narrows {

/// Which scale a value has: value i belongs to scales[(i / inner) mod scales.size()]. One scale serves a whole tensor;
/// for the channels of an NCHW tensor, inner = H * W; for those of an NHWC tensor, inner = 1.
struct scale_map {
  std::span<const affine> scales;
  std::size_t inner = 1;
  std::size_t first = 0;  ///< the i of the first value at hand: not 0 for a part of a tensor
};

inline namespace NARROWS_FLAGS {

/// ok, bad_width, bad_scale (one of the scales, or none at all) or bad_descriptor (inner is 0).
[[nodiscard]] constexpr errc check(const scale_map& map, int bits) noexcept
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (map.scales.empty()) return errc::bad_scale;
  if (map.inner == 0) return errc::bad_descriptor;
  std::uint32_t beyond = 0;
  for (const auto& a : map.scales) beyond |= beyond_limits(a, bits);
  return beyond >> 31 == 0 ? errc::ok : errc::bad_scale;
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// What quantize_pack_floats and unpack_dequantize_floats call.
inline constexpr unsigned packing_uses = kernel::uses::quantize_pack | kernel::uses::quantize | kernel::uses::pack;
inline constexpr unsigned unpacking_uses = kernel::uses::unpack_dequantize | kernel::uses::dequantize | kernel::uses::unpack;

/// Below this length a call through the table costs more than it saves.
inline constexpr std::size_t shortest_call = 8;

/// The values from `i` on, within [i, end), that share the scale of value i.
struct segment {
  const affine* scale;
  std::size_t length;
};
[[nodiscard]] inline segment segment_at(const scale_map& map, std::size_t i, std::size_t end) noexcept
{
  if (map.scales.size() == 1) return {map.scales.data(), end - i};
  const std::size_t at = map.first + i;
  return {&map.scales[(at / map.inner) % map.scales.size()], std::min(map.inner - at % map.inner, end - i)};
}

[[nodiscard]] constexpr level_map level_map_of(const scale_map& map) noexcept
{
  return {map.scales.data(), map.scales.size(), map.inner};
}

/// The map of the values from `skipped` on.
[[nodiscard]] constexpr scale_map after(const scale_map& map, std::size_t skipped) noexcept
{
  return {map.scales, map.inner, map.first + skipped};
}

/// Codes of values [first, first + n) of `x`, which starts at value 0.
template <code_unit Code>
bool quantize_range(
  const kernel_set& with, const float* x, std::size_t first, std::size_t n, const scale_map& map, int bits, Code* codes) noexcept
{
  if (map.inner == 1 && map.scales.size() > 1) return quantize_channels(x + first, map.first + first, n, map.scales, bits, codes);
  const std::size_t end = first + n;
  if (segment_at(map, first, end).length < n) {
    const level_map levels = level_map_of(map);
    if constexpr (sizeof(Code) == 1) {
      if (with.quantize_each_u8 != nullptr && with.quantize_each_u8(x + first, map.first + first, n, levels, bits, codes)) return true;
    } else {
      if (with.quantize_each_u16 != nullptr && with.quantize_each_u16(x + first, map.first + first, n, levels, bits, codes)) return true;
    }
  }
  bool finite = true;
  for (std::size_t i = first; i < end;) {
    const auto [scale, length] = segment_at(map, i, end);
    const quantizer q(*scale, bits);
    Code* const to = codes + (i - first);
    bool good;
    if (length < shortest_call)
      good = kernel::scalar::quantize(x + i, length, q, to);
    else if constexpr (sizeof(Code) == 1)
      good = with.quantize_u8(x + i, length, q, to);
    else
      good = with.quantize_u16(x + i, length, q, to);
    finite = finite && good;
    i += length;
  }
  return finite;
}

/// Whether n floats are written around the caches. The end of its life is when they are where other threads see them, as with
/// any other store.
class streamed_output {
public:
  explicit streamed_output(std::size_t n) noexcept : streamed_(n >= least_streamed) {}
  streamed_output(const streamed_output&) = delete;
  streamed_output& operator=(const streamed_output&) = delete;
  ~streamed_output()
  {
    if (streamed_) std::atomic_thread_fence(std::memory_order_seq_cst);  // orders these stores too, on x86
  }
  [[nodiscard]] bool streamed() const noexcept { return streamed_; }

private:
  bool streamed_;
};

/// `stream` as in kernel_set.
template <code_unit Code>
void dequantize_range(const kernel_set& with, const Code* codes, std::size_t first, std::size_t n, const scale_map& map, float* out,
  bool stream = false) noexcept
{
  if (map.inner == 1 && map.scales.size() > 1) return dequantize_channels(codes, map.first + first, n, map.scales, out + first);
  const std::size_t end = first + n;
  if (segment_at(map, first, end).length < n) {
    const level_map levels = level_map_of(map);
    if constexpr (sizeof(Code) == 1) {
      if (with.dequantize_each_u8 != nullptr) return with.dequantize_each_u8(codes, map.first + first, n, levels, out + first);
    } else {
      if (with.dequantize_each_u16 != nullptr) return with.dequantize_each_u16(codes, map.first + first, n, levels, out + first);
    }
  }
  for (std::size_t i = first; i < end;) {
    const auto [scale, length] = segment_at(map, i, end);
    const Code* const from = codes + (i - first);
    if (length < shortest_call)
      kernel::scalar::dequantize(from, length, *scale, out + i);
    else if constexpr (sizeof(Code) == 1)
      with.dequantize_u8(from, length, *scale, out + i, stream);
    else
      with.dequantize_u16(from, length, *scale, out + i, stream);
    i += length;
  }
}

/// The same of any source and into any sink, by pieces where they are not floats already.
template <code_unit Code>
bool quantize_range(const kernel_set& with, const value_source& x, std::size_t first, std::size_t n, const scale_map& map,
  int bits, Code* codes) noexcept
{
  if (x.direct() != nullptr) return quantize_range(with, x.direct(), first, n, map, bits, codes);
  float room[piece_values];
  bool finite = true;
  for (std::size_t done = 0; done < n;) {
    const std::size_t some = std::min(piece_values, n - done);
    const float* const values = x.read(with, first + done, some, room);
    finite = quantize_range(with, values, 0, some, after(map, first + done), bits, codes + done) && finite;
    done += some;
  }
  return finite;
}

template <code_unit Code>
void dequantize_range(const kernel_set& with, const Code* codes, std::size_t first, std::size_t n, const scale_map& map,
  const value_sink& out, const streamed_output& to) noexcept
{
  if (out.direct() != nullptr) return dequantize_range(with, codes, first, n, map, out.direct(), to.streamed());
  float room[piece_values];
  for (std::size_t done = 0; done < n;) {
    const std::size_t some = std::min(piece_values, n - done);
    dequantize_range(with, codes + done, 0, some, after(map, first + done), room);
    out.write(with, first + done, some, room);
    done += some;
  }
}

template <code_unit Code>
void dequantize_all(const kernel_set& with, std::span<const Code> codes, const affine& a, float* out) noexcept
{
  const streamed_output to(codes.size());
  dequantize_range(with, codes.data(), 0, codes.size(), {{&a, 1}, 1}, out, to.streamed());
}

/// Values that go through codes on the stack at a time, where groups are short.
inline constexpr std::size_t group_step = 8 * block_values;
/// Whole blocks of one scale that are worth a call of a fused kernel, which takes as long as one of them.
inline constexpr std::size_t least_scale_run = 3 * block_values;

/// What is packed or unpacked together next, from value i of `end` on, the first of a block: whole blocks, or all that is left.
struct piece {
  const affine* scale;   ///< the only one there; null where there are several, which go through codes
  std::size_t length;
};
[[nodiscard]] inline piece piece_at(const scale_map& map, std::size_t i, std::size_t end) noexcept
{
  const auto [scale, length] = segment_at(map, i, end);
  if (i + length == end) return {scale, length};
  if (length >= least_scale_run) return {scale, length / block_values * block_values};
  std::size_t n = std::min(group_step, end - i);
  // No further than to where the next scale has a run of its own.
  const std::size_t border = (length + block_values - 1) / block_values * block_values;
  if (map.inner >= least_scale_run && map.inner - least_scale_run >= border - length) n = std::min(n, border);
  return {nullptr, n};
}

/// Runs of one scale, of the last one its tail too, go through the fused kernel; what is between them through codes on the stack,
/// where there is no kernel for blocks of several scales.
template <code_unit Code>
bool quantize_pack_floats(
  const kernel_set& with, std::span<const float> x, const scale_map& map, int bits, std::uint8_t* out) noexcept
{
  const auto each = map.scales.size() > 1 ? with.quantize_pack_each[static_cast<std::size_t>(bits - 1)] : nullptr;
  bool finite = true;
  std::size_t i = 0;
  if (each != nullptr) {
    i = each(x.data(), map.first, x.size(), level_map_of(map), out);
    out += packed_bytes(i, bits);
  }
  while (i < x.size()) {
    const auto [scale, n] = piece_at(map, i, x.size());
    if (scale != nullptr) {
      const quantizer q(*scale, bits);
      finite = with.quantize_pack[static_cast<std::size_t>(bits - 1)](x.data() + i, n, q, out) && finite;
    } else {
      alignas(64) Code codes[group_step];
      finite = quantize_range(with, x.data(), i, n, map, bits, codes) && finite;
      pack_with(with, std::span<const Code>(codes, n), bits, out);
    }
    out += packed_bytes(n, bits);
    i += n;
  }
  return finite;
}

template <code_unit Code>
void unpack_dequantize_floats(
  const kernel_set& with, const std::uint8_t* packed, const scale_map& map, int bits, std::span<float> out) noexcept
{
  const auto each = map.scales.size() > 1 ? with.unpack_dequantize_each[static_cast<std::size_t>(bits - 1)] : nullptr;
  std::size_t i = 0;
  if (each != nullptr) {
    i = each(packed, map.first, out.size(), level_map_of(map), out.data());
    packed += packed_bytes(i, bits);
  }
  while (i < out.size()) {
    const auto [scale, n] = piece_at(map, i, out.size());
    if (scale != nullptr) {
      with.unpack_dequantize[static_cast<std::size_t>(bits - 1)](packed, n, *scale, out.data() + i);
    } else {
      alignas(64) Code codes[group_step];
      unpack_with(with, packed, bits, std::span(codes, n));
      dequantize_range(with, codes, i, n, map, out.data());
    }
    packed += packed_bytes(n, bits);
    i += n;
  }
}

/// Pieces are whole blocks, so that their bytes follow each other.
template <code_unit Code>
bool quantize_pack_with(const kernel_set& with, const value_source& x, const scale_map& map, int bits, std::uint8_t* out) noexcept
{
  if (x.direct() != nullptr) return quantize_pack_floats<Code>(with, std::span(x.direct(), x.size()), map, bits, out);
  static_assert(piece_values % block_values == 0);
  float room[piece_values];
  bool finite = true;
  for (std::size_t first = 0; first < x.size(); first += piece_values) {
    const std::size_t n = std::min(piece_values, x.size() - first);
    const std::span<const float> values(x.read(with, first, n, room), n);
    finite = quantize_pack_floats<Code>(with, values, after(map, first), bits, out) && finite;
    out += packed_bytes(n, bits);
  }
  return finite;
}

template <code_unit Code>
void unpack_dequantize_with(
  const kernel_set& with, const std::uint8_t* packed, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (out.direct() != nullptr)
    return unpack_dequantize_floats<Code>(with, packed, map, bits, std::span(out.direct(), out.size()));
  float room[piece_values];
  for (std::size_t first = 0; first < out.size(); first += piece_values) {
    const std::size_t n = std::min(piece_values, out.size() - first);
    unpack_dequantize_floats<Code>(with, packed, after(map, first), bits, std::span(room, n));
    out.write(with, first, n, room);
    packed += packed_bytes(n, bits);
  }
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Codes of `x`: clamp(rne(x * (1 / scale)) + zero, 0, 2^bits - 1), a NaN giving 0.
///
/// Shapes   x: n floats.   codes: at least n.   No overlap.
/// Errors   bad_width, bad_scale, short_buffer: nothing is written. not_finite: a NaN or infinity was seen; every code
///          is written all the same.
/// Cost     one pass, nothing allocated.
/// Source   docs/format.md, section "Levels".
template <code_unit Code>
[[nodiscard]] constexpr errc quantize(std::span<const float> x, const affine& a, int bits, std::span<Code> codes) noexcept
{
  if (!is_packable_width(bits) || code_bytes(bits) != sizeof(Code)) return errc::bad_width;
  if (const auto e = check(a, bits); e != errc::ok) return e;
  if (codes.size() < x.size()) return errc::short_buffer;
  bool finite;
  if (std::is_constant_evaluated())
    finite = reference::quantize(x, a, bits, codes);
  else
    finite = detail::quantize_range(detail::kernels_for<kernel::use_for<Code>(kernel::uses::quantize)>(), x.data(), 0, x.size(),
      {{&a, 1}, 1}, bits, codes.data());
  return finite ? errc::ok : errc::not_finite;
}

/// Values of `codes`: (code - zero) * scale. Errors: bad_scale, short_buffer.
template <code_unit Code>
[[nodiscard]] constexpr errc dequantize(std::span<const Code> codes, const affine& a, std::span<float> out) noexcept
{
  if (const auto e = check(a, 8 * static_cast<int>(sizeof(Code))); e != errc::ok) return e;
  if (out.size() < codes.size()) return errc::short_buffer;
  if (std::is_constant_evaluated())
    reference::dequantize(codes, a, out);
  else
    detail::dequantize_all(detail::kernels_for<kernel::use_for<Code>(kernel::uses::dequantize)>(), codes, a, out.data());
  return errc::ok;
}

/// Quantises and packs in one pass over `x`; true if every value was finite.
///
/// Shapes   x: n floats.   out: at least packed_bytes<Bits>(n) bytes, no overlap.
/// Errors   none at run time: a scale outside the limits of affine.hpp or a short `out` breaks the contract.
/// Cost     reads 4 n bytes, writes about n * Bits / 8; nothing allocated.
/// Source   docs/format.md.
template <int Bits>
  requires packable_width<Bits>
constexpr bool quantize_pack(std::span<const float> x, const affine& a, std::span<std::uint8_t> out) noexcept
{
  NARROWS_EXPECTS(check(a, Bits) == errc::ok && out.size() >= packed_bytes<Bits>(x.size()));
  if (std::is_constant_evaluated()) return reference::quantize_pack(x, a, Bits, out);
  constexpr kernel::kernel_use use{detail::packing_uses, Bits, Bits};
  return detail::quantize_pack_floats<code_t<Bits>>(detail::kernels_for<use>(), x, {{&a, 1}, 1}, Bits, out.data());
}

/// Inverse up to rounding: `out.size()` values from as many packed codes. A bad scale or short `packed` breaks the contract.
template <int Bits>
  requires packable_width<Bits>
constexpr void unpack_dequantize(std::span<const std::uint8_t> packed, const affine& a, std::span<float> out) noexcept
{
  NARROWS_EXPECTS(check(a, Bits) == errc::ok && packed.size() >= packed_bytes<Bits>(out.size()));
  constexpr kernel::kernel_use use{detail::unpacking_uses, Bits, Bits};
  if (std::is_constant_evaluated())
    reference::unpack_dequantize(packed, a, Bits, out);
  else
    detail::unpack_dequantize_floats<code_t<Bits>>(detail::kernels_for<use>(), packed.data(), {{&a, 1}, 1}, Bits, out);
}

/// quantize_pack with a width known at run time and one scale per tensor or per group; `x` may be of any element type and layout.
///
/// Blocks   whole blocks of 512 values pack by themselves: x.part(512 k, 512 m) with scale_map::first = 512 k, into the bytes
/// from
///          block_offset(k, bits) on, so that the caller's threads may share one tensor (docs/engines.md).
/// Errors   those of check(scale_map), short_buffer; not_finite (everything is written all the same).
template <class = void>  // what is not called is not compiled
[[nodiscard]] errc quantize_pack(
  const value_source& x, const scale_map& map, int bits, std::span<std::uint8_t> out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  if (out.size() < packed_bytes(x.size(), bits)) return errc::short_buffer;
  const auto& with =
    detail::kernels_for<kernel::kernel_use{detail::packing_uses | kernel::uses::groups | kernel::uses::read}>();
  const bool finite = code_bytes(bits) == 1 ? detail::quantize_pack_with<std::uint8_t>(with, x, map, bits, out.data())
                                            : detail::quantize_pack_with<std::uint16_t>(with, x, map, bits, out.data());
  return finite ? errc::ok : errc::not_finite;
}

/// Errors: those of check(scale_map), truncated.
template <class = void>
[[nodiscard]] errc unpack_dequantize(
  std::span<const std::uint8_t> packed, const scale_map& map, int bits, const value_sink& out) noexcept
{
  if (const auto e = check(map, bits); e != errc::ok) return e;
  if (packed.size() < packed_bytes(out.size(), bits)) return errc::truncated;
  const auto& with =
    detail::kernels_for<kernel::kernel_use{detail::unpacking_uses | kernel::uses::groups | kernel::uses::write}>();
  if (code_bytes(bits) == 1)
    detail::unpack_dequantize_with<std::uint8_t>(with, packed.data(), map, bits, out);
  else
    detail::unpack_dequantize_with<std::uint16_t>(with, packed.data(), map, bits, out);
  return errc::ok;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
