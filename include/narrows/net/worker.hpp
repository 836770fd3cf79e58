// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
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
#include <narrows/net/batched_tails.hpp>
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

/// The rest of one request, decoded and checked. `headers` and `payloads` are what its tensors came as, in the order of the cut.
struct tail_request {
  const model& what;
  const cut& at;
  const slice_runner::views& given;
  std::span<const wire::tensor_header> headers;
  std::span<const std::span<const std::uint8_t>> payloads;
  clock::time_point deadline;
  std::stop_token stop;
};
/// Every output that lies behind the cut, and the hops that it took to get them.
struct tail_outcome {
  slice_runner::tensors outputs;
  std::vector<wire::hop> onward{};
};
/// Makes the outputs behind a cut some other way than by running the tail here. Called from several threads at once.
using tail_function = std::function<result<tail_outcome>(const tail_request&)>;

struct worker_options {
  int threads = 1;                    ///< of one run of a tail
  std::size_t cached_executors = 8;   ///< idle ones kept, over all models and cuts
  input_decoder decode_input{};         ///< none: codecs pixels and image are refused
  tail_function run_tail{};             ///< a middle tier's; none: tails run here
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

  /// Checks, decodes and runs one request, its deadline counted from now; every byte of it may be a stranger's.
  /// Errors   model_mismatch; bad_message: payloads and headers differ in number or size; bad_cut: the tensors do not cut the
  ///          network; unsupported_codec; those of pack's `check` (named tensor); integrity; those of pack's `decode`, of the
  ///          input decoder and of the executor or of `run_tail`; internal.
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

  /// One of several requests for `serve_together`.
  struct together {
    const wire::request* asked;
    std::vector<std::span<const std::uint8_t>> payloads;
  };
  /// Serves requests of one model and cut (their codings may differ) with few runs of the tail, each for a power of two of them,
  /// so that few executors are loaded. Where some cannot be decoded, or the network does not take several at once, one after the
  /// other. Each answer has the bits that `serve` gives it.
  [[nodiscard]] std::vector<result<served>> serve_together(std::span<const together> requests, std::stop_token stop = {})
  {
    std::vector<result<served>> answers;
    while (!requests.empty()) {
      const auto now = requests.first(std::bit_floor(requests.size()));
      requests = requests.subspan(now.size());
      std::vector<result<served>> some;
      try {
        if (now.size() > 1 && !options_.run_tail) some = serve_as_one(now, stop);
      } catch (const std::exception&) {
        some.clear();   // too much for one run, perhaps not for several
      }
      if (some.empty())
        for (const auto& r : now) some.push_back(serve(*r.asked, r.payloads, stop));
      std::move(some.begin(), some.end(), std::back_inserter(answers));
    }
    return answers;
  }

private:
  using clock_time = clock::time_point;

  /// Nothing where the requests cannot be run as one.
  [[nodiscard]] std::vector<result<served>> serve_as_one(std::span<const together> requests, const std::stop_token& stop)
  {
    std::vector<opened> in;
    std::vector<slice_runner::views> given;
    for (const auto& r : requests) {
      auto one = open(*r.asked, r.payloads);
      if (!one || (!in.empty() && (one->what != in[0].what || !(*one->at == *in[0].at)))) return {};
      given.push_back(one->views);
      in.push_back(std::move(one).value());
    }
    const auto started = options_.time->now();
    auto made = batches_.run(in[0].what->network, *in[0].at, given, {.threads = options_.threads, .stop = stop, .on_node = {}});
    if (!made) return {};
    const auto took = options_.time->now() - started;
    std::vector<result<served>> answers;
    for (std::size_t i = 0; i < in.size(); ++i) answers.push_back(reply_of(*requests[i].asked, in[i], tail_outcome{std::move((*made)[i])}, took));
    return answers;
  }

  [[nodiscard]] result<served> serve_checked(const wire::request& asked, std::span<const std::span<const std::uint8_t>> payloads, std::stop_token stop)
  {
    auto in = open(asked, payloads);
    if (!in) return std::move(in).error();
    const auto started = options_.time->now();
    auto made = run_tail({*in->what, *in->at, in->views, asked.tensors, payloads, in->began + asked.deadline_left, std::move(stop)});
    if (!made) return std::move(made).error();
    return reply_of(asked, *in, std::move(made).value(), options_.time->now() - started);
  }

  /// A request as checked and decoded; gives its tensors back when it goes.
  struct opened {
    explicit opened(std::shared_ptr<spare_buffers> to) : home(std::move(to)) {}
    opened(opened&&) = default;
    opened& operator=(opened&&) = delete;
    ~opened()
    {
      for (auto& [value, values] : given) home->give(std::move(values));
    }
    std::shared_ptr<spare_buffers> home;
    const model* what = nullptr;
    std::shared_ptr<const cut> at;
    slice_runner::tensors given;
    slice_runner::views views;
    clock_time began;
    clock::duration decode{0};
  };

  [[nodiscard]] result<opened> open(const wire::request& asked, std::span<const std::span<const std::uint8_t>> payloads)
  {
    opened in(runner_.spare());
    in.began = options_.time->now();
    const auto found = find(asked.model_hash);
    if (!found) return found.error();
    in.what = *found;
    if (payloads.size() != asked.tensors.size())
      return error(errc::bad_message, std::to_string(asked.tensors.size()) + " tensors, " + std::to_string(payloads.size()) + " payloads");
    auto at = cut_at(*in.what, asked.tensors);
    if (!at) return std::move(at).error();
    in.at = std::move(at).value();
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const auto v = in.at->tensors[i];
      auto decoded = decode_one(*in.what, *in.at, asked.tensors[i], payloads[i], v);
      if (!decoded) return std::move(decoded).error();
      in.views.emplace(v, in.given.emplace(v, std::move(decoded).value()).first->second.view());
    }
    in.decode = options_.time->now() - in.began;
    return in;
  }

  [[nodiscard]] static served reply_of(const wire::request& asked, const opened& in, tail_outcome made, clock::duration took)
  {
    served answer;
    answer.head.id = asked.id;
    answer.head.epoch = asked.epoch;
    clock::duration behind{0};
    for (const auto& h : made.onward) behind += h.encode + h.link + h.decode + h.server;
    for (auto& [value, values] : made.outputs) {
      answer.head.outputs.push_back(detail::raw_header((*in.what->network)[value].name, values.view()));
      answer.outputs.push_back(std::move(values));
    }
    answer.head.took.decode = std::chrono::duration_cast<std::chrono::microseconds>(in.decode);
    answer.head.took.run = std::chrono::duration_cast<std::chrono::microseconds>(std::max(took - behind, clock::duration::zero()));
    answer.head.onward = std::move(made.onward);
    return answer;
  }

  [[nodiscard]] result<tail_outcome> run_tail(const tail_request& asked)
  {
    if (options_.run_tail) return options_.run_tail(asked);
    auto made = runner_.run(asked.what.network, asked.at, cut_side::tail, asked.given, {.threads = options_.threads, .stop = asked.stop, .on_node = {}});
    if (!made) return std::move(made).error();
    return tail_outcome{std::move(made).value()};
  }

  [[nodiscard]] result<tensor> decode_one(const model& what, const cut& at, const wire::tensor_header& header,
    std::span<const std::uint8_t> payload, value_id value) const
  {
    const auto name = [&header] { return "tensor '" + header.name + "'"; };
    const auto& d = header.what;
    const auto& expected = (*what.network)[value].dims;
    if (payload.size() != d.payload_bytes)
      return error(errc::bad_message, name() + ": payload of " + std::to_string(payload.size()) + " bytes, header says " + std::to_string(d.payload_bytes));

    if (is_picture(d.coded_as)) {
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
  detail::batched_tails batches_{runner_};
  std::mutex mutex_;
  std::map<std::pair<const graph*, std::vector<std::string>>, std::shared_ptr<const cut>> cuts_;
};

}  // namespace narrows
