// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#if defined(__aarch64__) && defined(__linux__)
#  include <asm/hwcap.h>
#  include <sys/auxv.h>
#endif

namespace narrows {
namespace detail {

/// Row 0 advances the checksum by one byte; row k by one byte and k zero bytes, so that eight rows take eight bytes at once.
consteval std::array<std::array<std::uint32_t, 256>, 8> crc32c_rows()
{
  constexpr std::uint32_t reversed_polynomial = 0x82f63b78;
  std::array<std::array<std::uint32_t, 256>, 8> rows{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? reversed_polynomial : 0);
    rows[0][byte] = crc;
  }
  for (std::size_t k = 1; k < rows.size(); ++k)
    for (std::size_t byte = 0; byte < 256; ++byte) rows[k][byte] = (rows[k - 1][byte] >> 8) ^ rows[0][rows[k - 1][byte] & 0xff];
  return rows;
}
inline constexpr auto crc32c_table = crc32c_rows();

constexpr std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept
{
  const auto& row = crc32c_table;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint32_t low = crc ^ (std::uint32_t{bytes[i]} | std::uint32_t{bytes[i + 1]} << 8 | std::uint32_t{bytes[i + 2]} << 16 |
                                     std::uint32_t{bytes[i + 3]} << 24);
    crc = row[7][low & 0xff] ^ row[6][(low >> 8) & 0xff] ^ row[5][(low >> 16) & 0xff] ^ row[4][low >> 24] ^ row[3][bytes[i + 4]] ^
          row[2][bytes[i + 5]] ^ row[1][bytes[i + 6]] ^ row[0][bytes[i + 7]];
  }
  for (; i < bytes.size(); ++i) crc = (crc >> 8) ^ row[0][(crc ^ bytes[i]) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) inline std::uint32_t crc32c_sse4_2(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept
{
  std::uint64_t wide = crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; i < bytes.size(); ++i) crc = __builtin_ia32_crc32qi(crc, bytes[i]);
  return crc;
}
inline std::uint32_t crc32c_run(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept
{
  static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
  return fast ? crc32c_sse4_2(crc, bytes) : crc32c_by_table(crc, bytes);
}
#elif defined(__aarch64__) && defined(__linux__)
// Assembly, since g++ and clang spell the builtins differently and both want a higher -march for them.
inline std::uint32_t crc32c_armv8(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept
{
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
  }
  for (; i < bytes.size(); ++i) {
    const std::uint32_t byte = bytes[i];
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
  }
  return crc;
}
inline std::uint32_t crc32c_run(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept
{
  static const bool fast = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
  return fast ? crc32c_armv8(crc, bytes) : crc32c_by_table(crc, bytes);
}
#else
inline std::uint32_t crc32c_run(std::uint32_t crc, std::span<const std::uint8_t> bytes) noexcept { return crc32c_by_table(crc, bytes); }
#endif

}  // namespace detail

/// CRC-32C (Castagnoli) of `bytes`: initial value and final XOR all ones, reflected, as in iSCSI.
/// To go on from an earlier part, pass that part's checksum as `before`.
/// Cost     with the CPU's instruction about 3 cycles per 8 bytes; else eight table look-ups per 8 bytes.
/// Source   RFC 3720, appendix B.4 (test vectors).
[[nodiscard]] constexpr std::uint32_t crc32c(std::span<const std::uint8_t> bytes, std::uint32_t before = 0) noexcept
{
  if (std::is_constant_evaluated()) return ~detail::crc32c_by_table(~before, bytes);
  return ~detail::crc32c_run(~before, bytes);
}

}  // namespace narrows
