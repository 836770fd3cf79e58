// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

/// AlexNet in one column, as torchvision has it: no normalisation, no groups.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000. With another side than 224 the first matrix reads what the last pool leaves.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 63).
/// Source   Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014; torchvision.models.alexnet.
[[nodiscard]] inline result<std::shared_ptr<const graph>> alexnet(std::int64_t side = 224)
{
  layer_writer net("alexnet");
  const conv_style plain{.activation = relu};
  auto x = net.conv("conv1", net.image(side), 64, {{11, 11}, {4, 4}, {1, 1}, {2, 2, 2, 2}}, plain);
  x = net.conv("conv2", net.max_pool("pool1", x, valid(3, 2)), 192, same(5), plain);
  x = net.conv("conv3", net.max_pool("pool2", x, valid(3, 2)), 384, same(3), plain);
  x = net.conv("conv4", x, 256, same(3), plain);
  x = net.conv("conv5", x, 256, same(3), plain);
  x = net.flatten("flatten", net.max_pool("pool5", x, valid(3, 2)));
  x = net.dense("fc6", x, 4096, relu);
  x = net.dense("fc7", x, 4096, relu);
  return net.finish(net.softmax("prob", net.dense("fc8", x, 1000)));
}

/// AlexNet of 2012 with its two columns as groups and its local response normalisation, as Caffe's bvlc_alexnet has it: the
/// network of Neurosurgeon, DADS and other papers on cutting.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 39).
/// Source   Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012, with
///          Caffe's crop of 227 and its normalisation (the sum is divided by the size, the bias is 1, not 2).
[[nodiscard]] inline result<std::shared_ptr<const graph>> alexnet_2012(std::int64_t side = 227)
{
  layer_writer net("alexnet_2012");
  const conv_style plain{.activation = relu}, columns{.activation = relu, .groups = 2};
  const op::lrn across{5, 1e-4F, 0.75F, 1};
  auto x = net.lrn("norm1", net.conv("conv1", net.image(side), 96, valid(11, 4), plain), across);
  x = net.conv("conv2", net.max_pool_ceil("pool1", x, valid(3, 2)), 256, same(5), columns);
  x = net.conv("conv3", net.max_pool_ceil("pool2", net.lrn("norm2", x, across), valid(3, 2)), 384, same(3), plain);
  x = net.conv("conv4", x, 384, same(3), columns);
  x = net.conv("conv5", x, 256, same(3), columns);
  x = net.flatten("flatten", net.max_pool_ceil("pool5", x, valid(3, 2)));
  x = net.dense("fc6", x, 4096, relu);
  x = net.dense("fc7", x, 4096, relu);
  return net.finish(net.softmax("prob", net.dense("fc8", x, 1000)));
}

}  // namespace narrows::zoo
