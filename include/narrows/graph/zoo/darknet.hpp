// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

/// Darknet-53 as a classifier of ImageNet.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 1).
/// Source   Redmon, Farhadi, "YOLOv3: an incremental improvement", 2018, table 1; darknet53.cfg of pjreddie/darknet. The
///          activation is behind each convolution and not behind the sums; the last layer is a 1x1 convolution with bias.
[[nodiscard]] inline result<std::shared_ptr<const graph>> darknet53(std::int64_t side = 256)
{
  const conv_style unit{.activation = leaky, .norm = true};
  const std::array blocks{1, 2, 8, 8, 4};
  layer_writer net("darknet53");
  auto x = net.conv("stem", net.image(side), 32, same(3), unit);
  std::int64_t channels = 64;
  for (std::size_t stage = 0; stage < blocks.size(); ++stage, channels *= 2) {
    const auto called = "stage" + std::to_string(stage + 1);
    x = net.conv(called, x, channels, same(3, 2), unit);
    for (int i = 0; i < blocks[stage]; ++i) {
      const auto block = called + "." + std::to_string(i);
      const auto y = net.conv(block + ".conv1", x, channels / 2, valid(1), unit);
      x = net.sum(block, net.conv(block + ".conv2", y, channels, same(3), unit), x);
    }
  }
  x = net.conv("fc", net.global_average("pool", x), 1000, valid(1));
  return net.finish(net.softmax("prob", net.flatten("flatten", x)));
}

/// Tiny YOLO v2 for the 20 classes of Pascal VOC (tiny-yolo-voc, later named yolov2-tiny-voc).
///
/// Shapes   image 1x3x`side`x`side`, boxes 1x125x13x13 at 416: for each of 5 anchors x, y, width, height, objectness and 20
///          classes, before the functions that make boxes of them (Darknet's region layer). A multiple of 32 is sensible.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 32).
/// Source   Redmon, Farhadi, "YOLO9000: better, faster, stronger", CVPR 2017; yolov2-tiny-voc.cfg of pjreddie/darknet. The last
///          pool has stride 1 and keeps its extent: one border, at the bottom and on the right.
[[nodiscard]] inline result<std::shared_ptr<const graph>> yolov2_tiny(std::int64_t side = 416)
{
  const conv_style unit{.activation = leaky, .norm = true};
  layer_writer net("yolov2_tiny");
  auto x = net.image(side);
  int layer = 1;
  for (const std::int64_t channels : {16, 32, 64, 128, 256, 512}) {
    const auto number = std::to_string(layer++);
    x = net.conv("conv" + number, x, channels, same(3), unit);
    x = net.max_pool("pool" + number, x, channels < 512 ? valid(2, 2) : op::window{{2, 2}, {1, 1}, {1, 1}, {0, 0, 1, 1}});
  }
  x = net.conv("conv7", x, 1024, same(3), unit);
  x = net.conv("conv8", x, 1024, same(3), unit);
  return net.finish(net.conv("boxes", x, 125, valid(1)));
}

}  // namespace narrows::zoo
