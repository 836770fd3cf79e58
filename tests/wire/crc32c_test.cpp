// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/wire/crc32c.hpp>

namespace narrows {
namespace {

constexpr std::array<std::uint8_t, 32> counting(bool down)
{
  std::array<std::uint8_t, 32> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(down ? 31 - i : i);
  return bytes;
}
constexpr std::array<std::uint8_t, 32> filled(std::uint8_t with)
{
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(with);
  return bytes;
}
/// An iSCSI SCSI Read (10) command PDU.
constexpr std::array<std::uint8_t, 48> scsi_read{0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
  0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};

// The vectors of RFC 3720, B.4 (there in the byte order of the wire), and the customary check value.
static_assert(crc32c(filled(0)) == 0x8a9136aa);
static_assert(crc32c(filled(0xff)) == 0x62a8ab43);
static_assert(crc32c(counting(false)) == 0x46dd794e);
static_assert(crc32c(counting(true)) == 0x113fdb5c);
static_assert(crc32c(scsi_read) == 0xd9963a56);
static_assert(crc32c(std::array<std::uint8_t, 9>{'1', '2', '3', '4', '5', '6', '7', '8', '9'}) == 0xe3069283);

TEST(Crc32c, TheInstructionGivesTheVectorsToo)
{
  EXPECT_EQ(crc32c(filled(0)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(filled(0xff)), 0x62a8ab43U);
  EXPECT_EQ(crc32c(counting(false)), 0x46dd794eU);
  EXPECT_EQ(crc32c(counting(true)), 0x113fdb5cU);
  EXPECT_EQ(crc32c(scsi_read), 0xd9963a56U);
}

TEST(Crc32c, EveryLengthAndStartEqualsOneBitAtATimeWholeOrInParts)
{
  std::vector<std::uint8_t> bytes(300);
  std::mt19937 random(1);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
  for (std::size_t start = 0; start < 9; ++start)
    for (std::size_t n = 0; n < 200; ++n) {
      SCOPED_TRACE(testing::Message() << start << " " << n);
      const std::span<const std::uint8_t> part(bytes.data() + start, n);
      std::uint32_t slow = 0xffffffff;
      for (const auto b : part) {
        slow ^= b;
        for (int bit = 0; bit < 8; ++bit) slow = (slow >> 1) ^ ((slow & 1) != 0 ? 0x82f63b78U : 0U);
      }
      slow = ~slow;
      EXPECT_EQ(crc32c(part), slow);
      EXPECT_EQ(~detail::crc32c_by_table(0xffffffff, part), slow);
      EXPECT_EQ(crc32c(part.subspan(n / 3), crc32c(part.first(n / 3))), slow);
    }
}

}  // namespace
}  // namespace narrows
