// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/profile/codec_times.hpp>
#include <narrows/profile/layer_times.hpp>

namespace narrows {

/// What one machine needs for one model: `narrows profile` writes it, one file per machine.
struct machine_profile {
  node_times layers;
  codec_times codecs;
  friend bool operator==(const machine_profile&, const machine_profile&) = default;
};

}  // namespace narrows
