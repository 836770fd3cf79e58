// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the parts of the scorer share.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/profile/calibration.hpp>
#include <narrows/profile/layer_times.hpp>
#include <narrows/wire/encode.hpp>

#include "scorer.hpp"

namespace narrows::tool {

inline std::size_t first_class(std::span<const float> scores)
{
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// What the edge sends for one input: the request's envelope with the tensor's header, and the payload.
inline result<double> message_bytes(const model& m, const std::string& tensor_name, const descriptor& d)
{
  wire::request r;
  r.id = std::uint64_t{1} << 32;   // ids, sums and times of usual length
  r.epoch = 1000;
  r.model_hash = m.hash;
  r.deadline_left = std::chrono::milliseconds(1000);
  r.tensors.push_back({tensor_name, d, 0xffffffff});
  const auto envelope = wire::encode(r);
  if (!envelope) return envelope.error();
  return static_cast<double>(envelope->size() + d.payload_bytes);
}

/// Seconds since it was made or last asked.
class stopwatch {
public:
  double lap()
  {
    const auto now = std::chrono::steady_clock::now();
    const double s = std::chrono::duration<double>(now - std::exchange(last_, now)).count();
    return s;
  }

private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// One input sent in one way.
struct sent_once {
  bool scored = false;
  bool agrees = false;
  double zero_share = 0;
  std::vector<coded_cost> costs;   ///< one per codec
};

/// Means of the bytes and medians of the times of the i-th cost, over the inputs that were sent.
inline coded_cost summary_of(std::span<const sent_once> sent, std::size_t i)
{
  coded_cost sum;
  std::vector<double> encoded, decoded;
  for (const auto& s : sent) {
    if (!s.scored) continue;
    const auto& c = s.costs[i];
    sum.coded_as = c.coded_as;
    sum.bytes += c.bytes;
    sum.payload_bytes += c.payload_bytes;
    encoded.push_back(c.encode_s);
    decoded.push_back(c.decode_s);
  }
  if (encoded.empty()) return sum;
  sum.bytes /= static_cast<double>(encoded.size());
  sum.payload_bytes /= static_cast<double>(encoded.size());
  sum.encode_s = summarise(encoded).median_s;
  sum.decode_s = summarise(decoded).median_s;
  return sum;
}

/// Even inputs are the selection half, odd ones the confirmation half.
inline agreement_score score_of(std::span<const sent_once> sent)
{
  agreement_score score;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (!sent[i].scored) continue;
    auto& half = i % 2 == 0 ? score.selection : score.confirmation;
    ++half.inputs;
    half.agree += sent[i].agrees;
  }
  return score;
}

/// The uncut network's answers to the inputs.
using answers = std::vector<std::size_t>;

/// PNG, JPEG and pixels of what the network sees; none unless every input is a picture of three channels.
/// Errors: those of writing, reading and running.
[[nodiscard]] result<std::vector<input_form>> score_forms(const model& m, const any_engine& engine, std::span<const loaded_input> inputs,
  const preprocessing& pictures, const answers& truth, const score_options& how);

}  // namespace narrows::tool
