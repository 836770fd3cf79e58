// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__)

namespace narrows::kernel {

/// Whether a conversion between construction and `raised` met what no int32 holds, NaN and infinity included: MXCSR keeps a
/// flag of it, at no cost per value. Like any arithmetic, leaves the flag set if it was raised, then or before.
class invalid_flag {
public:
  invalid_flag() noexcept : before_(_mm_getcsr())
  {
    if ((before_ & invalid) != 0) _mm_setcsr(before_ & ~invalid);
    barrier();
  }
  invalid_flag(const invalid_flag&) = delete;
  invalid_flag& operator=(const invalid_flag&) = delete;
  ~invalid_flag()
  {
    if ((before_ & invalid) != 0) _mm_setcsr(_mm_getcsr() | invalid);
  }
  [[nodiscard]] bool raised() const noexcept
  {
    barrier();
    return (_mm_getcsr() & invalid) != 0;
  }

private:
  static constexpr unsigned invalid = 1;
  /// Compilers do not see that conversions write MXCSR. They do not move loads and stores across this, nor what depends
  /// on a load before it or feeds a store after it.
  static void barrier() noexcept { asm volatile("" ::: "memory"); }
  unsigned before_;
};

}  // namespace narrows::kernel

#else

namespace narrows::kernel {

/// Where no quick levels exist: body.hpp names the type in a branch that is never taken.
class invalid_flag {
public:
  [[nodiscard]] bool raised() const noexcept { return true; }
};

}  // namespace narrows::kernel

#endif
