// SPDX-License-Identifier: BSD-3-Clause
// One translation unit that packs. Compiled twice, as `baseline` and as `wide`, with different -m flags, and linked into one
// program: an inline function that both have is one symbol, and were it kept as `wide` made it, `baseline` would meet
// instructions that its CPU need not have.
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace {

using namespace narrows;

constexpr std::size_t n = 700;  // a block and a tail
constexpr affine scale{0.25F, 3};

constexpr std::array<float, n> floats()
{
  std::array<float, n> x{};
  std::uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525U + 1013904223U;
    v = state % 3 == 0 ? 0.0F : static_cast<float>(static_cast<std::int32_t>(state >> 24) - 100) * 0.1F;
  }
  return x;
}
constexpr std::array<float, n> x = floats();

/// Packed by the reference in constant evaluation, by kernels otherwise.
template <int Bits>
constexpr std::array<std::uint8_t, packed_bytes<Bits>(n)> packed()
{
  std::array<std::uint8_t, packed_bytes<Bits>(n)> out{};
  static_cast<void>(quantize_pack<Bits>(x, scale, out));
  return out;
}

template <int Bits>
bool width_is_right()
{
  static constexpr auto expected = packed<Bits>();
  const auto fused = packed<Bits>();
  std::array<code_t<Bits>, n> codes{};
  std::array<std::uint8_t, packed_bytes<Bits>(n)> again{};
  std::array<std::uint8_t, packed_bytes<Bits>(n)> chosen{};
  unpack<Bits>(fused, codes);
  pack<Bits>(codes, again);
  if (pack(std::span<const code_t<Bits>>(codes), Bits, chosen) != errc::ok) return false;

  std::array<float, n> direct{};
  std::array<float, n> stepwise{};
  unpack_dequantize<Bits>(fused, scale, direct);
  if (dequantize(std::span<const code_t<Bits>>(codes), scale, stepwise) != errc::ok) return false;
  std::array<code_t<Bits>, n> quantized{};
  if (quantize(x, scale, Bits, std::span<code_t<Bits>>(quantized)) != errc::ok) return false;
  return fused == expected && again == expected && chosen == expected && direct == stepwise && quantized == codes;
}

bool all_near(const std::array<float, n>& back)
{
  for (std::size_t i = 0; i < n; ++i)
    if (!(back[i] - x[i] < 3.0F && x[i] - back[i] < 3.0F)) return false;
  return true;
}

bool streams_are_right()
{
  std::array<std::uint8_t, 4096> stream{};
  std::array<float, n> back{};
  affine fitted;
  if (fit_min_max(x, n, 12, std::span(&fitted, 1)) != errc::ok) return false;
  const scale_map map{{&fitted, 1}, 1};
  const auto sparse = quantize_pack_sparse(x, map, 12, stream);
  if (!sparse || unpack_dequantize_sparse(std::span(stream).first(*sparse), map, 12, back) != errc::ok || !all_near(back))
    return false;
  const auto runs = quantize_pack_runs(x, map, 12, stream);
  return runs && unpack_dequantize_runs(std::span(stream).first(*runs), map, 12, back) == errc::ok && all_near(back);
}

}  // namespace

namespace NARROWS_TEST_UNIT {

bool packs_rightly() { return width_is_right<1>() && width_is_right<4>() && width_is_right<11>() && streams_are_right(); }
/// Apart: encode grows std::vectors, and the standard library's functions are shared by units whatever their flags.
bool encodes_rightly()
{
  for (const auto with : {codec::dense, codec::sparse, codec::runs}) {
    coding how;
    how.coded_as = with;
    how.width = 3;
    aligned_vector<std::uint8_t> payload;
    std::array<float, n> back{};
    const auto described = encode(tensor_view(x, shape{1, 7, 10, 10}), how, payload);
    if (!described || !decode(*described, payload, back) || !all_near(back)) return false;
  }
  return true;
}
const char* kernels() { return best_kernels().name.data(); }

}  // namespace NARROWS_TEST_UNIT
