// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

/// VGG-16: configuration D, without normalisation.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000. With another side than 224 the first matrix reads what the last pool leaves.
/// Weights  known by shape alone (see with_seeded_weights): 553 MB if made.
/// Errors   bad_shape, bad_node (side below 32).
/// Source   Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, table 1.
[[nodiscard]] inline result<std::shared_ptr<const graph>> vgg16(std::int64_t side = 224)
{
  struct stage {
    int convolutions;
    std::int64_t channels;
  };
  layer_writer net("vgg16");
  auto x = net.image(side);
  char block = '1';
  for (const auto [convolutions, channels] : {stage{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}) {
    for (char i = '1'; i < '1' + convolutions; ++i)
      x = net.conv(std::string("conv") + block + '_' + i, x, channels, same(3), {.activation = relu});
    x = net.max_pool(std::string("pool") + block, x, valid(2, 2));
    ++block;
  }
  x = net.dense("fc6", net.flatten("flatten", x), 4096, relu);
  x = net.dense("fc7", x, 4096, relu);
  return net.finish(net.softmax("prob", net.dense("fc8", x, 1000)));
}

}  // namespace narrows::zoo
