// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace narrows::tool {

/// Rows of fields as RFC 4180 has them: commas, lines, double quotes around fields that hold either.
[[nodiscard]] inline std::vector<std::vector<std::string>> parse_csv(std::string_view text)
{
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);   // a spreadsheet's byte order mark
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false;
  bool any = false;   // something on this line, if only a quote
  const auto end_row = [&] {
    if (any || !row.empty()) {
      row.push_back(std::move(field));
      rows.push_back(std::move(row));
    }
    field.clear();
    row.clear();
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') field += c;
      else if (i + 1 < text.size() && text[i + 1] == '"') field += text[++i];
      else quoted = false;
    } else if (c == '"') {
      quoted = any = true;
    } else if (c == ',') {
      row.push_back(std::move(field));
      field.clear();
      any = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      field += c;
      any = true;
    }
  }
  end_row();
  return rows;
}

/// Position of the first of `names` among the fields of a header row.
[[nodiscard]] inline std::optional<std::size_t> column(const std::vector<std::string>& header, std::initializer_list<std::string_view> names)
{
  for (const auto name : names)
    for (std::size_t i = 0; i < header.size(); ++i)
      if (header[i] == name) return i;
  return std::nullopt;
}

/// A field ready for a CSV line: quoted where it must be.
[[nodiscard]] inline std::string csv_field(std::string_view text)
{
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace narrows::tool
