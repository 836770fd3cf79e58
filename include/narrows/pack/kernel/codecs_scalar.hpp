// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include <narrows/pack/kernel/compress_scalar.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/predicted_scalar.hpp>
#include <narrows/pack/kernel/rans_scalar.hpp>
#include <narrows/pack/kernel/runs_scalar.hpp>
#include <narrows/pack/kernel/target.hpp>

namespace narrows::kernel::scalar {
inline namespace NARROWS_FLAGS {

/// The set with what the codecs sparse, runs, rans and predicted need beside blocks. An ISA that has better has a function of this name too.
[[nodiscard]] constexpr kernel_set with_codecs(kernel_set t) noexcept
{
  t.compress_u8 = compress<std::uint8_t>;
  t.compress_u16 = compress<std::uint16_t>;
  t.expand_u8 = expand<std::uint8_t>;
  t.expand_u16 = expand<std::uint16_t>;
  t.count_ones = count_ones;
  t.rans_encode = rans_encode;
  t.rans_decode = rans_decode;
  t = with_predicted(t);
  return with_runs<runs::runs_steps>(t);
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel::scalar
