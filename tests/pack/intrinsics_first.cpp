// SPDX-License-Identifier: BSD-3-Clause
// A program may include <immintrin.h> before any header of ours. What g++ 12 then says of its own intrinsics (GCC bug 105593) is
// out of reach of x86_intrinsics.hpp, so the kernels do without those. Compiled with that warning as an error.
#if defined(__x86_64__)
#  include <immintrin.h>
#endif
#include <narrows/pack/kernel/all.hpp>

namespace narrows::test {

const kernel_set& kernels_after_intrinsics();

const kernel_set& kernels_after_intrinsics()
{
#if defined(__x86_64__)
  return kernel::avx512_vbmi_set;
#else
  return kernel::scalar_set;
#endif
}

}  // namespace narrows::test
