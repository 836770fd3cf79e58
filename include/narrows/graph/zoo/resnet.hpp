// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

namespace detail {

/// Blocks of two 3x3 convolutions, or bottlenecks of 1x1, 3x3 and 1x1 with four times the width at the end. A block that changes
/// extents or channels has a 1x1 convolution on its shortcut (the paper's option B).
inline result<std::shared_ptr<const graph>> resnet(
  const char* name, const std::array<int, 4>& blocks, bool bottleneck, std::int64_t side)
{
  const conv_style unit{.activation = relu, .norm = true}, linear{.norm = true};
  layer_writer net(name);
  auto x = net.conv("conv1", net.image(side), 64, {{7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}}, unit);
  x = net.max_pool("pool1", x, same(3, 2));
  std::int64_t channels = 64, width = 64;
  for (std::size_t stage = 0; stage < 4; ++stage, width *= 2) {
    for (int i = 0; i < blocks[stage]; ++i) {
      const auto block = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1, ends_with = bottleneck ? 4 * width : width;
      value_id y;
      if (bottleneck) {
        y = net.conv(block + ".conv1", x, width, valid(1), unit);
        y = net.conv(block + ".conv2", y, width, same(3, stride), unit);
        y = net.conv(block + ".conv3", y, ends_with, valid(1), linear);
      } else {
        y = net.conv(block + ".conv1", x, width, same(3, stride), unit);
        y = net.conv(block + ".conv2", y, ends_with, same(3), linear);
      }
      if (stride != 1 || channels != ends_with) x = net.conv(block + ".shortcut", x, ends_with, valid(1, stride), linear);
      x = net.sum(block, y, x, relu);
      channels = ends_with;
    }
  }
  return net.finish(net.classifier(x));
}

}  // namespace detail

/// ResNet-18.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 1).
/// Source   He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, table 1; torchvision.models.resnet18.
[[nodiscard]] inline result<std::shared_ptr<const graph>> resnet18(std::int64_t side = 224)
{
  return detail::resnet("resnet18", {2, 2, 2, 2}, false, side);
}

/// ResNet-50 as torchvision has it ("v1.5"): a block's stride is in its 3x3 convolution; the paper has it in the first 1x1.
///
/// Shapes, Weights, Errors, Source   as resnet18.
[[nodiscard]] inline result<std::shared_ptr<const graph>> resnet50(std::int64_t side = 224)
{
  return detail::resnet("resnet50", {3, 4, 6, 3}, true, side);
}

/// ResNet-152, strides as in resnet50.
///
/// Shapes, Weights, Errors, Source   as resnet18.
[[nodiscard]] inline result<std::shared_ptr<const graph>> resnet152(std::int64_t side = 224)
{
  return detail::resnet("resnet152", {3, 8, 36, 3}, true, side);
}

}  // namespace narrows::zoo
