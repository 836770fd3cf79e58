// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <narrows/core/result.hpp>

namespace narrows::tool {

/// All bytes of a regular file. Errors: io_error (absent, unreadable, a folder), limit_exceeded.
[[nodiscard]] inline result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path, std::uint64_t max_bytes)
{
  std::error_code why;
  const auto status = std::filesystem::status(path, why);
  if (!std::filesystem::exists(status)) return error(errc::io_error, path.string() + ": no such file");
  if (std::filesystem::is_directory(status)) return error(errc::io_error, path.string() + ": is a folder, not a file");
  if (!std::filesystem::is_regular_file(status)) return error(errc::io_error, path.string() + ": is not a regular file");
  const auto bytes = std::filesystem::file_size(path, why);
  if (why) return error(errc::io_error, path.string() + ": " + why.message());
  if (bytes > max_bytes)
    return error(errc::limit_exceeded, path.string() + ": " + std::to_string(bytes) + " bytes, at most " + std::to_string(max_bytes) + " are allowed");
  std::ifstream in(path, std::ios::binary);
  if (!in) return error(errc::io_error, path.string() + ": " + std::strerror(errno));
  std::vector<std::uint8_t> data(bytes);
  in.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(bytes));
  if (static_cast<std::uint64_t>(in.gcount()) != bytes) return error(errc::io_error, path.string() + ": could not be read to its end");
  return data;
}

/// The first bytes of a file, at most `most`; empty where there are none.
[[nodiscard]] inline std::vector<std::uint8_t> first_bytes(const std::filesystem::path& path, std::size_t most)
{
  std::vector<std::uint8_t> data(most);
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(most));
  data.resize(static_cast<std::size_t>(in.gcount()));
  return data;
}

/// A file that appears whole or not at all: written beside its place, flushed to the disk, renamed by `commit`. Without a commit
/// nothing is left behind. Errors: io_error.
class new_file {
public:
  [[nodiscard]] static result<new_file> write(const std::filesystem::path& path, std::span<const std::uint8_t> bytes, unsigned mode = 0666)
  {
    new_file f;
    f.path_ = path;
    auto pattern = path.string() + ".XXXXXX";
    const int fd = ::mkstemp(pattern.data());
    if (fd < 0) return error(errc::io_error, path.string() + ": " + std::strerror(errno));
    f.temporary_ = pattern;
    // mkstemp makes the file private; a wider mode obeys the user's mask, as a file made by open would.
    const auto mask = ::umask(0);
    ::umask(mask);
    bool good = ::fchmod(fd, mode & ~mask) == 0;
    for (std::size_t at = 0; good && at < bytes.size();) {
      const auto n = ::write(fd, bytes.data() + at, bytes.size() - at);
      if (n < 0 && errno == EINTR) continue;
      good = n > 0;
      if (good) at += static_cast<std::size_t>(n);
    }
    good = good && ::fsync(fd) == 0;
    const int why = errno;
    if (::close(fd) != 0 || !good) return error(errc::io_error, path.string() + ": " + std::strerror(why));
    return f;
  }

  new_file(new_file&& other) noexcept : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})) {}
  new_file& operator=(new_file&&) = delete;
  ~new_file()
  {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  [[nodiscard]] result<void> commit()
  {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return error(errc::io_error, path_.string() + ": " + std::strerror(errno));
    temporary_.clear();
    return {};
  }

private:
  new_file() = default;
  std::filesystem::path path_;
  std::string temporary_;
};

}  // namespace narrows::tool
