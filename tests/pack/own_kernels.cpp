// SPDX-License-Identifier: BSD-3-Clause
// The kernel tables compiled with the flags of the test program that holds this file, in place of the build's shared copy.
#include <narrows/pack/kernel/separate.hpp>
