// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <narrows/graph/detail/shape_rules.hpp>
#include <narrows/graph/op.hpp>

/// Output shapes of element-by-element operators and of those that move, cut or join values.
namespace narrows::detail {

inline result<shapes> shapes_of(const op::unary&, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  return shapes{in[0]};
}

inline result<shapes> shapes_of(const op::elementwise& o, shapes_in in, shapes_in)
{
  using kinds = enum op::elementwise::kind;
  const bool binary = o.kind == kinds::sub || o.kind == kinds::div || o.kind == kinds::prelu || o.kind == kinds::pow;
  NARROWS_TRY(expect_inputs(in, binary ? 2 : 1, binary ? 2 : SIZE_MAX));
  auto out = in[0];
  for (const auto& s : in.subspan(1)) {
    auto wider = broadcast(out, s);
    if (!wider) return unexpected(std::move(wider).error());
    out = *wider;
  }
  if (o.kind == kinds::prelu && out != in[0]) return bad_node("slope " + to_string(in[1]) + " does not broadcast to " + to_string(in[0]));
  return shapes{out};
}

inline result<shapes> shapes_of(const op::concat& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, SIZE_MAX));
  const auto& first = in[0];
  if (o.axis >= first.rank()) return bad_node("axis " + std::to_string(o.axis) + " is outside " + to_string(first));
  std::vector<std::int64_t> out(first.dims().begin(), first.dims().end());
  for (const auto& s : in.subspan(1)) {
    bool fits = s.rank() == first.rank();
    for (std::size_t i = 0; fits && i < s.rank(); ++i) fits = i == o.axis || s[i] == first[i];
    if (!fits) return bad_node(to_string(first) + " and " + to_string(s) + " do not join along axis " + std::to_string(o.axis));
    out[o.axis] += s[o.axis];
    NARROWS_TRY(make_shape(out));  // each step, so that the sum stays small
  }
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::split& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  if (o.axis >= in[0].rank()) return bad_node("axis " + std::to_string(o.axis) + " is outside " + to_string(in[0]));
  if (o.sizes.empty()) return bad_node("splits into no parts");
  shapes out;
  std::vector<std::int64_t> extents(in[0].dims().begin(), in[0].dims().end());
  auto rest = in[0][o.axis];
  for (const auto size : o.sizes) {
    if (size < 0 || size > rest) return bad_node("part sizes do not add up to " + std::to_string(in[0][o.axis]));
    rest -= size;
    extents[o.axis] = size;
    auto part = make_shape(extents);
    if (!part) return unexpected(std::move(part).error());
    out.push_back(*part);
  }
  if (rest != 0) return bad_node("part sizes do not add up to " + std::to_string(in[0][o.axis]));
  return out;
}

inline result<shapes> shapes_of(const op::slice& o, shapes_in in, shapes_in stated)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  auto out = stated_shape(stated, "slice");
  if (!out) return out.error();
  const auto rank = in[0].rank();
  if (out->rank() != rank || o.starts.size() != rank || o.steps.size() != rank) return bad_node("slice needs a start and a step per axis");
  for (std::size_t i = 0; i < rank; ++i) {
    const auto extent = in[0][i], count = (*out)[i], start = o.starts[i], step = o.steps[i];
    if (step == 0) return bad_node("step is 0");
    if (count == 0) continue;
    if (start < 0 || start >= extent) return bad_node("slice starts at " + std::to_string(start) + " of " + std::to_string(extent));
    // count - 1 steps must stay inside; divide instead of multiplying, which could wrap. A step may be INT64_MIN.
    const auto room = step > 0 ? extent - 1 - start : start;
    const auto stride = step > 0 ? static_cast<std::uint64_t>(step) : ~static_cast<std::uint64_t>(step) + 1;
    if (static_cast<std::uint64_t>(count - 1) > static_cast<std::uint64_t>(room) / stride)
      return bad_node("slice of " + std::to_string(count) + " runs out of " + to_string(in[0]));
  }
  return shapes{*out};
}

inline result<shapes> shapes_of(const op::pad& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 2));
  const auto rank = in[0].rank();
  if (o.before.size() != rank || o.after.size() != rank) return bad_node("pad needs two amounts per axis of " + to_string(in[0]));
  if (in.size() == 2 && (o.mode != op::pad::mode::constant || in[1].elements() != 1)) return bad_node("pad value is " + to_string(in[1]));
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < rank; ++i) {
    const auto extent = in[0][i], before = o.before[i], after = o.after[i];
    for (const auto amount : {before, after}) {
      if (amount < -extent || amount > shape::max_elements) return bad_node("pad amount is " + std::to_string(amount) + " on an extent of " + std::to_string(extent));
      if (o.mode == op::pad::mode::reflect && amount > 0 && amount >= extent)
        return bad_node("cannot reflect " + std::to_string(amount) + " values of " + std::to_string(extent));
      if (o.mode == op::pad::mode::edge && amount > 0 && extent == 0) return bad_node("no edge to repeat in " + to_string(in[0]));
    }
    if (extent + before + after < 0) return bad_node("pads cut away more than " + std::to_string(extent));
    if (o.mode != op::pad::mode::constant && (before < 0 || after < 0) && (before > 0 || after > 0) )
      return bad_node("pads of both signs on one axis");
    out.push_back(extent + before + after);
  }
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::reshape&, shapes_in in, shapes_in stated)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  auto out = stated_shape(stated, "reshape");
  if (!out) return out.error();
  if (out->elements() != in[0].elements()) return bad_node(to_string(in[0]) + " does not have the values of " + to_string(*out));
  return shapes{*out};
}

inline result<shapes> shapes_of(const op::transpose& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  const auto rank = in[0].rank();
  std::vector<bool> seen(rank);
  std::vector<std::int64_t> out;
  for (const auto axis : o.permutation) {
    if (axis >= rank || seen[axis]) return bad_node("permutation does not fit " + to_string(in[0]));
    seen[axis] = true;
    out.push_back(in[0][axis]);
  }
  if (out.size() != rank) return bad_node("permutation does not fit " + to_string(in[0]));
  return one_shape(out);
}

inline result<shapes> shapes_of(const op::resize& o, shapes_in in, shapes_in stated)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  auto out = stated_shape(stated, "resize");
  if (!out) return out.error();
  const auto rank = in[0].rank();
  if (out->rank() != rank || o.scales.size() != rank) return bad_node("resize needs a scale per axis of " + to_string(in[0]));
  for (std::size_t i = 0; i < rank; ++i) {
    if (!(o.scales[i] > 0) || !std::isfinite(o.scales[i])) return bad_node("scale is " + std::to_string(o.scales[i]));
    if (in[0][i] == 0 && (*out)[i] != 0) return bad_node("cannot resize " + to_string(in[0]) + " to " + to_string(*out));
  }
  if (o.parts.empty()) return shapes{*out};
  if (o.parts.size() != rank) return bad_node("resize of a part needs a place per axis of " + to_string(in[0]));
  const auto inside = [](std::int64_t first, std::int64_t count, std::int64_t extent) {
    return first >= 0 && extent <= shape::max_elements && first <= extent - count;
  };
  for (std::size_t i = 0; i < rank; ++i) {
    const auto& p = o.parts[i];
    if (!inside(p.input_first, in[0][i], p.input_extent) || !inside(p.output_first, (*out)[i], p.output_extent))
      return bad_node("part of axis " + std::to_string(i) + " lies outside its map");
  }
  return shapes{*out};
}

inline result<shapes> shapes_of(const op::reduce& o, shapes_in in, shapes_in stated)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  std::vector<std::int64_t> kept(in[0].dims().begin(), in[0].dims().end()), dropped;
  for (std::size_t i = 0; i < o.axes.size(); ++i) {
    if (o.axes[i] >= in[0].rank() || (i > 0 && o.axes[i] <= o.axes[i - 1])) return bad_node("axes do not fit " + to_string(in[0]));
    if (kept[o.axes[i]] == 0 && (o.kind == op::reduce::kind::max || o.kind == op::reduce::kind::min))
      return bad_node("no largest or smallest value in " + to_string(in[0]));
    kept[o.axes[i]] = 1;
  }
  for (std::size_t i = 0, next = 0; i < in[0].rank(); ++i) {
    if (next < o.axes.size() && o.axes[next] == i) ++next;
    else dropped.push_back(kept[i]);
  }
  auto keep = make_shape(kept), drop = make_shape(dropped);
  if (!keep) return keep.error();
  if (!drop) return drop.error();
  if (stated.empty() || stated[0] == *keep) return shapes{*keep};
  if (stated[0] == *drop) return shapes{*drop};
  return bad_node("reduces " + to_string(in[0]) + " to " + to_string(*keep) + ", not " + to_string(stated[0]));
}

inline result<shapes> shapes_of(const op::softmax& o, shapes_in in, shapes_in)
{
  NARROWS_TRY(expect_inputs(in, 1, 1));
  if (o.first > o.last || o.last > in[0].rank())
    return bad_node("axes " + std::to_string(o.first) + " to " + std::to_string(o.last) + " are outside " + to_string(in[0]));
  return shapes{in[0]};
}

}  // namespace narrows::detail
