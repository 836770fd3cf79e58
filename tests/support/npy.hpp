// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

/// Reads the .npy files of the shared test data (NumPy's format 1.0, row-major, little-endian). Trusted files only.
namespace narrows::test {

template <class T>
struct npy {
  std::vector<std::size_t> extents;
  std::vector<T> values;
};

template <class T>
[[nodiscard]] npy<T> load_npy(const std::filesystem::path& file)
{
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string type = sizeof(T) == 1 ? "'|u1'" : "'<f4'";
  if (bytes.size() < 10 || bytes.compare(1, 5, "NUMPY") != 0) throw std::runtime_error("not an npy file: " + file.string());
  const std::size_t length = static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  if (header.find(type) == std::string::npos) throw std::runtime_error("other element type: " + file.string());

  npy<T> a;
  std::size_t count = 1;
  const auto open = header.find('(', header.find("shape"));
  for (std::size_t at = open + 1; at < header.find(')', open);) {
    std::size_t used = 0;
    a.extents.push_back(std::stoul(header.substr(at), &used));
    count *= a.extents.back();
    at = header.find_first_of("0123456789)", at + used);
  }
  if (bytes.size() != 10 + length + count * sizeof(T)) throw std::runtime_error("other length: " + file.string());
  a.values.resize(count);
  std::memcpy(a.values.data(), bytes.data() + 10 + length, count * sizeof(T));
  return a;
}

}  // namespace narrows::test
