// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/import_context.hpp>
#include <narrows/onnx/detail/resolve_layout.hpp>
#include <narrows/onnx/detail/wire_tensor.hpp>

/// Folding of operators that make, move, cut or join constants.
namespace narrows::detail {

struct op_fold {
  std::string_view type;
  bool (*handle)(node_context&);  ///< false: not in this form
};

/// Larger rearrangements run with the network, if they can, instead of keeping index lists in memory.
inline constexpr std::size_t max_folded_moves = std::size_t{1} << 24;

/// Element `from(i)` of `source` for each i of a new tensor.
template <class From>
onnx_constant take_elements(const onnx_constant& source, const shape& dims, From&& from)
{
  onnx_constant out{source.type, dims, nullptr, {}, {}};
  const auto n = dims.elements();
  if (source.floats) {
    tensor t(dims);
    for (std::size_t i = 0; i < n; ++i) t.values()[i] = source.floats->values()[from(i)];
    out.floats = std::make_shared<const tensor>(std::move(t));
  } else if (source.type == onnx_type::float64) {
    out.doubles.resize(n);
    for (std::size_t i = 0; i < n; ++i) out.doubles[i] = source.doubles[from(i)];
  } else {
    out.integers.resize(n);
    for (std::size_t i = 0; i < n; ++i) out.integers[i] = source.integers[from(i)];
  }
  return out;
}

/// The same values in another shape; shared where the shape is the same.
inline void fold_reshaped(node_context& c, const shape& dims)
{
  const auto x = c.share_constant(0);
  if (c.failed()) return;
  if (x->dims == dims) return c.share(0, x);
  if (x->dims.elements() != dims.elements()) return c.invalid(to_string(x->dims) + " does not have the values of " + to_string(dims));
  if (c.may_allocate(dims, x->floats ? 4 : 8)) c.set_constant(0, take_elements(*x, dims, [](std::size_t i) { return i; }));
}

inline bool fold_constant(node_context& c)
{
  const auto real_list = [](std::vector<float> v, const shape& dims) { return onnx_constant::of(tensor(dims, v)); };
  if (c.has("value")) {
    const auto* t = c.tensor_attribute("value");
    if (!t) return true;
    if (t->data_location() == 1) return c.refuse("its value is in another file"), true;
    auto copy = *t;
    auto value = take_tensor(copy, c.options().max_tensor_bytes);
    if (!value) c.fail(std::move(value).error());
    else c.set_constant(0, std::move(*value));
  } else if (c.has("value_int")) {
    c.set_constant(0, onnx_constant::of(shape{}, {c.integer("value_int", 0)}));
  } else if (c.has("value_ints")) {
    c.set_constant(0, onnx_constant::list(c.integers("value_ints").value_or(std::vector<std::int64_t>{})));
  } else if (c.has("value_float")) {
    c.set_constant(0, real_list({c.real("value_float", 0)}, shape{}));
  } else if (c.has("value_floats")) {
    auto v = c.reals("value_floats").value_or(std::vector<float>{});
    const shape dims{static_cast<std::int64_t>(v.size())};
    c.set_constant(0, real_list(std::move(v), dims));
  } else {
    c.refuse("its value is neither numbers nor a tensor of numbers");
  }
  return true;
}

inline bool fold_constant_of_shape(node_context& c)
{
  const auto dims = c.make_shape(c.known_integers(0, "shape"));
  onnx_constant value{onnx_type::float32, shape{1}, std::make_shared<const tensor>(shape{1}), {}, {}};
  if (const auto* t = c.tensor_attribute("value")) {
    auto copy = *t;
    auto given = take_tensor(copy, 8);
    if (!given || given->dims.elements() != 1) return c.invalid("value is not one number"), true;
    value = std::move(*given);
  }
  if (c.may_allocate(dims, value.floats ? 4 : 8)) c.set_constant(0, take_elements(value, dims, [](std::size_t) { return std::size_t{0}; }));
  return true;
}

inline bool fold_shape(node_context& c)
{
  const auto x = c.dims(0);
  if (c.failed()) return true;
  if (c.type() == "Size") return c.set_constant(0, onnx_constant::of(shape{}, {static_cast<std::int64_t>(x.elements())})), true;
  const auto rank = static_cast<std::int64_t>(x.rank());
  const auto bound = [&](const char* key, std::int64_t otherwise) {
    const auto at = std::max(c.integer(key, otherwise), -rank);
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const auto first = bound("start", 0), last = std::max(first, bound("end", rank));
  c.set_constant(0, onnx_constant::list({x.dims().begin() + first, x.dims().begin() + last}));
  return true;
}

inline bool fold_reshape(node_context& c)
{
  const auto* x = c.constant(0);
  if (!x) return true;
  const auto dims = resolved_reshape(c, x->dims);
  if (!c.failed()) fold_reshaped(c, dims);
  return true;
}

inline bool fold_same(node_context& c)
{
  if (c.type() == "Dropout") return false;
  c.share(0, c.share_constant(0));
  return true;
}

/// Row-major index arithmetic: the source index of each output element, where output coordinate i moves the source by
/// strides[i] from `start`.
class strided_source {
public:
  strided_source(const shape& out, std::vector<std::int64_t> strides, std::int64_t start) : out_(out), strides_(std::move(strides)), start_(start) {}
  std::size_t operator()(std::size_t i) const
  {
    auto at = start_;
    for (std::size_t a = out_.rank(); a > 0; --a) {
      const auto extent = static_cast<std::size_t>(out_[a - 1]);
      at += static_cast<std::int64_t>(i % extent) * strides_[a - 1];
      i /= extent;
    }
    return static_cast<std::size_t>(at);
  }

private:
  shape out_;
  std::vector<std::int64_t> strides_;
  std::int64_t start_;
};

inline std::vector<std::int64_t> strides_of(const shape& s)
{
  std::vector<std::int64_t> out(s.rank());
  for (std::size_t i = 0; i < s.rank(); ++i) out[i] = s.product(i + 1, s.rank());
  return out;
}

inline bool fold_transpose(node_context& c)
{
  const auto* x = c.constant(0);
  if (!x || x->dims.elements() > max_folded_moves) return false;
  const auto permutation = resolved_permutation(c, x->dims.rank());
  if (c.failed()) return true;
  const auto from = strides_of(x->dims);
  std::vector<std::int64_t> extents, strides;
  for (const auto a : permutation) {
    extents.push_back(x->dims[a]);
    strides.push_back(from[a]);
  }
  const auto out = c.make_shape(extents);
  if (c.may_allocate(out, x->floats ? 4 : 8)) c.set_constant(0, take_elements(*x, out, strided_source(out, strides, 0)));
  return true;
}

inline bool fold_slice(node_context& c)
{
  const auto* x = c.constant(0);
  if (!x || x->dims.elements() > max_folded_moves) return false;
  const auto s = resolved_slice(c, x->dims);
  if (c.failed()) return true;
  auto strides = strides_of(x->dims);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    start += s.starts[i] * strides[i];
    strides[i] = s.out[i] > 1 ? strides[i] * s.steps[i] : 0;  // a step that is never taken may be huge
  }
  if (c.may_allocate(s.out, x->floats ? 4 : 8)) c.set_constant(0, take_elements(*x, s.out, strided_source(s.out, strides, start)));
  return true;
}

inline bool fold_expand(node_context& c)
{
  const auto* x = c.constant(0);
  const auto wanted = c.make_shape(c.known_integers(1, "shape"));
  if (!x || c.failed()) return true;
  const auto out = broadcast(x->dims, wanted);
  if (!out) return c.fail(out.error()), true;
  const auto from = strides_of(x->dims);
  std::vector<std::int64_t> strides(out->rank(), 0);
  const auto lead = out->rank() - x->dims.rank();
  for (std::size_t i = 0; i < x->dims.rank(); ++i) strides[i + lead] = x->dims[i] == 1 ? 0 : from[i];
  if (c.may_allocate(*out, x->floats ? 4 : 8)) c.set_constant(0, take_elements(*x, *out, strided_source(*out, strides, 0)));
  return true;
}

inline bool fold_gather(node_context& c)
{
  if (!c.expect_inputs(2, 2)) return true;
  const auto *x = c.constant(0), *index = c.constant(1);
  if (!x || !index) return true;
  const auto axis = c.axis(c.integer("axis", 0), x->dims.rank());
  if (!is_integer(index->type)) c.invalid("indices are " + name_of(index->type));
  if (c.failed()) return true;
  const auto extent = x->dims[axis];
  auto at = index->integers;
  for (auto& i : at) {
    if (i < -extent || i >= extent) return c.invalid("index " + std::to_string(i) + " is outside " + to_string(x->dims)), true;
    if (i < 0) i += extent;
  }
  std::vector<std::int64_t> extents(x->dims.dims().begin(), x->dims.dims().begin() + static_cast<std::ptrdiff_t>(axis));
  extents.insert(extents.end(), index->dims.dims().begin(), index->dims.dims().end());
  extents.insert(extents.end(), x->dims.dims().begin() + static_cast<std::ptrdiff_t>(axis) + 1, x->dims.dims().end());
  const auto out = c.make_shape(extents);
  if (!c.may_allocate(out, x->floats ? 4 : 8)) return true;
  const auto inner = static_cast<std::size_t>(x->dims.product(axis + 1, x->dims.rank()));
  const auto count = at.size(), span = static_cast<std::size_t>(extent) * inner;
  c.set_constant(0, take_elements(*x, out, [&](std::size_t i) {
    return i / (count * inner) * span + static_cast<std::size_t>(at[i / inner % count]) * inner + i % inner;
  }));
  return true;
}

inline bool fold_concat(node_context& c)
{
  const auto* first = c.constant(0);
  if (!first) return true;
  const auto axis = c.axis(c.integer("axis", 1), first->dims.rank());
  std::vector<shape> in;
  for (int i = 0; i < c.inputs() && !c.failed(); ++i) {
    const auto* x = c.constant(i);
    if (!x) return c.invalid("input " + std::to_string(i) + " is missing"), true;
    if (x->type != first->type) return c.invalid("joins " + name_of(first->type) + " and " + name_of(x->type)), true;
    in.push_back(x->dims);
  }
  if (c.failed()) return true;
  const auto out = shapes_of(op::concat{axis}, in, {});
  if (!out) return c.fail(out.error()), true;
  const auto& dims = (*out)[0];
  if (!c.may_allocate(dims, first->floats ? 4 : 8)) return true;
  // Piece by piece: outer rows of each input in turn.
  const auto outer = static_cast<std::size_t>(dims.product(0, axis));
  onnx_constant joined{first->type, dims, nullptr, {}, {}};
  tensor t(first->floats ? dims : shape{0});
  auto values = t.values();
  std::size_t at = 0;
  for (std::size_t row = 0; row < outer; ++row)
    for (int i = 0; i < c.inputs(); ++i) {
      const auto& x = *c.constant(i);
      const auto n = x.dims.elements() / outer, from = row * n;
      const auto begin = static_cast<std::ptrdiff_t>(from), end = static_cast<std::ptrdiff_t>(from + n);
      if (x.floats) std::copy(x.floats->values().begin() + begin, x.floats->values().begin() + end, values.begin() + static_cast<std::ptrdiff_t>(at));
      else if (x.type == onnx_type::float64) joined.doubles.insert(joined.doubles.end(), x.doubles.begin() + begin, x.doubles.begin() + end);
      else joined.integers.insert(joined.integers.end(), x.integers.begin() + begin, x.integers.begin() + end);
      at += n;
    }
  if (first->floats) joined.floats = std::make_shared<const tensor>(std::move(t));
  c.set_constant(0, std::move(joined));
  return true;
}

inline bool fold_split(node_context& c)
{
  const auto* x = c.constant(0);
  if (!x || x->dims.elements() > max_folded_moves) return false;
  const auto axis = c.axis(c.integer("axis", 0), x->dims.rank());
  const op::split parts{axis, resolved_split(c, x->dims, axis)};
  if (c.failed()) return true;
  const std::array in{x->dims};
  const auto out = shapes_of(parts, in, {});
  if (!out) return c.fail(out.error()), true;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < out->size(); ++i) {
    const auto strides = strides_of(x->dims);
    if (c.may_allocate((*out)[i], x->floats ? 4 : 8))
      c.set_constant(static_cast<int>(i), take_elements(*x, (*out)[i], strided_source((*out)[i], strides, start * strides[axis])));
    start += (*out)[i][axis];
  }
  return true;
}

inline constexpr op_fold layout_folds[] = {
  {"Constant", fold_constant}, {"ConstantOfShape", fold_constant_of_shape}, {"Shape", fold_shape}, {"Size", fold_shape}, {"Reshape", fold_reshape},
  {"Flatten", fold_reshape}, {"Squeeze", fold_reshape}, {"Unsqueeze", fold_reshape}, {"Identity", fold_same}, {"Transpose", fold_transpose},
  {"Slice", fold_slice}, {"Expand", fold_expand}, {"Gather", fold_gather}, {"Concat", fold_concat}, {"Split", fold_split},
};

}  // namespace narrows::detail
