// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>

#include <narrows/core/contract.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/detail/alive_tensors.hpp>
#include <narrows/partition/signs.hpp>
#include <narrows/profile/layer_times.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/load.hpp>

namespace narrows {

/// The terms with those of the link filled in: a few multiplications, so that a thousand candidates are costed anew in
/// microseconds.
///
/// Model   link_s = rtt + (bytes + return_bytes) * 8 / rate: the connection stands, so the request travels half a round
///         trip and the answer the other half, each behind its own bytes. link_busy_s counts the busier direction
///         alone. A plan that sends nothing has no link cost.
/// Source  METHODS 1.2.
[[nodiscard]] inline cost_terms evaluate(const cost_terms& terms, const link_state& link) noexcept
{
  cost_terms now = terms;
  const bool crosses = terms.bytes > 0;
  now.link_s = crosses ? link.rtt_s + link.busy_s(terms.bytes + terms.return_bytes) : 0;
  now.link_busy_s = crosses ? link.busy_s(std::max(terms.bytes, terms.return_bytes)) : 0;
  return now;
}
[[nodiscard]] inline cost_terms evaluate(const candidate& c, const link_state& link) noexcept { return evaluate(c.cost, link); }
/// The same on machines that are slower, or faster, than their profiles.
[[nodiscard]] inline cost_terms evaluate(const candidate& c, const link_state& link, const load_factors& load) noexcept
{
  cost_terms now = evaluate(c.cost, link);
  now.device_s *= load.device;
  now.encode_s *= load.device;
  now.decode_s *= load.server;
  now.server_s *= load.server;
  return now;
}

/// Seconds of the nodes before the cut, and after it: medians added up, as one processor runs one node at a time.
/// `times` must be those of the cut's graph (`check`).
[[nodiscard]] inline double head_seconds(const node_times& times, const cut& at) noexcept
{
  NARROWS_EXPECTS(times.nodes.size() == at.head.size());
  double sum = 0;
  for (std::size_t i = 0; i < times.nodes.size(); ++i)
    if (at.head[i]) sum += times.nodes[i].seconds.median_s;
  return sum;
}
[[nodiscard]] inline double tail_seconds(const node_times& times, const cut& at) noexcept
{
  NARROWS_EXPECTS(times.nodes.size() == at.head.size());
  double sum = 0;
  for (std::size_t i = 0; i < times.nodes.size(); ++i)
    if (!at.head[i]) sum += times.nodes[i].seconds.median_s;
  return sum;
}

/// Bytes that a run of the nodes before the cut needs at once: their weights, and the largest sum of tensors that are there
/// while one of them runs, the input among them and what crosses, all as float32. An engine's own buffers come on top.
[[nodiscard]] inline double head_memory_bytes(const graph& g, const cut& at)
{
  NARROWS_EXPECTS(g.nodes().size() == at.head.size());
  const std::size_t end = at.head.size();
  detail::alive_tensors alive;
  for (std::size_t i = 0; i < end; ++i)
    if (at.head[i])
      for (const auto v : g.nodes()[i].inputs) alive.needs(v, i);
  for (const auto v : at.tensors) alive.needs(v, end);
  for (const auto v : g.outputs()) alive.needs(v, end);
  for (const auto v : g.inputs()) alive.made(v, float_bytes(g, v));
  std::set<value_id> weights;
  std::uint64_t weight_bytes = 0;
  for (std::size_t i = 0; i < end; ++i) {
    if (!at.head[i]) continue;
    for (const auto v : g.nodes()[i].outputs) alive.made(v, float_bytes(g, v));
    for (const auto v : g.nodes()[i].inputs)
      if (g[v].is_constant && weights.insert(v).second) weight_bytes += float_bytes(g, v);
    alive.finish(i);
  }
  return static_cast<double>(weight_bytes + alive.peak());
}

/// Bytes that come back: the graph outputs which the tail makes, as float32.
[[nodiscard]] inline double returned_bytes(const graph& g, const cut& at)
{
  double bytes = 0;
  for (const auto v : g.outputs())
    if (g[v].producer && !at.head[index(*g[v].producer)]) bytes += 4.0 * static_cast<double>(g[v].dims.elements());
  return bytes;
}

/// Share of codes that mean zero, where nobody counted them: means over the cuts of five ImageNet networks (ACCURACY 5).
/// Rectified tensors have about half; the others few at the widths worth sending.
[[nodiscard]] inline double assumed_zero_share(value_sign sign, int width) noexcept
{
  if (sign == value_sign::rectified) return width <= 2 ? 0.60 : width <= 4 ? 0.46 : 0.37;
  return width <= 2 ? 0.50 : width <= 4 ? 0.22 : 0.03;
}

/// Size of an entropy-like stream over that of the sparse one, mean of real feature maps of 2, 3, 4, 6 and 8 bits, in between
/// and beyond by the nearest: docs/kernels.md, "Codecs"; huffman by the same program, narrows_bench_codecs --sizes.
[[nodiscard]] inline double share_of_sparse(codec coded_as, int width) noexcept
{
  const std::size_t at = width <= 2 ? 0 : width == 3 ? 1 : width <= 5 ? 2 : width == 6 ? 3 : 4;
  constexpr double runs[] = {0.50, 0.62, 0.72, 0.81, 0.85}, rans[] = {0.43, 0.57, 0.65, 0.76, 0.82};
  constexpr double zstd[] = {0.46, 0.60, 0.67, 0.80, 0.85}, lz4[] = {0.72, 1.01, 0.95, 1.19, 1.06};
  constexpr double huffman[] = {0.86, 0.79, 0.81, 0.84, 0.88};
  switch (coded_as) {
  case codec::runs: return runs[at];
  case codec::rans: return rans[at];
  case codec::zstd: return zstd[at];
  case codec::lz4: return lz4[at];
  case codec::huffman: return huffman[at];
  default: return 1;
  }
}

/// What codec `predicted` leaves of the pixels of photographs, in the mean of 200 of 224 x 224 (docs/measurements.md, "Forms of the input").
inline constexpr double share_of_pixels = 0.44;

/// Payload of one tensor. Exact for raw, dense and pixels; for sparse the mean to be expected at that share of zeros
/// (a mask of one bit per value, then the others dense), for the codecs beyond it that times share_of_sparse; never above
/// dense + 64; for predicted, share_of_pixels. `image` is the caller's to know: 0.
[[nodiscard]] inline double payload_bytes(std::size_t values, codec coded_as, int width, double zero_share = 0)
{
  const auto n = static_cast<double>(values);
  switch (coded_as) {
  case codec::raw: return 4 * n;
  case codec::dense: return static_cast<double>(packed_bytes(values, width));
  case codec::sparse:
  case codec::runs:
  case codec::rans:
  case codec::lz4:
  case codec::zstd:
  case codec::huffman: {
    const auto kept = static_cast<std::size_t>(std::lround(n * (1 - std::clamp(zero_share, 0.0, 1.0))));
    const double sparse = std::ceil(n / 8) + static_cast<double>(packed_bytes(kept, width));
    return std::min(sparse * share_of_sparse(coded_as, width), static_cast<double>(packed_bytes(values, width)) + 64);
  }
  case codec::pixels: return n;
  case codec::predicted: return std::ceil(share_of_pixels * n);
  case codec::image: return 0;
  }
  return 4 * n;
}

}  // namespace narrows
