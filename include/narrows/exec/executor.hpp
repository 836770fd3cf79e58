// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/graph/graph.hpp>

namespace narrows {

/// Name and shape of a tensor that goes into or comes out of an executor.
struct tensor_info {
  std::string name;
  shape dims;
};

/// How one run goes. The answer has the same bits for any number of threads.
struct run_options {
  int threads = 1;
  std::stop_token stop;                                                     ///< looked at between nodes
  std::function<void(node_id, std::chrono::nanoseconds)> on_node;           ///< called after each node, if set
};

/// Runs one slice of a graph. `run` takes one tensor per `inputs()` and fills one per `outputs()`, shapes as listed
/// there. Errors: bad_input (count or shape), cancelled (stop was asked for), internal.
/// One executor serves one thread at a time; several may be loaded from the same slice.
template <class E>
concept executor = std::movable<E> &&
  requires(E e, const E& ce, std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how) {
    { ce.inputs() } -> std::convertible_to<std::span<const tensor_info>>;
    { ce.outputs() } -> std::convertible_to<std::span<const tensor_info>>;
    { e.run(in, out, how) } -> std::same_as<result<void>>;
  };

/// Makes executors. `level` names what decides the bits of the answers beyond the graph ("reference-fma", say): two
/// engines of one level give identical bits, and a handshake compares it. `load` may be called from several threads.
template <class E>
concept engine = requires(E e, const E& ce, const graph_slice& slice) {
  requires executor<typename decltype(e.load(slice))::value_type>;
  { ce.level() } -> std::convertible_to<std::string_view>;
};

/// Any executor behind one type; also what crosses from an executor module into the program (same compiler, same
/// headers).
class any_executor {
public:
  struct interface {
    virtual ~interface() = default;
    virtual std::span<const tensor_info> inputs() const = 0;
    virtual std::span<const tensor_info> outputs() const = 0;
    virtual result<void> run(std::span<const tensor_view>, std::span<const mutable_tensor_view>, const run_options&) = 0;
  };

  any_executor(std::unique_ptr<interface> self) : self_(std::move(self)) {}  // NOLINT: implicit
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, any_executor> && !std::is_convertible_v<E, std::unique_ptr<interface>> && executor<E>)
  any_executor(E e) : self_(std::make_unique<model<E>>(std::move(e)))  // NOLINT: implicit
  {
  }

  [[nodiscard]] std::span<const tensor_info> inputs() const { return self_->inputs(); }
  [[nodiscard]] std::span<const tensor_info> outputs() const { return self_->outputs(); }
  result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how)
  {
    return self_->run(in, out, how);
  }

private:
  template <class E>
  struct model final : interface {
    explicit model(E e) : e_(std::move(e)) {}
    std::span<const tensor_info> inputs() const override { return e_.inputs(); }
    std::span<const tensor_info> outputs() const override { return e_.outputs(); }
    result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options& how) override
    {
      return e_.run(in, out, how);
    }
    E e_;
  };

  std::unique_ptr<interface> self_;
};
static_assert(executor<any_executor>);

/// Any engine behind one type; copies share it.
class any_engine {
public:
  struct interface {
    virtual ~interface() = default;
    virtual std::string_view level() const = 0;
    virtual result<any_executor> load(const graph_slice&) = 0;
  };

  any_engine(std::shared_ptr<interface> self) : self_(std::move(self)) {}  // NOLINT: implicit
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, any_engine> && !std::is_convertible_v<E, std::shared_ptr<interface>> && engine<E>)
  any_engine(E e) : self_(std::make_shared<model<E>>(std::move(e)))  // NOLINT: implicit
  {
  }

  [[nodiscard]] std::string_view level() const { return self_->level(); }
  [[nodiscard]] result<any_executor> load(const graph_slice& slice) const { return self_->load(slice); }

private:
  template <class E>
  struct model final : interface {
    explicit model(E e) : e_(std::move(e)) {}
    std::string_view level() const override { return e_.level(); }
    result<any_executor> load(const graph_slice& slice) override
    {
      auto loaded = e_.load(slice);
      if (!loaded) return unexpected(std::move(loaded).error());
      return any_executor(std::move(loaded).value());
    }
    E e_;
  };

  std::shared_ptr<interface> self_;
};
static_assert(engine<any_engine>);

}  // namespace narrows
