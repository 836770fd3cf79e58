// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Any policy behind one type, for programs that pick one at run time.
class any_policy {
public:
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, any_policy> && scheduling_policy<std::remove_cvref_t<P>>)
  any_policy(P policy) : self_(std::make_unique<model<P>>(std::move(policy)))  // NOLINT: implicit
  {
  }

  [[nodiscard]] std::string_view name() const noexcept { return self_->name(); }
  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) noexcept { return self_->choose(from, seen); }

private:
  struct interface {
    virtual ~interface() = default;
    virtual std::string_view name() const noexcept = 0;
    virtual decision choose(std::span<const candidate>, const observation&) noexcept = 0;
  };
  template <class P>
  struct model final : interface {
    explicit model(P p) : p_(std::move(p)) {}
    std::string_view name() const noexcept override { return P::name; }
    decision choose(std::span<const candidate> from, const observation& seen) noexcept override { return p_.choose(from, seen); }
    P p_;
  };

  std::unique_ptr<interface> self_;
};

}  // namespace narrows
