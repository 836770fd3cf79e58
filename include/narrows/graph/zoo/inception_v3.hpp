// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

namespace detail {

/// The blocks of Inception-v3, named after the figures of its paper. Each is four or three branches side by side.
class inception_v3_writer {
public:
  explicit inception_v3_writer(const char* name) : net(name) {}

  value_id conv(const std::string& name, value_id x, std::int64_t channels, const op::window& window)
  {
    return net.conv(name, x, channels, window, {.activation = relu, .norm = true, .epsilon = 1e-3F});
  }

  /// Figure 5: 1x1, 5x5, two 3x3, pool.
  value_id figure5(const std::string& name, value_id x, std::int64_t pooled)
  {
    const auto a = conv(name + ".a", x, 64, valid(1));
    const auto b = conv(name + ".b2", conv(name + ".b1", x, 48, valid(1)), 64, same(5));
    const auto c = conv(name + ".c3", conv(name + ".c2", conv(name + ".c1", x, 64, valid(1)), 96, same(3)), 96, same(3));
    return net.concat(name, {a, b, c, pool_branch(name, x, pooled)});
  }

  /// Figure 6 with n = 7: 1x1, 1x7 and 7x1 once, twice, pool.
  value_id figure6(const std::string& name, value_id x, std::int64_t inner)
  {
    const auto a = conv(name + ".a", x, 192, valid(1));
    auto b = conv(name + ".b1", x, inner, valid(1));
    b = conv(name + ".b3", conv(name + ".b2", b, inner, same({1, 7})), 192, same({7, 1}));
    auto c = conv(name + ".c1", x, inner, valid(1));
    c = conv(name + ".c3", conv(name + ".c2", c, inner, same({7, 1})), inner, same({1, 7}));
    c = conv(name + ".c5", conv(name + ".c4", c, inner, same({7, 1})), 192, same({1, 7}));
    return net.concat(name, {a, b, c, pool_branch(name, x, 192)});
  }

  /// Figure 7: 1x1, 1x3 beside 3x1, the same behind a 3x3, pool.
  value_id figure7(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a", x, 320, valid(1));
    const auto b = beside(name + ".b", conv(name + ".b1", x, 384, valid(1)));
    const auto c = beside(name + ".c", conv(name + ".c2", conv(name + ".c1", x, 448, valid(1)), 384, same(3)));
    return net.concat(name, {a, b, c, pool_branch(name, x, 192)});
  }

  layer_writer net;

private:
  value_id pool_branch(const std::string& name, value_id x, std::int64_t channels)
  {
    return conv(name + ".d", net.average_pool(name + ".pool", x, same(3), true), channels, valid(1));
  }
  value_id beside(const std::string& name, value_id x)
  {
    const auto flat = conv(name + ".1x3", x, 384, same({1, 3})), tall = conv(name + ".3x1", x, 384, same({3, 1}));
    return net.concat(name, {flat, tall});
  }
};

}  // namespace detail

/// Inception-v3 as the TensorFlow checkpoint and torchvision have it, without the auxiliary classifier of training. The averages
/// beside the convolutions count their borders, as torchvision's do.
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights).
/// Errors   bad_shape, bad_node (side below 75).
/// Source   Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, table 1 and figures 5 to 7
///          and 10; channels, which the paper leaves open, are those of torchvision.models.inception_v3.
[[nodiscard]] inline result<std::shared_ptr<const graph>> inception_v3(std::int64_t side = 299)
{
  detail::inception_v3_writer w("inception_v3");
  auto& net = w.net;
  auto x = w.conv("conv1", net.image(side), 32, valid(3, 2));
  x = w.conv("conv3", w.conv("conv2", x, 32, valid(3)), 64, same(3));
  x = net.max_pool("pool1", x, valid(3, 2));
  x = w.conv("conv5", w.conv("conv4", x, 80, valid(1)), 192, valid(3));
  x = net.max_pool("pool2", x, valid(3, 2));

  x = w.figure5("mixed_5b", x, 32);
  x = w.figure5("mixed_5c", x, 64);
  x = w.figure5("mixed_5d", x, 64);
  auto b = w.conv("mixed_6a.b2", w.conv("mixed_6a.b1", x, 64, valid(1)), 96, same(3));
  auto a = w.conv("mixed_6a.a", x, 384, valid(3, 2));
  x = net.concat("mixed_6a", {a, w.conv("mixed_6a.b3", b, 96, valid(3, 2)), net.max_pool("mixed_6a.pool", x, valid(3, 2))});

  x = w.figure6("mixed_6b", x, 128);
  x = w.figure6("mixed_6c", x, 160);
  x = w.figure6("mixed_6d", x, 160);
  x = w.figure6("mixed_6e", x, 192);
  a = w.conv("mixed_7a.a2", w.conv("mixed_7a.a1", x, 192, valid(1)), 320, valid(3, 2));
  b = w.conv("mixed_7a.b2", w.conv("mixed_7a.b1", x, 192, valid(1)), 192, same({1, 7}));
  b = w.conv("mixed_7a.b4", w.conv("mixed_7a.b3", b, 192, same({7, 1})), 192, valid(3, 2));
  x = net.concat("mixed_7a", {a, b, net.max_pool("mixed_7a.pool", x, valid(3, 2))});

  x = w.figure7("mixed_7b", x);
  x = w.figure7("mixed_7c", x);
  return net.finish(net.classifier(x));
}

}  // namespace narrows::zoo
