// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace narrows::kernel {

/// `constant`, read where it is needed, which costs nothing beside arithmetic. Where g++ 12 knows a constant it makes it in a general
/// register and sends it through the port that shuffles, again and again in a loop that is short of registers.
template <class T>
[[gnu::always_inline]] inline const T& from_memory(const T& constant) noexcept
{
  const T* at = &constant;
  __asm__("" : "+r"(at));
  return *at;
}

}  // namespace narrows::kernel
