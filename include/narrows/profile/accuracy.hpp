// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace narrows {

/// 95 % interval of a share, after Wilson (1927): honest near 0 and 1, where the normal approximation is not.
struct share_interval {
  double low = 0;
  double high = 1;
};
[[nodiscard]] inline share_interval wilson_interval(double share, double trials)
{
  if (!(trials > 0)) return {};
  const double z = 1.959963984540054, zz = z * z / trials;
  const double middle = (share + zz / 2) / (1 + zz);
  const double half = z / (1 + zz) * std::sqrt(share * (1 - share) / trials + zz / (4 * trials));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

/// One cell of a calibration: a cut with all its tensors at one width.
struct accuracy_entry {
  std::string cut;                    ///< name_of(graph, cut)
  int width = 8;
  double agreement = 0;               ///< share of inputs whose first class equals that of the float, uncut network
  int inputs = 0;                     ///< inputs scored
  std::optional<double> zero_share{}; ///< mean share of codes that mean 0, where it was counted
  friend bool operator==(const accuracy_entry&, const accuracy_entry&) = default;
};

/// Agreement per (cut, width), made monotone in the width: more bits are never predicted to be worse, so that chance
/// in a small calibration set does not steer a plan.
class accuracy_table {
public:
  accuracy_table() = default;
  accuracy_table(std::string model_hash, std::vector<accuracy_entry> entries)
    : model_hash_(std::move(model_hash)), entries_(std::move(entries))
  {
    for (const auto& e : entries_) rows_[e.cut].push_back({e.width, e.agreement, std::max(1.0, double(e.inputs)), e.zero_share});
    for (auto& [name, cells] : rows_) make_monotone(cells);
  }

  [[nodiscard]] const std::string& model_hash() const noexcept { return model_hash_; }
  /// As measured, before they were made monotone.
  [[nodiscard]] const std::vector<accuracy_entry>& entries() const noexcept { return entries_; }

  /// Agreement at the largest width measured that is not above `width`: a lower bound where `width` itself was not
  /// measured. None where nothing is known.
  [[nodiscard]] std::optional<double> agreement(std::string_view cut, int width) const
  {
    const auto* c = find(cut, width);
    return c ? std::optional(c->agreement) : std::nullopt;
  }
  /// Share of zero codes, where it was counted at exactly this width.
  [[nodiscard]] std::optional<double> zero_share(std::string_view cut, int width) const
  {
    const auto* c = find(cut, width);
    return c && c->width == width ? c->zero_share : std::nullopt;
  }

private:
  struct cell {
    int width;
    double agreement;
    double weight;
    std::optional<double> zero_share;
  };

  /// Isotonic regression by pooling adjacent violators: the nearest non-decreasing sequence in weighted squares.
  static void make_monotone(std::vector<cell>& cells)
  {
    std::stable_sort(cells.begin(), cells.end(), [](const cell& a, const cell& b) { return a.width < b.width; });
    struct pool {
      double mean, weight;
      std::size_t count;
    };
    std::vector<pool> pools;
    for (const auto& c : cells) {
      pools.push_back({c.agreement, c.weight, 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean > pools.back().mean) {
        const pool last = pools.back();
        pools.pop_back();
        auto& p = pools.back();
        p.mean = (p.mean * p.weight + last.mean * last.weight) / (p.weight + last.weight);
        p.weight += last.weight;
        p.count += last.count;
      }
    }
    std::size_t at = 0;
    for (const auto& p : pools)
      for (std::size_t i = 0; i < p.count; ++i) cells[at++].agreement = p.mean;
  }

  [[nodiscard]] const cell* find(std::string_view cut, int width) const
  {
    const auto row = rows_.find(cut);
    if (row == rows_.end()) return nullptr;
    const cell* best = nullptr;
    for (const auto& c : row->second)
      if (c.width <= width) best = &c;
    return best;
  }

  std::string model_hash_;
  std::vector<accuracy_entry> entries_;
  std::map<std::string, std::vector<cell>, std::less<>> rows_;
};

}  // namespace narrows
