// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/partition/plan.hpp>

#include "output.hpp"
#include "report.hpp"
#include "session.hpp"

namespace narrows::tool {

/// Where the time of one input went, in milliseconds.
struct spent {
  double total = 0;
  double device = 0;
  double encode = 0;
  double link = 0;
  double decode = 0;
  double server = 0;
  double queue = 0;    ///< of `server`, waiting for other requests
  double onward = 0;   ///< behind a middle tier, all hops
};

/// A hop behind a middle tier, in milliseconds; `decode` and `server` are the next tier's.
struct onward_hop {
  double encode = 0;
  double link = 0;
  double decode = 0;
  double server = 0;
  std::uint64_t bytes_sent = 0;
  bool taken_over = false;                           ///< the middle tier ran the rest itself
  [[nodiscard]] double total() const noexcept { return encode + link + decode + server; }
};

/// What came of one input.
struct outcome {
  std::string input;
  std::vector<tensor> outputs;                       ///< in the network's order; empty after an error
  std::string_view from = "local";                   ///< local, remote, fallback or error
  std::uint64_t bytes_sent = 0;
  std::uint64_t float32_bytes = 0;                   ///< of the same tensors
  std::uint64_t file_bytes = 0;                      ///< of the JPEG or PNG; 0 if it was none
  spent ms;
  std::vector<onward_hop> hops;                      ///< the nearest first
  std::optional<int> float_first;                    ///< class index of the float, uncut answer
  std::optional<narrows::error> failure;
  std::optional<plan> how;                           ///< where plans differ from request to request
  double finished_ms = 0;                            ///< since the first input; where inputs are sent
  std::optional<double> predicted_ms;                ///< what the policy expected when it chose
};

/// The k largest values with their positions, largest first; equals by position; NaN counts as smallest.
[[nodiscard]] std::vector<std::pair<std::size_t, float>> largest(std::span<const float> values, std::size_t k);
/// Whether a network output is one score per class: all its values lie along one axis.
[[nodiscard]] bool is_scores(const shape& output);

/// Prints answers as they come (table, csv) or at the end (json), and sums them up.
class answer_book {
public:
  struct settings {
    const model* network = nullptr;
    const class_book* classes = nullptr;
    output_format format = output_format::table;
    std::size_t top = 5;
    std::vector<std::string> header;                 ///< lines above the table
    std::vector<std::string> save_names;             ///< of the outputs, for --save-output
    std::string save_folder;                         ///< empty: nothing is saved
    std::size_t name_columns = 24;                   ///< of the longest input's name
    bool remote = false;                             ///< whether a cloud is in play
  };

  explicit answer_book(settings how);

  /// Plan for the JSON head.
  void planned(const plan& p) { plan_ = p; }
  /// From here on the wall clock counts, for the summary's answers per second.
  void began() { began_ = std::chrono::steady_clock::now(); }
  /// A line between the answers of a table; other forms have no place for it.
  void remark(const std::string& line);
  /// Prints, counts and, where asked, saves one outcome. Errors: io_error from saving.
  [[nodiscard]] result<void> add(const outcome& o);
  /// Prints what is left, and gives the exit code: that of the first failed input, else ok.
  [[nodiscard]] exit_code finish();

private:
  struct counters {
    std::size_t inputs = 0, labelled = 0, top1 = 0, top5 = 0, compared = 0, agreeing = 0, remote = 0, local = 0, fallback = 0, errors = 0;
    std::size_t requests = 0, pictures = 0;            ///< inputs of which something was sent; of those, pictures
    double bytes = 0, float32 = 0, file = 0, onward_bytes = 0;
    spent ms;
  };

  void start();

  settings how_;
  std::optional<plan> plan_;
  counters sum_;
  std::vector<double> totals_;
  std::vector<double> prediction_errors_;              ///< |predicted / measured - 1|
  std::optional<std::chrono::steady_clock::time_point> began_;
  std::optional<errc> first_failure_;
  nlohmann::ordered_json results_ = nlohmann::ordered_json::array();
  std::optional<table> table_;
  bool started_ = false;
};

}  // namespace narrows::tool
