// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include <narrows/pack/descriptor.hpp>
#include <narrows/schedule/choose_best.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policy.hpp>

namespace narrows {

/// Systems of papers that choose a cut, by what they send across it.
enum class published : std::uint8_t {
  neurosurgeon,  ///< floats. Kang et al., ASPLOS 2017; METHODS 4
  dads,          ///< floats. Hu et al., INFOCOM 2019; METHODS 5
  spinn,         ///< 8 bits, min-max, dense or LZ4; exits off. Laskaridis et al., MobiCom 2020; METHODS 6
  jalad,         ///< any width, min-max, dense or Huffman coded. Li et al., ICPADS 2018; METHODS 7
  jalad_runs,    ///< the same with our `runs` in place of the Huffman code; no paper's
};

/// What a paper minimises: DADS (under heavy load) and SPINN know throughput, the others latency alone. The limits are those of
/// `asked`: the accuracy that is asked for binds every system alike.
[[nodiscard]] constexpr objective objective_of(published which, const objective& asked) noexcept
{
  const bool paced = asked.of == metric::throughput && (which == published::dads || which == published::spinn);
  objective own(paced ? metric::throughput : metric::latency);
  own.limits = asked.limits;
  own.limit_count = asked.limit_count;
  return own;
}

/// Whether a system would send this. All of them may stay on the device, or send the input as 8-bit pixels; as the file that it
/// came in only `with_files`, which none of the papers does. None has `predicted`, our own form of those pixels.
///
/// Model   generous where a paper leaves room: SPINN may cut behind any tensor, not only behind a ReLU. JALAD has the codec of its
///         paper; `jalad_runs` has our `runs` in its place, which stays below the order-0 entropy of most feature maps
///         (docs/kernels.md), so that no lead over JALAD need be a weak codec's.
[[nodiscard]] inline bool admits(published which, bool with_files, const candidate& c) noexcept
{
  return std::all_of(c.what.codings.begin(), c.what.codings.end(), [&](const coding& how) {
    if (how.coded_as == codec::pixels) return true;
    if (how.coded_as == codec::image) return with_files;
    const bool plain = how.rule == range_rule::min_max && how.group == scale_group{};
    switch (which) {
    case published::neurosurgeon:
    case published::dads: return how.coded_as == codec::raw;
    case published::spinn: return plain && how.width == 8 && (how.coded_as == codec::dense || how.coded_as == codec::lz4);
    case published::jalad: return plain && (how.coded_as == codec::dense || how.coded_as == codec::huffman);
    case published::jalad_runs: return plain && (how.coded_as == codec::dense || how.coded_as == codec::runs);
    }
    return false;
  });
}

/// The choice of a published system among candidates that were made for all: the best of those it admits, anew each time.
///
/// Model    the true optimum over its candidates stands for each paper's own search, which finds no better one (for DADS put the
///          cut of `min_cut_plan` among them where several tensors cross).
/// Limits   infeasible where it admits none, or none keeps the limits; the one that misses them least stands in.
template <published Which, bool WithFiles = false>
class published_policy {
public:
  static constexpr std::string_view name = [] {
    switch (Which) {
    case published::neurosurgeon: return WithFiles ? "neurosurgeon+file" : "neurosurgeon";
    case published::dads: return WithFiles ? "dads+file" : "dads";
    case published::spinn: return WithFiles ? "spinn+file" : "spinn";
    case published::jalad: return WithFiles ? "jalad+file" : "jalad";
    case published::jalad_runs: return WithFiles ? "jalad+runs+file" : "jalad+runs";
    }
    return "";
  }();

  published_policy() = default;
  /// `goal` is taken as it is: `objective_of` says what the paper would make of it.
  explicit published_policy(const objective& goal) : goal_(goal) {}

  [[nodiscard]] decision choose(std::span<const candidate> from, const observation& seen) const noexcept
  {
    const ranked best = choose_best(from, goal_, seen, [](const candidate& c) { return admits(Which, WithFiles, c); });
    return decision_of(best, goal_);
  }
  [[nodiscard]] const objective& goal() const noexcept { return goal_; }

private:
  objective goal_;
};
static_assert(scheduling_policy<published_policy<published::neurosurgeon>>);

}  // namespace narrows
