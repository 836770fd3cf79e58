// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/wire/crc32c.hpp>
#include <narrows/wire/message.hpp>

namespace narrows::detail {

static_assert(std::endian::native == std::endian::little, "raw payloads are little-endian float32");

[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(std::span<const float> values) noexcept
{
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}
[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(const zmq::message_t& frame) noexcept
{
  return {static_cast<const std::uint8_t*>(frame.data()), frame.size()};
}

/// A frame over `bytes`, which `owner` keeps alive until libzmq has sent them: nothing is copied.
template <class Owner>
[[nodiscard]] zmq::message_t frame_of(std::span<const std::uint8_t> bytes, std::shared_ptr<Owner> owner)
{
  if (bytes.empty()) return zmq::message_t();
  auto held = std::make_unique<std::shared_ptr<Owner>>(std::move(owner));
  // libzmq wants a pointer to mutable bytes and does not write to them.
  zmq::message_t frame(const_cast<std::uint8_t*>(bytes.data()), bytes.size(),
    [](void*, void* hint) { delete static_cast<std::shared_ptr<Owner>*>(hint); }, held.get());
  static_cast<void>(held.release());
  return frame;
}

/// Header of a tensor that travels as float32.
[[nodiscard]] inline wire::tensor_header raw_header(std::string name, tensor_view values)
{
  wire::tensor_header header;
  header.name = std::move(name);
  header.what.dims = values.dims();
  header.what.order = value_order::as_given;
  header.what.payload_bytes = values.values().size_bytes();
  header.crc32c = crc32c(bytes_of(values.values()));
  return header;
}

/// A tensor that travelled as float32, once header and payload are found to be what must come: nothing is allocated before.
/// Errors   bad_message (another name, shape, codec or size), integrity.
[[nodiscard]] inline result<tensor> receive_raw(const wire::tensor_header& header, std::span<const std::uint8_t> payload, const std::string& name, const shape& dims)
{
  if (header.name != name || header.what.coded_as != codec::raw || check(header.what, dims) != errc::ok || payload.size() != header.what.payload_bytes)
    return error(errc::bad_message, "tensor '" + header.name + "' is " + to_string(header.what.dims) + " " + std::string(to_string(header.what.coded_as)) + ", expected '" + name + "', float32 " + to_string(dims));
  if (crc32c(payload) != header.crc32c) return error(errc::integrity, "tensor '" + name + "'");
  tensor values(dims);
  if (const auto done = decode(header.what, payload, values.values()); !done) return error(done.error(), "tensor '" + name + "'");
  return values;
}

}  // namespace narrows::detail
