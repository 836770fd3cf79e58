// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>

namespace narrows {

/// A failure with the name of what failed: `code` says which kind, `what` names the file, node or field and the cause.
struct error {
  errc code = errc::internal;
  std::string what;

  error() = default;
  error(errc c) : code(c) {}  // NOLINT: implicit on purpose, `return errc::bad_shape;`
  error(errc c, std::string text) : code(c), what(std::move(text)) {}

  /// "what: sentence", or the sentence alone; one line.
  [[nodiscard]] std::string text() const
  {
    return what.empty() ? std::string(message(code)) : what + ": " + std::string(message(code));
  }
  friend bool operator==(const error&, const error&) = default;
};

template <class E>
class unexpected {
public:
  constexpr explicit unexpected(E e) : error_(std::move(e)) {}
  [[nodiscard]] constexpr const E& error() const& noexcept { return error_; }
  [[nodiscard]] constexpr E&& error() && noexcept { return std::move(error_); }

private:
  E error_;
};

/// A value or the reason why there is none, named like C++23's std::expected (which Debian 12's compilers lack).
/// `result<T>` carries an `error`; `result<T, errc>` is for code that must not allocate (pack).
/// Access to the missing side breaks the contract.
template <class T, class E = narrows::error>
class [[nodiscard]] result {
public:
  using value_type = T;
  using error_type = E;

  constexpr result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  constexpr result(E e) : state_(std::in_place_index<1>, std::move(e)) {}          // NOLINT: implicit
  constexpr result(errc e)                                                        // NOLINT: implicit
    requires(!std::same_as<E, errc> && !std::same_as<T, errc>)
    : state_(std::in_place_index<1>, E(e)) {}
  template <class G>
  constexpr result(unexpected<G> e) : state_(std::in_place_index<1>, E(std::move(e).error())) {}  // NOLINT: implicit

  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  constexpr T& operator*() & noexcept { NARROWS_EXPECTS(has_value()); return *std::get_if<0>(&state_); }
  constexpr const T& operator*() const& noexcept { NARROWS_EXPECTS(has_value()); return *std::get_if<0>(&state_); }
  constexpr T&& operator*() && noexcept { NARROWS_EXPECTS(has_value()); return std::move(*std::get_if<0>(&state_)); }
  constexpr T* operator->() noexcept { NARROWS_EXPECTS(has_value()); return std::get_if<0>(&state_); }
  constexpr const T* operator->() const noexcept { NARROWS_EXPECTS(has_value()); return std::get_if<0>(&state_); }
  constexpr T& value() & noexcept { return **this; }
  constexpr const T& value() const& noexcept { return **this; }
  constexpr T&& value() && noexcept { return std::move(**this); }

  [[nodiscard]] constexpr const E& error() const& noexcept { NARROWS_EXPECTS(!has_value()); return *std::get_if<1>(&state_); }
  [[nodiscard]] constexpr E&& error() && noexcept { NARROWS_EXPECTS(!has_value()); return std::move(*std::get_if<1>(&state_)); }

private:
  std::variant<T, E> state_;
};

/// Success without a value, or the reason of the failure.
template <class E>
class [[nodiscard]] result<void, E> {
public:
  using value_type = void;
  using error_type = E;

  constexpr result() = default;
  constexpr result(E e) : error_(std::move(e)), failed_(true) {}  // NOLINT: implicit
  constexpr result(errc e)                                        // NOLINT: implicit
    requires(!std::same_as<E, errc>)
    : error_(E(e)), failed_(true) {}
  template <class G>
  constexpr result(unexpected<G> e) : error_(E(std::move(e).error())), failed_(true) {}  // NOLINT: implicit

  [[nodiscard]] constexpr bool has_value() const noexcept { return !failed_; }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] constexpr const E& error() const& noexcept { NARROWS_EXPECTS(failed_); return error_; }
  [[nodiscard]] constexpr E&& error() && noexcept { NARROWS_EXPECTS(failed_); return std::move(error_); }

private:
  E error_{};
  bool failed_ = false;
};

}  // namespace narrows

/// Hands a failure on to the caller: NARROWS_TRY(result) for a `result` whose value is not needed.
#define NARROWS_TRY(...)                                                                 \
  do {                                                                                   \
    if (auto narrows_try_ = (__VA_ARGS__); !narrows_try_)                                \
      return ::narrows::unexpected(std::move(narrows_try_).error());                     \
  } while (false)
