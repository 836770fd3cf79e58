// SPDX-License-Identifier: BSD-3-Clause
// Descriptors and payloads made of noise: whatever comes in, an answer comes out, and nothing is touched that should
// not be. Buffers stand between guard pages; the sanitizer builds see the rest.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/pack/packed_tensor.hpp>

#include "support/guarded.hpp"
#include "support/random_data.hpp"

namespace narrows {
namespace {

using test::guarded;

shape random_shape(test::random_source& source)
{
  std::vector<std::int64_t> extents(source.below(6));
  for (auto& e : extents) e = static_cast<std::int64_t>(source.below(source.below(4) == 0 ? 1U << 20 : 9));
  return shape::make(extents).has_value() ? *shape::make(extents) : shape{3};
}

descriptor random_descriptor(test::random_source& source)
{
  descriptor d;
  const auto seldom = [&](auto& field, auto value) {
    if (source.below(12) == 0) field = static_cast<std::remove_reference_t<decltype(field)>>(value);
  };
  d.dims = random_shape(source);
  constexpr codec kinds[] = {codec::raw, codec::dense, codec::sparse, codec::runs, codec::rans};
  d.coded_as = kinds[source.below(std::size(kinds))];
  d.width = d.coded_as == codec::raw ? 0 : static_cast<int>(source.below(16)) + 1;
  d.group.axis = source.below(2) == 0 ? -1 : static_cast<int>(source.below(d.dims.rank() + 1)) - 1;
  if (d.coded_as == codec::raw) d.group = {};
  seldom(d.version, source.next());
  seldom(d.order, source.below(256));
  seldom(d.coded_as, source.below(256));
  seldom(d.width, source.next());
  seldom(d.group.axis, source.next());
  std::size_t groups = d.coded_as == codec::raw ? 0 : 1;
  if (detail::has_axis(d.dims, d.group) && d.coded_as != codec::raw) groups = detail::groups_of(d.dims, d.group).count;
  groups = std::min<std::size_t>(groups, 5000);
  seldom(groups, source.below(10));
  d.scales.assign(groups, affine{0.5F, static_cast<std::int32_t>(source.below(100)) - 50});
  if (!d.scales.empty()) {
    seldom(d.scales.back().zero, source.next());
    if (source.below(12) == 0) d.scales.front().scale = test::hostile_floats[source.below(std::size(test::hostile_floats))];
  }
  if (d.coded_as != codec::raw && d.width >= min_width && d.width <= 9 && source.below(3) == 0) {
    d.levels.assign(d.scales.size() << d.width, 0.25F);
    if (!d.levels.empty() && source.below(12) == 0) d.levels.back() = test::hostile_floats[source.below(std::size(test::hostile_floats))];
    if (source.below(12) == 0) d.levels.resize(source.below(600));
  }
  const std::size_t n = d.dims.elements();
  d.payload_bytes = d.coded_as == codec::raw || !is_packable_width(d.width) ? 4 * n : packed_bytes(n, d.width);
  if (d.coded_as == codec::sparse && n > 0) d.payload_bytes = mask_bytes(n) + source.below(d.payload_bytes + 1);
  if (d.coded_as == codec::runs && n > 0) d.payload_bytes = least_runs_bytes(n) + source.below(d.payload_bytes + 1);
  if (d.coded_as == codec::rans && n > 0) d.payload_bytes = std::min(d.payload_bytes, 2 + 2 * rans::states(n) + source.below(d.payload_bytes + 1));
  seldom(d.payload_bytes, source.next());
  seldom(d.payload_bytes, source.below(1000));
  return d;
}

TEST(Hostile, NoDescriptorOrPayloadBreaksTheDecoder)
{
  test::random_source source;
  int decoded = 0;
  for (int round = 0; round < 20000; ++round) {
    SCOPED_TRACE("round " + std::to_string(round) + " seed " + std::to_string(test::seed));
    const descriptor d = random_descriptor(source);
    static_cast<void>(check(d, random_shape(source)));
    const errc fields = check(d, d.dims);
    if (d.dims.elements() > 20000) continue;
    std::size_t size = d.payload_bytes < 100000 ? static_cast<std::size_t>(d.payload_bytes) : 1000;
    if (source.below(10) == 0) size = source.below(2 * size + 1);
    guarded<std::uint8_t> payload(size);
    const bool thin = source.below(2) == 0;  // few set bits, so that sparse masks have a chance to fit
    for (auto& b : payload.values()) b = static_cast<std::uint8_t>(thin ? source.next() & source.next() & source.next() : source.next());
    const guarded<float> out(d.dims.elements() + source.below(3));
    const auto done = decode(d, payload.values(), out.values());
    if (done) {
      ++decoded;
      if (d.order == value_order::nchw) {
        ASSERT_EQ(fields, errc::ok);
      }
      ASSERT_EQ(payload.values().size(), d.payload_bytes);
    }
  }
  EXPECT_GT(decoded, 1000) << "the noise is too wild to reach the decoders";
}

TEST(Hostile, DamagedStreamsAreRefusedOrDecodedNeverMore)
{
  test::random_source source;
  const tensor x({1, 5, 31, 31}, test::relu_like(5 * 31 * 31, 4, source));
  for (const codec coded_as : {codec::sparse, codec::runs})
    for (const int bits : {2, 8, 12}) {
      aligned_vector<std::uint8_t> payload;
      const auto d = encode(x.view(), {coded_as, bits, range_rule::min_max, {1}, {}}, payload);
      ASSERT_TRUE(d);
      ASSERT_EQ(d->coded_as, coded_as);
      for (int round = 0; round < 3000; ++round) {
        guarded<std::uint8_t> damaged{std::span<const std::uint8_t>(payload)};
        for (std::uint64_t flips = source.below(3) + 1; flips > 0; --flips)
          damaged.values()[source.below(payload.size())] ^= static_cast<std::uint8_t>(1U << source.below(8));
        const guarded<float> out(x.size());
        const auto done = decode(*d, damaged.values(), out.values());
        if (!done) {
          EXPECT_TRUE(done.error() == errc::truncated || done.error() == errc::corrupt);
        }
      }
    }
}

}  // namespace
}  // namespace narrows
