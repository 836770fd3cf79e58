// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>

#include "score.hpp"

namespace narrows::tool {

[[nodiscard]] nlohmann::ordered_json to_json(const score_card& card);
/// Errors: bad_input, naming `where` and the field.
[[nodiscard]] result<score_card> score_card_from_json(const nlohmann::json& from, const std::string& where);

/// The section "Low widths" of docs/measurements.md, as Markdown.
[[nodiscard]] std::string low_widths_section(std::span<const score_card> cards);

}  // namespace narrows::tool
