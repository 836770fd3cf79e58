// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/exec/reference/make_step.hpp>
#include <narrows/exec/reference/memory_plan.hpp>
#include <narrows/exec/reference/team.hpp>

namespace narrows::exec::inline NARROWS_EXEC_ISA {

/// Runs the steps of one slice. Every tensor between two nodes has a place in one arena, planned at load; tensors whose
/// lives do not meet share memory, a reshape shares its input's, and element-wise nodes write over an input that
/// nothing else needs. Inputs and outputs stay with the caller (outputs must not overlap inputs).
class reference_executor {
public:
  template <class MakeStep>
  [[nodiscard]] static result<reference_executor> make(const graph_slice& slice, MakeStep&& make_step)
  {
    reference_executor e;
    e.slice_ = slice;
    for (const auto v : slice.inputs) e.inputs_.push_back({(*slice.whole)[v].name, (*slice.whole)[v].dims});
    for (const auto v : slice.outputs) e.outputs_.push_back({(*slice.whole)[v].name, (*slice.whole)[v].dims});
    NARROWS_TRY(e.plan(make_step));
    return e;
  }

  [[nodiscard]] std::span<const tensor_info> inputs() const noexcept { return inputs_; }
  [[nodiscard]] std::span<const tensor_info> outputs() const noexcept { return outputs_; }
  /// Bytes of the arena, and what all tensors in it would take side by side.
  [[nodiscard]] std::size_t arena_bytes() const noexcept { return arena_floats_ * sizeof(float); }
  [[nodiscard]] std::size_t unshared_bytes() const noexcept { return unshared_floats_ * sizeof(float); }

  result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
  {
    NARROWS_TRY(check(in, inputs_, "input"));
    NARROWS_TRY(check(out, outputs_, "output"));
    try {
      return run_checked(in, out, how);
    } catch (const std::exception& e) {
      return error(errc::internal, slice_.whole->name() + ": " + e.what());
    } catch (...) {
      return error(errc::internal, slice_.whole->name());
    }
  }

private:
  /// Where a tensor is: in the arena, or with someone else.
  enum class home { arena, input, output, constant };
  struct location {
    home kind = home::arena;
    std::size_t index = 0;                ///< arena: lifetime, then offset; input, output: position
    const float* constant = nullptr;
  };
  struct action {
    node_id node;
    std::shared_ptr<const step> work;     ///< null for a reshape that shares its input
    std::vector<location> in, out;
  };
  struct copy {
    location from;
    std::size_t output;
  };

  template <class View>
  [[nodiscard]] static result<void> check(std::span<View> given, const std::vector<tensor_info>& expected, const char* side)
  {
    if (given.size() != expected.size())
      return error(errc::bad_input, "network has " + std::to_string(expected.size()) + " " + side + "s, " + std::to_string(given.size()) + " given");
    for (std::size_t i = 0; i < given.size(); ++i)
      if (given[i].dims() != expected[i].dims)
        return error(errc::bad_input, std::string(side) + " '" + expected[i].name + "': shape is " + to_string(given[i].dims()) + ", expected " + to_string(expected[i].dims));
    return {};
  }

  template <class MakeStep>
  [[nodiscard]] result<void> plan(MakeStep&& make_step)
  {
    const graph& g = *slice_.whole;
    std::map<value_id, location> place_of;
    for (std::size_t i = 0; i < slice_.inputs.size(); ++i) place_of[slice_.inputs[i]] = {home::input, i, nullptr};
    std::map<value_id, std::size_t> output_of, last_use;
    for (std::size_t i = 0; i < slice_.outputs.size(); ++i) output_of.emplace(slice_.outputs[i], i);
    for (std::size_t i = 0; i < slice_.nodes.size(); ++i)
      for (const auto v : g[slice_.nodes[i]].inputs) last_use[v] = i;

    std::vector<lifetime> buffers;
    const auto find = [&](value_id v) -> std::optional<location> {
      if (const auto it = place_of.find(v); it != place_of.end()) return it->second;
      if (g[v].constant) return place_of[v] = {home::constant, 0, g[v].constant->values().data()};
      return std::nullopt;
    };
    for (std::size_t i = 0; i < slice_.nodes.size(); ++i) {
      const node& n = g[slice_.nodes[i]];
      action a{slice_.nodes[i], nullptr, {}, {}};
      for (const auto v : n.inputs) {
        const auto at = find(v);
        if (!at) return error(errc::bad_graph, "node '" + n.name + "' reads '" + g[v].name + (g[v].is_constant ? "', weights without values" : "', which nothing gives"));
        a.in.push_back(*at);
      }
      const auto extend = [&](const location& at, value_id v) {
        if (at.kind == home::arena && last_use.contains(v)) buffers[at.index].last = std::max(buffers[at.index].last, last_use[v]);
      };
      const bool view = std::holds_alternative<op::reshape>(n.operation) && n.activation.kind == op::unary::kind::identity && !output_of.contains(n.outputs[0]);
      for (std::size_t o = 0; o < n.outputs.size(); ++o) {
        const auto v = n.outputs[o];
        const auto floats = g[v].dims.elements();
        location at;
        if (const auto it = output_of.find(v); it != output_of.end()) at = {home::output, it->second, nullptr};
        else if (view) at = a.in[0];
        else {
          std::optional<std::size_t> shared;
          for (std::size_t k = 0; o == 0 && !shared && k < std::min(replaceable_inputs(n), n.inputs.size()); ++k)
            if (a.in[k].kind == home::arena && buffers[a.in[k].index].last == i && g[n.inputs[k]].dims == g[v].dims && once(a.in, k)) shared = a.in[k].index;
          if (!shared) {
            shared = buffers.size();
            buffers.push_back({i, i, floats, 0});
          }
          at = {home::arena, *shared, nullptr};
          unshared_floats_ += padded(floats);
        }
        extend(at, v);
        place_of[v] = at;
        a.out.push_back(at);
      }
      if (!view) a.work = make_step(slice_.nodes[i]);
      actions_.push_back(std::move(a));
    }
    for (std::size_t i = 0; i < slice_.outputs.size(); ++i) {
      const auto at = find(slice_.outputs[i]);
      if (!at) return error(errc::bad_graph, "nothing gives output '" + g[slice_.outputs[i]].name + "'");
      if (at->kind != home::output || at->index != i) copies_.push_back({*at, i});
    }
    arena_floats_ = place(buffers);
    for (auto& a : actions_)
      for (auto* side : {&a.in, &a.out})
        for (auto& at : *side)
          if (at.kind == home::arena) at.index = buffers[at.index].offset;
    return {};
  }

  /// Whether operand k's memory is read as no other operand.
  [[nodiscard]] static bool once(const std::vector<location>& in, std::size_t k)
  {
    return std::count_if(in.begin(), in.end(), [&](const location& other) { return other.kind == home::arena && other.index == in[k].index; }) == 1;
  }

  [[nodiscard]] result<void> run_checked(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
  {
    workers_->resize(how.threads);
    std::size_t scratch = 0;
    for (const auto& a : actions_)
      if (a.work) scratch = std::max(scratch, padded(a.work->scratch(workers_->size())));
    if (arena_.size() < arena_floats_ + scratch) {
      arena_ = {};
      arena_.resize(arena_floats_ + scratch);
    }
    workspace with{*workers_, arena_.data() + arena_floats_};
    const auto read = [&](const location& at) -> const float* {
      switch (at.kind) {
      case home::arena: return arena_.data() + at.index;
      case home::input: return in[at.index].data();
      case home::output: return out[at.index].data();
      case home::constant: return at.constant;
      }
      return nullptr;
    };
    const auto write = [&](const location& at) { return at.kind == home::output ? out[at.index].data() : arena_.data() + at.index; };
    for (const auto& a : actions_) {
      if (how.stop.stop_requested()) return error(errc::cancelled, slice_.whole->name());
      const auto start = how.on_node ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point{};
      if (a.work) {
        from_.clear();
        to_.clear();
        for (const auto& at : a.in) from_.push_back(read(at));
        for (const auto& at : a.out) to_.push_back(write(at));
        a.work->run(from_, to_, with);
      }
      if (how.on_node) how.on_node(a.node, std::chrono::steady_clock::now() - start);
    }
    for (const auto& c : copies_) std::copy_n(read(c.from), out[c.output].size(), out[c.output].data());
    return {};
  }

  graph_slice slice_;
  std::vector<tensor_info> inputs_, outputs_;
  std::vector<action> actions_;
  std::vector<copy> copies_;                 ///< outputs that no step of this slice writes
  std::size_t arena_floats_ = 0, unshared_floats_ = 0;
  aligned_vector<float> arena_;              ///< tensors, then scratch
  std::unique_ptr<team> workers_ = std::make_unique<team>();
  std::vector<const float*> from_;
  std::vector<float*> to_;
};

}  // namespace narrows::exec::inline NARROWS_EXEC_ISA
