// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <narrows/core/result.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/zoo/alexnet.hpp>
#include <narrows/graph/zoo/darknet.hpp>
#include <narrows/graph/zoo/inception_v3.hpp>
#include <narrows/graph/zoo/inception_v4.hpp>
#include <narrows/graph/zoo/mobilenet_v2.hpp>
#include <narrows/graph/zoo/resnet.hpp>
#include <narrows/graph/zoo/squeezenet.hpp>
#include <narrows/graph/zoo/vgg.hpp>

/// Networks that papers on cutting evaluate, for shapes and costs without a model file; with_seeded_weights makes them run.
namespace narrows::zoo {

struct known_network {
  std::string_view name;
  std::int64_t side;  ///< of the input, as published
  result<std::shared_ptr<const graph>> (*make)(std::int64_t side);
};

inline constexpr std::array networks{
  known_network{"alexnet", 224, alexnet},
  known_network{"alexnet_2012", 227, alexnet_2012},
  known_network{"vgg16", 224, vgg16},
  known_network{"resnet18", 224, resnet18},
  known_network{"resnet50", 224, resnet50},
  known_network{"resnet152", 224, resnet152},
  known_network{"darknet53", 256, darknet53},
  known_network{"inception_v3", 299, inception_v3},
  known_network{"inception_v4", 299, inception_v4},
  known_network{"squeezenet1_1", 224, squeezenet1_1},
  known_network{"mobilenet_v2", 224, mobilenet_v2},
  known_network{"yolov2_tiny", 416, yolov2_tiny},
};

/// The network of that name at its published size. Errors: bad_input (no such name; the text lists them).
[[nodiscard]] inline result<std::shared_ptr<const graph>> make(std::string_view name)
{
  const auto found = std::find_if(networks.begin(), networks.end(), [&](const known_network& n) { return n.name == name; });
  if (found != networks.end()) return found->make(found->side);
  std::string text = "no network is named '";
  text.append(name).append("'; there are");
  for (const auto& n : networks) text.append(" ").append(n.name);
  return error(errc::bad_input, std::move(text));
}

}  // namespace narrows::zoo
