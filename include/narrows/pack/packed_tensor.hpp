// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/pack/coder.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/levels.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/range.hpp>
#include <narrows/pack/strided.hpp>
#include <narrows/pack/value_source.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

inline void write_raw(std::span<const float> x, std::uint8_t* out) noexcept
{
  if constexpr (std::endian::native == std::endian::little) {
    if (!x.empty()) std::memcpy(out, x.data(), x.size_bytes());
  } else {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (int byte = 0; byte < 4; ++byte)
        *out++ = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(x[i]) >> (8 * byte));
  }
}
inline void write_raw(const value_source& x, std::uint8_t* out) noexcept
{
  if (x.direct() != nullptr) return write_raw(std::span(x.direct(), x.size()), out);
  float room[piece_values];
  for (std::size_t first = 0; first < x.size(); first += piece_values) {
    const std::size_t n = std::min(piece_values, x.size() - first);
    write_raw(std::span(x.read(best_kernels(), first, n, room), n), out + 4 * first);
  }
}

inline void read_raw(const std::uint8_t* in, std::span<float> x) noexcept
{
  if constexpr (std::endian::native == std::endian::little) {
    if (!x.empty()) std::memcpy(x.data(), in, x.size_bytes());
  } else {
    for (auto& value : x) {
      std::uint32_t bits = 0;
      for (int byte = 0; byte < 4; ++byte) bits |= static_cast<std::uint32_t>(*in++) << (8 * byte);
      value = std::bit_cast<float>(bits);
    }
  }
}
inline void read_raw(const std::uint8_t* in, const value_sink& x) noexcept
{
  if (x.direct() != nullptr) return read_raw(in, std::span(x.direct(), x.size()));
  float room[piece_values];
  for (std::size_t first = 0; first < x.size(); first += piece_values) {
    const std::size_t n = std::min(piece_values, x.size() - first);
    read_raw(in + 4 * first, std::span(room, n));
    x.write(best_kernels(), first, n, room);
  }
}

/// All fields but the shape against an expected one and the order.
[[nodiscard]] inline errc check_fields(const descriptor& d) noexcept
{
  if (d.version != format_version) return errc::unsupported_version;
  if (d.coded_as != codec::raw && d.coded_as != codec::dense && coder_of(d.coded_as) == nullptr) return errc::unsupported_codec;
  if (d.order != value_order::as_given && d.order != value_order::nchw && d.order != value_order::nhwc)
    return errc::bad_descriptor;
  const auto values = static_cast<std::uint64_t>(d.dims.product(0, d.dims.rank()));
  if (values != d.dims.elements() || values > SIZE_MAX / sizeof(float)) return errc::bad_shape;  // 32-bit machines
  if (d.coded_as == codec::raw) {
    if (d.width != 0 || !d.scales.empty() || !d.levels.empty() || d.group != scale_group{}) return errc::bad_descriptor;
    return d.payload_bytes == 4 * values ? errc::ok : errc::bad_descriptor;
  }
  if (!is_packable_width(d.width)) return errc::bad_width;
  if (!has_axis(d.dims, d.group)) return errc::bad_descriptor;
  if (d.scales.size() != groups_of(d.dims, d.group).count) return errc::bad_descriptor;
  for (const auto& a : d.scales)
    if (const auto e = check(a, d.width); e != errc::ok) return e;
  if (const auto e = check_levels(d.levels, d.scales.size(), d.width); e != errc::ok) return e;
  const std::uint64_t dense = packed_bytes(d.dims.elements(), d.width);
  if (d.coded_as == codec::dense) return d.payload_bytes == dense ? errc::ok : errc::bad_descriptor;
  const std::uint64_t least = coder_of(d.coded_as)->least_bytes(d.dims.elements());
  return d.payload_bytes >= least && d.payload_bytes <= dense + codec_slack ? errc::ok : errc::bad_descriptor;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Judges a descriptor that came from outside, before anything is allocated for it.
///
/// Errors, in this order: unsupported_version; unsupported_codec (also for pixels and image, which `pack` cannot
/// decode); bad_descriptor (order unknown or not `order`); bad_width; bad_descriptor (group, number of scales); bad_scale;
/// of reconstruction levels bad_width (beyond 8 bits), bad_descriptor (number), bad_scale (one is not finite);
/// bad_descriptor (payload_bytes impossible for these fields; dims that are not `expected`).
[[nodiscard]] inline errc check(const descriptor& d, const shape& expected, value_order order) noexcept
{
  if (const auto e = detail::check_fields(d); e != errc::ok) return e;
  if (d.order != order && d.order != value_order::as_given) return errc::bad_descriptor;
  return d.dims == expected ? errc::ok : errc::bad_descriptor;
}
/// The same for tensors in the order of ONNX.
[[nodiscard]] inline errc check(const descriptor& d, const shape& expected) noexcept
{
  return check(d, expected, value_order::nchw);
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Scales that `how` asks for; not_finite or bad_range mean that the values cannot be quantised.
[[nodiscard]] inline errc scales_for(const value_source& x, const shape& dims, const coding& how, descriptor& d)
{
  auto& scales = d.scales;
  d.levels.clear();
  const bool has_levels = how.levels && !how.levels->empty();
  const auto groups = groups_of(dims, how.group);
  if (how.rule == range_rule::calibrated) {
    if (!how.scales || how.scales->size() != groups.count) return errc::bad_descriptor;
    for (const auto& a : *how.scales)
      if (const auto e = check(a, how.width); e != errc::ok) return e;
    scales = *how.scales;
    if (has_levels) d.levels = *how.levels;
    return check_levels(d.levels, groups.count, how.width);
  }
  if (has_levels) return errc::bad_descriptor;   // a range found anew means something else by each code
  scales.assign(groups.count, affine{});
  if (x.size() == 0) return errc::ok;
  return fit_min_max(x, groups.inner, how.width, scales);
}

/// Where a payload may go: a vector that grows, or memory that does not.
struct growing_room {
  aligned_vector<std::uint8_t>& bytes;
  [[nodiscard]] bool resize(std::size_t n) const
  {
    bytes.resize(n);
    return true;
  }
  [[nodiscard]] std::span<std::uint8_t> span() const noexcept { return bytes; }
};
struct fixed_room {
  std::span<std::uint8_t> bytes;
  std::size_t used = 0;
  [[nodiscard]] bool resize(std::size_t n) noexcept
  {
    used = n;
    return n <= bytes.size();
  }
  [[nodiscard]] std::span<std::uint8_t> span() const noexcept { return bytes.first(used); }
};

template <class Room>
[[nodiscard]] errc encode_raw(const value_source& x, Room& payload, descriptor& d)
{
  d.coded_as = codec::raw;
  d.width = 0;
  d.group = {};
  d.scales.clear();
  d.levels.clear();
  d.payload_bytes = std::uint64_t{4} * x.size();
  if (!payload.resize(4 * x.size())) return errc::short_buffer;
  write_raw(x, payload.span().data());
  return errc::ok;
}

template <class Room>
[[nodiscard]] errc encode_into(
  const value_source& x, const shape& dims, value_order order, const coding& how, Room payload, descriptor& d)
{
  d.version = format_version;
  d.order = order;
  d.dims = dims;
  if (how.coded_as == codec::raw) return encode_raw(x, payload, d);
  const coder* const coded_by = coder_of(how.coded_as);
  if (how.coded_as != codec::dense && coded_by == nullptr) return errc::unsupported_codec;
  if (!is_packable_width(how.width)) return errc::bad_width;
  if (!has_axis(dims, how.group)) return errc::bad_descriptor;
  if (const auto e = scales_for(x, dims, how, d); e == errc::not_finite || e == errc::bad_range)
    return encode_raw(x, payload, d);
  else if (e != errc::ok) return e;

  d.coded_as = x.size() == 0 ? codec::dense : how.coded_as;
  d.width = how.width;
  d.group = how.group;
  const std::size_t dense = packed_bytes(x.size(), how.width);
  const scale_map map{d.scales, std::max<std::size_t>(groups_of(dims, how.group).inner, 1)};
  if (!payload.resize(dense)) return errc::short_buffer;
  if (d.coded_as != codec::dense) {
    const auto written = coded_by->encode(x, map, how.width, payload.span());
    if (written) {
      if (!payload.resize(*written)) return errc::short_buffer;
    } else if (written.error() == errc::short_buffer) {
      d.coded_as = codec::dense;  // larger than dense
    } else {
      return encode_raw(x, payload, d);
    }
  }
  if (d.coded_as == codec::dense && x.size() > 0 && quantize_pack(x, map, how.width, payload.span()) != errc::ok)
    return encode_raw(x, payload, d);
  d.payload_bytes = payload.span().size();
  return errc::ok;
}

template <class Room>
[[nodiscard]] errc encode_into(tensor_view x, const coding& how, Room payload, descriptor& d)
{
  return encode_into(x.values(), x.dims(), x.dims().rank() == 4 ? value_order::nchw : value_order::as_given, how, payload, d);
}
template <class Room>
[[nodiscard]] errc encode_into(const strided_view& x, const coding& how, Room payload, descriptor& d)
{
  const auto values = value_source::make(x);
  return values ? encode_into(*values, x.dims, x.order, how, payload, d) : values.error();
}

[[nodiscard]] inline result<void, errc> done(errc e) noexcept
{
  if (e != errc::ok) return e;
  return {};
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Quantises and packs a tensor as `how` says. Values that cannot be quantised (NaN, infinity, a range beyond the
/// format's) travel as codec `raw`; a stream that would be larger than the dense one travels as `dense`.
/// The descriptor says what was done.
///
/// Shapes   x: any.   payload: resized to the payload; its capacity is reused.
/// Errors   those of check(strided_view), of a view; unsupported_codec (pixels, image); bad_width; bad_descriptor (group axis,
///          number of calibrated scales or levels); bad_scale (one of these).
/// Cost     one pass over x, two with range_rule::min_max. Scales and levels of the descriptor are allocated.
[[nodiscard]] inline result<descriptor, errc> encode(tensor_view x, const coding& how, aligned_vector<std::uint8_t>& payload)
{
  descriptor d;
  if (const auto e = detail::encode_into(x, how, detail::growing_room{payload}, d); e != errc::ok) return e;
  return d;
}
[[nodiscard]] inline result<descriptor, errc> encode(
  const strided_view& x, const coding& how, aligned_vector<std::uint8_t>& payload)
{
  descriptor d;
  if (const auto e = detail::encode_into(x, how, detail::growing_room{payload}, d); e != errc::ok) return e;
  return d;
}

/// The same into a descriptor of the caller's, whose capacity for scales and levels is reused: from the second request of a plan on nothing
/// is allocated. After an error its fields are unspecified.
[[nodiscard]] inline result<void, errc> encode(
  tensor_view x, const coding& how, aligned_vector<std::uint8_t>& payload, descriptor& d)
{
  return detail::done(detail::encode_into(x, how, detail::growing_room{payload}, d));
}
[[nodiscard]] inline result<void, errc> encode(
  const strided_view& x, const coding& how, aligned_vector<std::uint8_t>& payload, descriptor& d)
{
  return detail::done(detail::encode_into(x, how, detail::growing_room{payload}, d));
}

/// The same into memory of the caller's: the payload is its first d.payload_bytes bytes. most_payload_bytes always suffice.
/// Errors: also short_buffer (part of `payload` is then overwritten).
[[nodiscard]] inline result<void, errc> encode(tensor_view x, const coding& how, std::span<std::uint8_t> payload, descriptor& d)
{
  return detail::done(detail::encode_into(x, how, detail::fixed_room{payload}, d));
}
[[nodiscard]] inline result<void, errc> encode(
  const strided_view& x, const coding& how, std::span<std::uint8_t> payload, descriptor& d)
{
  return detail::done(detail::encode_into(x, how, detail::fixed_room{payload}, d));
}

/// Room for the payload of any n values, those that have to travel raw included, in codes of `bits` bits (0: raw in any case).
/// Saturates as packed_bytes does.
[[nodiscard]] constexpr std::size_t most_payload_bytes(std::size_t n, int bits) noexcept
{
  const std::size_t raw = n > std::numeric_limits<std::size_t>::max() / 4 ? std::numeric_limits<std::size_t>::max() : 4 * n;
  return is_packable_width(bits) ? std::max(raw, packed_bytes(n, bits)) : raw;
}

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Judges descriptor and payload together, before a decoder sees them.
[[nodiscard]] inline errc check_payload(const descriptor& d, std::span<const std::uint8_t> payload) noexcept
{
  if (const auto e = check_fields(d); e != errc::ok) return e;
  if (payload.size() < d.payload_bytes) return errc::truncated;
  return payload.size() > d.payload_bytes ? errc::corrupt : errc::ok;
}

/// What the kernels make of codes: values or, where these are looked up, the numbers of the codes.
[[nodiscard]] inline scale_map map_of(const descriptor& d) noexcept
{
  static constexpr affine number{1, 0};
  return d.levels.empty() ? scale_map{d.scales, groups_of(d.dims, d.group).inner} : scale_map{{&number, 1}, 1};
}

[[nodiscard]] inline errc decode_into(const descriptor& d, std::span<const std::uint8_t> payload, const value_sink& out) noexcept
{
  if (out.size() == 0) return errc::ok;  // a payload of its declared size, 0
  if (d.coded_as == codec::raw) {
    read_raw(payload.data(), out);
    return errc::ok;
  }
  const auto map = map_of(d);
  const auto to = out.through(levels_of(d));
  return d.coded_as == codec::dense ? unpack_dequantize(payload, map, d.width, to)
                                    : coder_of(d.coded_as)->decode(payload, map, d.width, to);
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Decodes a payload to floats. `out` may be longer than the tensor; what lies beyond is not touched.
///
/// Errors   those of check but for shape and order; truncated or corrupt (payload is not `payload_bytes` long, or a
///          sparse mask that does not fit, and so on); short_buffer; internal (a library of codecs.hpp found no memory). `out` is then unspecified. Never throws, whatever the input.
[[nodiscard]] inline result<void, errc> decode(const descriptor& d, std::span<const std::uint8_t> payload,
                                               std::span<float> out)
{
  if (const auto e = detail::check_payload(d, payload); e != errc::ok) return e;
  const std::size_t n = d.dims.elements();
  if (out.size() < n) return errc::short_buffer;
  return detail::done(detail::decode_into(d, payload, out.first(n)));
}

/// Decodes a payload to what an engine keeps: the float32 answer, converted as value_sink says.
/// Errors: also those of check(strided_view); bad_descriptor (dims differ, or one is nchw and the other nhwc).
template <std::same_as<void> Void>  // a template, so that {} is no view
[[nodiscard]] result<void, errc> decode(
  const descriptor& d, std::span<const std::uint8_t> payload, const basic_strided_view<Void>& out)
{
  if (const auto e = detail::check_payload(d, payload); e != errc::ok) return e;
  const auto sink = value_sink::make(out);
  if (!sink) return sink.error();
  const bool same_order = d.order == out.order || d.order == value_order::as_given || out.order == value_order::as_given;
  if (!same_order || !(d.dims == out.dims)) return errc::bad_descriptor;
  return detail::done(detail::decode_into(d, payload, *sink));
}

/// Decodes the values [first, first + out.size()) alone: those of a dense payload from the blocks that hold them, without a look
/// at the others. Errors   as decode into a span; unsupported_codec (neither raw nor dense: their parts do not stand for
/// themselves); short_buffer
///          (the tensor does not have these values).
[[nodiscard]] inline result<void, errc> decode_part(
  const descriptor& d, std::span<const std::uint8_t> payload, std::size_t first, const value_sink& out)
{
  if (const auto e = detail::check_payload(d, payload); e != errc::ok) return e;
  if (d.coded_as != codec::raw && d.coded_as != codec::dense) return errc::unsupported_codec;
  const std::size_t n = d.dims.elements();
  if (first > n || out.size() > n - first) return errc::short_buffer;
  if (out.size() == 0) return {};
  if (d.coded_as == codec::raw) {
    detail::read_raw(payload.data() + 4 * first, out);
    return {};
  }
  const auto map = detail::map_of(d);
  const auto to = out.through(detail::levels_of(d, first));
  for (std::size_t done = 0; done < to.size();) {
    const std::size_t block = (first + done) / block_values, skipped = (first + done) % block_values;
    const std::size_t start = block * block_values, held = std::min(block_values, n - start), wanted = to.size() - done;
    const auto packed = payload.subspan(block_offset(block, d.width));
    if (skipped == 0 && wanted >= held) {
      const std::size_t whole = wanted >= block_values ? wanted / block_values * block_values : held;
      if (const auto e = unpack_dequantize(packed, detail::after(map, start), d.width, to.part(done, whole)); e != errc::ok)
        return e;
      done += whole;
    } else {
      float values[block_values];
      if (const auto e = unpack_dequantize(packed, detail::after(map, start), d.width, std::span(values, held)); e != errc::ok)
        return e;
      const std::size_t some = std::min(held - skipped, wanted);
      to.write(best_kernels(), done, some, values + skipped);
      done += some;
    }
  }
  return {};
}

}  // namespace NARROWS_FLAGS

}  // namespace narrows
