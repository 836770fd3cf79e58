// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/graph/graph.hpp>

#include "preprocess.hpp"

namespace narrows::tool {

/// One thing to feed: a file, or one record of an .npy file that holds several.
struct input_ref {
  std::filesystem::path file;
  std::size_t record = 0;
  std::string name;          ///< as the user gave it, "[i]" behind it for a record
};

/// What one `input_ref` holds, ready for the network.
struct loaded_input {
  tensor values;
  std::vector<std::uint8_t> pixels;   ///< 8-bit pixels before normalisation; empty if it was no picture
  std::vector<std::uint8_t> file;     ///< the JPEG or PNG file; empty if it was none
};

/// Lists what the arguments stand for, for a network input of shape `expected`: a picture file, a folder (its JPEG and
/// PNG files, by content, in name order), an .npy file (one input, or one per leading index; 8-bit arrays of H x W x 3
/// are pictures), a serialised TensorProto.
/// Errors: io_error; bad_input (an empty folder, an array that does not fit).
[[nodiscard]] result<std::vector<input_ref>> list_inputs(const std::vector<std::string>& arguments, const shape& expected);

/// Reads inputs one by one, so that a folder of any size needs the memory of one.
class input_loader {
public:
  input_loader(shape expected, preprocessing how) : expected_(expected), how_(std::move(how)) {}

  /// Errors: those of decoding, preprocessing and reading; the text starts with the input's name.
  [[nodiscard]] result<loaded_input> load(const input_ref& which);

private:
  result<loaded_input> from_bytes(std::vector<std::uint8_t> bytes) const;

  shape expected_;
  preprocessing how_;
  std::filesystem::path kept_name_;               // an .npy file of many records is read once
  std::vector<std::uint8_t> kept_;
};

}  // namespace narrows::tool
