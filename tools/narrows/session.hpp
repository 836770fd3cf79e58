// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <narrows/core/result.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/partition/plan.hpp>

#include "command.hpp"

namespace narrows::tool {

/// Reads a model; the error's text starts with the file as the user named it. "zoo:vgg16" is a network of the zoo with
/// seeded weights, the same everywhere.
[[nodiscard]] result<model> open_model(const std::string& file);

/// The executor module that the options ask for.
[[nodiscard]] result<any_engine> open_engine(const engine_options& how);

/// The plan that the options describe. No --at: the whole network here (the cut at the end).
/// Errors: bad_cut, bad_input (numbers of widths or codecs that do not fit the cut), unsupported_codec (pixels or image
/// elsewhere than at the input).
[[nodiscard]] result<plan> make_plan(const graph& g, const plan_options& how);

/// {"name", "hash"}
[[nodiscard]] nlohmann::ordered_json model_json(const model& m);

/// "cut at relu1 (64x56x56), 4 bits dense"; "whole network, no cut".
[[nodiscard]] std::string plan_text(const graph& g, const plan& p);

/// Bytes of the crossing tensors as float32.
[[nodiscard]] std::uint64_t float32_bytes(const graph& g, const cut& at);

/// Names of classes and the right answers.
class class_book {
public:
  /// Errors: io_error, bad_input (a CSV without the columns, an index that is no number).
  [[nodiscard]] static result<class_book> open(const preprocessing& how);

  /// "tench, Tinca tinca" shortened to "tench"; the number where no name is known.
  [[nodiscard]] std::string name_of(int class_index) const;
  [[nodiscard]] bool has_names() const noexcept { return !names_.empty(); }
  /// Full name, empty where unknown.
  [[nodiscard]] std::string full_name_of(int class_index) const;
  [[nodiscard]] bool has_labels() const noexcept { return !labels_.empty(); }
  /// The right class of an input: its file, and "[i]" where it is one of several records.
  [[nodiscard]] std::optional<int> label_of(const std::string& input) const;
  [[nodiscard]] int offset() const noexcept { return offset_; }

private:
  int offset_ = 0;
  std::map<int, std::string> names_;
  std::map<std::string, int> labels_;   // by canonical path
};

}  // namespace narrows::tool
