// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/pack/affine.hpp>

/// What the codecs are measured on: feature maps after a ReLU.
namespace narrows::bench {

/// One feature map of one picture, in planes (channel by channel).
struct activation {
  std::string network;
  std::string tensor;
  std::size_t channels = 0;
  std::size_t area = 0;       ///< height times width
  std::vector<float> values;  ///< channels * area
};

/// Every rectified tensor that crosses a single-tensor cut of these networks (names of files in shared/models/imagenet), on
/// `pictures` photographs of shared/images, evenly chosen. Errors: io_error and whatever importing and running give.
[[nodiscard]] result<std::vector<activation>> activations_of(
  std::span<const std::string> networks, const std::filesystem::path& shared, std::size_t pictures);

/// A stand-in for such a tensor that needs no files: 256 channels of 56x56, neighbours alike, 55 % exact zeros. The same
/// values on every machine and in every run.
[[nodiscard]] activation synthetic();

/// The same values, the channels of a place side by side.
[[nodiscard]] std::vector<float> in_nhwc(const activation& a);

/// Levels of `bits` bits from 0 to the value that one value of 1000 exceeds, as a calibrated plan would have them.
[[nodiscard]] affine levels_for(std::span<const float> x, int bits);

}  // namespace narrows::bench
