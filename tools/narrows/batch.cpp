// SPDX-License-Identifier: BSD-3-Clause
#include "batch.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

namespace narrows::tool {

void add_batch(CLI::App& app, batch_options& options)
{
  add_model(app, options.model);
  app.add_option("INPUT", options.inputs, "pictures (JPEG, PNG), folders of them, .npy arrays, serialised TensorProtos; a network of n inputs takes n files each time")
    ->required()->type_name("");
  app.add_option("--limit", options.limit, "stop after N inputs; 0: run all")->type_name("N")->capture_default_str();
  add_engine(app, options.engine);
  add_output(app, options.format);
  app.add_option("--top", options.top, "classes shown per input")->check(CLI::Range(0, 1000))->type_name("K")->capture_default_str();
  app.add_option("--save-output", options.save_folder, "write every output tensor as .npy into this folder")->type_name("DIR");
  add_preprocessing(app, options.pictures);
  add_classes(app, options.pictures);
}

result<batch> batch::open(const batch_options& options)
{
  batch b;
  b.options_ = options;
  auto m = open_model(options.model);
  if (!m) return unexpected(std::move(m).error());
  b.network = std::move(m).value();
  b.pictures = options.pictures;
  auto beside = beside_model(options.model);
  if (!beside) return unexpected(std::move(beside).error());
  b.pictures.fill_from(*beside);
  auto classes = class_book::open(b.pictures);
  if (!classes) return unexpected(std::move(classes).error());
  b.classes_ = std::make_shared<const class_book>(std::move(classes).value());

  const auto& g = *b.network.network;
  b.per_request_ = g.inputs().size();
  if (b.per_request_ == 0) return error(errc::bad_input, options.model + ": a network without inputs");
  for (const auto v : g.inputs()) b.loaders_.emplace_back(g[v].dims, b.pictures);
  if (b.per_request_ == 1) {
    auto all = list_inputs(options.inputs, g[g.inputs()[0]].dims);
    if (!all) return unexpected(std::move(all).error());
    b.inputs_ = std::move(all).value();
  } else {
    if (options.inputs.size() % b.per_request_ != 0)
      return error(errc::bad_input, fmt::format("{} takes {} inputs each time, {} files are given", options.model, b.per_request_, options.inputs.size()));
    for (const auto& name : options.inputs) b.inputs_.push_back({name, 0, name});
  }
  b.count_ = b.inputs_.size() / b.per_request_;
  if (options.limit > 0) b.count_ = std::min(b.count_, options.limit);
  if (!options.save_folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(options.save_folder, failed);
    if (failed) return error(errc::io_error, options.save_folder + ": " + failed.message());
  }
  return b;
}

result<loaded_request> batch::load(std::size_t request)
{
  loaded_request r;
  r.name = name(request);
  for (std::size_t i = 0; i < per_request_; ++i) {
    auto in = loaders_[i].load(inputs_[request * per_request_ + i]);
    if (!in) return unexpected(std::move(in).error());
    r.inputs.push_back(std::move(in).value());
  }
  return r;
}

std::optional<int> batch::first_class(const std::vector<tensor>& outputs) const
{
  if (outputs.empty() || !is_scores(outputs.front().dims())) return std::nullopt;
  return static_cast<int>(largest(outputs.front().values(), 1).front().first) - classes_->offset();
}

answer_book batch::book(std::vector<std::string> header, bool remote) const
{
  answer_book::settings how;
  how.network = &network;
  how.classes = classes_.get();
  how.format = options_.format;
  how.top = options_.top;
  how.header = std::move(header);
  for (const auto v : network.network->outputs()) how.save_names.push_back((*network.network)[v].name);
  how.save_folder = options_.save_folder;
  how.name_columns = 0;
  for (std::size_t i = 0; i < count_; ++i) how.name_columns = std::max(how.name_columns, columns_of(name(i)));
  how.remote = remote;
  return answer_book(std::move(how));
}

}  // namespace narrows::tool
