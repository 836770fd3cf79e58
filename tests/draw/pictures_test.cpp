// SPDX-License-Identifier: BSD-3-Clause
#include "pictures.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <vector>

namespace draw = narrows::draw;

namespace {

/// FNV-1a, 64 bits.
std::uint64_t hash_of(const draw::picture& pixels)
{
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : pixels) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

// The arithmetic below the pictures, checked while compiling: a quarter turn, the fold, negative angles.
static_assert(draw::detail::sine(0) == 0 && draw::detail::sine(64) == 16384 && draw::detail::sine(128) == 0);
static_assert(draw::detail::sine(-64) == -16384 && draw::detail::sine(32) == draw::detail::sine(96));
static_assert(draw::detail::cosine(256) == 16384 && draw::detail::cosine(64) == 0);
static_assert(draw::detail::random_source{0}.bits() == 0xe220a8397b1dcdafU);  // the published first value of SplitMix64

// One picture per class. A change here changes every drawn set: retrain examples/data/shapes.onnx with it.
TEST(Pictures, AreTheSameBytesOnEveryMachineAndCompiler)
{
  constexpr std::array<std::uint64_t, 10> golden{
      0x7a8e4177783a5a6bU, 0x7edd4c8d8433b6ebU, 0xa086bb184a0bffe8U, 0xe8e350230d4c6497U,
      0x0f5e1910a70f9fc8U, 0x69c33ecadb235569U, 0x5accfd9acb27dd68U, 0x4c71a7b027c5f8d5U,
      0xa783240cbe29e296U, 0x91ebddece80e74abU};
  for (int c = 0; c < draw::class_count; ++c) {
    SCOPED_TRACE(draw::class_names[static_cast<std::size_t>(c)]);
    const auto i = static_cast<std::size_t>(c);
    EXPECT_EQ(hash_of(draw::draw_picture(c, 2024 + i)), golden[i]);
  }
}

TEST(Pictures, OfASetAreTheSameBytesOnEveryMachineAndCompiler)
{
  std::uint64_t all = 0;
  for (std::uint64_t i = 0; i < 200; ++i) all = all * 31 + hash_of(draw::drawn(5, i).pixels);
  EXPECT_EQ(all, 0xeabfc412a990566aU);
}

TEST(Pictures, DependOnTheSeedAndTheClassAndOnNothingElse)
{
  EXPECT_EQ(draw::draw_picture(3, 11), draw::draw_picture(3, 11));
  EXPECT_NE(draw::draw_picture(3, 11), draw::draw_picture(3, 12));
  EXPECT_NE(draw::draw_picture(3, 11), draw::draw_picture(4, 11));
  EXPECT_NE(draw::drawn(1, 0).pixels, draw::drawn(2, 0).pixels);
  EXPECT_NE(draw::drawn(1, 0).pixels, draw::drawn(1, 10).pixels);
}

TEST(Pictures, OfADistantSeedOrClassAreDrawnToo)
{
  for (const std::uint64_t seed : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63})
    EXPECT_NE(hash_of(draw::draw_picture(9, seed)), hash_of(draw::picture{}));
  EXPECT_EQ(draw::draw_picture(99, 1), draw::draw_picture(9, 1));
}

TEST(Pictures, AreBalancedInEverySetOfEveryLength)
{
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::array<int, draw::class_names.size()> seen{};
    for (std::uint64_t i = 0; i < 137; ++i) {
      const int c = draw::drawn_class(seed, i);
      ASSERT_TRUE(c >= 0 && c < draw::class_count);
      ++seen[static_cast<std::size_t>(c)];
      const auto [least, most] = std::ranges::minmax(seen);
      ASSERT_LE(most - least, 1) << "after " << i + 1 << " pictures";
    }
  }
}

TEST(Pictures, ComeInAnotherOrderOfClassesForAnotherSeedAndRound)
{
  const auto order = [](std::uint64_t seed, std::uint64_t first) {
    std::array<int, 10> classes{};
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = draw::drawn_class(seed, first + i);
    return classes;
  };
  EXPECT_NE(order(1, 0), order(2, 0));
  EXPECT_NE(order(1, 0), order(1, 10));
}

/// Multinomial logistic regression on 32 x 32 x 3 averaged pixels, each brought to mean 0 and spread 1.
class logistic_regression {
public:
  static constexpr std::size_t inputs = 32 * 32 * 3, classes = draw::class_names.size();
  using features = std::array<float, inputs>;
  struct example {
    features x;
    std::size_t label;
  };

  static std::vector<example> examples(std::uint64_t seed, std::size_t count)
  {
    std::vector<example> all(count);
    for (std::size_t i = 0; i < count; ++i) {
      const draw::labelled_picture from = draw::drawn(seed, i);
      all[i].label = static_cast<std::size_t>(from.class_index);
      for (std::size_t j = 0; j < inputs; ++j) {
        const std::size_t x = j / 3 % 32 * 3, y = j / 96 * 3;
        int sum = 0;
        for (std::size_t dy = 0; dy < 3; ++dy)
          for (std::size_t dx = 0; dx < 3; ++dx) sum += from.pixels[((y + dy) * draw::side + x + dx) * 3 + j % 3];
        all[i].x[j] = static_cast<float>(sum) / 9.0F;
      }
    }
    return all;
  }

  /// Makes both sets comparable by the figures of the first: nothing is learnt from the second.
  static void standardise(std::vector<example>& train, std::vector<example>& test)
  {
    for (std::size_t j = 0; j < inputs; ++j) {
      double sum = 0, squares = 0;
      for (const example& e : train) sum += e.x[j], squares += double{e.x[j]} * e.x[j];
      const double n = static_cast<double>(train.size()), mean = sum / n;
      const double spread = std::sqrt(std::max(squares / n - mean * mean, 1e-6));
      for (auto* set : {&train, &test})
        for (example& e : *set) e.x[j] = static_cast<float>((e.x[j] - mean) / spread);
    }
  }

  std::array<float, classes> scores(const features& x) const
  {
    std::array<float, classes> result = bias_;
    for (std::size_t c = 0; c < classes; ++c) {
      // Plain pointers, since builds without optimisation run this too; sixteen sums, so that others can use vectors.
      const float *w = weight_[c].data(), *from = x.data();
      float part[16] = {};
      for (std::size_t j = 0; j < inputs; j += 16)
        for (std::size_t k = 0; k < 16; ++k) part[k] += w[j + k] * from[j + k];
      for (const float sum : part) result[c] += sum;
    }
    return result;
  }

  /// One pass of stochastic gradient descent on the cross entropy with a little weight decay.
  void epoch(const std::vector<example>& train, float rate, float decay)
  {
    for (const example& e : train) {  // in the order drawn, which is mixed already
      std::array<float, classes> p = scores(e.x);
      const float highest = *std::ranges::max_element(p);
      float sum = 0;
      for (float& value : p) sum += value = std::exp(value - highest);
      for (float& value : p) value /= sum;
      p[e.label] -= 1.0F;
      for (std::size_t c = 0; c < classes; ++c) {
        float* w = weight_[c].data();
        const float *from = e.x.data(), error = p[c];
        for (std::size_t j = 0; j < inputs; ++j) w[j] -= rate * (error * from[j] + decay * w[j]);
        bias_[c] -= rate * error;
      }
    }
  }

  double accuracy(const std::vector<example>& set) const
  {
    const auto right = std::ranges::count_if(set, [&](const example& e) {
      const auto all = scores(e.x);
      return static_cast<std::size_t>(std::ranges::max_element(all) - all.begin()) == e.label;
    });
    return static_cast<double>(right) / static_cast<double>(set.size());
  }

private:
  std::array<features, classes> weight_{};
  std::array<float, classes> bias_{};
};

struct fit {
  double own, unseen;  // accuracy on the pictures learnt from, and the best seen on the others
};

fit fitted(std::vector<logistic_regression::example> train, std::vector<logistic_regression::example> test, int epochs)
{
  logistic_regression::standardise(train, test);
  logistic_regression model;
  fit result{};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    model.epoch(train, 1e-3F * static_cast<float>(epochs - epoch) / static_cast<float>(epochs), 0.01F);
    if (epoch % 4 == 3) result.unseen = std::max(result.unseen, model.accuracy(test));
  }
  result.own = model.accuracy(train);
  return result;
}

// The bundled network is worth cutting only if it is needed. The bound is honest: the best that was seen during training
// counts, which flatters the regression; it must fit its own pictures, so it was trained long enough; and the same code
// must succeed once each picture carries a hint that a linear classifier can use.
TEST(Pictures, AreNotToldByLogisticRegressionOnPixels)
{
  auto train = logistic_regression::examples(101, 2000);
  auto test = logistic_regression::examples(202, 1000);
  const fit plain = fitted(train, test, 24);
  for (auto* set : {&train, &test})
    for (auto& e : *set)
      for (std::size_t j = 0; j < 12; ++j) e.x[e.label * 96 + j] += 60.0F;  // four bright pixels in the row of its class
  const fit hinted = fitted(train, test, 8);
  std::cout << "logistic regression: " << plain.unseen << " of 1000 unseen pictures right at best, " << plain.own
            << " of its own 2000; with a hint " << hinted.unseen << '\n';
  EXPECT_LT(plain.unseen, 0.60);
  EXPECT_GT(plain.own, 0.60) << "not trained to the end: the bound above says nothing";
  EXPECT_GT(hinted.unseen, 0.60) << "it cannot even use a hint: the bound above says nothing";
}

}  // namespace
