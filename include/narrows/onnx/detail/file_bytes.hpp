// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <system_error>
#include <vector>

#include <narrows/core/result.hpp>

namespace narrows::detail {

/// A whole regular file. Errors: io_error, limit_exceeded (larger than `max_bytes`); the text names the file.
inline result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& file, std::uint64_t max_bytes)
{
  const auto name = file.string();
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) return error(errc::io_error, name + (failed || !std::filesystem::exists(file, failed) ? " is not there" : " is not a regular file"));
  const auto size = std::filesystem::file_size(file, failed);
  if (failed) return error(errc::io_error, name);
  if (size > max_bytes) return error(errc::limit_exceeded, name + " has " + std::to_string(size) + " bytes, at most " + std::to_string(max_bytes) + " are read");
  std::ifstream in(file, std::ios::binary);
  if (!in) return error(errc::io_error, name + " cannot be opened");
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (in.gcount() != static_cast<std::streamsize>(bytes.size())) return error(errc::io_error, name + " cannot be read to its end");
  return bytes;
}

}  // namespace narrows::detail
