// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <narrows/core/result.hpp>

/// Counts what a Protobuf parser would allocate, before it does: 8 MB of empty messages become 600 MB of objects.
namespace narrows::detail {

/// The messages of onnx.proto, as far as they nest.
enum class wire_message : std::uint8_t { none, text, model, graph, node, attribute, tensor, entry, value_info, type, tensor_type, tensor_shape, dimension, operator_set };

/// What a length-delimited field of a message holds: another message, text, or bytes that cost what they weigh.
constexpr wire_message wire_field(wire_message in, std::uint64_t number) noexcept
{
  using enum wire_message;
  switch (in) {
  case model: return number == 7 ? graph : number == 8 ? operator_set : none;
  case graph: return number == 1 ? node : number == 5 ? tensor : number == 2 ? text : number >= 11 && number <= 13 ? value_info : none;
  case node: return number == 5 ? attribute : (number >= 1 && number <= 4) || number == 7 ? text : none;
  case attribute: return number == 5 ? tensor : number == 1 || number == 4 || number == 9 ? text : none;
  case tensor: return number == 13 ? entry : number == 8 ? text : none;
  case entry: return text;
  case value_info: return number == 2 ? type : number == 1 ? text : none;
  case type: return number == 1 ? tensor_type : none;
  case tensor_type: return number == 2 ? tensor_shape : none;
  case tensor_shape: return number == 1 ? dimension : none;
  case dimension: case operator_set: return text;
  case none: case text: break;
  }
  return none;
}

struct wire_counts {
  std::uint64_t elements = 0;
  std::uint64_t nodes = 0;
};

/// Reads the structure of `bytes` (a message of kind `kind`) without storing anything. The depth is that of the table above.
/// Errors: truncated (a field reaches past its message), corrupt (no valid wire format), limit_exceeded.
inline result<void> scan_wire(std::span<const std::uint8_t> bytes, wire_message kind, std::uint64_t max_elements, std::uint64_t max_nodes,
  wire_counts& counts, std::size_t offset = 0)
{
  std::size_t at = 0;
  const auto place = [&] { return "byte " + std::to_string(offset + at); };
  const auto varint = [&](std::uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
      const auto b = bytes[at++];
      out |= std::uint64_t{b & 0x7FU} << shift;
      if (b < 0x80) return true;
    }
    return false;
  };
  while (at < bytes.size()) {
    std::uint64_t tag = 0, length = 0;
    if (!varint(tag)) return error(errc::truncated, place());
    switch (tag & 7) {
    case 0:
      if (!varint(length)) return error(errc::truncated, place());
      break;
    case 1:
    case 5: {
      const std::size_t size = (tag & 7) == 1 ? 8 : 4;
      if (bytes.size() - at < size) return error(errc::truncated, place());
      at += size;
      break;
    }
    case 2: {
      if (!varint(length)) return error(errc::truncated, place());
      if (length > bytes.size() - at)
        return error(errc::truncated, place() + ": a field of " + std::to_string(length) + " bytes, " + std::to_string(bytes.size() - at) + " are left");
      const auto inner = wire_field(kind, tag >> 3);
      if (inner != wire_message::none) {
        if (++counts.elements > max_elements) return error(errc::limit_exceeded, "more than " + std::to_string(max_elements) + " messages and strings");
        if (inner == wire_message::node && ++counts.nodes > max_nodes) return error(errc::limit_exceeded, "more than " + std::to_string(max_nodes) + " nodes");
        if (inner != wire_message::text)
          NARROWS_TRY(scan_wire(bytes.subspan(at, static_cast<std::size_t>(length)), inner, max_elements, max_nodes, counts, offset + at));
      }
      at += static_cast<std::size_t>(length);
      break;
    }
    default: return error(errc::corrupt, place() + ": wire type " + std::to_string(tag & 7));
    }
    if (tag >> 3 == 0 || tag >> 32 != 0) return error(errc::corrupt, place() + ": field number " + std::to_string(tag >> 3));
  }
  return {};
}

}  // namespace narrows::detail
