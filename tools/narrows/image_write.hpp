// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

#include <narrows/core/result.hpp>

#include "image.hpp"

namespace narrows::tool {

/// A JPEG file of the picture, with the standard tables at a quality of 1 to 100. Colour at full resolution from quality 95 on, at
/// half of it each way below, as is usual. Errors: bad_input (no pixels, or not as many as width and height say), internal.
[[nodiscard]] result<std::vector<std::uint8_t>> encode_jpeg(const picture& from, int quality);

/// A PNG file of the picture, at the library's usual effort. Errors: as above.
[[nodiscard]] result<std::vector<std::uint8_t>> encode_png(const picture& from);

}  // namespace narrows::tool
