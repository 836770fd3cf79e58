// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <type_traits>
#include <variant>

#include <narrows/exec/reference/arrange.hpp>
#include <narrows/exec/reference/conv.hpp>
#include <narrows/exec/reference/elementwise.hpp>
#include <narrows/exec/reference/linear.hpp>
#include <narrows/exec/reference/reduce.hpp>
#include <narrows/exec/reference/resample.hpp>
#include <narrows/exec/reference/sliding.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// One overload per operator of op.hpp: its step, made ready for the shapes and constants of one node.
struct step_maker {
  const node_view& n;

  using made = std::shared_ptr<const step>;
  made operator()(const op::conv& c) const
  {
    if (c.groups > 1 && n.in(0)[1] == c.groups) return std::make_shared<depthwise_step>(c, n);
    return std::make_shared<conv_step>(c, n);
  }
  made operator()(const op::conv_transpose& c) const { return std::make_shared<conv_transpose_step>(c, n); }
  made operator()(const op::pool& p) const { return std::make_shared<pool_step>(p, n); }
  made operator()(const op::global_pool& p) const { return std::make_shared<global_pool_step>(p, n); }
  made operator()(const op::batch_norm& b) const { return std::make_shared<batch_norm_step>(b, n); }
  made operator()(const op::gemm& g) const { return std::make_shared<gemm_step>(g, n); }
  made operator()(const op::matmul&) const { return std::make_shared<matmul_step>(n); }
  made operator()(const op::unary& u) const { return std::make_shared<unary_step>(u, n); }
  made operator()(const op::elementwise& e) const { return std::make_shared<elementwise_step>(e, n); }
  made operator()(const op::concat& c) const { return std::make_shared<concat_step>(c, n); }
  made operator()(const op::split& s) const { return std::make_shared<split_step>(s, n); }
  made operator()(const op::slice& s) const { return std::make_shared<slice_step>(s, n); }
  made operator()(const op::pad& p) const { return std::make_shared<pad_step>(p, n); }
  made operator()(const op::reshape&) const { return std::make_shared<reshape_step>(n); }
  made operator()(const op::transpose& t) const { return std::make_shared<transpose_step>(t, n); }
  made operator()(const op::resize& r) const { return std::make_shared<resize_step>(r, n); }
  made operator()(const op::reduce& r) const { return std::make_shared<reduce_step>(r, n); }
  made operator()(const op::softmax& s) const { return std::make_shared<softmax_step>(s, n); }
  made operator()(const op::lrn& l) const { return std::make_shared<lrn_step>(l, n); }
};

[[nodiscard]] inline std::shared_ptr<const step> make_step(const node_view& n) { return std::visit(step_maker{n}, n.self.operation); }

/// How many of a node's first inputs its output may replace in memory, values being read before their place is
/// written: those of the output's shape that nothing else needs any more.
[[nodiscard]] inline std::size_t replaceable_inputs(const node& n) noexcept
{
  if (std::holds_alternative<op::elementwise>(n.operation)) return 2;
  return std::holds_alternative<op::unary>(n.operation) || std::holds_alternative<op::batch_norm>(n.operation) ? 1 : 0;
}

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
