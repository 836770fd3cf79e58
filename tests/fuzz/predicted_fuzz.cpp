// SPDX-License-Identifier: BSD-3-Clause
// Any stream for a picture of any extents: it is refused, or its pixels are packed and come back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <narrows/pack/predicted.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  using namespace narrows;
  if (size < 3) return 0;
  const picture_extents of{data[0] % 70U, data[1] % 70U, data[2] % 6U};
  const auto n = picture_bytes(of);
  std::vector<std::uint8_t> scratch(n ? *n : 0), pixels(n ? *n : 0);
  const auto read = unpack_predicted({data + 3, size - 3}, of, scratch, pixels);
  if (read != errc::ok) return 0;
  std::vector<std::uint8_t> stream(2 * pixels.size() + 400), back(pixels.size());
  const auto made = pack_predicted(pixels, of, scratch, stream);
  if (!made || unpack_predicted(std::span(stream).first(*made), of, scratch, back) != errc::ok || back != pixels) std::abort();
  return 0;
}
