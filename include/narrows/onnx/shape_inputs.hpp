// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/onnx/import.hpp>

namespace narrows {

/// An input of an ONNX file that has no initializer.
struct model_input {
  std::string name;
  onnx_type type = onnx_type::undefined;
  bool only_shapes = false;  ///< read only where values decide a shape (axes, sizes, scales): to be given in `import_options::bind`
};

namespace detail {

/// Does input `i` of this operator decide the shape of the output?
inline bool decides_shape(std::string_view type, int i)
{
  struct entry {
    std::string_view type;
    int first, last;
  };
  static constexpr std::array<entry, 16> table{{{"Reshape", 1, 1}, {"Expand", 1, 1}, {"ConstantOfShape", 0, 0}, {"Slice", 1, 4}, {"Pad", 1, 1}, {"Pad", 3, 3},
    {"Squeeze", 1, 1}, {"Unsqueeze", 1, 1}, {"Split", 1, 1}, {"Resize", 1, 3}, {"Upsample", 1, 1}, {"Tile", 1, 1}, {"ReduceSum", 1, 1}, {"Range", 0, 2},
    {"ReduceMean", 1, 1}, {"TopK", 1, 1}}};
  for (const auto& e : table)
    if (e.type == type && i >= e.first && i <= e.last) return true;
  return false;
}

}  // namespace detail

/// The inputs an ONNX file wants from outside, in its order. Errors: as import_onnx for a file that cannot be read.
inline result<std::vector<model_input>> model_inputs(std::span<const std::uint8_t> bytes, const import_options& how = {})
{
  const auto parsed = detail::parse_model(bytes, how);
  if (!parsed) return parsed.error();
  const auto& g = (*parsed)->graph();
  std::vector<model_input> out;
  for (const auto& info : g.input()) {
    bool given = false;
    for (const auto& t : g.initializer()) given = given || t.name() == info.name();
    if (given) continue;
    bool shapes = false, values = false;
    for (const auto& n : g.node())
      for (int i = 0; i < n.input_size(); ++i)
        if (n.input(i) == info.name()) (detail::decides_shape(n.op_type(), i) ? shapes : values) = true;
    out.push_back({info.name(), static_cast<onnx_type>(info.type().tensor_type().elem_type()), shapes && !values});
  }
  return out;
}

}  // namespace narrows
