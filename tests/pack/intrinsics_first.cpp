// SPDX-License-Identifier: BSD-3-Clause
// A program may include <immintrin.h> before any header of ours. What g++ 12 then says of its own intrinsics (GCC bug 105593) is
// out of reach of x86_intrinsics.hpp, so the kernels of blocks do without those. Compiled with that warning as an error.
#if defined(__x86_64__)
#  include <immintrin.h>
#endif
#include <narrows/pack/kernels_for.hpp>

namespace narrows::test {

const kernel_set& kernels_after_intrinsics();

const kernel_set& kernels_after_intrinsics() { return detail::kernels_for<kernel::kernel_use{kernel::uses::all, 7, 12}>(); }

}  // namespace narrows::test
