// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include <narrows/onnx/onnx_constant.hpp>

namespace narrows {

/// What an import accepts. The limits hold before memory is taken; a file beyond one is refused with limit_exceeded.
struct import_options {
  std::uint64_t max_bytes = (std::uint64_t{1} << 31) - 1;       ///< size of the model file (Protobuf's own limit)
  std::uint64_t max_elements = 500'000;                          ///< messages and strings in the file; each costs about 150 bytes
  std::size_t max_nodes = 50'000;
  std::uint64_t max_constant_bytes = std::uint64_t{1} << 30;    ///< all weights together, folded ones included (VGG-19: 575 MB)
  std::uint64_t max_tensor_bytes = std::uint64_t{1} << 30;      ///< any one tensor of the graph
  bool allow_external_data = false;                              ///< weights in files beside the model, inside its folder only
  bool fuse = true;
  std::map<std::string, onnx_constant> bind{};                   ///< graph inputs given now, as constants
};

}  // namespace narrows
