// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/partition/signs.hpp>

#include "command.hpp"

namespace narrows::tool {

struct score_options {
  std::string model;
  std::vector<std::string> inputs;
  preprocessing pictures;
  engine_options engine;
  std::vector<std::string> cuts;                 ///< names; empty: all
  std::vector<int> widths{1, 2, 3, 4, 5, 6, 8};
  int limit = 0;                                 ///< use so many inputs only; 0: all
  int jobs = 1;                                  ///< inputs in work at once, each on `engine.threads` threads
  bool skip_dominated = false;                   ///< leave out cuts that only a max-pool reads
};

/// One cut at one width.
struct score_cell {
  int bits = 0;
  std::string rule;          ///< where the range came from
  int agree = 0;             ///< inputs whose first class is that of the float, uncut run
  int scored = 0;
  double dense_bytes = 0;    ///< what the edge sends, envelope and payload: means over the inputs
  double sparse_bytes = 0;
};

struct score_row {
  std::string cut;
  std::string dims;
  double macs_share = 0;     ///< of the multiply-adds before the cut
  double float_bytes = 0;    ///< of the values alone
  double raw_bytes = 0;      ///< what the edge sends with codec raw
  value_sign sign = value_sign::either;
  std::vector<score_cell> cells;
};

struct score_card {
  std::string model, hash, level;
  int inputs = 0;
  std::vector<score_row> rows;
};

/// Quantises one tensor at each single-tensor cut, runs the tail in float32 and compares the first class with that of
/// the uncut run. Inputs are dealt to two folds in turn; the ranges for one fold are fitted on the other, so every input
/// is scored and none by a range that saw it.
[[nodiscard]] result<score_card> score(const score_options& how);

}  // namespace narrows::tool
