// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/core/result.hpp>

namespace narrows {

/// Extents of a tensor, outermost first (NCHW for feature maps). Rank 0 is a scalar; an extent may be 0.
///
/// Made only through `make` (or from literals that obey the limits), so the product of the extents fits: at most
/// `max_elements` even where some other extent is 0. No arithmetic on a shape can wrap.
class shape {
public:
  static constexpr std::size_t max_rank = 8;
  static constexpr std::int64_t max_elements = std::int64_t{1} << 44;

  constexpr shape() = default;

  /// Extents known to be legal; breaking the limits breaks the contract.
  constexpr shape(std::initializer_list<std::int64_t> extents)
  {
    NARROWS_EXPECTS(extents.size() <= max_rank);
    for (const auto e : extents) extents_[rank_++] = e;
    NARROWS_EXPECTS(legal(dims()));
  }

  /// Errors: bad_shape if there are more than `max_rank` extents, one is negative, or the product of the
  /// non-zero ones exceeds `max_elements`.
  [[nodiscard]] static constexpr result<shape, errc> make(std::span<const std::int64_t> extents) noexcept
  {
    if (!legal(extents)) return errc::bad_shape;
    shape s;
    for (const auto e : extents) s.extents_[s.rank_++] = e;
    return s;
  }

  [[nodiscard]] constexpr std::size_t rank() const noexcept { return rank_; }
  [[nodiscard]] constexpr std::int64_t operator[](std::size_t i) const noexcept
  {
    NARROWS_EXPECTS(i < rank_);
    return extents_[i];
  }
  [[nodiscard]] constexpr std::span<const std::int64_t> dims() const noexcept { return {extents_.data(), rank_}; }

  /// Product of the extents from `first` up to (not including) `last`; 1 for an empty range.
  [[nodiscard]] constexpr std::int64_t product(std::size_t first, std::size_t last) const noexcept
  {
    NARROWS_EXPECTS(first <= last && last <= rank_);
    std::int64_t n = 1;
    for (std::size_t i = first; i < last; ++i) n *= extents_[i];
    return n;
  }
  /// Number of values.
  [[nodiscard]] constexpr std::size_t elements() const noexcept { return static_cast<std::size_t>(product(0, rank_)); }

  friend constexpr bool operator==(const shape& a, const shape& b) noexcept
  {
    if (a.rank_ != b.rank_) return false;
    for (std::size_t i = 0; i < a.rank_; ++i)
      if (a.extents_[i] != b.extents_[i]) return false;
    return true;
  }

private:
  [[nodiscard]] static constexpr bool legal(std::span<const std::int64_t> extents) noexcept
  {
    if (extents.size() > max_rank) return false;
    std::int64_t n = 1;
    for (const auto e : extents) {
      if (e < 0) return false;
      if (e == 0) continue;  // the others must still be bounded: strides are built from them
      if (e > max_elements / n) return false;
      n *= e;
    }
    return true;
  }

  std::array<std::int64_t, max_rank> extents_{};
  std::size_t rank_ = 0;
};

/// "1x64x56x56"; "scalar" for rank 0.
[[nodiscard]] inline std::string to_string(const shape& s)
{
  if (s.rank() == 0) return "scalar";
  std::string text;
  for (const auto e : s.dims()) {
    if (!text.empty()) text += 'x';
    text += std::to_string(e);
  }
  return text;
}

}  // namespace narrows
