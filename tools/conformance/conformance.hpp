// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <narrows/exec/executor.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/onnx/shape_inputs.hpp>
#include <narrows/onnx/tensor_proto.hpp>

/// Runs the ONNX conformance cases: one folder each, with model.onnx and test_data_set_0/{input,output}_N.pb.
namespace narrows::conformance {

enum class outcome { passed, refused, failed };

struct case_result {
  std::string name, tier;
  outcome how = outcome::failed;
  std::string why;                  ///< of a refusal (operator, node, reason) or a failure
  double largest_difference = 0;    ///< absolute, over all outputs
};

/// |ours - theirs| <= absolute + relative * |theirs|; the figures to which two unrelated evaluators agree on these cases.
inline constexpr double relative_tolerance = 1e-3, absolute_tolerance = 1e-5;

struct case_listing {
  std::string name, tier;
};

/// `index.csv`: the first column is the case, the last its tier; quoted fields hold commas.
inline std::vector<case_listing> read_index(const std::filesystem::path& file)
{
  std::vector<case_listing> out;
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const auto first = line.find(','), last = line.rfind(',');
    if (first != std::string::npos) out.push_back({line.substr(0, first), line.substr(last + 1)});
  }
  return out;
}

inline bool agrees(float ours, float theirs)
{
  if (std::isnan(theirs)) return std::isnan(ours);
  if (std::isinf(theirs) || std::isinf(ours)) return ours == theirs;
  return std::fabs(double(ours) - double(theirs)) <= absolute_tolerance + relative_tolerance * std::fabs(double(theirs));
}

/// Inputs and expected outputs of a case, in the model's order.
struct case_data {
  std::vector<onnx_constant> inputs, outputs;
};

inline result<case_data> read_data(const std::filesystem::path& folder)
{
  case_data data;
  const auto read_all = [&](const std::filesystem::path& where, const char* base, std::vector<onnx_constant>& to) -> result<void> {
    for (int i = 0;; ++i) {
      const auto file = where / (base + std::to_string(i) + ".pb");
      if (!std::filesystem::exists(file)) return {};
      auto t = load_tensor_proto(file);
      if (!t) return unexpected(std::move(t).error());
      to.push_back(std::move(t->values));
    }
  };
  // The light topologies share one input and keep their output beside the model.
  const auto set = folder / "test_data_set_0";
  const bool light = !std::filesystem::exists(set);
  NARROWS_TRY(read_all(light ? folder.parent_path() : set, "input_", data.inputs));
  NARROWS_TRY(read_all(light ? folder : set, "output_", data.outputs));
  if (light)   // their input is written as float64, though each of them takes float32
    for (auto& in : data.inputs)
      if (in.type == onnx_type::float64) {
        tensor rounded(in.dims);
        std::transform(in.doubles.begin(), in.doubles.end(), rounded.values().begin(), [](double x) { return static_cast<float>(x); });
        in = onnx_constant::of(std::move(rounded));
      }
  return data;
}

/// Runs one case. Integer inputs, and numbers that only decide shapes (scales), are bound as constants; every other
/// float input is fed at run time.
inline case_result run_case(const any_engine& engine, const std::filesystem::path& root, const case_listing& listed)
{
  case_result r{listed.name, listed.tier, outcome::failed, {}, 0};
  const auto stop = [&](outcome how, std::string why) {
    r.how = how;
    r.why = std::move(why);
    return r;
  };
  const auto folder = root / listed.name;
  auto data = read_data(folder);
  auto bytes = detail::read_file(folder / "model.onnx", std::uint64_t{1} << 31);
  if (!data) return stop(outcome::failed, data.error().text());
  if (!bytes) return stop(outcome::failed, bytes.error().text());
  const auto listing = model_inputs(*bytes);
  if (!listing) return stop(outcome::failed, listing.error().text());

  import_options how;
  std::map<std::string, const onnx_constant*> fed;
  for (std::size_t i = 0; i < std::min(listing->size(), data->inputs.size()); ++i) {
    const auto& in = (*listing)[i];
    const auto& values = data->inputs[i];
    if (is_integer(values.type) || (in.only_shapes && values.type == onnx_type::float32)) how.bind.emplace(in.name, values);
    else fed.emplace(in.name, &values);
  }
  const auto m = import_onnx(listed.name, *bytes, how);
  if (!m) return stop(m.error().code == errc::unknown_op ? outcome::refused : outcome::failed, m.error().text());

  auto executor = engine.load(whole_slice(m->network));
  if (!executor) return stop(executor.error().code == errc::unknown_op ? outcome::refused : outcome::failed, executor.error().text());
  std::vector<tensor_view> in;
  for (const auto& t : executor->inputs()) {
    const auto it = fed.find(t.name);
    if (it == fed.end() || !it->second->floats) return stop(outcome::failed, "no data for input '" + t.name + "'");
    if (it->second->dims != t.dims) return stop(outcome::failed, "input '" + t.name + "' is " + to_string(t.dims) + ", data is " + to_string(it->second->dims));
    in.push_back(it->second->floats->view());
  }
  std::vector<tensor> results;
  for (const auto& t : executor->outputs()) results.emplace_back(t.dims);
  std::vector<mutable_tensor_view> out;
  for (auto& t : results) out.push_back(t.view());
  if (auto ran = executor->run(in, out, {}); !ran) return stop(outcome::failed, ran.error().text());

  if (results.size() != data->outputs.size()) return stop(outcome::failed, "gives " + std::to_string(results.size()) + " outputs, " + std::to_string(data->outputs.size()) + " are expected");
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& expected = data->outputs[i];
    const auto name = "output '" + executor->outputs()[i].name + "'";
    if (!expected.floats || expected.type != onnx_type::float32) return stop(outcome::failed, name + " should be " + name_of(expected.type));
    if (expected.dims != results[i].dims()) return stop(outcome::failed, name + " is " + to_string(results[i].dims()) + ", expected " + to_string(expected.dims));
    for (std::size_t k = 0; k < results[i].size(); ++k) {
      const auto ours = results[i].values()[k], theirs = expected.floats->values()[k];
      if (std::isfinite(ours) && std::isfinite(theirs)) r.largest_difference = std::max(r.largest_difference, std::fabs(double(ours) - double(theirs)));
      if (!agrees(ours, theirs)) {
        std::ostringstream text;
        text << name << " value " << k << " is " << ours << ", expected " << theirs;
        return stop(outcome::failed, text.str());
      }
    }
  }
  r.how = outcome::passed;
  return r;
}

}  // namespace narrows::conformance
