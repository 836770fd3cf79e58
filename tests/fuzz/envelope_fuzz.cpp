// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as an envelope, once as they come and once behind a right prefix, so that the checksum does not shield what
// lies behind it. What decodes must encode, and decode again to the same message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <narrows/wire/decode.hpp>
#include <narrows/wire/encode.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  using namespace narrows;
  static_cast<void>(wire::decode({data, size}));

  std::vector<std::uint8_t> frame(wire::magic.begin(), wire::magic.end());
  const auto crc = crc32c({data, size});
  for (int i = 0; i < 4; ++i) frame.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
  frame.insert(frame.end(), data, data + size);
  const auto first = wire::decode(frame);
  if (!first) return 0;
  const auto again = wire::encode(*first);
  if (!again) std::abort();
  const auto second = wire::decode(*again);
  // Bytes, not messages, are compared: a scale may be NaN.
  if (!second || *wire::encode(*second) != *again) std::abort();
  return 0;
}
