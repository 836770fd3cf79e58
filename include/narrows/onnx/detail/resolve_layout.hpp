// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <narrows/onnx/detail/import_context.hpp>

/// What layout operators do, worked out from attributes (older opsets) or known inputs (newer ones) and the input's
/// shape. Import and folding share it. Each sets the context's error; its value means nothing then.
namespace narrows::detail {

/// Axes from attribute `axes`, or from input 1 from opset `since` on. Sorted, each once; none given: empty.
inline std::vector<std::size_t> resolved_axes(node_context& c, std::int64_t since, std::size_t rank, bool& given)
{
  std::vector<std::int64_t> axes;
  given = c.opset() < since ? c.has("axes") : c.has_input(1);
  if (given) axes = c.opset() < since ? c.integers("axes").value_or(axes) : c.known_integers(1, "axes");
  std::vector<std::size_t> out;
  for (const auto a : axes) out.push_back(c.axis(a, rank));
  std::sort(out.begin(), out.end());
  if (!c.failed() && std::adjacent_find(out.begin(), out.end()) != out.end()) c.invalid("names an axis twice");
  return out;
}

/// Output of Reshape, Flatten, Squeeze and Unsqueeze.
inline shape resolved_reshape(node_context& c, const shape& x)
{
  const auto& type = c.type();
  if (c.failed() || !c.expect_inputs(1, 2)) return {};
  if (type == "Flatten") {
    const auto n = static_cast<std::int64_t>(x.rank());
    auto axis = c.integer("axis", 1);
    if (axis < 0 && c.opset() >= 11) axis += n;
    if (axis < 0 || axis > n) {
      c.invalid("axis " + std::to_string(c.integer("axis", 1)) + " is outside rank " + std::to_string(n));
      return {};
    }
    const auto at = static_cast<std::size_t>(axis);
    return c.make_shape(std::vector{x.product(0, at), x.product(at, x.rank())});
  }
  bool given = false;
  std::vector<std::int64_t> out;
  if (type == "Squeeze") {
    const auto axes = resolved_axes(c, 13, x.rank(), given);
    for (std::size_t i = 0; i < x.rank() && !c.failed(); ++i) {
      const bool drop = given ? std::binary_search(axes.begin(), axes.end(), i) : x[i] == 1;
      if (drop && x[i] != 1) c.invalid("axis " + std::to_string(i) + " of " + to_string(x) + " is not 1");
      if (!drop) out.push_back(x[i]);
    }
    return c.make_shape(out);
  }
  if (type == "Unsqueeze") {
    const auto count = c.opset() < 13 ? c.integers("axes").value_or(out).size() : c.has_input(1) ? c.known_integers(1, "axes").size() : 0;
    if (x.rank() + count > shape::max_rank) {
      c.refuse("makes rank " + std::to_string(x.rank() + count));
      return {};
    }
    const auto axes = resolved_axes(c, 13, x.rank() + count, given);
    if (!given) c.invalid("axes are missing");
    for (std::size_t i = 0, from = 0; i < x.rank() + count && !c.failed(); ++i)
      out.push_back(std::binary_search(axes.begin(), axes.end(), i) ? 1 : x[from++]);
    return c.make_shape(out);
  }
  // Reshape: 0 copies the extent (unless allowzero), one -1 takes the rest.
  if (c.opset() < 5) {
    if (!c.has("shape")) c.invalid("attribute 'shape' is missing");
    out = c.integers("shape").value_or(out);
  } else {
    out = c.known_integers(1, "shape");
  }
  const bool keep_zero = c.opset() >= 14 && c.integer("allowzero", 0) != 0;
  if (c.failed()) return {};
  std::size_t open = out.size();
  std::int64_t product = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && !keep_zero) {
      if (i >= x.rank()) {
        c.invalid("copies extent " + std::to_string(i) + " of " + to_string(x));
        return {};
      }
      out[i] = x[i];
    }
    if (out[i] == -1) {
      if (open != out.size()) {
        c.invalid("leaves two extents open");
        return {};
      }
      open = i;
      continue;
    }
    if (out[i] < 0 || (out[i] > 0 && product > shape::max_elements / out[i])) {
      c.invalid("asks for an extent of " + std::to_string(out[i]));
      return {};
    }
    product *= out[i];
  }
  const auto count = static_cast<std::int64_t>(x.elements());
  if (open != out.size()) {
    if (product == 0 || count % product != 0) {
      c.invalid(to_string(x) + " does not divide into the shape asked for");
      return {};
    }
    out[open] = count / product;
  }
  return c.make_shape(out);
}

inline std::vector<std::size_t> resolved_permutation(node_context& c, std::size_t rank)
{
  std::vector<std::size_t> out;
  if (const auto given = c.integers("perm")) {
    for (const auto a : *given) out.push_back(c.axis(a, rank));
    std::vector<bool> seen(rank);
    for (const auto a : out)
      if (c.failed() || seen[a]) {
        c.invalid("permutation names an axis twice");
        return {};
      } else {
        seen[a] = true;
      }
    if (out.size() != rank) c.invalid("permutation has " + std::to_string(out.size()) + " axes, input has " + std::to_string(rank));
    return out;
  }
  for (std::size_t i = rank; i > 0; --i) out.push_back(i - 1);
  return out;
}

/// Part sizes: given, or equal (from opset 18 on the last may be smaller).
inline std::vector<std::int64_t> resolved_split(node_context& c, const shape& x, std::size_t axis)
{
  if (c.failed()) return {};
  if (c.opset() < 13) {
    if (const auto given = c.integers("split")) return *given;
  } else if (c.has_input(1)) {
    return c.known_integers(1, "split");
  }
  const auto parts = c.opset() >= 18 ? c.integer("num_outputs", c.outputs()) : c.outputs();
  const auto extent = x.rank() == 0 ? 0 : x[axis];
  if (parts < 1 || parts != c.outputs() || (c.opset() < 18 && extent % parts != 0)) {
    c.invalid("cannot split " + std::to_string(extent) + " into " + std::to_string(parts) + " equal parts");
    return {};
  }
  const auto each = (extent + parts - 1) / parts;
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0, rest = extent; i < parts; ++i, rest -= sizes.back()) sizes.push_back(std::min(each, rest));
  return sizes;
}

struct slice_parts {
  std::vector<std::int64_t> starts, steps;
  shape out{0};
};

/// Clamped starts and counts; the rules of ONNX Slice, which are numpy's.
inline slice_parts resolved_slice(node_context& c, const shape& x)
{
  slice_parts s{std::vector<std::int64_t>(x.rank(), 0), std::vector<std::int64_t>(x.rank(), 1), {}};
  std::vector<std::int64_t> starts, ends, axes, steps, out(x.dims().begin(), x.dims().end());
  if (c.opset() < 10) {
    if (!c.expect_inputs(1, 1)) return s;
    starts = c.integers("starts").value_or(starts);
    ends = c.integers("ends").value_or(ends);
    axes = c.integers("axes").value_or(axes);
  } else {
    if (!c.expect_inputs(3, 5)) return s;
    starts = c.known_integers(1, "starts");
    ends = c.known_integers(2, "ends");
    if (c.has_input(3)) axes = c.known_integers(3, "axes");
    if (c.has_input(4)) steps = c.known_integers(4, "steps");
  }
  const bool all_axes = axes.empty();
  if (all_axes) for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size()) c.invalid("starts, ends, axes and steps differ in number");
  std::vector<bool> seen(x.rank());
  for (std::size_t i = 0; i < starts.size() && !c.failed(); ++i) {
    const auto a = c.axis(axes[i], x.rank());
    const auto step = steps[i];
    if (c.failed()) return s;
    if (seen[a]) c.invalid("names axis " + std::to_string(a) + " twice");
    if (step == 0) c.invalid("step is 0");
    if (c.failed()) return s;
    seen[a] = true;
    const auto extent = x[a];
    s.steps[a] = step;
    if (extent == 0) continue;
    const auto clamped = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      if (at < 0) at = at < -extent ? -1 - extent : at;  // so that adding the extent cannot wrap
      return std::clamp(at < 0 ? at + extent : at, low, high);
    };
    const auto first = clamped(starts[i], 0, step > 0 ? extent : extent - 1);
    const auto last = clamped(ends[i], step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
    const auto room = step > 0 ? last - first : first - last;
    const auto stride = step > 0 ? static_cast<std::uint64_t>(step) : ~static_cast<std::uint64_t>(step) + 1;
    out[a] = room <= 0 ? 0 : static_cast<std::int64_t>((static_cast<std::uint64_t>(room) - 1) / stride + 1);
    s.starts[a] = out[a] == 0 ? 0 : first;
  }
  s.out = c.make_shape(out);
  return s;
}

/// Pads given for some axes only (opset 18), spread over all.
inline std::vector<std::int64_t> spread_pads(node_context& c, const std::vector<std::int64_t>& pads, const std::vector<std::int64_t>& axes, std::size_t rank)
{
  std::vector<std::int64_t> out(2 * rank, 0);
  if (c.failed()) return out;
  if (pads.size() != 2 * axes.size()) {
    c.invalid("has " + std::to_string(pads.size()) + " pads for " + std::to_string(axes.size()) + " axes");
    return out;
  }
  for (std::size_t i = 0; i < axes.size() && !c.failed(); ++i) {
    const auto a = c.axis(axes[i], rank);
    if (c.failed()) break;
    out[a] = pads[i];
    out[a + rank] = pads[i + axes.size()];
  }
  return out;
}

}  // namespace narrows::detail
