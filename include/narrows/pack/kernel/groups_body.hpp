// SPDX-License-Identifier: BSD-3-Clause
// No include guard: text shared by the kernels, included inside their namespaces by body.hpp, which says why. By itself empty.
//
// Values of several scales, in groups of any length: registers of values are filled in order, and one in which a group ends gets
// its scales lane by lane. Needs, beside what body.hpp names: floats (in a register), veci and vecw (registers of ints and of
// words), all_floats, all_ints, words_of(veci, veci), narrowed as values are, lanes_from(k), a mask of the lanes from k on,
// chosen(mask, a, b), b where the mask says so, raised_zero(zero), the bits of a float, as_floats(bits), and lane_levels<HasZero>,
// lane_values<HasZero>, with `scale` and `zero` for each register behind one register of codes, the former with `zero16` for two.
#if defined(NARROWS_TARGET) && defined(NARROWS_OP)

/// A zero, for rounded values to get, or a raised one, for raised codes to be rid of.
template <bool Inverse>
NARROWS_OP auto all_zeros(std::int32_t zero)
{
  if constexpr (Inverse) return all_ints(zero);
  else return as_floats(all_ints(raised_zero(zero)));
}

/// Scales of register after register.
template <bool Inverse, bool HasZero>
class lane_walk {
public:
  NARROWS_OP lane_walk(const level_map& of, std::size_t first)
    : of_(of), group_(first / of.inner % of.count), left_(of.inner - first % of.inner)
  {
    // No memory holds two groups that are longer; sums of lengths stay within the type.
    of_.inner = of.inner < longest ? of.inner : longest;
    left_ = left_ < longest ? left_ : longest;
    take_group();
  }
  /// For the registers behind one register of codes.
  template <class Levels, std::size_t... Register>
  NARROWS_OP void next(Levels& by, std::index_sequence<Register...>)
  {
    constexpr std::size_t values = sizeof...(Register) * floats;
    if (left_ < values) {
      (next(by.scale[Register], by.zero[Register]), ...);
      if constexpr (HasZero && Inverse)
        ((by.zero16[Register / 2] = words_of(by.zero[Register / 2 * 2], by.zero[Register / 2 * 2 + 1])), ...);
      return;
    }
    ((by.scale[Register] = scale_), ...);
    if constexpr (HasZero) ((by.zero[Register] = zero_), ...);
    if constexpr (HasZero && Inverse) ((by.zero16[Register / 2] = zero16_), ...);
    left_ -= values;
  }

private:
  static constexpr std::size_t longest = ~std::size_t{0} / 2;
  using zeros = decltype(all_zeros<Inverse>(0));

  NARROWS_OP void take_group()
  {
    const affine& a = of_.scales[group_];
    scale_ = all_floats(Inverse ? 1.0F / a.scale : a.scale);
    if constexpr (HasZero) zero_ = all_zeros<Inverse>(a.zero);
    if constexpr (HasZero && Inverse) zero16_ = words_of(zero_, zero_);
  }
  NARROWS_OP void next(vecf& scale, zeros& zero)
  {
    scale = scale_;
    if constexpr (HasZero) zero = zero_;
    while (left_ < floats) {
      group_ = group_ + 1 == of_.count ? 0 : group_ + 1;
      take_group();
      const auto later = lanes_from(static_cast<int>(left_));
      scale = chosen(later, scale, scale_);
      if constexpr (HasZero) zero = chosen(later, zero, zero_);
      left_ += of_.inner;
    }
    left_ -= floats;
  }

  level_map of_;
  std::size_t group_;
  std::size_t left_;   // values of the group, from the next register's first lane on
  vecf scale_;
  zeros zero_;
  vecw zero16_;
};

/// Which zeros the groups of values [first, first + n) have, ORed: 0 where there is none, negative where one is.
NARROWS_OP std::int32_t zeros_of(const level_map& of, std::size_t first, std::size_t n)
{
  std::size_t group = first / of.inner % of.count;
  std::size_t groups = (first % of.inner + n - 1) / of.inner + 1;
  if (groups > of.count) groups = of.count;
  std::int32_t all = 0;
  for (; groups > 0; --groups) {
    all |= of.scales[group].zero;
    group = group + 1 == of.count ? 0 : group + 1;
  }
  return all;
}

template <class Code>
inline constexpr auto registers_of = std::make_index_sequence<vec_bytes / sizeof(Code) / floats>{};

template <bool HasZero, class Code>
NARROWS_OP void quantize_lanes(const float* x, std::size_t first, std::size_t n, const level_map& of, int bits, Code* codes)
{
  constexpr std::size_t step = vec_bytes / sizeof(Code);
  lane_levels<HasZero> by(bits);
  lane_walk<true, HasZero> walk(of, first);
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
    walk.next(by, registers_of<Code>);
    quantize_vec(x + i, by, codes + i);
  }
  if (i == n) return;
  float last[step]{};
  Code last_codes[step];
  std::memcpy(last, x + i, (n - i) * sizeof(float));
  walk.next(by, registers_of<Code>);
  quantize_vec(last, by, last_codes);
  std::memcpy(codes + i, last_codes, (n - i) * sizeof(Code));
}

template <class Code>
NARROWS_TARGET bool quantize_each(const float* x, std::size_t first, std::size_t n, const level_map& of, int bits, Code* codes) noexcept
{
  const std::int32_t zeros = zeros_of(of, first, n);
  if (sizeof(Code) == 2 && zeros < 0) return false;
  invalid_flag flag;
  if (zeros == 0) quantize_lanes<false>(x, first, n, of, bits, codes);
  else quantize_lanes<true>(x, first, n, of, bits, codes);
  return !flag.raised();
}

template <class Code, class Values>
NARROWS_OP void dequantize_vec(const Code* codes, const Values& by, float* out)
{
  const auto* const from = reinterpret_cast<const std::uint8_t*>(codes);
  if constexpr (sizeof(Code) == 1) dequantize8<8>(load8(from), by, out);
  else dequantize16(load16(from), by, out);
}

template <bool HasZero, class Code>
NARROWS_OP void dequantize_lanes(const Code* codes, std::size_t first, std::size_t n, const level_map& of, float* out)
{
  constexpr std::size_t step = vec_bytes / sizeof(Code);
  lane_values<HasZero> by;
  lane_walk<false, HasZero> walk(of, first);
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
    walk.next(by, registers_of<Code>);
    dequantize_vec(codes + i, by, out + i);
  }
  if (i == n) return;
  Code last[step]{};
  float last_out[step];
  std::memcpy(last, codes + i, (n - i) * sizeof(Code));
  walk.next(by, registers_of<Code>);
  dequantize_vec(last, by, last_out);
  std::memcpy(out + i, last_out, (n - i) * sizeof(float));
}

template <class Code>
NARROWS_TARGET void dequantize_each(const Code* codes, std::size_t first, std::size_t n, const level_map& of, float* out) noexcept
{
  if (zeros_of(of, first, n) == 0) dequantize_lanes<false>(codes, first, n, of, out);
  else dequantize_lanes<true>(codes, first, n, of, out);
}

#endif
