// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/kernel/x86_intrinsics.hpp>

#if defined(__x86_64__) || defined(__AARCH64EL__)

#  include <cstdint>

namespace narrows::kernel {
inline namespace NARROWS_FLAGS {

/// Whether a conversion between construction and `raised` met what no int32 holds, NaN and infinity included: the CPU keeps a
/// flag of it, at no cost per value. Like any arithmetic, leaves the flag set if it was raised, then or before.
class invalid_flag {
public:
  invalid_flag() noexcept : before_(read())
  {
    if ((before_ & invalid) != 0) write(before_ & ~invalid);
    barrier();
  }
  invalid_flag(const invalid_flag&) = delete;
  invalid_flag& operator=(const invalid_flag&) = delete;
  ~invalid_flag()
  {
    if ((before_ & invalid) != 0) write(read() | invalid);
  }
  [[nodiscard]] bool raised() const noexcept
  {
    barrier();
    return (read() & invalid) != 0;
  }

private:
#  if defined(__x86_64__)
  using word = unsigned;
  static word read() noexcept { return _mm_getcsr(); }
  static void write(word flags) noexcept { _mm_setcsr(flags); }
#  else
  using word = std::uint64_t;
  static word read() noexcept
  {
    word flags;
    asm volatile("mrs %0, fpsr" : "=r"(flags));
    return flags;
  }
  static void write(word flags) noexcept { asm volatile("msr fpsr, %0" ::"r"(flags)); }
#  endif
  static constexpr word invalid = 1;  // IE of MXCSR, IOC of FPSR
  /// Compilers do not see that conversions write the flags. They do not move loads and stores across this, nor what depends
  /// on a load before it or feeds a store after it.
  static void barrier() noexcept { asm volatile("" ::: "memory"); }
  word before_;
};

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel

#endif
