// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/clock.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/net/slice_runner.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/wire/message.hpp>

namespace narrows {

/// Turns the payload of codec `pixels` or `image` into the network's input: the cloud's own preprocessing. `expected`
/// is the shape that must come out. Called from several threads at once; the payload is what a stranger sent.
using input_decoder =
  std::function<result<tensor>(const model& network, const descriptor& what, std::span<const std::uint8_t> payload, const shape& expected)>;

struct worker_options {
  int threads = 1;                    ///< of one run of a tail
  std::size_t cached_executors = 8;   ///< idle ones kept, over all models and cuts
  input_decoder decode_input{};         ///< none: codecs pixels and image are refused
  std::shared_ptr<clock> time = steady_time();
};

/// A reply with the tensors that its payload frames are made of.
struct served {
  wire::reply head;
  std::vector<tensor> outputs;
};

/// The piece of a cloud that turns a request into a reply: no sockets, no queue. `serve` may be called from several threads.
class worker {
public:
  worker(std::vector<model> models, any_engine engine, worker_options options = {})
    : models_(std::move(models)), options_(std::move(options)), runner_(std::move(engine), options_.cached_executors)
  {
  }

  [[nodiscard]] std::span<const model> models() const noexcept { return models_; }
  [[nodiscard]] const any_engine& engine() const noexcept { return runner_.engine(); }
  /// Where the tensors of replies may go when they were sent.
  [[nodiscard]] const std::shared_ptr<spare_buffers>& spare() const noexcept { return runner_.spare(); }

  /// The model of that hash. Errors: model_mismatch, naming what is asked for and what is served.
  [[nodiscard]] result<const model*> find(const std::string& hash, const std::string& asked_for = "another model") const
  {
    std::string served;
    for (const auto& m : models_) {
      if (m.hash == hash) return &m;
      served += (served.empty() ? "" : ", ") + m.name + " (" + m.hash.substr(0, 12) + ")";
    }
    return error(errc::model_mismatch, "cloud serves " + served + ", edge has " + asked_for + " (" + hash.substr(0, 12) + ")");
  }

  /// Checks, decodes and runs one request; every byte of it may be a stranger's.
  /// Errors   model_mismatch; bad_message: payloads and headers differ in number or size; bad_cut: the tensors do not cut the
  ///          network; unsupported_codec; those of pack's `check` (named tensor); integrity; those of pack's `decode`, of the
  ///          input decoder and of the executor; internal.
  [[nodiscard]] result<served> serve(const wire::request& asked, std::span<const std::span<const std::uint8_t>> payloads, std::stop_token stop = {})
  {
    try {
      return serve_checked(asked, payloads, std::move(stop));
    } catch (const std::bad_alloc&) {
      return error(errc::limit_exceeded, "out of memory");
    } catch (const std::exception& e) {
      return error(errc::internal, e.what());
    }
  }

private:
  using clock_time = clock::time_point;

  [[nodiscard]] result<served> serve_checked(const wire::request& asked, std::span<const std::span<const std::uint8_t>> payloads, std::stop_token stop)
  {
    const auto began = options_.time->now();
    const auto found = find(asked.model_hash);
    if (!found) return found.error();
    const model& what = **found;
    if (payloads.size() != asked.tensors.size())
      return error(errc::bad_message, std::to_string(asked.tensors.size()) + " tensors, " + std::to_string(payloads.size()) + " payloads");
    const auto at = cut_at(what, asked.tensors);
    if (!at) return at.error();

    std::map<value_id, tensor> given;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      auto decoded = decode_one(what, **at, asked.tensors[i], payloads[i], (**at).tensors[i]);
      if (!decoded) return std::move(decoded).error();
      given.emplace((**at).tensors[i], std::move(decoded).value());
    }
    const auto decoded = options_.time->now();

    slice_runner::views views;
    for (const auto& [value, values] : given) views.emplace(value, values.view());
    auto made = runner_.run(what.network, **at, cut_side::tail, views, {.threads = options_.threads, .stop = std::move(stop), .on_node = {}});
    for (auto& [value, values] : given) runner_.spare()->give(std::move(values));
    if (!made) return std::move(made).error();
    const auto ran = options_.time->now();

    served answer;
    answer.head.id = asked.id;
    answer.head.epoch = asked.epoch;
    for (auto& [value, values] : *made) {
      answer.head.outputs.push_back(detail::raw_header((*what.network)[value].name, values.view()));
      answer.outputs.push_back(std::move(values));
    }
    answer.head.took.decode = std::chrono::duration_cast<std::chrono::microseconds>(decoded - began);
    answer.head.took.run = std::chrono::duration_cast<std::chrono::microseconds>(ran - decoded);
    return answer;
  }

  [[nodiscard]] result<tensor> decode_one(const model& what, const cut& at, const wire::tensor_header& header,
    std::span<const std::uint8_t> payload, value_id value) const
  {
    const auto name = [&header] { return "tensor '" + header.name + "'"; };
    const auto& d = header.what;
    const auto& expected = (*what.network)[value].dims;
    if (payload.size() != d.payload_bytes)
      return error(errc::bad_message, name() + ": payload of " + std::to_string(payload.size()) + " bytes, header says " + std::to_string(d.payload_bytes));

    if (d.coded_as == codec::pixels || d.coded_as == codec::image) {
      const bool at_input = std::find(at.head.begin(), at.head.end(), true) == at.head.end();
      if (!at_input || !options_.decode_input)
        return error(errc::unsupported_codec, name() + ": " + std::string(to_string(d.coded_as)) + (at_input ? " needs an input decoder" : " is for the input only"));
      if (!(d.dims == expected)) return error(errc::bad_descriptor, name() + " is " + to_string(d.dims) + ", expected " + to_string(expected));
      if (crc32c(payload) != header.crc32c) return error(errc::integrity, name());
      auto decoded = options_.decode_input(what, d, payload, expected);
      if (!decoded) return error(decoded.error().code, name() + (decoded.error().what.empty() ? "" : ": " + decoded.error().what));
      if (!(decoded->dims() == expected))
        return error(errc::bad_input, name() + ": decoded to " + to_string(decoded->dims()) + ", expected " + to_string(expected));
      return decoded;
    }

    if (const auto bad = check(d, expected); bad != errc::ok)
      return error(bad, name() + " is " + to_string(d.dims) + " " + std::string(to_string(d.coded_as)) + ", expected " + to_string(expected));
    if (crc32c(payload) != header.crc32c) return error(errc::integrity, name());
    tensor values = runner_.spare()->take(expected);
    if (const auto done = decode(d, payload, values.values()); !done) return error(done.error(), name());
    return values;
  }

  /// The cut that the named tensors make, found once per set of names.
  [[nodiscard]] result<std::shared_ptr<const cut>> cut_at(const model& what, std::span<const wire::tensor_header> tensors)
  {
    std::vector<std::string> names;
    for (const auto& t : tensors) names.push_back(t.name);
    const auto key = std::pair(what.network.get(), names);
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = cuts_.find(key); it != cuts_.end()) return it->second;
    }
    if (names.empty()) return error(errc::bad_cut, "no tensor crosses");
    auto found = find_cut(*what.network, names);
    if (!found) return std::move(found).error();
    // Aliases such as "input" are for people; on the wire a tensor has its own name, in the order of the cut.
    bool same = found->tensors.size() == names.size();
    for (std::size_t i = 0; same && i < names.size(); ++i) same = (*what.network)[found->tensors[i]].name == names[i];
    if (!same) return error(errc::bad_cut, "tensors are not those of a cut, in its order");
    auto kept = std::make_shared<const cut>(std::move(found).value());
    const std::lock_guard lock(mutex_);
    if (cuts_.size() >= most_cuts) cuts_.clear();
    cuts_.emplace(key, kept);
    return kept;
  }

  static constexpr std::size_t most_cuts = 256;

  std::vector<model> models_;
  worker_options options_;
  slice_runner runner_;
  std::mutex mutex_;
  std::map<std::pair<const graph*, std::vector<std::string>>, std::shared_ptr<const cut>> cuts_;
};

}  // namespace narrows
