// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>

#include "image.hpp"

namespace narrows::tool {

enum class channel_order : std::uint8_t { rgb, bgr };

/// From a picture to the network's input, and from its output to classes. What is not set has its default: pictures
/// must come in the network's size, mean 0, std 1, rgb, offset 0.
struct preprocessing {
  struct size {
    int width = 0;
    int height = 0;    ///< 0: `width` is the length of the short side
  };
  std::optional<size> resize;
  std::optional<int> crop;
  std::optional<std::array<float, 3>> mean;      ///< pixel units 0..255, in `order`
  std::optional<std::array<float, 3>> std;
  std::optional<channel_order> order;
  std::optional<int> label_offset;
  std::optional<std::string> labels;             ///< files; from MODEL.json, relative to it
  std::optional<std::string> classes;

  /// Takes from `other` what is not set here.
  void fill_from(const preprocessing& other);
};

/// "256" or "320x240". None for anything else; sides are 1 to 16384.
[[nodiscard]] std::optional<preprocessing::size> parse_size(std::string_view text);
/// One number for all channels or three with commas. None for anything else.
[[nodiscard]] std::optional<std::array<float, 3>> parse_channels(std::string_view text);

/// The settings of a MODEL.json beside `model` (its last extension replaced); nothing set where there is no such file.
/// Keys are the options' names, with '-' or '_'. Other keys are ignored. Errors: bad_input (not JSON, a value of the
/// wrong kind), io_error.
[[nodiscard]] result<preprocessing> beside_model(const std::filesystem::path& model);

/// Resized and cropped to what a network takes: `channels` (1 or 3) times height times width, as bytes, the channels
/// of a pixel side by side in R, G, B. Errors: bad_input (crop larger than the picture, size not the network's),
/// limit_exceeded (a long thin picture that the resize would blow up).
[[nodiscard]] result<std::vector<std::uint8_t>> pixels_for(picture from, const preprocessing& how, const shape& network_input);

/// Pixels as `pixels_for` gives them as a payload of codec `predicted`; none where that is no shorter.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> predicted_pixels(std::span<const std::uint8_t> pixels, const shape& network_input);

/// The pixels of such a payload. Errors: bad_input (a shape that is no picture's), truncated, corrupt.
[[nodiscard]] result<std::vector<std::uint8_t>> unpacked_pixels(std::span<const std::uint8_t> payload, const shape& network_input);

/// (pixel - mean) / std, in planes, in the order of `how.order`. `pixels` as `pixels_for` gives them.
/// Errors: bad_input (number of bytes, a shape that is no picture's).
[[nodiscard]] result<tensor> normalised(std::span<const std::uint8_t> pixels, const preprocessing& how, const shape& network_input);

/// Whether a network input of this shape can be fed with a picture: 1 x C x H x W with C 1 or 3.
[[nodiscard]] bool takes_pictures(const shape& network_input);

}  // namespace narrows::tool
