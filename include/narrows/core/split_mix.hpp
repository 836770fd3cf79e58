// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace narrows {

/// SplitMix64: numbers for weights and traces that are the same on every machine and library, which those of <random>'s
/// distributions are not. No secret is safe with it. Source: Steele, Lea, Flood, OOPSLA 2014.
class split_mix {
public:
  constexpr explicit split_mix(std::uint64_t seed) noexcept : state_(seed) {}
  constexpr std::uint64_t next() noexcept
  {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

private:
  std::uint64_t state_;
};

}  // namespace narrows
