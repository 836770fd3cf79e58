// SPDX-License-Identifier: BSD-3-Clause
// A second translation unit with the same headers: a function that lacks `inline` would be there twice.
#include <narrows/pack/packed_tensor.hpp>

int second()
{
  return narrows::max_width;
}
