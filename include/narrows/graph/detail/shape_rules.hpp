// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>

/// What the shape rules of all operator families share.
namespace narrows::detail {

using shapes = std::vector<shape>;
using shapes_in = std::span<const shape>;

inline error bad_node(std::string why) { return {errc::bad_node, std::move(why)}; }

inline result<shape> make_shape(std::span<const std::int64_t> extents)
{
  if (auto s = shape::make(extents)) return *s;
  std::string text;
  for (const auto e : extents) {
    if (!text.empty()) text += 'x';   // as "x" + to_string(e), g++ 12 warns of an overlap (GCC bug 105651)
    text += std::to_string(e);
  }
  return error(errc::bad_shape, "shape " + text);
}

inline result<shapes> one_shape(std::span<const std::int64_t> extents)
{
  auto s = make_shape(extents);
  if (!s) return unexpected(std::move(s).error());
  return shapes{*s};
}

inline result<void> expect_inputs(shapes_in in, std::size_t least, std::size_t most)
{
  if (in.size() >= least && in.size() <= most) return {};
  std::string wanted = std::to_string(least);
  if (most != least) wanted += most == SIZE_MAX ? " or more" : " to " + std::to_string(most);
  return bad_node("has " + std::to_string(in.size()) + " inputs, needs " + wanted);
}

inline result<void> expect_rank(const shape& s, std::size_t rank, const char* which)
{
  if (s.rank() == rank) return {};
  return bad_node(std::string(which) + " is " + to_string(s) + ", needs rank " + std::to_string(rank));
}

/// numpy broadcasting of two shapes.
inline result<shape> broadcast(const shape& a, const shape& b)
{
  const auto rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, shape::max_rank> out{};
  for (std::size_t i = 0; i < rank; ++i) {
    const auto ea = i + a.rank() < rank ? 1 : a[i + a.rank() - rank];
    const auto eb = i + b.rank() < rank ? 1 : b[i + b.rank() - rank];
    if (ea != eb && ea != 1 && eb != 1) return bad_node(to_string(a) + " and " + to_string(b) + " do not broadcast");
    out[i] = ea == 1 ? eb : ea;
  }
  return make_shape(std::span(out).first(rank));
}

/// The one shape the caller states for an output whose extents the attributes leave open.
inline result<shape> stated_shape(shapes_in stated, const char* op)
{
  if (stated.size() != 1) return bad_node(std::string(op) + " needs its output shape stated");
  return stated[0];
}

}  // namespace narrows::detail
