// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <string>

#include <narrows/profile/calibration.hpp>

namespace narrows::tool {

/// The section "Low widths" of docs/measurements.md, as Markdown: calibrations of one precision per width, codecs dense and sparse.
[[nodiscard]] std::string low_widths_section(std::span<const calibration> all);

/// The section "Bytes of a request" of docs/measurements.md.
[[nodiscard]] std::string bytes_section(std::span<const calibration> all);

/// "98.5 (96-99)": a share in %, and its 95 % interval.
[[nodiscard]] std::string with_interval(const agreement_score& s);
/// A file name without its extension.
[[nodiscard]] std::string short_name(const std::string& model);

}  // namespace narrows::tool
