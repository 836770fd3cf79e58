// SPDX-License-Identifier: BSD-3-Clause
// selftest --full: what tests/pack samples, in full.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/reference.hpp>

#include "output.hpp"
#include "verdict.hpp"

namespace narrows::tool {

namespace {

constexpr std::size_t longest = 4097;
constexpr std::size_t places = 64;   // bytes that an array may lie away from a guard page

/// Memory between two pages that may not be touched: what reads or writes beyond it ends the program.
class arena {
public:
  explicit arena(std::size_t bytes)
  {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    inner_ = (bytes + page - 1) / page * page;
    void* const all = ::mmap(nullptr, inner_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return;
    auto* const first = static_cast<std::uint8_t*>(all) + page;
    if (::mprotect(first, inner_, PROT_READ | PROT_WRITE) == 0) first_ = first;
  }
  [[nodiscard]] bool good() const { return first_ != nullptr; }
  /// n values that end (or start) `away` bytes from a guard page.
  template <class T>
  [[nodiscard]] T* at(std::size_t n, std::size_t away, bool at_end) const
  {
    return reinterpret_cast<T*>(at_end ? first_ + inner_ - away - n * sizeof(T) : first_ + away);
  }

private:
  std::uint8_t* first_ = nullptr;
  std::size_t inner_ = 0;
};

struct arenas {
  arena floats{(longest + places) * sizeof(float)}, codes{(longest + places) * 2}, bytes{(longest + places) * 2 + 64};
};

/// All four operations on n values of one width, in all places.
template <class Code>
bool lengths_agree(const kernel_set& set, int bits, std::size_t n, std::span<const float> x, const affine& a, const arenas& memory, std::size_t& checks)
{
  std::vector<Code> codes(n);
  std::vector<std::uint8_t> packed(packed_bytes(n, bits));
  std::vector<float> values(n);
  const bool finite = reference::quantize(x.first(n), a, bits, std::span<Code>(codes));
  reference::pack(std::span<const Code>(codes), bits, std::span(packed));
  reference::dequantize(std::span<const Code>(codes), a, std::span(values));
  const scale_map map{{&a, 1}, 1};
  // The scalar set is the reference itself, and slow.
  const std::size_t step = set.name == "scalar" ? places : 1;
  for (std::size_t away = 0; away < places; away += step)
    for (const bool at_end : {true, false}) {
      auto* const in = memory.floats.at<float>(n, away / 4 * 4, at_end);
      auto* const units = memory.codes.at<Code>(n, away / sizeof(Code) * sizeof(Code), at_end);
      auto* const out = memory.bytes.at<std::uint8_t>(packed.size(), away, at_end);
      std::copy_n(x.begin(), n, in);
      bool good = detail::quantize_pack_with<Code>(set, std::span<const float>(in, n), map, bits, out) == finite;
      good = good && std::equal(packed.begin(), packed.end(), out);
      detail::unpack_with<Code>(set, out, bits, std::span(units, n));
      good = good && std::equal(codes.begin(), codes.end(), units);
      std::fill_n(out, packed.size(), std::uint8_t{0xA5});
      detail::pack_with<Code>(set, std::span<const Code>(units, n), bits, out);
      good = good && std::equal(packed.begin(), packed.end(), out);
      detail::unpack_dequantize_with<Code>(set, out, map, bits, std::span(in, n));
      good = good && std::memcmp(in, values.data(), n * sizeof(float)) == 0;
      ++checks;
      if (!good) return false;
    }
  return true;
}

verdict every_length(const kernel_set& set, const arenas& memory)
{
  verdict v{fmt::format("kernels {}", set.name), fmt::format("widths 1 to 16, lengths 0 to {}, {} places, guard pages", longest, places), 0, {}, false, false};
  const progress shown(fmt::format("{}: width", set.name), max_width);
  std::mt19937 random(1);
  for (int bits = min_width; bits <= max_width; ++bits) {
    shown.at(static_cast<std::size_t>(bits));
    const affine a{0.37F, static_cast<std::int32_t>(bits % 2 == 0 ? 0 : max_code(bits) / 3)};
    std::vector<float> x(longest);
    for (auto& value : x) {
      const auto level = static_cast<std::int64_t>(random() % (max_code(bits) + 9)) - 4 - a.zero;
      value = (static_cast<float>(level) + 0.25F * static_cast<float>(random() % 4)) * a.scale;
    }
    for (std::size_t n = 0; n <= longest; ++n) {
      const bool good = bits <= 8 ? lengths_agree<std::uint8_t>(set, bits, n, x, a, memory, v.checks)
                                  : lengths_agree<std::uint16_t>(set, bits, n, x, a, memory, v.checks);
      if (good) continue;
      v.failure = fmt::format("differs at {} bits, {} values", bits, n);
      return v;
    }
  }
  return v;
}

/// The codes of all 2^32 floats, by the quantiser of the reference and by each set.
std::vector<verdict> every_float(int bits, std::int32_t zero)
{
  constexpr std::size_t piece = std::size_t{1} << 18;
  const affine a{0.037F, zero};
  const quantizer q(a, bits);
  std::vector<verdict> all;
  std::vector<const kernel_set*> sets;
  for (const auto* set : available_kernels()) {
    if (set->name == "scalar") continue;
    sets.push_back(set);
    all.push_back({fmt::format("kernels {}", set->name), fmt::format("every float at {} bits, zero point {}", bits, zero), 0, {}, false, false});
  }
  std::vector<float> x(piece);
  std::vector<std::uint8_t> expected(piece), codes(piece), packed(packed_bytes(piece, bits)), wanted(packed.size());
  constexpr std::uint64_t pieces = (std::uint64_t{1} << 32) / piece;
  const progress shown(fmt::format("every float at {} bits: piece", bits), pieces);
  for (std::uint64_t p = 0; p < pieces; ++p) {
    if (p % 64 == 0) shown.at(p);
    bool finite = true;
    for (std::size_t i = 0; i < piece; ++i) {
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(p * piece + i));
      expected[i] = static_cast<std::uint8_t>(q(x[i]));
      finite = finite && is_finite(x[i]);
    }
    sets.back()->pack_u8[static_cast<std::size_t>(bits - 1)](expected.data(), piece, wanted.data());
    for (std::size_t s = 0; s < sets.size(); ++s) {
      if (!all[s].failure.empty()) continue;
      all[s].checks += piece;
      bool good = sets[s]->quantize_u8(x.data(), piece, q, codes.data()) == finite && codes == expected;
      good = good && sets[s]->quantize_pack[static_cast<std::size_t>(bits - 1)](x.data(), piece, q, packed.data()) == finite && packed == wanted;
      if (!good) all[s].failure = fmt::format("differs between the floats of bits {:08x} and {:08x}", p * piece, p * piece + piece - 1);
    }
  }
  return all;
}

}  // namespace

std::vector<verdict> check_exhaustively()
{
  const arenas memory;
  if (!memory.floats.good() || !memory.codes.good() || !memory.bytes.good()) return {{"kernels", "", 0, "no memory for the comparison", false, false}};
  std::vector<verdict> all;
  for (const auto* set : available_kernels()) all.push_back(every_length(*set, memory));
  for (const auto& [bits, zero] : {std::pair{4, 0}, std::pair{4, 7}, std::pair{8, 0}, std::pair{8, 128}})
    for (auto& v : every_float(bits, zero)) all.push_back(std::move(v));
  return all;
}

}  // namespace narrows::tool
