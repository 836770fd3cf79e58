// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/profile/calibration.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/profile.hpp>
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/objective.hpp>

#include "command.hpp"

namespace narrows::tool {

/// What a plan is chosen by, as `plan` and `run` take it.
struct planning_options {
  metric goal = metric::latency;
  std::vector<limit> limits;
  std::string policy = "joint";
  std::string device;                          ///< profile files; empty: measured here
  std::string cloud;                           ///< empty: this device, `speedup` times as fast
  std::string calibration;                     ///< file; empty: nothing is known of what codes cost in answers
  double speedup = 1;
  double device_slower = 1;                    ///< so many times as slow as its profile
  std::optional<bit_rate> bandwidth;
  std::optional<std::chrono::duration<double>> rtt;
};
void add_planning(CLI::App& app, planning_options& how, const std::string& limit_option);

/// What may be sent of pictures, beside tensors.
struct picture_costs {
  bool pixels = false;
  double file_bytes = 0;      ///< mean of the files; 0: they cannot be sent
  double decode_s = 0;        ///< to decode and prepare one, on the server
  bool forms = false;         ///< those of the calibration too, which no edge process makes yet
};

/// Profiles of both sides and the candidates made of them.
struct planning {
  machine_profile device;
  machine_profile cloud;
  std::vector<candidate> candidates;
  /// Errors: those of the files, of measuring, and of `enumerate_candidates`.
  [[nodiscard]] static result<planning> make(const model& m, const planning_options& how, const engine_options& engine,
    const std::vector<int>& bits, const std::vector<std::string>& codecs, const picture_costs& pictures);
};

/// A profile from `narrows profile`. Errors: of the file, or a profile of another model.
[[nodiscard]] result<machine_profile> profile_of(const std::string& file, const model& m);
/// The profile of a machine that takes so many times as long.
[[nodiscard]] machine_profile scaled(machine_profile p, double times);

/// The calibration in a file. Errors: those of reading it; model_mismatch, naming the file.
[[nodiscard]] result<calibration> calibration_of(const std::string& file, const model& m);

/// The codecs of those names; where there are none all that this program codes with, but those that not every cloud has.
[[nodiscard]] std::vector<codec> codecs_of(const std::vector<std::string>& names);

[[nodiscard]] objective objective_of(const planning_options& how);
[[nodiscard]] any_policy policy_of(const planning_options& how);
/// The link as given, else as assumed for `endpoint` (a fast one on loopback).
[[nodiscard]] link_state link_of(const planning_options& how, bool loopback);

/// Times the nodes and the codecs of this machine; says so on a terminal, since it takes a moment.
[[nodiscard]] result<machine_profile> measure_here(const model& m, const engine_options& engine, int repeats, std::stop_token stop = {});

}  // namespace narrows::tool
