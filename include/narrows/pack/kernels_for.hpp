// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/kernel_use.hpp>
#include <narrows/pack/kernel/target.hpp>

#if defined(NARROWS_SEPARATE_KERNELS)
#  include <narrows/pack/dispatch.hpp>
#else
#  include <narrows/pack/kernel/blocks.hpp>
#endif

namespace narrows::detail::inline NARROWS_FLAGS {

/// The kernels of the ISA in use, of which at least what `Use` names is there. (dispatch.hpp says how it all hangs together.)
template <kernel::kernel_use Use>
[[nodiscard]] const kernel_set& kernels_for() noexcept
{
#if defined(NARROWS_SEPARATE_KERNELS)
  return best_kernels();
#else
  static const kernel_set* const chosen = &kernel::block_kernels<Use>(kernel::best_isa());
  return *chosen;
#endif
}

}  // namespace narrows::detail::inline NARROWS_FLAGS
