// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <narrows/exec/reference/isa.hpp>
#include <narrows/exec/reference/team.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// What a step may use while it runs: threads, and `step::scratch(threads)` floats on a 64-byte border.
struct workspace {
  team& workers;
  float* scratch;
};

/// One node made ready: tables computed, weights packed. Immutable, so executors of one engine share it.
struct step {
  step() = default;
  step(const step&) = delete;
  step& operator=(const step&) = delete;
  virtual ~step() = default;
  /// Floats of scratch memory that `run` needs with so many threads.
  [[nodiscard]] virtual std::size_t scratch(int threads) const { return static_cast<void>(threads), 0; }
  /// `in` and `out` in the node's order. Only a step that said so at load may find an input in its output's place.
  virtual void run(std::span<const float* const> in, std::span<float* const> out, workspace& with) const = 0;
};

/// A node of a graph as its step is made: operands' shapes and constants.
struct node_view {
  const graph& whole;
  const node& self;

  [[nodiscard]] std::size_t inputs() const noexcept { return self.inputs.size(); }
  [[nodiscard]] const shape& in(std::size_t i) const noexcept { return whole[self.inputs[i]].dims; }
  [[nodiscard]] const shape& out(std::size_t i = 0) const noexcept { return whole[self.outputs[i]].dims; }
  /// Values known at load, or null.
  [[nodiscard]] const float* constant(std::size_t i) const noexcept
  {
    if (i >= inputs()) return nullptr;
    const auto& held = whole[self.inputs[i]].constant;
    return held ? held->values().data() : nullptr;
  }
};

/// Floats rounded up to a cache line.
[[nodiscard]] constexpr std::size_t padded(std::size_t floats) noexcept { return (floats + 15) / 16 * 16; }
[[nodiscard]] constexpr std::size_t extent(std::int64_t e) noexcept { return static_cast<std::size_t>(e); }

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
