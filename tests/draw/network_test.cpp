// SPDX-License-Identifier: BSD-3-Clause
// The bundled network on pictures of a seed that nothing else has used.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include <narrows/exec/module.hpp>
#include <narrows/onnx/import.hpp>

#include "pictures.hpp"

namespace narrows {
namespace {

TEST(BundledNetwork, IsRightOnNineteenOfTwentyUnseenPictures)
{
  constexpr int count = 1000;
  constexpr std::uint64_t seed = 20261121;
  const auto m = load_onnx(NARROWS_SOURCE_DIR "/examples/data/shapes.onnx");
  ASSERT_TRUE(m) << m.error().text();
  const auto engine = load_engine();
  ASSERT_TRUE(engine) << engine.error().text();
  auto network = engine->load(whole_slice(m->network));
  ASSERT_TRUE(network) << network.error().text();
  tensor in(shape{1, draw::channels, draw::side, draw::side}), logits(shape{1, draw::class_count});
  ASSERT_EQ(network->inputs()[0].dims, in.dims());
  ASSERT_EQ(network->outputs()[0].dims, logits.dims());

  int right = 0;
  for (int i = 0; i < count; ++i) {
    const auto one = draw::drawn(seed, static_cast<std::uint64_t>(i));
    constexpr std::size_t plane = std::size_t{draw::side} * draw::side;
    for (std::size_t p = 0; p < draw::picture_bytes; ++p)   // interleaved bytes to planes of (pixel - 127.5) / 127.5
      in.values()[p % draw::channels * plane + p / draw::channels] = (static_cast<float>(one.pixels[p]) - 127.5F) / 127.5F;
    const tensor_view from = in.view();
    const mutable_tensor_view to = logits.view();
    ASSERT_TRUE(network->run(std::span(&from, 1), std::span(&to, 1), {}));
    const auto scores = std::as_const(logits).values();
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == one.class_index;
  }
  std::printf("bundled network: %d of %d unseen pictures right\n", right, count);
  EXPECT_GE(right, 950);
}

}  // namespace
}  // namespace narrows
