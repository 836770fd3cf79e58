// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <narrows/pack/bits.hpp>
#include <narrows/pack/kernel/isa.hpp>
#include <narrows/pack/kernel/kernel_set.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/layout.hpp>

/// How a kernel_set comes to be: from an ISA's `kernels` (its functions, by fixed names) and what somebody uses of them.
namespace narrows::kernel {

/// Entries of a kernel_set; several are ORed.
namespace uses {
inline constexpr unsigned pack = 1, unpack = 2, quantize_pack = 4, unpack_dequantize = 8;
inline constexpr unsigned quantize = 16, dequantize = 32;
inline constexpr unsigned groups = 64;  // quantize_each with quantize, and so on: nobody needs them, but values of several scales
                                        // are slow without
inline constexpr unsigned read = 128, write = 256;  // what value_source::read and value_sink::write call
inline constexpr unsigned min_max = 512;
inline constexpr unsigned all = 1023;  // all but the codecs'
}  // namespace uses

inline namespace NARROWS_FLAGS {

/// What a caller uses of a kernel_set. A kernel that is named is compiled, so the other entries are not: they stay null.
struct kernel_use {
  unsigned entries;       ///< of `uses`
  int least = min_width;  ///< widths, and by them the types of codes
  int most = max_width;
  [[nodiscard]] constexpr bool has(unsigned entry) const noexcept { return (entries & entry) != 0; }
  [[nodiscard]] constexpr bool bytes(unsigned entry) const noexcept { return has(entry) && least <= 8; }
  [[nodiscard]] constexpr bool words(unsigned entry) const noexcept { return has(entry) && most > 8; }
};

/// For codes of one type, whatever their width.
template <code_unit Code>
[[nodiscard]] constexpr kernel_use use_for(unsigned entries) noexcept
{
  return sizeof(Code) == 1 ? kernel_use{entries, min_width, 8} : kernel_use{entries, 9, max_width};
}

template <class Kernels, kernel_use Use, int Bits>
constexpr void fill_width(kernel_set& t) noexcept
{
  constexpr auto at = static_cast<std::size_t>(Bits - 1);
  if constexpr (Use.has(uses::pack)) {
    if constexpr (Bits <= 8) t.pack_u8[at] = Kernels::template pack_of<Bits>;
    else t.pack_u16[at - 8] = Kernels::template pack_of<Bits>;
  }
  if constexpr (Use.has(uses::unpack)) {
    if constexpr (Bits <= 8) t.unpack_u8[at] = Kernels::template unpack_of<Bits>;
    else t.unpack_u16[at - 8] = Kernels::template unpack_of<Bits>;
  }
  if constexpr (Use.has(uses::quantize_pack)) t.quantize_pack[at] = Kernels::template quantize_pack_of<Bits>;
  if constexpr (Use.has(uses::unpack_dequantize)) t.unpack_dequantize[at] = Kernels::template unpack_dequantize_of<Bits>;
  if constexpr (Use.has(uses::groups) && requires { Kernels::template quantize_pack_each_of<Bits>; }) {
    if constexpr (Use.has(uses::quantize_pack)) t.quantize_pack_each[at] = Kernels::template quantize_pack_each_of<Bits>;
    if constexpr (Use.has(uses::unpack_dequantize)) t.unpack_dequantize_each[at] = Kernels::template unpack_dequantize_each_of<Bits>;
  }
}

template <class Kernels, kernel_use Use>
constexpr void fill_quantize(kernel_set& t) noexcept
{
  if constexpr (Use.bytes(uses::quantize) || Use.has(uses::write)) t.quantize_u8 = Kernels::template quantize_of<std::uint8_t>;
  if constexpr (Use.words(uses::quantize)) t.quantize_u16 = Kernels::template quantize_of<std::uint16_t>;
  if constexpr (Use.bytes(uses::dequantize) || Use.has(uses::read))
    t.dequantize_u8 = Kernels::template dequantize_of<std::uint8_t>;
  if constexpr (Use.words(uses::dequantize)) t.dequantize_u16 = Kernels::template dequantize_of<std::uint16_t>;
  if constexpr (Use.has(uses::groups)) {
    if constexpr (Use.bytes(uses::quantize)) t.quantize_each_u8 = Kernels::template quantize_each_of<std::uint8_t>;
    if constexpr (Use.words(uses::quantize)) t.quantize_each_u16 = Kernels::template quantize_each_of<std::uint16_t>;
    if constexpr (Use.bytes(uses::dequantize)) t.dequantize_each_u8 = Kernels::template dequantize_each_of<std::uint8_t>;
    if constexpr (Use.words(uses::dequantize)) t.dequantize_each_u16 = Kernels::template dequantize_each_of<std::uint16_t>;
  }
}

template <isa Isa, kernel_use Use, class Kernels>
[[nodiscard]] constexpr kernel_set make_set() noexcept
{
  kernel_set t{};
  t.name = name_of(Isa);
  [&]<int... I>(std::integer_sequence<int, I...>) {
    (fill_width<Kernels, Use, Use.least + I>(t), ...);
  }(std::make_integer_sequence<int, Use.most - Use.least + 1>{});
  fill_quantize<Kernels, Use>(t);
  if constexpr (Use.has(uses::read)) {
    t.widen_half = Kernels::widen_half_of;
    t.widen_bfloat = Kernels::widen_bfloat_of;
  }
  if constexpr (Use.has(uses::write)) {
    t.narrow_half = Kernels::narrow_half_of;
    t.narrow_bfloat = Kernels::narrow_bfloat_of;
  }
  if constexpr (Use.has(uses::min_max)) t.min_max = Kernels::min_max_of;
  return t;
}

template <isa Isa, kernel_use Use, class Kernels>
inline constexpr kernel_set set_of = make_set<Isa, Use, Kernels>();

}  // namespace NARROWS_FLAGS
}  // namespace narrows::kernel
