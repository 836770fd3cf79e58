// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>

namespace narrows {

/// Every way in which narrows can fail at run time: one enumerator and one sentence each.
/// The order is part of no format; on the wire an error travels as its number in narrows.proto.
enum class errc : std::uint8_t {
  ok = 0,
  // core
  bad_shape,             ///< rank, extent or product out of range
  // pack
  bad_width,             ///< width outside 1..16
  bad_scale,             ///< scale or zero point outside the format's limits
  bad_range,             ///< a range that is empty or not finite
  not_finite,            ///< NaN or infinity where only finite values may be
  unsupported_version,   ///< format version unknown to this build
  unsupported_codec,     ///< codec unknown to this build or not allowed here
  bad_descriptor,        ///< descriptor fields that contradict each other or the expected tensor
  short_buffer,          ///< output span too small
  truncated,             ///< input ends early
  corrupt,               ///< input contradicts itself
  // graph, onnx, exec
  bad_graph,             ///< cycle, dangling name, duplicate name
  bad_node,              ///< attributes or inputs of a node make no sense
  unknown_op,            ///< operator (or form of it) that narrows does not have
  bad_model,             ///< file is not a model narrows can read
  limit_exceeded,        ///< a stated limit on size, count or depth
  bad_cut,               ///< set of tensors that does not cut the graph in two
  // input and output
  io_error,              ///< the operating system refused
  bad_image,             ///< not a JPEG or PNG, or a damaged one
  bad_input,             ///< a file or value that does not fit its place
  // net
  unreachable,           ///< nobody answers at the endpoint
  deadline,              ///< the deadline passed
  cancelled,             ///< the caller asked to stop
  model_mismatch,        ///< the peer holds a different model
  integrity,             ///< a checksum does not match
  authentication,        ///< the peer's key is not accepted
  bad_message,           ///< a message that breaks the protocol
  overloaded,            ///< the peer's queue is full
  internal,              ///< the peer failed for a reason of its own
};

/// The sentence of an error code, without a full stop; the text of a log line or a terminal message.
[[nodiscard]] constexpr std::string_view message(errc code) noexcept
{
  switch (code) {
  case errc::ok: return "no error";
  case errc::bad_shape: return "shape is out of range";
  case errc::bad_width: return "width is outside 1..16 bits";
  case errc::bad_scale: return "scale or zero point is outside the limits of the format";
  case errc::bad_range: return "range is empty or not finite";
  case errc::not_finite: return "data contains NaN or infinity";
  case errc::unsupported_version: return "format version is not supported";
  case errc::unsupported_codec: return "codec is not supported";
  case errc::bad_descriptor: return "descriptor does not fit the tensor";
  case errc::short_buffer: return "output buffer is too small";
  case errc::truncated: return "data ends too early";
  case errc::corrupt: return "data contradicts itself";
  case errc::bad_graph: return "graph is not well formed";
  case errc::bad_node: return "node is not valid";
  case errc::unknown_op: return "operator is not supported";
  case errc::bad_model: return "file is not a model that can be read";
  case errc::limit_exceeded: return "a limit is exceeded";
  case errc::bad_cut: return "tensors do not cut the graph in two";
  case errc::io_error: return "file or device could not be used";
  case errc::bad_image: return "image cannot be decoded";
  case errc::bad_input: return "input does not fit";
  case errc::unreachable: return "peer cannot be reached";
  case errc::deadline: return "deadline has passed";
  case errc::cancelled: return "request was cancelled";
  case errc::model_mismatch: return "peer holds a different model";
  case errc::integrity: return "checksum does not match";
  case errc::authentication: return "peer was not authenticated";
  case errc::bad_message: return "message breaks the protocol";
  case errc::overloaded: return "peer is overloaded";
  case errc::internal: return "internal failure";
  }
  return "unknown error";
}

}  // namespace narrows
