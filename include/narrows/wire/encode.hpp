// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/wire/crc32c.hpp>
#include <narrows/wire/error_numbers.hpp>
#include <narrows/wire/message.hpp>
#include <narrows/wire/narrows.pb.h>

namespace narrows::wire {

/// An envelope frame: 4 bytes magic, 4 bytes CRC-32C of what follows (little-endian), the Protobuf message.
inline constexpr std::array<std::uint8_t, 4> magic{'N', 'R', 'W', protocol_version};
inline constexpr std::size_t prefix_bytes = 8;
/// Longest error text that travels; longer ones are cut.
inline constexpr std::size_t max_text_bytes = 1024;

namespace detail {

inline void put(const peer_limits& from, v1::Limits& to)
{
  to.set_frame_bytes(from.frame_bytes);
  to.set_tensors(from.tensors);
  to.set_queued_requests(from.queued_requests);
}

inline void put(const tensor_header& from, v1::Tensor& to)
{
  to.set_name(from.name);
  to.set_format_version(static_cast<std::uint32_t>(from.what.version));
  to.set_order(static_cast<v1::ValueOrder>(from.what.order));
  for (const auto extent : from.what.dims.dims()) to.add_dims(extent);
  to.set_codec(static_cast<v1::Codec>(from.what.coded_as));
  to.set_width(static_cast<std::uint32_t>(from.what.width));
  to.set_group_axis(from.what.group.axis);
  for (const auto& a : from.what.scales) {
    to.add_scales(a.scale);
    to.add_zeros(a.zero);
  }
  to.mutable_levels()->Add(from.what.levels.begin(), from.what.levels.end());
  to.set_payload_bytes(from.what.payload_bytes);
  to.set_payload_crc32c(from.crc32c);
}

inline std::uint32_t milliseconds_left(std::chrono::milliseconds left)
{
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left.count(), 0, INT32_MAX));
}

inline void put(const hello& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_hello();
  to.set_id(from.id);
  to.set_model_hash(from.model_hash);
  to.set_model_name(from.model_name);
  for (const auto version : from.format_versions) to.add_format_versions(version);
  to.set_executor_level(from.executor_level);
  to.set_tensors_hash(from.tensors_hash);
  put(from.accepts, *to.mutable_limits());
}

inline void put(const welcome& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_welcome();
  to.set_id(from.id);
  to.set_format_version(from.format_version);
  to.set_executor_level(from.executor_level);
  put(from.accepts, *to.mutable_limits());
}

inline void put(const request& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_request();
  to.set_id(from.id);
  to.set_attempt(from.attempt);
  to.set_epoch(from.epoch);
  to.set_model_hash(from.model_hash);
  to.set_deadline_left_ms(milliseconds_left(from.deadline_left));
  for (const auto& t : from.tensors) put(t, *to.add_tensors());
}

inline void put(const reply& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_reply();
  to.set_id(from.id);
  to.set_epoch(from.epoch);
  for (const auto& t : from.outputs) put(t, *to.add_outputs());
  to.set_decode_us(static_cast<std::uint64_t>(from.took.decode.count()));
  to.set_queue_us(static_cast<std::uint64_t>(from.took.queue.count()));
  to.set_run_us(static_cast<std::uint64_t>(from.took.run.count()));
  for (const auto& h : from.onward) {
    auto& hop = *to.add_onward();
    hop.set_encode_us(static_cast<std::uint64_t>(h.encode.count()));
    hop.set_link_us(static_cast<std::uint64_t>(h.link.count()));
    hop.set_decode_us(static_cast<std::uint64_t>(h.decode.count()));
    hop.set_server_us(static_cast<std::uint64_t>(h.server.count()));
    hop.set_bytes_sent(h.bytes_sent);
    hop.set_taken_over(h.taken_over);
  }
}

inline void put(const failure& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_failure();
  to.set_id(from.id);
  to.set_code(to_wire(from.code));
  to.set_what(from.what.substr(0, max_text_bytes));
  to.set_epoch(from.epoch);
}

inline void put(const cancel& from, v1::Envelope& envelope) { envelope.mutable_cancel()->set_id(from.id); }

inline void put(const probe& from, v1::Envelope& envelope)
{
  envelope.mutable_probe()->set_id(from.id);
  envelope.mutable_probe()->set_padding(std::string(from.padding, '\0'));
}

inline void put(const echo& from, v1::Envelope& envelope) { envelope.mutable_echo()->set_id(from.id); }

inline void put(const tile_request& from, v1::Envelope& envelope)
{
  auto& to = *envelope.mutable_tile();
  to.set_id(from.id);
  to.set_model_hash(from.model_hash);
  to.set_deadline_left_ms(milliseconds_left(from.deadline_left));
  for (const auto& name : from.from) to.add_from(name);
  to.set_to(from.to);
  to.set_row_begin(from.wanted.rows().begin);
  to.set_row_end(from.wanted.rows().end);
  to.set_column_begin(from.wanted.columns().begin);
  to.set_column_end(from.wanted.columns().end);
  for (const auto& t : from.parts) put(t, *to.add_parts());
}

}  // namespace detail

/// The envelope frame of a message.
/// Errors   limit_exceeded: longer than `largest` bytes (a receiver would refuse it).
[[nodiscard]] inline result<std::vector<std::uint8_t>> encode(const message& what, std::size_t largest = limits{}.envelope_bytes)
{
  v1::Envelope envelope;
  envelope.set_protocol(protocol_version);
  std::visit([&](const auto& body) { detail::put(body, envelope); }, what);
  const auto size = envelope.ByteSizeLong();
  if (size + prefix_bytes > largest)
    return error(errc::limit_exceeded, "envelope of " + std::to_string(size + prefix_bytes) + " bytes, limit " + std::to_string(largest));
  std::vector<std::uint8_t> frame(prefix_bytes + size);
  std::copy(magic.begin(), magic.end(), frame.begin());
  if (!envelope.SerializeToArray(frame.data() + prefix_bytes, static_cast<int>(size))) return error(errc::internal, "envelope");
  const auto crc = crc32c(std::span(frame).subspan(prefix_bytes));
  for (std::size_t i = 0; i < 4; ++i) frame[4 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  return frame;
}

}  // namespace narrows::wire
