// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "csv.hpp"

namespace narrows::tool {

enum class output_format { table, json, csv };

/// Whether a stream is a terminal that takes colours (https://no-color.org is obeyed).
[[nodiscard]] inline bool is_terminal(std::FILE* stream)
{
  static const bool plain = [] {
    const char* none = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return (none != nullptr && *none != '\0') || term == nullptr || std::string_view(term) == "dumb";
  }();
  return !plain && ::isatty(::fileno(stream)) == 1;
}

/// Text made bold on a terminal, unchanged elsewhere.
[[nodiscard]] inline std::string bold(std::string_view text, std::FILE* stream = stdout)
{
  return is_terminal(stream) ? fmt::format("\x1B[1m{}\x1B[0m", text) : std::string(text);
}
[[nodiscard]] inline std::string faint(std::string_view text, std::FILE* stream = stdout)
{
  return is_terminal(stream) ? fmt::format("\x1B[2m{}\x1B[0m", text) : std::string(text);
}

/// "812 B", "25.1 kB", "3.2 MB": three digits, decimal units as links are sold in.
[[nodiscard]] inline std::string bytes_text(double bytes)
{
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  const char* unit = "kB";
  bytes /= 1000;
  if (bytes >= 999.5) bytes /= 1000, unit = "MB";
  if (bytes >= 999.5) bytes /= 1000, unit = "GB";
  return fmt::format("{:.{}f} {}", bytes, bytes < 9.995 ? 2 : bytes < 99.95 ? 1 : 0, unit);
}

/// "65", "1.81 k", "349 M", "1.81 G": three digits, for counts.
[[nodiscard]] inline std::string count_text(double n)
{
  if (n < 1000) return fmt::format("{:.0f}", n);
  const char* unit = "k";
  n /= 1000;
  if (n >= 999.5) n /= 1000, unit = "M";
  if (n >= 999.5) n /= 1000, unit = "G";
  return fmt::format("{:.{}f} {}", n, n < 9.995 ? 2 : n < 99.95 ? 1 : 0, unit);
}

/// Milliseconds with as many digits as they deserve.
[[nodiscard]] inline std::string ms_text(double ms) { return fmt::format("{:.{}f}", ms, ms < 0.995 ? 3 : ms < 99.95 ? 2 : 1); }

/// Columns a text takes on a terminal, as far as counting its UTF-8 characters tells.
[[nodiscard]] inline std::size_t columns_of(std::string_view text)
{
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// At most `most` columns: the middle of a longer text gives way, since names differ at their ends.
[[nodiscard]] inline std::string shortened(std::string text, std::size_t most)
{
  if (columns_of(text) <= most) return text;
  if (columns_of(text) != text.size()) {   // cut only between characters
    std::size_t end = 0;
    for (std::size_t shown = 0; end < text.size() && (shown < most || (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80); ++end)
      shown += (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    return text.substr(0, end);
  }
  const std::size_t head = (most - 2) / 2;
  return text.substr(0, head) + ".." + text.substr(text.size() - (most - 2 - head));
}

/// A table for people: column heads, aligned cells, two spaces between. Widths grow to the widest cell, so rows are
/// printed at the end; with `widths` given they can be printed one by one.
class table {
public:
  enum class align { left, right };
  struct column {
    std::string head;
    align side = align::right;
    std::size_t width = 0;    ///< at least this
  };

  explicit table(std::vector<column> columns) : columns_(std::move(columns))
  {
    for (auto& c : columns_) c.width = std::max(c.width, columns_of(c.head));
  }

  void row(std::vector<std::string> cells)
  {
    for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) columns_[i].width = std::max(columns_[i].width, columns_of(cells[i]));
    rows_.push_back(std::move(cells));
  }
  [[nodiscard]] std::string head_line() const
  {
    std::vector<std::string> heads;
    for (const auto& c : columns_) heads.push_back(c.head);
    return bold(line(heads));
  }
  [[nodiscard]] std::string line(const std::vector<std::string>& cells) const
  {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = i < cells.size() ? cells[i] : std::string();
      const std::string gap(columns_[i].width - std::min(columns_[i].width, columns_of(cell)), ' ');
      if (i > 0) text += "  ";
      text += columns_[i].side == align::right ? gap + cell : cell + gap;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }
  void print(std::FILE* to = stdout) const
  {
    fmt::print(to, "{}\n", head_line());
    for (const auto& r : rows_) fmt::print(to, "{}\n", line(r));
  }

private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Writes one CSV line to stdout.
inline void csv_line(const std::vector<std::string>& fields)
{
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) text += ',';
    text += csv_field(fields[i]);
  }
  fmt::print("{}\n", text);
}

/// "37/200" on one line of a terminal's stderr while work goes on; nothing elsewhere. Gone when destroyed.
class progress {
public:
  progress(std::string what, std::size_t total) : what_(std::move(what)), total_(total), shown_(is_terminal(stderr)) {}
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  void at(std::size_t done) const
  {
    if (shown_) fmt::print(stderr, "\r\x1B[K{} {}/{}", what_, done, total_);
  }
  void clear() const
  {
    if (shown_) fmt::print(stderr, "\r\x1B[K");
  }

private:
  std::string what_;
  std::size_t total_;
  bool shown_;
};

}  // namespace narrows::tool
