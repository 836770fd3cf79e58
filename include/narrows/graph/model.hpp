// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/graph/graph.hpp>

namespace narrows {

/// A network as it is cut and run (fused), with the identity that edge and cloud compare.
struct model {
  std::string name;                      ///< file name without folders
  std::string hash;                      ///< SHA-256 of the model file's bytes (external data included), 64 hex digits
  std::shared_ptr<const graph> network;
  std::uint64_t parameters = 0;          ///< float values among the file's weights, before any fusing; 0 if not known
};

}  // namespace narrows
