// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <optional>
#include <utility>

#include <narrows/core/errc.hpp>
#include <narrows/wire/narrows.pb.h>

namespace narrows::wire {

/// The numbers of narrows.proto are fixed; the order of `errc` is not.
inline constexpr std::array<std::pair<errc, v1::Error>, 30> error_numbers{{
  {errc::ok, v1::ERROR_NONE},
  {errc::bad_shape, v1::ERROR_BAD_SHAPE},
  {errc::bad_width, v1::ERROR_BAD_WIDTH},
  {errc::bad_scale, v1::ERROR_BAD_SCALE},
  {errc::bad_range, v1::ERROR_BAD_RANGE},
  {errc::not_finite, v1::ERROR_NOT_FINITE},
  {errc::unsupported_version, v1::ERROR_UNSUPPORTED_VERSION},
  {errc::unsupported_codec, v1::ERROR_UNSUPPORTED_CODEC},
  {errc::bad_descriptor, v1::ERROR_BAD_DESCRIPTOR},
  {errc::short_buffer, v1::ERROR_SHORT_BUFFER},
  {errc::truncated, v1::ERROR_TRUNCATED},
  {errc::corrupt, v1::ERROR_CORRUPT},
  {errc::bad_graph, v1::ERROR_BAD_GRAPH},
  {errc::bad_node, v1::ERROR_BAD_NODE},
  {errc::unknown_op, v1::ERROR_UNKNOWN_OP},
  {errc::bad_model, v1::ERROR_BAD_MODEL},
  {errc::limit_exceeded, v1::ERROR_LIMIT_EXCEEDED},
  {errc::bad_cut, v1::ERROR_BAD_CUT},
  {errc::io_error, v1::ERROR_IO},
  {errc::bad_image, v1::ERROR_BAD_IMAGE},
  {errc::bad_input, v1::ERROR_BAD_INPUT},
  {errc::unreachable, v1::ERROR_UNREACHABLE},
  {errc::deadline, v1::ERROR_DEADLINE},
  {errc::cancelled, v1::ERROR_CANCELLED},
  {errc::model_mismatch, v1::ERROR_MODEL_MISMATCH},
  {errc::integrity, v1::ERROR_INTEGRITY},
  {errc::authentication, v1::ERROR_AUTHENTICATION},
  {errc::bad_message, v1::ERROR_BAD_MESSAGE},
  {errc::overloaded, v1::ERROR_OVERLOADED},
  {errc::internal, v1::ERROR_INTERNAL},
}};

/// ERROR_INTERNAL for a code that has no number.
[[nodiscard]] constexpr v1::Error to_wire(errc code) noexcept
{
  for (const auto& [ours, theirs] : error_numbers)
    if (ours == code) return theirs;
  return v1::ERROR_INTERNAL;
}

[[nodiscard]] constexpr std::optional<errc> from_wire(v1::Error number) noexcept
{
  for (const auto& [ours, theirs] : error_numbers)
    if (theirs == number) return ours;
  return std::nullopt;
}

}  // namespace narrows::wire
