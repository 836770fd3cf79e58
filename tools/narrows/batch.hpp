// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/model.hpp>

#include "answers.hpp"
#include "command.hpp"
#include "input.hpp"
#include "session.hpp"

namespace narrows::tool {

/// What `infer` and `run` have in common: a model, inputs, how pictures are prepared, how answers are shown.
struct batch_options {
  std::string model;
  std::vector<std::string> inputs;
  std::size_t limit = 0;
  preprocessing pictures;
  engine_options engine;
  output_format format = output_format::table;
  std::size_t top = 1;
  std::string save_folder;
};
void add_batch(CLI::App& app, batch_options& options);

/// One request: a tensor for each input of the network.
struct loaded_request {
  std::string name;
  std::vector<loaded_input> inputs;
};

/// The model and its inputs, opened but not yet read.
class batch {
public:
  /// Errors: those of the model, the CSV files and `list_inputs`; bad_input (a number of inputs that the network's do
  /// not divide).
  [[nodiscard]] static result<batch> open(const batch_options& options);

  [[nodiscard]] std::size_t requests() const noexcept { return count_; }
  [[nodiscard]] const std::string& name(std::size_t request) const { return inputs_[request * per_request_].name; }
  [[nodiscard]] result<loaded_request> load(std::size_t request);
  /// Class of the largest score; none if the network gives no scores.
  [[nodiscard]] std::optional<int> first_class(const std::vector<tensor>& outputs) const;
  [[nodiscard]] answer_book book(std::vector<std::string> header, bool remote) const;

  model network;
  preprocessing pictures;        ///< with what MODEL.json says filled in

private:
  std::shared_ptr<const class_book> classes_;
  std::vector<input_ref> inputs_;
  std::vector<input_loader> loaders_;    // one per input of the network
  std::size_t per_request_ = 1;
  std::size_t count_ = 0;
  batch_options options_;
};

}  // namespace narrows::tool
