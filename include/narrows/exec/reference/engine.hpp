// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <narrows/exec/executor.hpp>
#include <narrows/exec/reference/executor.hpp>
#include <narrows/exec/reference/make_step.hpp>

namespace narrows {
namespace exec::inline NARROWS_EXEC_ISA {

/// Steps already made, by node: all executors of one engine that hold a node of a graph share its packed weights.
/// Kept only as long as an executor uses them (which keeps the graph alive too, so an address names one graph).
class step_cache {
public:
  [[nodiscard]] std::shared_ptr<const step> find_or_make(const graph& g, node_id n)
  {
    const std::lock_guard lock(guard_);
    auto& held = steps_[{&g, n}];
    if (auto made = held.lock()) return made;
    auto made = make_step({g, g[n]});
    held = made;
    return made;
  }
  void forget_unused()
  {
    const std::lock_guard lock(guard_);
    std::erase_if(steps_, [](const auto& entry) { return entry.second.expired(); });
  }

private:
  std::mutex guard_;
  std::map<std::pair<const graph*, node_id>, std::weak_ptr<const step>> steps_;
};

/// Makes reference executors (DESIGN: small, deterministic, no third party beyond xsimd).
///
/// Level    "reference-fma" where a step of a sum rounds once (x86-64-v3 and -v4, AArch64): identical bits on all of
///          them. "reference-nofma" below, where it rounds twice. The instruction set is that of the translation unit's
///          flags; load_engine (exec/module.hpp) reaches the best one of this CPU from baseline code.
/// Copies   share what was prepared.
class reference_engine {
public:
  [[nodiscard]] std::string_view level() const noexcept { return fused ? "reference-fma" : "reference-nofma"; }

  /// Errors: bad_graph (a value of the slice comes from nowhere), internal (out of memory).
  [[nodiscard]] result<reference_executor> load(const graph_slice& slice) const
  {
    try {
      cache_->forget_unused();
      return reference_executor::make(slice, [&](node_id n) { return cache_->find_or_make(*slice.whole, n); });
    } catch (const std::exception& e) {
      return error(errc::internal, slice.whole->name() + ": " + e.what());
    }
  }

private:
  std::shared_ptr<step_cache> cache_ = std::make_shared<step_cache>();
};

}  // namespace exec::inline NARROWS_EXEC_ISA

using exec::reference_engine;
static_assert(engine<reference_engine>);

}  // namespace narrows
