// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/onnx/sha256.hpp>

namespace narrows {
namespace {

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// The messages of FIPS 180-4's published examples (one block, two blocks, a million letters) and of its empty case.
TEST(Sha256, GivesThePublishedDigests)
{
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(bytes("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::vector<std::uint8_t>(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut)
{
  std::vector<std::uint8_t> data(300);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  for (std::size_t n = 0; n <= data.size(); ++n) {
    const std::span<const std::uint8_t> all(data.data(), n);
    const auto whole = sha256_hex(all);
    for (const std::size_t step : {1, 3, 55, 64, 65}) {
      sha256 hash;
      for (std::size_t at = 0; at < n; at += step) hash.update(all.subspan(at, std::min(step, n - at)));
      EXPECT_EQ(to_hex(hash.finish()), whole) << n << " bytes by " << step;
    }
  }
}

constexpr bool constant_evaluated()
{
  constexpr std::uint8_t abc[] = {'a', 'b', 'c'};
  sha256 hash;
  hash.update(abc);
  const auto d = hash.finish();
  return d[0] == 0xba && d[31] == 0xad;
}
static_assert(constant_evaluated());

}  // namespace
}  // namespace narrows
