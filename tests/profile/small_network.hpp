// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/graph/builder.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows::test {

/// picture 1x3x16x16 -> conv+relu "first" 1x8x16x16 -> max-pool "pooled" 1x8x8x8 -> conv "narrow" 1x4x8x8 (signed)
/// -> conv+relu "wide" 1x16x8x8 -> global average "average" 1x16x1x1 -> gemm "scores" 1x10.
inline std::shared_ptr<const graph> small_network()
{
  graph_builder b("small");
  const auto conv = [&](value_id x, std::int64_t in, std::int64_t out, const std::string& name, bool relu) {
    const auto w = *b.constant(name + ".w", tensor(shape{out, in, 3, 3}));
    node_description n;
    n.operation = op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1};
    n.inputs = {x, w};
    n.outputs = {name};
    if (relu) n.activation.kind = op::unary::kind::relu;
    return (*b.add(std::move(n)))[0];
  };
  const auto x = *b.input("picture", shape{1, 3, 16, 16});
  const auto first = conv(x, 3, 8, "first", true);
  node_description pool;
  pool.operation = op::pool{op::pool::kind::max, {{2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}}, false};
  pool.inputs = {first};
  pool.outputs = {"pooled"};
  pool.shapes = {shape{1, 8, 8, 8}};
  const auto pooled = (*b.add(std::move(pool)))[0];
  const auto narrow = conv(pooled, 8, 4, "narrow", false);
  const auto wide = conv(narrow, 4, 16, "wide", true);
  node_description average;
  average.operation = op::global_pool{};
  average.inputs = {wide};
  average.outputs = {"average"};
  const auto averaged = (*b.add(std::move(average)))[0];
  node_description flat;
  flat.operation = op::reshape{};
  flat.inputs = {averaged};
  flat.outputs = {"flat"};
  flat.shapes = {shape{1, 16}};
  const auto flattened = (*b.add(std::move(flat)))[0];
  node_description gemm;
  gemm.operation = op::gemm{1, 1, false, true};
  gemm.inputs = {flattened, *b.constant("scores.w", tensor(shape{10, 16}))};
  gemm.outputs = {"scores"};
  const auto scores = (*b.add(std::move(gemm)))[0];
  return *b.finish({scores});
}

}  // namespace narrows::test
