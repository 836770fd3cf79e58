// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>

namespace narrows::tool {

/// What an .npy file says of itself, and its bytes. The format: numpy.lib.format, versions 1.0 to 3.0.
struct npy_array {
  enum class element : std::uint8_t { u8, i8, i32, i64, f32, f64 };
  element type = element::f32;
  shape dims;
  std::span<const std::uint8_t> data;   ///< row-major, little-endian; a part of the file's bytes
};

[[nodiscard]] constexpr std::size_t element_bytes(npy_array::element e) noexcept
{
  switch (e) {
  case npy_array::element::u8:
  case npy_array::element::i8: return 1;
  case npy_array::element::i32:
  case npy_array::element::f32: return 4;
  case npy_array::element::i64:
  case npy_array::element::f64: return 8;
  }
  return 0;
}

[[nodiscard]] inline bool is_npy(std::span<const std::uint8_t> start) noexcept
{
  return start.size() >= 6 && std::memcmp(start.data(), "\x93NUMPY", 6) == 0;
}

/// Reads the header and finds the data. Errors: bad_input (not .npy, big-endian, Fortran order, an element type that
/// is no number here, more or fewer bytes than the shape asks for).
[[nodiscard]] inline result<npy_array> parse_npy(std::span<const std::uint8_t> file)
{
  const auto bad = [](std::string why) { return error(errc::bad_input, "npy " + std::move(why)); };
  if (!is_npy(file) || file.size() < 10) return bad("header is missing");
  const int version = file[6];
  if (version < 1 || version > 3) return bad("version " + std::to_string(version));
  const std::size_t prefix = version == 1 ? 10 : 12;
  if (file.size() < prefix) return bad("header is cut short");
  std::size_t length = file[8] | std::size_t{file[9]} << 8;
  if (version > 1) length |= std::size_t{file[10]} << 16 | std::size_t{file[11]} << 24;
  if (length > file.size() - prefix) return bad("header is cut short");
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + prefix, length);

  // A Python dict of three keys, always written by the same few lines of numpy.
  const auto value_of = [header](std::string_view key) -> std::string_view {
    auto at = header.find(key);
    if (at == std::string_view::npos) return {};
    at = header.find_first_not_of(": ", at + key.size());
    return at == std::string_view::npos ? std::string_view{} : header.substr(at);
  };
  npy_array array;
  const auto type = value_of("'descr'");
  using element = npy_array::element;
  struct spelling { std::string_view text; element is; };
  static constexpr spelling spellings[] = {{"'|u1'", element::u8}, {"'|i1'", element::i8}, {"'|b1'", element::u8}, {"'<i4'", element::i32},
    {"'<i8'", element::i64}, {"'<f4'", element::f32}, {"'<f8'", element::f64}};
  bool known = false;
  for (const auto& s : spellings)
    if (type.starts_with(s.text)) array.type = s.is, known = true;
  if (!known) return bad("element type " + std::string(type.substr(0, type.find_first_of(",}"))) + " is not read here");
  if (!value_of("'fortran_order'").starts_with("False")) return bad("array is in Fortran order");

  auto list = value_of("'shape'");
  if (!list.starts_with('(') || list.find(')') == std::string_view::npos) return bad("shape is missing");
  list = list.substr(1, list.find(')') - 1);
  std::vector<std::int64_t> extents;
  while (true) {
    const auto start = list.find_first_not_of(", ");
    if (start == std::string_view::npos) break;
    list.remove_prefix(start);
    std::int64_t extent = 0;
    const auto [end, failed] = std::from_chars(list.data(), list.data() + list.size(), extent);
    if (failed != std::errc{}) return bad("shape is not a list of numbers");
    extents.push_back(extent);
    list.remove_prefix(static_cast<std::size_t>(end - list.data()));
  }
  const auto dims = shape::make(extents);
  if (!dims) return bad("shape is out of range");
  array.dims = *dims;
  array.data = file.subspan(prefix + length);
  const auto wanted = array.dims.elements() * element_bytes(array.type);   // at most 2^44 * 8
  if (array.data.size() != wanted)
    return bad("array of " + to_string(array.dims) + " needs " + std::to_string(wanted) + " bytes of data and has " + std::to_string(array.data.size()));
  return array;
}

/// Values [first, first + out.size()) of the array as float32.
inline void to_floats(const npy_array& array, std::size_t first, std::span<float> out)
{
  static_assert(std::endian::native == std::endian::little);
  NARROWS_EXPECTS(first + out.size() <= array.dims.elements());
  const auto convert = [&]<class T>(T) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      T v;
      std::memcpy(&v, array.data.data() + (first + i) * sizeof(T), sizeof(T));
      out[i] = static_cast<float>(v);
    }
  };
  switch (array.type) {
  case npy_array::element::u8: return convert(std::uint8_t{});
  case npy_array::element::i8: return convert(std::int8_t{});
  case npy_array::element::i32: return convert(std::int32_t{});
  case npy_array::element::i64: return convert(std::int64_t{});
  case npy_array::element::f32: return convert(float{});
  case npy_array::element::f64: return convert(double{});
  }
}

/// The bytes of an .npy file (version 1.0) with this float32 tensor.
[[nodiscard]] inline std::vector<std::uint8_t> to_npy(tensor_view x)
{
  std::string extents;
  for (const auto e : x.dims().dims()) extents += std::to_string(e) + (x.dims().rank() == 1 ? "," : ", ");
  if (x.dims().rank() > 1) extents.resize(extents.size() - 2);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + extents + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::vector<std::uint8_t> file(10 + header.size() + x.size() * sizeof(float));
  std::memcpy(file.data(), "\x93NUMPY\x01\x00", 8);
  file[8] = static_cast<std::uint8_t>(header.size() & 255);
  file[9] = static_cast<std::uint8_t>(header.size() >> 8);
  std::memcpy(file.data() + 10, header.data(), header.size());
  if (x.size() > 0) std::memcpy(file.data() + 10 + header.size(), x.data(), x.size() * sizeof(float));
  return file;
}

}  // namespace narrows::tool
