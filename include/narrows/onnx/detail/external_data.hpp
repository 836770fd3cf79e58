// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/file_bytes.hpp>
#include <narrows/onnx/detail/wire_tensor.hpp>
#include <narrows/onnx/sha256.hpp>

/// Weights that lie in files beside the model.
namespace narrows::detail {

/// Reads such weights, from the model's folder and its sub-folders only, and remembers which files were used.
class external_data {
public:
  /// An empty folder: the model came as bytes, so there is no place to look in.
  external_data(std::filesystem::path folder, bool allowed) : folder_(std::move(folder)), allowed_(allowed) {}

  result<onnx_constant> take(onnx_wire::Tensor& t, std::uint64_t max_bytes)
  {
    const auto fail = [&](errc code, const std::string& why) { return error(code, "tensor '" + t.name() + "': " + why); };
    if (!allowed_) return fail(errc::bad_model, "its data is in another file, which is only read when asked for");
    if (folder_.empty()) return fail(errc::bad_model, "its data is in another file, and the model has no folder");
    std::string location;
    std::uint64_t offset = 0, length = 0;
    bool has_length = false;
    for (const auto& e : t.external_data()) {
      const auto number = [&](std::uint64_t& out) {
        const auto& v = e.value();
        const auto [end, failed] = std::from_chars(v.data(), v.data() + v.size(), out);
        return failed == std::errc() && end == v.data() + v.size();
      };
      if (e.key() == "location") location = e.value();
      if (e.key() == "offset" && !number(offset)) return fail(errc::bad_model, "its offset is no number");
      if (e.key() == "length" && !(has_length = number(length))) return fail(errc::bad_model, "its length is no number");
    }
    auto c = read_tensor_head(t, max_bytes);
    if (!c) return c;
    const auto bytes = c->dims.elements() * bytes_per_element(c->type);
    if (has_length && length != bytes) return fail(errc::bad_model, "has " + std::to_string(length) + " bytes of data, needs " + std::to_string(bytes));
    auto file = inside(location);
    if (!file) return fail(file.error().code, file.error().what);
    std::error_code failed;
    const auto size = std::filesystem::file_size(*file, failed);
    if (failed || offset > size || bytes > size - offset) return fail(errc::truncated, "'" + location + "' is too short");
    std::vector<std::uint8_t> raw(bytes);
    std::ifstream in(*file, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(offset));
    in.read(reinterpret_cast<char*>(raw.data()), static_cast<std::streamsize>(raw.size()));
    if (!in) return fail(errc::io_error, "'" + location + "' cannot be read");
    files_.emplace(location, *file);
    if (auto done = fill_from_raw(*c, raw); !done) return fail(done.error().code, done.error().what);
    t.Clear();
    return c;
  }

  [[nodiscard]] bool used() const { return !files_.empty(); }

  /// Adds the bytes of every file used, in order of their names in the model.
  result<void> hash_into(sha256& hash) const
  {
    std::vector<std::uint8_t> piece(1 << 20);
    for (const auto& [location, file] : files_) {
      std::ifstream in(file, std::ios::binary);
      if (!in) return error(errc::io_error, "'" + location + "' cannot be read");
      while (in) {
        in.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
        hash.update({piece.data(), static_cast<std::size_t>(in.gcount())});
      }
    }
    return {};
  }

private:
  /// The file of that name, links resolved, if it lies inside the model's folder.
  result<std::filesystem::path> inside(const std::string& location) const
  {
    const std::filesystem::path relative(location);
    if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute()) return error(errc::bad_model, "'" + location + "' is no name of a file beside the model");
    std::error_code failed;
    const auto folder = std::filesystem::canonical(folder_, failed);
    if (failed) return error(errc::io_error, "the model's folder cannot be read");
    const auto file = std::filesystem::canonical(folder / relative, failed);
    if (failed || !std::filesystem::is_regular_file(file, failed)) return error(errc::io_error, "'" + location + "' is not there");
    const auto steps = file.lexically_relative(folder);
    if (steps.empty() || *steps.begin() == "..") return error(errc::bad_model, "'" + location + "' lies outside the model's folder");
    return file;
  }

  std::filesystem::path folder_;
  bool allowed_;
  std::map<std::string, std::filesystem::path> files_;
};

}  // namespace narrows::detail
