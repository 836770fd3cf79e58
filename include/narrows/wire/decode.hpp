// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/wire/encode.hpp>
#include <narrows/wire/message.hpp>

namespace narrows::wire {
namespace detail {

inline error broken(std::string what) { return {errc::bad_message, std::move(what)}; }

/// A text of the peer as one printable line: control characters would let it write to somebody's terminal.
inline std::string line(std::string_view text, std::size_t longest = max_text_bytes)
{
  std::string clean(text.substr(0, longest));
  std::replace_if(clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return clean;
}

inline peer_limits get(const v1::Limits& from) { return {from.frame_bytes(), from.tensors(), from.queued_requests()}; }

inline result<tensor_header> get(const v1::Tensor& from, const limits& most)
{
  if (from.name().empty() || from.name().size() > most.name_bytes) return broken("tensor name of " + std::to_string(from.name().size()) + " bytes");
  const auto name = "tensor '" + line(from.name(), 80) + "'";
  if (from.format_version() != static_cast<std::uint32_t>(format_version))
    return error(errc::unsupported_version,
      name + ": format " + std::to_string(from.format_version()) + ", this side reads " + std::to_string(format_version));
  if (!v1::ValueOrder_IsValid(from.order())) return broken(name + ": value order " + std::to_string(from.order()));
  if (!v1::Codec_IsValid(from.codec())) return error(errc::unsupported_codec, name + ": codec " + std::to_string(from.codec()));
  if (from.dims_size() > static_cast<int>(shape::max_rank)) return broken(name + ": rank " + std::to_string(from.dims_size()));
  if (from.width() > static_cast<std::uint32_t>(max_width)) return error(errc::bad_width, name + ": width " + std::to_string(from.width()));
  if (from.group_axis() < scale_group::whole_tensor || from.group_axis() >= static_cast<int>(shape::max_rank))
    return broken(name + ": group axis " + std::to_string(from.group_axis()));
  if (from.scales_size() != from.zeros_size()) return broken(name + ": scales and zeros differ in number");
  if (static_cast<std::uint64_t>(from.scales_size()) > most.scales) return broken(name + ": " + std::to_string(from.scales_size()) + " scales");
  if (static_cast<std::uint64_t>(from.levels_size()) > most.levels) return broken(name + ": " + std::to_string(from.levels_size()) + " levels");
  if (from.payload_bytes() > most.frame_bytes)
    return error(errc::limit_exceeded,
      name + ": payload of " + std::to_string(from.payload_bytes()) + " bytes, limit " + std::to_string(most.frame_bytes));
  const auto dims = shape::make({from.dims().data(), static_cast<std::size_t>(from.dims_size())});
  if (!dims) return error(dims.error(), name);

  tensor_header to;
  to.name = from.name();
  to.what.version = static_cast<int>(from.format_version());
  to.what.order = static_cast<value_order>(from.order());
  to.what.dims = *dims;
  to.what.coded_as = static_cast<codec>(from.codec());
  to.what.width = static_cast<int>(from.width());
  to.what.group.axis = from.group_axis();
  to.what.scales.reserve(static_cast<std::size_t>(from.scales_size()));
  for (int i = 0; i < from.scales_size(); ++i) to.what.scales.push_back({from.scales(i), from.zeros(i)});
  to.what.levels.assign(from.levels().begin(), from.levels().end());
  to.what.payload_bytes = from.payload_bytes();
  to.crc32c = from.payload_crc32c();
  return to;
}

template <class Headers>
result<std::vector<tensor_header>> get_all(const Headers& from, const limits& most)
{
  if (static_cast<std::uint64_t>(from.size()) > most.tensors) return broken(std::to_string(from.size()) + " tensors, limit " + std::to_string(most.tensors));
  std::vector<tensor_header> to;
  to.reserve(static_cast<std::size_t>(from.size()));
  for (const auto& t : from) {
    auto header = get(t, most);
    if (!header) return std::move(header).error();
    to.push_back(std::move(header).value());
  }
  return to;
}

inline result<message> get(const v1::Hello& from, const limits& most)
{
  constexpr int most_versions = 16;
  if (from.model_hash().size() > 128 || from.model_name().size() > most.name_bytes || from.executor_level().size() > 128)
    return broken("hello: a text is too long");
  if (from.format_versions_size() > most_versions) return broken("hello: too many format versions");
  return message(hello{from.id(), line(from.model_hash()), line(from.model_name()), {from.format_versions().begin(), from.format_versions().end()},
    line(from.executor_level()), from.tensors_hash(), get(from.limits())});
}

inline result<message> get(const v1::Welcome& from, const limits&)
{
  if (from.executor_level().size() > 128) return broken("welcome: a text is too long");
  return message(welcome{from.id(), from.format_version(), line(from.executor_level()), get(from.limits())});
}

inline result<message> get(const v1::Request& from, const limits& most)
{
  if (from.id() == 0) return broken("request without an id");
  if (from.model_hash().size() > 128) return broken("request: model hash is too long");
  if (from.deadline_left_ms() > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) return broken("request: deadline out of range");
  auto tensors = get_all(from.tensors(), most);
  if (!tensors) return std::move(tensors).error();
  return message(request{from.id(), from.attempt(), from.epoch(), line(from.model_hash()), std::chrono::milliseconds(from.deadline_left_ms()),
    std::move(tensors).value()});
}

inline result<message> get(const v1::Reply& from, const limits& most)
{
  auto outputs = get_all(from.outputs(), most);
  if (!outputs) return std::move(outputs).error();
  const auto micro = [](std::uint64_t n) { return std::chrono::microseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(n, 1U << 31U))); };
  if (static_cast<std::uint64_t>(from.onward_size()) > most.hops) return broken("reply: " + std::to_string(from.onward_size()) + " hops, limit " + std::to_string(most.hops));
  std::vector<hop> onward;
  for (const auto& h : from.onward())
    onward.push_back({micro(h.encode_us()), micro(h.link_us()), micro(h.decode_us()), micro(h.server_us()), h.bytes_sent(), h.taken_over()});
  return message(reply{from.id(), from.epoch(), std::move(outputs).value(), {micro(from.decode_us()), micro(from.queue_us()), micro(from.run_us())}, std::move(onward)});
}

inline result<message> get(const v1::Tile& from, const limits& most)
{
  if (from.id() == 0) return broken("tile without an id");
  if (from.model_hash().size() > 128) return broken("tile: model hash is too long");
  if (from.deadline_left_ms() > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) return broken("tile: deadline out of range");
  if (static_cast<std::uint64_t>(from.from_size()) > most.tensors) return broken("tile: " + std::to_string(from.from_size()) + " tensors, limit " + std::to_string(most.tensors));
  std::vector<std::string> names(from.from().begin(), from.from().end());
  names.push_back(from.to());
  for (const auto& name : names)
    if (name.empty() || name.size() > most.name_bytes) return broken("tile: tensor name of " + std::to_string(name.size()) + " bytes");
  names.pop_back();
  const region wanted{{interval{from.row_begin(), from.row_end()}, interval{from.column_begin(), from.column_end()}}};
  for (const auto& i : wanted.axes)
    if (i.begin < 0 || i.empty() || i.end > shape::max_elements) return broken("tile: rows or columns out of range");
  auto parts = get_all(from.parts(), most);
  if (!parts) return std::move(parts).error();
  return message(tile_request{from.id(), line(from.model_hash()), std::chrono::milliseconds(from.deadline_left_ms()), std::move(names), from.to(), wanted, std::move(parts).value()});
}

inline result<message> get(const v1::Failure& from, const limits&)
{
  const auto code = from_wire(from.code());
  if (!code || *code == errc::ok) return broken("failure: unknown code " + std::to_string(from.code()));
  return message(failure{from.id(), *code, line(from.what()), from.epoch()});
}

}  // namespace detail

/// What an envelope frame says, with each field inside its limits; whether the tensors fit a plan is for the caller,
/// who knows the network (`pack`'s check).
/// Errors, in the order of the checks   limit_exceeded (longer than `most.envelope_bytes`), bad_message (too short, other
///          magic), unsupported_version (another protocol), integrity (checksum), bad_message (not Protobuf, no body, a
///          field out of range or an unknown enumerator), unsupported_version, unsupported_codec, bad_width, bad_shape.
/// `id`, if given, gets the id of the message as soon as it can be read, so that a refusal can name it; else 0.
[[nodiscard]] inline result<message> decode(std::span<const std::uint8_t> frame, const limits& most = {}, std::uint64_t* id = nullptr)
{
  if (id != nullptr) *id = 0;
  const auto note = [id](std::uint64_t of_message) { if (id != nullptr) *id = of_message; };
  if (frame.size() > most.envelope_bytes)
    return error(errc::limit_exceeded, "envelope of " + std::to_string(frame.size()) + " bytes, limit " + std::to_string(most.envelope_bytes));
  if (frame.size() < prefix_bytes) return detail::broken("envelope of " + std::to_string(frame.size()) + " bytes");
  if (!std::equal(magic.begin(), magic.begin() + 3, frame.begin())) return detail::broken("not an envelope of narrows");
  if (frame[3] != magic[3])
    return error(errc::unsupported_version,
      "protocol " + std::to_string(int{frame[3]}) + ", this side speaks " + std::to_string(protocol_version));
  const auto body = frame.subspan(prefix_bytes);
  std::uint32_t sent = 0;
  for (std::size_t i = 0; i < 4; ++i) sent |= std::uint32_t{frame[4 + i]} << (8 * i);
  if (crc32c(body) != sent) return error(errc::integrity, "envelope");

  v1::Envelope envelope;
  if (!envelope.ParseFromArray(body.data(), static_cast<int>(body.size()))) return detail::broken("envelope is not Protobuf");
  if (envelope.protocol() != protocol_version)
    return error(errc::unsupported_version,
      "protocol " + std::to_string(envelope.protocol()) + ", this side speaks " + std::to_string(protocol_version));
  switch (envelope.body_case()) {
  case v1::Envelope::kHello: note(envelope.hello().id()); return detail::get(envelope.hello(), most);
  case v1::Envelope::kWelcome: note(envelope.welcome().id()); return detail::get(envelope.welcome(), most);
  case v1::Envelope::kRequest: note(envelope.request().id()); return detail::get(envelope.request(), most);
  case v1::Envelope::kReply: note(envelope.reply().id()); return detail::get(envelope.reply(), most);
  case v1::Envelope::kFailure: note(envelope.failure().id()); return detail::get(envelope.failure(), most);
  case v1::Envelope::kCancel: return message(cancel{envelope.cancel().id()});
  case v1::Envelope::kProbe: return message(probe{envelope.probe().id(), envelope.probe().padding().size()});
  case v1::Envelope::kEcho: return message(echo{envelope.echo().id()});
  case v1::Envelope::kTile: note(envelope.tile().id()); return detail::get(envelope.tile(), most);
  case v1::Envelope::BODY_NOT_SET: break;
  }
  return detail::broken("envelope without a body");
}

}  // namespace narrows::wire
