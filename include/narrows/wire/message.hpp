// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <narrows/core/errc.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/partition/region.hpp>

/// The messages of narrows.proto as plain values, so that only encode.hpp and decode.hpp see Protobuf.
namespace narrows::wire {

/// Version of the messages themselves; the packed format has its own (`format_version`).
inline constexpr std::uint32_t protocol_version = 1;

/// Bounds on whatever comes from outside, checked before anything is kept.
struct limits {
  std::uint64_t frame_bytes = std::uint64_t{256} << 20;   ///< of one payload frame
  std::uint32_t envelope_bytes = 256 << 10;               ///< 64 tensors with per-channel scales fit
  std::uint32_t tensors = 64;                             ///< tensor headers (and payload frames) per message
  std::uint32_t name_bytes = 1024;
  std::uint32_t scales = 1 << 15;                         ///< per tensor
  std::uint32_t levels = 1 << 15;                         ///< per tensor
  std::uint32_t hops = 8;                                 ///< per reply
  friend bool operator==(const limits&, const limits&) = default;
};

/// The part of a receiver's limits that its peer is told.
struct peer_limits {
  std::uint64_t frame_bytes = 0;
  std::uint32_t tensors = 0;
  std::uint32_t queued_requests = 0;
  friend bool operator==(const peer_limits&, const peer_limits&) = default;
};

struct hello {
  std::uint64_t id = 0;
  std::string model_hash;
  std::string model_name;
  std::vector<std::uint32_t> format_versions;
  std::string executor_level;
  std::uint64_t tensors_hash = 0;
  peer_limits accepts;
  friend bool operator==(const hello&, const hello&) = default;
};

struct welcome {
  std::uint64_t id = 0;
  std::uint32_t format_version = 0;
  std::string executor_level;
  peer_limits accepts;
  friend bool operator==(const welcome&, const welcome&) = default;
};

/// A tensor on its way: the payload travels in a frame of its own.
struct tensor_header {
  std::string name;
  descriptor what;
  std::uint32_t crc32c = 0;   ///< of the payload frame
  friend bool operator==(const tensor_header&, const tensor_header&) = default;
};

struct request {
  std::uint64_t id = 0;
  std::uint32_t attempt = 1;
  std::uint64_t epoch = 0;
  std::string model_hash;
  std::chrono::milliseconds deadline_left{0};
  std::vector<tensor_header> tensors;
  friend bool operator==(const request&, const request&) = default;
};

struct server_times {
  std::chrono::microseconds decode{0};
  std::chrono::microseconds queue{0};
  std::chrono::microseconds run{0};
  friend bool operator==(const server_times&, const server_times&) = default;
};

/// What a middle tier spent on handing a request on: the second link of three tiers, or a later one.
struct hop {
  std::chrono::microseconds encode{0};
  std::chrono::microseconds link{0};    ///< sending to reply, less the next tier's own time; waiting, where it took over
  std::chrono::microseconds decode{0};  ///< at the next tier
  std::chrono::microseconds server{0};  ///< queue and run there
  std::uint64_t bytes_sent = 0;
  bool taken_over = false;              ///< the middle tier ran the rest itself, for want of the next one
  friend bool operator==(const hop&, const hop&) = default;
};

struct reply {
  std::uint64_t id = 0;
  std::uint64_t epoch = 0;
  std::vector<tensor_header> outputs;   ///< codec raw
  server_times took;
  std::vector<hop> onward{};            ///< of a middle tier: its own hop first, then those behind
  friend bool operator==(const reply&, const reply&) = default;
};

/// A rectangle of one tensor, to be made from parts of others.
struct tile_request {
  std::uint64_t id = 0;
  std::string model_hash;
  std::chrono::milliseconds deadline_left{0};
  std::vector<std::string> from;        ///< names of the tensors that the stack reads
  std::string to;
  region wanted;
  std::vector<tensor_header> parts;     ///< of those that the tile needs, in that order; codec raw
  friend bool operator==(const tile_request&, const tile_request&) = default;
};

struct failure {
  std::uint64_t id = 0;                 ///< 0: a message that could not be read at all
  errc code = errc::internal;
  std::string what;
  std::uint64_t epoch = 0;
  friend bool operator==(const failure&, const failure&) = default;
};

struct cancel {
  std::uint64_t id = 0;
  friend bool operator==(const cancel&, const cancel&) = default;
};

/// What its sender learns of the link from: `padding` bytes of no meaning travel with it.
struct probe {
  std::uint64_t id = 0;
  std::size_t padding = 0;
  friend bool operator==(const probe&, const probe&) = default;
};

struct echo {
  std::uint64_t id = 0;                 ///< of the probe
  friend bool operator==(const echo&, const echo&) = default;
};

using message = std::variant<hello, welcome, request, reply, failure, cancel, probe, echo, tile_request>;

/// 64-bit FNV-1a over the names and shapes of every tensor that may cross (inputs and node outputs, in graph order):
/// two builds that read one model file differently are told apart before a tensor travels. No defence against malice.
[[nodiscard]] inline std::uint64_t tensors_hash(const graph& network)
{
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      hash ^= (value >> shift) & 0xff;
      hash *= 0x100000001b3;
    }
  };
  for (const auto& v : network.values()) {
    if (v.is_constant) continue;
    mix(v.name.size());
    for (const char c : v.name) mix(static_cast<unsigned char>(c));
    mix(v.dims.rank());
    for (const auto extent : v.dims.dims()) mix(static_cast<std::uint64_t>(extent));
  }
  return hash;
}

}  // namespace narrows::wire
