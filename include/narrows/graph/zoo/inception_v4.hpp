// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <narrows/core/result.hpp>
#include <narrows/graph/zoo/layers.hpp>

namespace narrows::zoo {

namespace detail {

/// The blocks of Inception-v4, by the figures of its paper.
class inception_v4_writer {
public:
  explicit inception_v4_writer(const char* name) : net(name) {}

  value_id conv(const std::string& name, value_id x, std::int64_t channels, const op::window& window)
  {
    return net.conv(name, x, channels, window, {.activation = relu, .norm = true, .epsilon = 1e-3F});
  }

  /// Figure 3.
  value_id stem(value_id x)
  {
    x = conv("stem.conv1", x, 32, valid(3, 2));
    x = conv("stem.conv3", conv("stem.conv2", x, 32, valid(3)), 64, same(3));
    x = net.concat("mixed_3a", {net.max_pool("mixed_3a.pool", x, valid(3, 2)), conv("mixed_3a.conv", x, 96, valid(3, 2))});
    const auto a = conv("mixed_4a.a2", conv("mixed_4a.a1", x, 64, valid(1)), 96, valid(3));
    auto b = conv("mixed_4a.b2", conv("mixed_4a.b1", x, 64, valid(1)), 64, same({1, 7}));
    b = conv("mixed_4a.b4", conv("mixed_4a.b3", b, 64, same({7, 1})), 96, valid(3));
    x = net.concat("mixed_4a", {a, b});
    return net.concat("mixed_5a", {conv("mixed_5a.conv", x, 192, valid(3, 2)), net.max_pool("mixed_5a.pool", x, valid(3, 2))});
  }

  /// Figure 4.
  value_id block_a(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a", x, 96, valid(1));
    const auto b = conv(name + ".b2", conv(name + ".b1", x, 64, valid(1)), 96, same(3));
    const auto c = conv(name + ".c3", conv(name + ".c2", conv(name + ".c1", x, 64, valid(1)), 96, same(3)), 96, same(3));
    return net.concat(name, {a, b, c, pool_branch(name, x, 96)});
  }

  /// Figure 5.
  value_id block_b(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a", x, 384, valid(1));
    auto b = conv(name + ".b1", x, 192, valid(1));
    b = conv(name + ".b3", conv(name + ".b2", b, 224, same({1, 7})), 256, same({7, 1}));
    auto c = conv(name + ".c1", x, 192, valid(1));
    c = conv(name + ".c3", conv(name + ".c2", c, 192, same({7, 1})), 224, same({1, 7}));
    c = conv(name + ".c5", conv(name + ".c4", c, 224, same({7, 1})), 256, same({1, 7}));
    return net.concat(name, {a, b, c, pool_branch(name, x, 128)});
  }

  /// Figure 6.
  value_id block_c(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a", x, 256, valid(1));
    const auto b = beside(name + ".b", conv(name + ".b1", x, 384, valid(1)));
    auto c = conv(name + ".c2", conv(name + ".c1", x, 384, valid(1)), 448, same({3, 1}));
    c = beside(name + ".c", conv(name + ".c3", c, 512, same({1, 3})));
    return net.concat(name, {a, b, c, pool_branch(name, x, 256)});
  }

  /// Figure 7 with k, l, m, n = 192, 224, 256, 384 (table 1).
  value_id reduction_a(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a", x, 384, valid(3, 2));
    const auto b = conv(name + ".b2", conv(name + ".b1", x, 192, valid(1)), 224, same(3));
    return net.concat(name, {a, conv(name + ".b3", b, 256, valid(3, 2)), net.max_pool(name + ".pool", x, valid(3, 2))});
  }

  /// Figure 8.
  value_id reduction_b(const std::string& name, value_id x)
  {
    const auto a = conv(name + ".a2", conv(name + ".a1", x, 192, valid(1)), 192, valid(3, 2));
    auto b = conv(name + ".b2", conv(name + ".b1", x, 256, valid(1)), 256, same({1, 7}));
    b = conv(name + ".b4", conv(name + ".b3", b, 320, same({7, 1})), 320, valid(3, 2));
    return net.concat(name, {a, b, net.max_pool(name + ".pool", x, valid(3, 2))});
  }

  layer_writer net;

private:
  value_id pool_branch(const std::string& name, value_id x, std::int64_t channels)
  {
    return conv(name + ".d", net.average_pool(name + ".pool", x, same(3), false), channels, valid(1));
  }
  value_id beside(const std::string& name, value_id x)
  {
    const auto flat = conv(name + ".1x3", x, 256, same({1, 3})), tall = conv(name + ".3x1", x, 256, same({3, 1}));
    return net.concat(name, {flat, tall});
  }
};

}  // namespace detail

/// Inception-v4, the pure Inception network (no residual connections).
///
/// Shapes   image 1x3x`side`x`side`, prob 1x1000.
/// Weights  known by shape alone (see with_seeded_weights). Normalisations have a scale, as in PyTorch's ports; TensorFlow's own
///          leave it out.
/// Errors   bad_shape, bad_node (side below 75).
/// Source   Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on
///          learning", 2016, figures 3 to 9. Where the released TensorFlow model differs from the figures (order of 7x1 and 1x7
///          in blocks B, of 3x1 and 1x3 in blocks C, averages without their borders), as that model.
[[nodiscard]] inline result<std::shared_ptr<const graph>> inception_v4(std::int64_t side = 299)
{
  detail::inception_v4_writer w("inception_v4");
  auto x = w.stem(w.net.image(side));
  for (const char* name : {"mixed_5b", "mixed_5c", "mixed_5d", "mixed_5e"}) x = w.block_a(name, x);
  x = w.reduction_a("mixed_6a", x);
  for (const char* name : {"mixed_6b", "mixed_6c", "mixed_6d", "mixed_6e", "mixed_6f", "mixed_6g", "mixed_6h"})
    x = w.block_b(name, x);
  x = w.reduction_b("mixed_7a", x);
  for (const char* name : {"mixed_7b", "mixed_7c", "mixed_7d"}) x = w.block_c(name, x);
  return w.net.finish(w.net.classifier(x));
}

}  // namespace narrows::zoo
