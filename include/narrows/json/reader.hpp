// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>

namespace narrows {

/// Text to a JSON value, without exceptions. `what` names the text in the error. Errors: bad_input.
[[nodiscard]] inline result<nlohmann::json> parse_json(std::string_view text, std::string what)
{
  auto parsed = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (parsed.is_discarded()) return error(errc::bad_input, std::move(what) + ": not JSON");
  return parsed;
}

namespace detail {

/// Reads the fields of one JSON object and keeps the first thing that is wrong, so that a whole struct can be read in
/// straight lines and judged once. Nothing in it throws, whatever the file holds.
class json_reader {
public:
  json_reader(const nlohmann::json& from, std::string where) : from_(from), where_(std::move(where))
  {
    if (!from_.is_object()) fail("is not an object");
  }

  /// A finite number in [low, high].
  double number(const char* key, double low, double high)
  {
    const auto* f = field(key);
    if (!f) return low;
    const double value = f->is_number() ? f->get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(value >= low && value <= high)) return fail(std::string("'") + key + "' is not a number in its range"), low;
    return value;
  }
  /// Seconds: not negative, below a day.
  double seconds(const char* key) { return number(key, 0, 86400); }
  int integer(const char* key, int low, int high)
  {
    const double value = number(key, low, high);
    if (value != std::floor(value)) fail(std::string("'") + key + "' is not a whole number");
    return static_cast<int>(value);
  }
  bool boolean(const char* key)
  {
    const auto* f = field(key);
    if (f && !f->is_boolean()) fail(std::string("'") + key + "' is neither true nor false");
    return f && f->is_boolean() && f->get<bool>();
  }
  std::string text(const char* key)
  {
    const auto* f = field(key);
    if (!f) return {};
    if (!f->is_string()) return fail(std::string("'") + key + "' is not text"), std::string();
    return f->get<std::string>();
  }
  /// An array, or null with the failure noted.
  const nlohmann::json* array(const char* key)
  {
    const auto* f = field(key);
    if (f && !f->is_array()) fail(std::string("'") + key + "' is not an array");
    return f && f->is_array() ? f : nullptr;
  }
  const nlohmann::json* object(const char* key) { return field(key); }
  [[nodiscard]] bool has(const char* key) const { return from_.is_object() && from_.contains(key); }

  void fail(std::string_view why)
  {
    if (!failed_) failed_ = error(errc::bad_input, where_ + ": " + std::string(why));
  }
  /// What went wrong in a part of this object, which had a reader of its own.
  void take_failure(const json_reader& part)
  {
    if (!failed_) failed_ = part.failed_;
  }
  [[nodiscard]] const std::optional<error>& failed() const noexcept { return failed_; }

private:
  const nlohmann::json* field(const char* key)
  {
    if (!from_.is_object()) return nullptr;
    const auto it = from_.find(key);
    if (it != from_.end()) return &*it;
    fail(std::string("'") + key + "' is missing");
    return nullptr;
  }

  const nlohmann::json& from_;
  std::string where_;
  std::optional<error> failed_;
};

}  // namespace detail
}  // namespace narrows
