// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/pack/coder.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/range.hpp>

namespace narrows {

namespace detail::inline NARROWS_FLAGS {

/// Groups that share a scale, and the values of one group that stand together.
struct group_shape {
  std::size_t count;
  std::size_t inner;
};
[[nodiscard]] inline group_shape groups_of(const shape& dims, scale_group group) noexcept
{
  if (group.axis == scale_group::whole_tensor) return {1, std::max<std::size_t>(dims.elements(), 1)};
  const auto axis = static_cast<std::size_t>(group.axis);
  return {static_cast<std::size_t>(dims[axis]), static_cast<std::size_t>(dims.product(axis + 1, dims.rank()))};
}

[[nodiscard]] constexpr bool has_axis(const shape& dims, scale_group group) noexcept
{
  return group.axis == scale_group::whole_tensor || (group.axis >= 0 && static_cast<std::size_t>(group.axis) < dims.rank());
}

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
    if (d.width != 0 || !d.scales.empty() || d.group != scale_group{}) return errc::bad_descriptor;
    return d.payload_bytes == 4 * values ? errc::ok : errc::bad_descriptor;
  }
  if (!is_packable_width(d.width)) return errc::bad_width;
  if (!has_axis(d.dims, d.group)) return errc::bad_descriptor;
  if (d.scales.size() != groups_of(d.dims, d.group).count) return errc::bad_descriptor;
  for (const auto& a : d.scales)
    if (const auto e = check(a, d.width); e != errc::ok) return e;
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
[[nodiscard]] inline errc scales_for(tensor_view x, const coding& how, std::vector<affine>& scales)
{
  const auto groups = groups_of(x.dims(), how.group);
  if (how.rule == range_rule::calibrated) {
    if (!how.scales || how.scales->size() != groups.count) return errc::bad_descriptor;
    for (const auto& a : *how.scales)
      if (const auto e = check(a, how.width); e != errc::ok) return e;
    scales = *how.scales;
    return errc::ok;
  }
  scales.assign(groups.count, affine{});
  if (x.size() == 0) return errc::ok;
  return fit_min_max(x.values(), groups.inner, how.width, scales);
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// Quantises and packs a tensor as `how` says. Values that cannot be quantised (NaN, infinity, a range beyond the
/// format's) travel as codec `raw`; a stream that would be larger than the dense one travels as `dense`.
/// The descriptor says what was done.
///
/// Shapes   x: any.   payload: resized to the payload; its capacity is reused.
/// Errors   unsupported_codec (pixels, image); bad_width; bad_descriptor (group axis, number of calibrated scales);
///          bad_scale (a calibrated scale).
/// Cost     one pass over x, two with range_rule::min_max.
[[nodiscard]] inline result<descriptor, errc> encode(tensor_view x, const coding& how, aligned_vector<std::uint8_t>& payload)
{
  descriptor d;
  d.order = x.dims().rank() == 4 ? value_order::nchw : value_order::as_given;
  d.dims = x.dims();
  const auto as_raw = [&] {
    payload.resize(4 * x.size());
    detail::write_raw(x.values(), payload.data());
    d.coded_as = codec::raw;
    d.width = 0;
    d.group = {};
    d.scales.clear();
    d.payload_bytes = payload.size();
    return d;
  };
  if (how.coded_as == codec::raw) return as_raw();
  const coder* const coded_by = detail::coder_of(how.coded_as);
  if (how.coded_as != codec::dense && coded_by == nullptr) return errc::unsupported_codec;
  if (!is_packable_width(how.width)) return errc::bad_width;
  if (!detail::has_axis(x.dims(), how.group)) return errc::bad_descriptor;
  if (const auto e = detail::scales_for(x, how, d.scales); e == errc::not_finite || e == errc::bad_range) return as_raw();
  else if (e != errc::ok) return e;

  d.coded_as = x.size() == 0 ? codec::dense : how.coded_as;
  d.width = how.width;
  d.group = how.group;
  const std::size_t dense = packed_bytes(x.size(), how.width);
  const scale_map map{d.scales, std::max<std::size_t>(detail::groups_of(x.dims(), how.group).inner, 1)};
  if (d.coded_as != codec::dense) {
    payload.resize(dense);
    const auto written = coded_by->encode(x.values(), map, how.width, payload);
    if (written) payload.resize(*written);
    else if (written.error() == errc::short_buffer) d.coded_as = codec::dense;  // larger than dense
    else return as_raw();
  }
  if (d.coded_as == codec::dense) {
    payload.resize(dense);
    if (x.size() > 0 && quantize_pack(x.values(), map, how.width, payload) != errc::ok) return as_raw();
  }
  d.payload_bytes = payload.size();
  return d;
}

/// Decodes a payload to floats. `out` may be longer than the tensor; what lies beyond is not touched.
///
/// Errors   those of check but for shape and order; truncated or corrupt (payload is not `payload_bytes` long, or a
///          sparse mask that does not fit, and so on); short_buffer; internal (a library of codecs.hpp found no memory). `out` is then unspecified. Never throws, whatever the input.
[[nodiscard]] inline result<void, errc> decode(const descriptor& d, std::span<const std::uint8_t> payload,
                                               std::span<float> out)
{
  if (const auto e = detail::check_fields(d); e != errc::ok) return e;
  if (payload.size() < d.payload_bytes) return errc::truncated;
  if (payload.size() > d.payload_bytes) return errc::corrupt;
  const std::size_t n = d.dims.elements();
  if (out.size() < n) return errc::short_buffer;
  if (n == 0) return {};  // a payload of its declared size, 0
  const auto to = out.first(n);
  if (d.coded_as == codec::raw) {
    detail::read_raw(payload.data(), to);
    return {};
  }
  const scale_map map{d.scales, detail::groups_of(d.dims, d.group).inner};
  const auto e = d.coded_as == codec::dense ? unpack_dequantize(payload, map, d.width, to)
                                            : detail::coder_of(d.coded_as)->decode(payload, map, d.width, to);
  if (e != errc::ok) return e;
  return {};
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
