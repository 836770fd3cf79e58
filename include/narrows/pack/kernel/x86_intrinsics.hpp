// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// <immintrin.h> for the kernels, before anything else of theirs includes it: what counts for a warning about an intrinsic
// is the setting where that is defined. Where a program has included it before, only what codecs use is left to warn of.
#if defined(__x86_64__)
#  pragma GCC diagnostic push
#  if defined(__GNUC__) && !defined(__clang__)
// GCC bug 105593: g++ 12 says of its own AVX-512 intrinsics, thousands of times, that '__Y' is used uninitialized.
#    pragma GCC diagnostic ignored "-Wuninitialized"
#    pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#  endif
#  include <immintrin.h>
#  pragma GCC diagnostic pop
#endif
