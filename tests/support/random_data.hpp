// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace narrows::test {

/// The seed of every test that is not about a seed of its own.
inline constexpr std::uint64_t seed = 20240229;

/// SplitMix64: the same numbers on every machine and library, which <random>'s distributions do not promise.
class random_source {
public:
  constexpr explicit random_source(std::uint64_t from = seed) : state_(from) {}
  constexpr std::uint64_t next() noexcept
  {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  /// In [0, bound).
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  /// In [low, high).
  constexpr float uniform(float low, float high) noexcept
  {
    return low + (high - low) * (static_cast<float>(next() >> 40) * 0x1p-24F);
  }

private:
  std::uint64_t state_;
};

template <class T>
[[nodiscard]] std::vector<T> random_codes(std::size_t n, int bits, random_source& source)
{
  std::vector<T> codes(n);
  for (auto& c : codes) c = static_cast<T>(source.below(std::uint64_t{1} << bits));
  return codes;
}

[[nodiscard]] inline std::vector<float> random_floats(std::size_t n, float low, float high, random_source& source)
{
  std::vector<float> values(n);
  for (auto& v : values) v = source.uniform(low, high);
  return values;
}

/// What a ReLU leaves: about half zeros, the rest in (0, high).
[[nodiscard]] inline std::vector<float> relu_like(std::size_t n, float high, random_source& source)
{
  auto values = random_floats(n, -high, high, source);
  for (auto& v : values) v = v > 0 ? v : 0.0F;
  return values;
}

/// Floats that quantisers stumble over.
inline constexpr float hostile_floats[] = {
  std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
  std::numeric_limits<float>::infinity(),  -std::numeric_limits<float>::infinity(),
  std::numeric_limits<float>::denorm_min(), -std::numeric_limits<float>::denorm_min(),
  std::numeric_limits<float>::max(),       std::numeric_limits<float>::lowest(),
  0.0F, -0.0F, 1e-40F, 2147483520.0F, 2147483648.0F, -2147483648.0F, -2147483904.0F, 4294967296.0F, 8388609.0F};

}  // namespace narrows::test
