// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

/// SqueezeNet 1.1: the authors' revision with 2.4 times less work than the paper's network and the same accuracy.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 17).
/// Source   Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016; SqueezeNet_v1.1 of
///          DeepScale/SqueezeNet and torchvision.models.squeezenet1_1, which have the first convolution without borders.
[[nodiscard]] inline result<std::shared_ptr<const graph>> squeezenet1_1(std::int64_t side = 224)
{
  const conv_style plain{.activation = relu};
  layer_writer net("squeezenet1_1");
  const auto fire = [&](const std::string& name, value_id x, std::int64_t squeezed, std::int64_t expanded) {
    const auto s = net.conv(name + ".squeeze", x, squeezed, valid(1), plain);
    const auto narrow = net.conv(name + ".expand1x1", s, expanded, valid(1), plain);
    const auto wide = net.conv(name + ".expand3x3", s, expanded, same(3), plain);
    return net.concat(name, {narrow, wide});
  };
  auto x = net.conv("conv1", net.image(side), 64, valid(3, 2), plain);
  x = net.max_pool_ceil("pool1", x, valid(3, 2));
  x = fire("fire3", fire("fire2", x, 16, 64), 16, 64);
  x = net.max_pool_ceil("pool3", x, valid(3, 2));
  x = fire("fire5", fire("fire4", x, 32, 128), 32, 128);
  x = net.max_pool_ceil("pool5", x, valid(3, 2));
  x = fire("fire7", fire("fire6", x, 48, 192), 48, 192);
  x = fire("fire9", fire("fire8", x, 64, 256), 64, 256);
  x = net.conv("conv10", x, 1000, valid(1), plain);
  return net.finish(net.softmax("prob", net.flatten("flatten", net.global_average("pool", x))));
}

}  // namespace narrows::zoo
