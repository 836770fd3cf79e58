// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/result.hpp>
#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/kernel/target.hpp>
#include <narrows/pack/range.hpp>
#include <narrows/pack/descriptor.hpp>

namespace narrows {

inline namespace NARROWS_FLAGS {

/// Collects calibration data of one tensor or channel: a histogram over [-limit, limit) whose limit doubles, halving
/// the resolution, when a value falls outside; smallest and largest value and the number of zeros are exact.
class histogram {
public:
  /// `bins_per_side` bins for each sign; even, 8 bytes each.
  explicit histogram(int bins_per_side = 4096) : bins_(2 * static_cast<std::size_t>(bins_per_side))
  {
    NARROWS_EXPECTS(bins_per_side > 0 && bins_per_side % 2 == 0);
  }

  /// Counts `x`. not_finite: it holds a NaN or infinity, and nothing was counted.
  [[nodiscard]] errc add(std::span<const float> x)
  {
    if (x.empty()) return errc::ok;
    float low = 0;
    float high = 0;
    if (!detail::range_kernels().min_max(x.data(), x.size(), low, high)) return errc::not_finite;
    min_ = count_ == 0 ? low : std::min(min_, low);
    max_ = count_ == 0 ? high : std::max(max_, high);
    cover(std::max(std::abs(static_cast<double>(low)), std::abs(static_cast<double>(high))));
    const double per_unit = static_cast<double>(half()) / limit_;
    for (const float v : x) {
      if (v == 0) {
        ++zeros_;
        continue;
      }
      const auto index = static_cast<std::ptrdiff_t>(std::floor(static_cast<double>(v) * per_unit)) + half();
      ++bins_[static_cast<std::size_t>(index)];
    }
    count_ += x.size();
    return errc::ok;
  }

  /// Counts what `other` has counted, exactly as if it had been added here. Both must have the same number of bins.
  void merge(const histogram& other)
  {
    NARROWS_EXPECTS(bins_.size() == other.bins_.size());
    if (other.count_ == 0) return;
    min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
    max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
    count_ += other.count_;
    zeros_ += other.zeros_;
    if (other.limit_ == 0) return;   // zeros alone
    histogram coarse = other;
    cover(other.limit_ / 2);         // a power of two is covered by its double
    coarse.cover(limit_ / 2);
    for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += coarse.bins_[i];
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t zeros() const noexcept { return zeros_; }
  /// Smallest and largest value; 0 while empty.
  [[nodiscard]] float min() const noexcept { return min_; }
  [[nodiscard]] float max() const noexcept { return max_; }
  [[nodiscard]] double bin_width() const noexcept { return limit_ / static_cast<double>(half()); }

  struct bin {
    double centre;
    double weight;
  };
  /// Bins that are not empty, in order; the zeros are a bin of their own.
  [[nodiscard]] std::vector<bin> filled() const
  {
    std::vector<bin> list;
    const auto put_zeros = [&] {
      if (zeros_ > 0) list.push_back({0, static_cast<double>(zeros_)});
    };
    for (std::ptrdiff_t i = 0; i < 2 * half(); ++i) {
      if (i == half()) put_zeros();
      if (const auto n = bins_[static_cast<std::size_t>(i)]; n > 0)
        list.push_back({(static_cast<double>(i - half()) + 0.5) * bin_width(), static_cast<double>(n)});
    }
    return list;
  }

private:
  [[nodiscard]] std::ptrdiff_t half() const noexcept { return static_cast<std::ptrdiff_t>(bins_.size() / 2); }

  void cover(double largest)
  {
    if (largest == 0) return;
    int exponent = 0;
    static_cast<void>(std::frexp(largest, &exponent));
    const double needed = std::ldexp(1.0, exponent);  // the power of two above `largest`
    if (limit_ == 0) limit_ = needed;
    for (; limit_ < needed; limit_ *= 2) {
      std::vector<std::uint64_t> wider(bins_.size());
      for (std::ptrdiff_t i = 0; i < 2 * half(); ++i)
        wider[static_cast<std::size_t>((i - half() - (i < half() ? 1 : 0)) / 2 + half())] += bins_[static_cast<std::size_t>(i)];
      bins_ = std::move(wider);
    }
  }

  std::vector<std::uint64_t> bins_;
  double limit_ = 0;  ///< a power of two, or 0 as long as only zeros were seen
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  float min_ = 0;
  float max_ = 0;
};

}  // namespace NARROWS_FLAGS

namespace detail::inline NARROWS_FLAGS {

/// Sum of squared errors of the binned values under a mapping. Where steps are finer than a few bins, the bins would
/// sample the rounding error badly: there it is taken as step^2 / 12 each, and only clipping is counted exactly.
[[nodiscard]] inline double squared_error(std::span<const histogram::bin> bins, double bin_width, const affine& a, int bits) noexcept
{
  const double step = static_cast<double>(a.scale);
  const double zero = a.zero;
  const double largest = max_code(bits);
  const double low = (-0.5 - zero) * step;
  const double high = (largest + 0.5 - zero) * step;
  const bool fine = step < 3 * bin_width;
  double sum = 0;
  for (const auto& bin : bins) {
    double error;
    if (bin.centre == 0 && low <= 0 && high >= 0) error = 0;  // zero is always a level
    else if (bin.centre <= low) error = bin.centre - (0 - zero) * step;
    else if (bin.centre >= high) error = bin.centre - (largest - zero) * step;
    else if (fine) {
      sum += bin.weight * step * step / 12;
      continue;
    } else error = bin.centre - std::floor(bin.centre / step + 0.5) * step;
    sum += bin.weight * error * error;
  }
  return sum;
}

}  // namespace detail::inline NARROWS_FLAGS

inline namespace NARROWS_FLAGS {

/// The range whose quantisation error over the collected data is least (sum of squares), never wider than the data and
/// starting at 0 if no value is negative. A coarse scan of widths common to both ends, then each end by itself.
///
/// Errors   bad_width; bad_range if nothing was collected or the range is too wide for the format.
/// Cost     some 100 passes over the bins that are not empty.
[[nodiscard]] inline result<affine, errc> fit_mse(const histogram& data, int bits)
{
  if (!is_packable_width(bits)) return errc::bad_width;
  if (data.count() == 0) return errc::bad_range;
  const float low = data.min() > 0 && data.zeros() == 0 && data.min() > data.max() / 2 ? data.min() : std::min(data.min(), 0.0F);
  const float high = std::max(data.max(), low);
  if (low == high) return affine_from_range(low, high, bits);
  const auto bins = data.filled();
  double middle = 0;
  for (const auto& b : bins) middle += b.centre * b.weight / static_cast<double>(data.count());
  middle = low == 0 ? 0 : std::clamp(middle, static_cast<double>(low), static_cast<double>(high));

  struct trial {
    double below, above, cost;  // how much of each side is kept, in (0, 1]
    result<affine, errc> mapping;
  };
  const auto make = [&](double below, double above) {
    trial t{std::min(below, 1.0), std::min(above, 1.0), 0, errc::bad_range};
    t.mapping = affine_from_range(static_cast<float>(middle - (middle - static_cast<double>(low)) * t.below),
                                  static_cast<float>(middle + (static_cast<double>(high) - middle) * t.above), bits);
    if (t.mapping) t.cost = detail::squared_error(bins, data.bin_width(), *t.mapping, bits);
    return t;
  };
  trial best = make(1, 1);
  const auto keep = [&best](const trial& t) {
    if (!t.mapping || (best.mapping && t.cost >= best.cost)) return false;
    best = t;
    return true;
  };
  for (double part = 0.87; part > 0.003; part *= 0.87) keep(make(part, part));
  for (const double factor : {0.8, 0.9, 0.95, 0.98, 0.99})
    for (int round = 0; round < 20; ++round) {
      bool better = keep(make(best.below, best.above * factor)) || keep(make(best.below, best.above / factor));
      if (low < middle)
        better = keep(make(best.below * factor, best.above)) || keep(make(best.below / factor, best.above)) || better;
      if (!better) break;
    }
  return best.mapping;
}

/// The step of `fit_mse` at `step_of` bits with room for codes of `bits` bits: for a coder behind it, which makes rare codes cheap,
/// where clipping them would cost agreement. Half a bit is the geometric mean of both steps. The room lies above where no value is
/// negative, else where it clips least, in the middle of what clips nothing.
/// Errors: those of fit_mse; bad_width also where `step_of` is more than `bits` or no number of halves.
[[nodiscard]] inline result<affine, errc> fit_step(const histogram& data, int bits, double step_of)
{
  if (!is_packable_width(bits) || !(step_of >= min_width && step_of <= bits) || 2 * step_of != std::floor(2 * step_of)) return errc::bad_width;
  const int coarse = static_cast<int>(step_of);
  auto fitted = fit_mse(data, coarse);
  if (!fitted) return fitted;
  affine a = *fitted;
  if (step_of > coarse) {
    const auto fine = fit_mse(data, coarse + 1);
    if (!fine) return fine;
    a.scale = static_cast<float>(std::sqrt(static_cast<double>(fitted->scale) * static_cast<double>(fine->scale)));
    const double most = max_zero(bits), zero = std::nearbyint(static_cast<double>(fitted->zero) * static_cast<double>(fitted->scale) / static_cast<double>(a.scale));
    a.zero = static_cast<std::int32_t>(std::clamp(zero, -most, most));
  }
  if (data.min() >= 0) return a;
  const auto bins = data.filled();
  const auto room = static_cast<std::int32_t>(max_code(bits) - max_code(coarse));
  double least = 0;
  std::int32_t first = 0, last = -1;
  for (std::int32_t below = 0; below <= room; ++below) {
    const double cost = detail::squared_error(bins, data.bin_width(), {a.scale, a.zero + below}, bits);
    if (last < first || cost < least) least = cost, first = last = below;
    else if (cost == least) last = below;
  }
  a.zero = std::min(a.zero + (first + last) / 2, max_zero(bits));
  return a;
}

/// Reconstruction levels: for each code the mean of the collected values that get it, as if `prior` more of them were where the scale
/// puts it, so that rare codes do not jump. A code of no value keeps that level, and where steps are finer than a few bins, which do not
/// tell where in its step a value lies, all but the first and the last do.
/// Errors: bad_width (beyond 8 bits), bad_scale.
[[nodiscard]] inline result<std::vector<float>, errc> fit_levels(const histogram& data, const affine& a, int bits, double prior = 20)
{
  if (bits > max_level_width) return errc::bad_width;
  if (const auto e = check(a, bits); e != errc::ok) return e;
  const auto largest = max_code(bits);
  const bool fine = static_cast<double>(a.scale) < 3 * data.bin_width();
  const quantizer code_of(a, bits);
  std::vector<double> sums(largest + 1), counts(largest + 1);
  for (const auto& bin : data.filled()) {
    const auto code = code_of(static_cast<float>(bin.centre));
    if (fine && code != 0 && code != largest) continue;
    sums[code] += bin.centre * bin.weight;
    counts[code] += bin.weight;
  }
  std::vector<float> levels;
  for (std::uint32_t code = 0; code <= largest; ++code) {
    const float usual = value_of(code, a);
    levels.push_back(counts[code] == 0 ? usual : static_cast<float>((sums[code] + prior * static_cast<double>(usual)) / (counts[code] + prior)));
  }
  return levels;
}

/// One histogram per scale group: value i of each tensor added belongs to group (i / inner) mod groups.
class grouped_histogram {
public:
  grouped_histogram(std::size_t groups, std::size_t inner, int bins_per_side = 1024)
    : inner_(inner), groups_(groups, histogram(bins_per_side))
  {
    NARROWS_EXPECTS(groups > 0 && inner > 0);
  }

  /// Counts a whole tensor. not_finite: it holds a NaN or infinity; the groups before that one are counted already.
  [[nodiscard]] errc add(std::span<const float> x)
  {
    for (std::size_t first = 0, g = 0; first < x.size(); first += inner_, g = (g + 1) % groups_.size())
      if (const auto e = groups_[g].add(x.subspan(first, std::min(inner_, x.size() - first))); e != errc::ok) return e;
    return errc::ok;
  }

  /// Counts what `other`, of the same groups, has counted.
  void merge(const grouped_histogram& other)
  {
    NARROWS_EXPECTS(groups_.size() == other.groups_.size() && inner_ == other.inner_);
    for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g].merge(other.groups_[g]);
  }

  [[nodiscard]] std::span<const histogram> groups() const noexcept { return groups_; }

private:
  std::size_t inner_;
  std::vector<histogram> groups_;
};

/// `fit(histogram)` of each group; a group without data gets scale 1. Errors: those of `fit`.
template <class Fit>
[[nodiscard]] result<std::vector<affine>, errc> fit_groups(const grouped_histogram& data, Fit fit)
{
  std::vector<affine> scales;
  for (const auto& group : data.groups()) {
    if (group.count() == 0) {
      scales.emplace_back();
      continue;
    }
    const result<affine, errc> fitted = fit(group);
    if (!fitted) return fitted.error();
    scales.push_back(*fitted);
  }
  return scales;
}
[[nodiscard]] inline result<std::vector<affine>, errc> fit_mse(const grouped_histogram& data, int bits)
{
  return fit_groups(data, [bits](const histogram& h) { return fit_mse(h, bits); });
}
[[nodiscard]] inline result<std::vector<affine>, errc> fit_step(const grouped_histogram& data, int bits, double step_of)
{
  return fit_groups(data, [=](const histogram& h) { return fit_step(h, bits, step_of); });
}

/// The levels of each group by its scale, those of the first group first. Errors: as above; bad_descriptor (not one scale for each).
[[nodiscard]] inline result<std::vector<float>, errc> fit_levels(const grouped_histogram& data, std::span<const affine> scales, int bits, double prior = 20)
{
  if (scales.size() != data.groups().size()) return errc::bad_descriptor;
  std::vector<float> levels;
  for (std::size_t g = 0; g < scales.size(); ++g) {
    const auto some = fit_levels(data.groups()[g], scales[g], bits, prior);
    if (!some) return some.error();
    levels.insert(levels.end(), some->begin(), some->end());
  }
  return levels;
}

}  // namespace NARROWS_FLAGS
}  // namespace narrows
