// SPDX-License-Identifier: BSD-3-Clause
#include "input.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <narrows/onnx/tensor_proto.hpp>

#include "files.hpp"
#include "image.hpp"
#include "npy.hpp"

namespace narrows::tool {

namespace {

constexpr std::uint64_t max_input_bytes = std::uint64_t{1} << 30;

/// How an array feeds a network input: so many records of `values` elements, as pictures or as they are.
struct array_use {
  std::size_t records = 1;
  bool pictures = false;
  int width = 0;
  int height = 0;
};

result<array_use> use_of(const npy_array& a, const shape& expected)
{
  const auto& d = a.dims;
  array_use use;
  const auto tail_equal = [&](std::size_t first_expected, std::size_t first_array) {
    const auto e = expected.dims().subspan(first_expected);
    const auto g = d.dims().subspan(first_array);
    return std::equal(e.begin(), e.end(), g.begin(), g.end());
  };
  if (d == expected) return use;
  const bool batch_of_one = expected.rank() > 1 && expected[0] == 1;
  if (batch_of_one && d.rank() + 1 == expected.rank() && tail_equal(1, 0)) return use;
  if (batch_of_one && d.rank() == expected.rank() && tail_equal(1, 1)) {
    use.records = static_cast<std::size_t>(d[0]);
    return use;
  }
  if (a.type == npy_array::element::u8 && takes_pictures(expected) && (d.rank() == 3 || d.rank() == 4) && d[d.rank() - 1] == 3) {
    const auto side = [&](std::size_t from_end) { return d[d.rank() - from_end]; };
    if (side(3) > 0 && side(3) < 65536 && side(2) > 0 && side(2) < 65536) {
      use.pictures = true;
      use.height = static_cast<int>(side(3));
      use.width = static_cast<int>(side(2));
      use.records = d.rank() == 4 ? static_cast<std::size_t>(d[0]) : 1;
      return use;
    }
  }
  return error(errc::bad_input, "array of " + to_string(d) + " where the network takes " + to_string(expected));
}

result<loaded_input> from_picture(picture p, const preprocessing& how, const shape& expected)
{
  auto pixels = pixels_for(std::move(p), how, expected);
  if (!pixels) return unexpected(std::move(pixels).error());
  auto values = normalised(*pixels, how, expected);
  if (!values) return unexpected(std::move(values).error());
  return loaded_input{std::move(values).value(), std::move(pixels).value(), {}};
}

error named(const std::string& name, const error& e) { return {e.code, e.what.starts_with(name) ? e.what : name + ": " + e.what}; }

}  // namespace

result<std::vector<input_ref>> list_inputs(const std::vector<std::string>& arguments, const shape& expected)
{
  std::vector<input_ref> all;
  for (const auto& argument : arguments) {
    const std::filesystem::path path(argument);
    std::error_code why;
    if (std::filesystem::is_directory(path, why)) {
      std::vector<std::filesystem::path> files;
      for (std::filesystem::directory_iterator it(path, why), end; !why && it != end; it.increment(why)) {
        std::error_code ignored;
        if (it->is_regular_file(ignored) && image_kind_of(first_bytes(it->path(), 8)) != image_kind::unknown) files.push_back(it->path());
      }
      if (why) return error(errc::io_error, argument + ": " + why.message());
      if (files.empty()) return error(errc::bad_input, argument + ": folder without a JPEG or PNG file");
      std::sort(files.begin(), files.end());
      for (auto& f : files) {
        auto name = f.string();
        all.push_back({std::move(f), 0, std::move(name)});
      }
      continue;
    }
    if (!is_npy(first_bytes(path, 6))) {
      all.push_back({path, 0, argument});   // what it is, or that it is not there, shows when it is read
      continue;
    }
    auto bytes = read_file(path, max_input_bytes);
    if (!bytes) return unexpected(std::move(bytes).error());
    const auto array = parse_npy(*bytes);
    if (!array) return named(argument, array.error());
    const auto use = use_of(*array, expected);
    if (!use) return named(argument, use.error());
    for (std::size_t i = 0; i < use->records; ++i)
      all.push_back({path, i, use->records == 1 ? argument : fmt::format("{}[{}]", argument, i)});
  }
  return all;
}

result<loaded_input> input_loader::from_bytes(std::vector<std::uint8_t> bytes) const
{
  if (image_kind_of(bytes) != image_kind::unknown) {
    auto p = decode_image(bytes);
    if (!p) return unexpected(std::move(p).error());
    auto in = from_picture(std::move(p).value(), how_, expected_);
    if (in) in->file = std::move(bytes);
    return in;
  }
  auto t = read_tensor_proto(bytes, max_input_bytes);
  if (!t) {
    // What is neither a picture nor .npy must be a tensor; a file of another kind should not be called a bad tensor.
    if (t.error().code == errc::limit_exceeded) return unexpected(std::move(t).error());
    return error(errc::bad_input, "neither JPEG nor PNG nor .npy, and no serialised tensor (" + t.error().text() + ")");
  }
  const auto& c = t->values;
  if (!(c.dims == expected_)) return error(errc::bad_input, "tensor of " + to_string(c.dims) + " where the network takes " + to_string(expected_));
  loaded_input in;
  in.values = tensor(expected_);
  const auto out = in.values.values();
  if (c.floats && c.floats->size() == out.size()) std::copy_n(c.floats->values().begin(), out.size(), out.begin());
  else if (c.doubles.size() == out.size()) std::transform(c.doubles.begin(), c.doubles.end(), out.begin(), [](double v) { return static_cast<float>(v); });
  else if (c.integers.size() == out.size()) std::transform(c.integers.begin(), c.integers.end(), out.begin(), [](std::int64_t v) { return static_cast<float>(v); });
  else return error(errc::bad_input, "tensor of " + name_of(c.type) + " without numbers");
  return in;
}

result<loaded_input> input_loader::load(const input_ref& which)
{
  if (kept_name_ != which.file) {
    kept_name_.clear();
    auto bytes = read_file(which.file, max_input_bytes);
    if (!bytes) return named(which.name, bytes.error());
    if (!is_npy(*bytes)) {
      auto in = from_bytes(std::move(bytes).value());
      if (!in) return named(which.name, in.error());
      return in;
    }
    kept_ = std::move(bytes).value();
    kept_name_ = which.file;
  }
  const auto array = parse_npy(kept_);
  if (!array) return named(which.name, array.error());
  const auto use = use_of(*array, expected_);
  if (!use) return named(which.name, use.error());
  if (which.record >= use->records) return error(errc::bad_input, which.name + ": the file has changed since it was listed");
  const std::size_t count = array->dims.elements() / std::max<std::size_t>(use->records, 1);
  if (use->pictures) {
    picture p;
    p.width = use->width;
    p.height = use->height;
    const auto from = array->data.subspan(which.record * count, count);
    p.pixels.assign(from.begin(), from.end());
    auto in = from_picture(std::move(p), how_, expected_);
    if (!in) return named(which.name, in.error());
    return in;
  }
  loaded_input in;
  in.values = tensor(expected_);
  to_floats(*array, which.record * count, in.values.values());
  return in;
}

}  // namespace narrows::tool
