// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/profile/calibration.hpp>
#include <narrows/profile/machine.hpp>

#include "fitting.hpp"
#include "input.hpp"
#include "preprocess.hpp"

namespace narrows::tool {

struct score_options {
  std::vector<std::string> cuts;                         ///< names; empty: all
  double most_share = 1;                                 ///< leave out cuts with more of the multiply-adds in the head
  bool dominated = false;                                ///< cuts that only a max-pool reads too: the cut behind it is better in every respect
  std::vector<wanted_precision> precisions = usual_precisions();
  std::vector<codec> codecs;                             ///< those with codes
  bool forms = true;                                     ///< the picture's own forms too
  std::vector<int> jpeg_qualities{100, 98, 95, 90, 75, 50, 20};   ///< from 95 on 4:4:4, below 4:2:0
  double give_up = 0.8;                                  ///< a precision below this agreement after `trial` inputs is not scored on the rest
  std::size_t trial = 50;
  int threads = 1;
  int jobs = 1;                                          ///< inputs in work at once
  std::stop_token stop;
  std::function<void(std::size_t done, std::size_t all)> on_cut;
};

/// What `score` fills: the model, this machine, and no cut yet.
[[nodiscard]] inline calibration nothing_scored(const model& m, const any_engine& engine, std::size_t inputs)
{
  calibration made;
  made.model_hash = m.hash;
  made.model_name = m.name;
  made.machine = machine_name();
  made.level = std::string(engine.level());
  made.inputs = static_cast<int>(inputs);
  return made;
}

/// Quantises one tensor at each single-tensor cut, runs the tail in float32 and compares the first class with that of the
/// uncut run. Even inputs and odd inputs are the halves of `agreement_score`; scales for one half are fitted on the other, so every
/// input is scored and none by scales that saw it. Where all inputs are pictures, their forms are
/// scored too, if asked for.
///
/// Errors: bad_cut (a name that is no cut), bad_input (fewer than two inputs), cancelled, and those of running, fitting and encoding.
[[nodiscard]] result<calibration> score(
  const model& m, const any_engine& engine, std::span<const loaded_input> inputs, const preprocessing& pictures, const score_options& how);

}  // namespace narrows::tool
