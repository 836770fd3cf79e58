// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <narrows/core/tensor.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/partition/plan.hpp>
#include <narrows/wire/message.hpp>

namespace narrows {

/// Who made an answer.
enum class source : std::uint8_t {
  local,     ///< the plan keeps the whole network on the device; nothing was sent
  remote,    ///< the cloud ran the tail
  fallback,  ///< the plan wanted the cloud, the device ran the tail instead
  error,     ///< nobody: for tables and JSON, an `answer` never has it
};

[[nodiscard]] constexpr std::string_view to_string(source s) noexcept
{
  switch (s) {
  case source::local: return "local";
  case source::remote: return "remote";
  case source::fallback: return "fallback";
  case source::error: return "error";
  }
  return "unknown";
}

/// Where the time of a request went. `device` is the head, and the tail where the device ran it; `link` is what lies
/// between sending and the reply less the cloud's own time (for a fallback: the time spent waiting for the cloud);
/// `server` is queue and tail of the cloud, or what a middle tier did itself, of which `queue` was spent waiting for other requests. `total` runs from the call to the answer; what
/// else is in it are the hops behind a middle tier.
struct latency_parts {
  using duration = std::chrono::nanoseconds;
  duration device{0};
  duration encode{0};
  duration link{0};
  duration decode{0};
  duration server{0};
  duration queue{0};
  duration total{0};
};

struct answer {
  std::vector<tensor> outputs;        ///< one per output of the network that is not made before `from`, in its order
  source from = source::local;
  std::uint64_t bytes_sent = 0;       ///< envelopes and payloads, over all attempts
  latency_parts latency;
  std::vector<wire::hop> onward{};    ///< where the cloud is a middle tier: the hops behind it, the nearest first
  std::uint64_t epoch = 0;            ///< of the plan that was used
  int attempts = 0;                   ///< times the request was sent
  std::string warning;                ///< one line, empty if all went as planned
};

/// The input as the caller got it, for codecs `pixels` and `image`: 8-bit pixels, or a JPEG or PNG file; for `predicted` what pack_predicted
/// made of the pixels, or these where that was no shorter.
struct encoded_input {
  codec coded_as = codec::image;
  std::span<const std::uint8_t> bytes;
  value_order order = value_order::nhwc;
};

/// A tensor of a middle tier as the tier before coded it.
struct coded_tensor {
  value_id which;
  const descriptor* what = nullptr;
  std::span<const std::uint8_t> bytes;
};

/// One request of an edge.
struct edge_request {
  std::span<const tensor_view> inputs{};    ///< one per input of the network, or per tensor of `from`; read before `submit` returns
  const plan* how = nullptr;                ///< read before `submit` returns
  std::chrono::milliseconds deadline{0};    ///< from the call; must be positive
  std::stop_token stop{};                   ///< asks to give the request up
  const encoded_input* encoded = nullptr;   ///< needed where the plan codes the input as pixels or image
  const cut* from = nullptr;                ///< where it starts, if not at the network's inputs; read before `submit` returns
  std::span<const coded_tensor> as_came{};  ///< tensors that cross and are sent on in this form, whatever the plan's coding
};

enum class request_id : std::uint64_t {};

}  // namespace narrows
