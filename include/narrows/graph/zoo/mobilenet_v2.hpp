// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

/// MobileNetV2 of width 1.0.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 1).
/// Source   Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, table 2;
///          torchvision.models.mobilenet_v2.
[[nodiscard]] inline result<std::shared_ptr<const graph>> mobilenet_v2(std::int64_t side = 224)
{
  struct stage {
    std::int64_t expansion, channels;
    int blocks;
    std::int64_t stride;
  };
  const conv_style unit{.activation = relu6, .norm = true}, linear{.norm = true};
  layer_writer net("mobilenet_v2");
  auto x = net.conv("conv1", net.image(side), 32, same(3, 2), unit);
  std::int64_t channels = 32;
  int number = 1;
  for (const auto& s :
    {stage{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}) {
    for (int i = 0; i < s.blocks; ++i) {
      const auto block = "block" + std::to_string(number++);
      const std::int64_t stride = i == 0 ? s.stride : 1, wide = channels * s.expansion;
      auto depthwise = unit;
      depthwise.groups = wide;
      auto y = x;
      if (s.expansion != 1) y = net.conv(block + ".expand", y, wide, valid(1), unit);
      y = net.conv(block + ".depthwise", y, wide, same(3, stride), depthwise);
      const bool residual = stride == 1 && channels == s.channels;
      y = net.conv(residual ? block + ".project" : block, y, s.channels, valid(1), linear);
      x = residual ? net.sum(block, y, x) : y;
      channels = s.channels;
    }
  }
  return net.finish(net.classifier(net.conv("conv2", x, 1280, valid(1), unit)));
}

}  // namespace narrows::zoo
