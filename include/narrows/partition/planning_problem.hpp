// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace narrows {

/// Tiers in the order in which data may flow: 0 is the device, where the inputs are; the last is the cloud.
inline constexpr std::size_t max_tiers = 3;
/// Links: 0 from tier 0 to 1; 1 from tier 1 to 2; 2 directly from tier 0 to 2.
inline constexpr std::size_t max_links = 3;
[[nodiscard]] constexpr std::size_t sender_of(std::size_t link) noexcept { return link == 1 ? 1 : 0; }
[[nodiscard]] constexpr std::size_t receiver_of(std::size_t link) noexcept { return link == 0 ? 1 : 2; }

/// One way in which a tensor may travel: a width and a codec, say. Seconds; infinity where it cannot be done.
struct transfer_option {
  std::uint32_t tag = 0;                     ///< the caller's number for it; one number for one coding in all tensors
  double bytes = 0;                          ///< on any link
  std::array<double, max_links> link_s{};    ///< time on the link beside that of the bytes
  std::array<double, max_tiers> encode_s{};  ///< on the sending tier
  std::array<double, max_tiers> decode_s{};  ///< on the receiving tier
};

/// A step that runs whole on one tier.
struct planning_node {
  std::string name;             ///< for messages
  std::vector<double> seconds;  ///< per tier; infinity where it cannot run
  double return_bytes = 0;      ///< of its results, what must come back to the device
};

/// What nodes read: an input, which lies on the device, or what one node makes. It crosses a link once, however many
/// nodes read it behind the link.
struct planning_tensor {
  std::string name;
  std::optional<std::size_t> producer;  ///< none for inputs
  std::vector<std::size_t> consumers;
  std::vector<transfer_option> options;  ///< at least one, if it has consumers
};

/// What a link costs. A rate of 0 is an infinite `seconds_per_byte`.
struct planning_link {
  double seconds_per_byte = 0;  ///< same both ways, each on its own
  double message_s = 0;         ///< once per request that uses the link: round trip, both halves of it
  double message_bytes = 0;     ///< once per request, each way: what surrounds the tensors
};

/// What could run where, as plain data: nodes with a time per tier and tensors with a cost per link. Independent of where
/// it comes from (`problem_from_graph` makes one of a network), so that planners and the brute force they are tested
/// against share it. `priced_problem::make` checks it.
///
/// Model   a node runs on one tier, not before that of any tensor it reads (one-way flow: tiers rise along every path).
///         Work of one tier adds up. METHODS 1.1.
struct planning_problem {
  std::size_t tiers = 2;                ///< 2 or 3
  std::vector<planning_link> links{1};  ///< 1 for two tiers; for three 2, or 3 with a direct one to the cloud
  std::vector<planning_node> nodes;     ///< in any order
  std::vector<planning_tensor> tensors;
};

}  // namespace narrows
