// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

/// The shared networks as options of the program: preprocessing, and what the README beside them measured on the 200
/// photographs. Those networks carry no MODEL.json, so that the command line is what is tested.
namespace narrows::test {

struct photo_model {
  std::string file;                       ///< below models/imagenet
  std::vector<std::string> options;
  int top1;
  int top5;
};

inline const std::vector<photo_model>& photo_models()
{
  static const std::vector<photo_model> all{
    {"squeezenet1_1.onnx", {"--resize", "256", "--crop", "224", "--mean", "104,117,123", "--order", "bgr"}, 135, 175},
    {"mobilenet_v2_1.0_224.onnx", {"--resize", "256", "--crop", "224", "--mean", "127.5", "--std", "127.5", "--label-offset", "1"}, 176, 198},
    {"resnet18.onnx", {"--resize", "256", "--crop", "224", "--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"}, 154, 190},
    {"tiny_darknet.onnx", {"--resize", "256", "--crop", "224", "--std", "255"}, 136, 181},
    {"mcunet_144.onnx", {"--resize", "164", "--crop", "144", "--mean", "127", "--std", "127.5"}, 142, 180},
  };
  return all;
}

}  // namespace narrows::test
