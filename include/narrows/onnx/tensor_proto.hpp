// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/onnx/detail/file_bytes.hpp>
#include <narrows/onnx/detail/wire_scan.hpp>
#include <narrows/onnx/detail/wire_tensor.hpp>
#include <narrows/onnx/onnx_constant.hpp>

namespace narrows {

/// A tensor with its name, as ONNX test data and `narrows` inputs hold it.
struct named_constant {
  std::string name;
  onnx_constant values;
};

/// Decodes a serialised TensorProto. Errors: truncated, corrupt, limit_exceeded (more than `max_bytes`), bad_model,
/// unknown_op (element type).
inline result<named_constant> read_tensor_proto(std::span<const std::uint8_t> bytes, std::uint64_t max_bytes = std::uint64_t{1} << 30)
{
  if (bytes.size() > max_bytes) return error(errc::limit_exceeded, "tensor file of " + std::to_string(bytes.size()) + " bytes");
  detail::wire_counts counts;
  NARROWS_TRY(detail::scan_wire(bytes, detail::wire_message::tensor, 1000, 0, counts));
  onnx_wire::Tensor t;
  if (!t.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return error(errc::bad_model, "not a serialised tensor");
  if (t.data_location() == 1) return error(errc::bad_model, "tensor '" + t.name() + "' has its data in another file");
  auto name = t.name();
  auto values = detail::take_tensor(t, max_bytes);
  if (!values) return unexpected(std::move(values).error());
  return named_constant{std::move(name), std::move(*values)};
}

/// The same from a file. Errors also: io_error. The text starts with the file's name.
inline result<named_constant> load_tensor_proto(const std::filesystem::path& file, std::uint64_t max_bytes = std::uint64_t{1} << 30)
{
  const auto named = [&](error e) { return error(e.code, file.filename().string() + (e.what.empty() ? "" : ": " + e.what)); };
  auto bytes = detail::read_file(file, max_bytes);
  if (!bytes) return unexpected(std::move(bytes).error());
  auto t = read_tensor_proto(*bytes, max_bytes);
  if (!t) return named(t.error());
  return t;
}

}  // namespace narrows
