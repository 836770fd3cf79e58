// SPDX-License-Identifier: BSD-3-Clause
// Any descriptor with any payload: `decode` refuses it, or `check` finds no fault but that it is another tensor.
// The environment variable NARROWS_FUZZ_CODEC names the one codec that shall have all the time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <narrows/pack/codecs.hpp>
#include <narrows/pack/packed_tensor.hpp>

namespace {

/// Takes values off the front of the input; zeros once it is used up.
class source {
public:
  explicit source(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
  template <class T>
  T take()
  {
    T value{};
    const auto n = std::min(sizeof value, rest_.size());
    if (n != 0) std::memcpy(&value, rest_.data(), n);
    rest_ = rest_.subspan(n);
    return value;
  }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return rest_; }

private:
  std::span<const std::uint8_t> rest_;
};

std::optional<narrows::codec> wanted_codec()
{
  const char* const name = std::getenv("NARROWS_FUZZ_CODEC");
  if (name == nullptr) return std::nullopt;
  for (const auto c : narrows::all_codecs)
    if (narrows::to_string(c) == name) return c;
  std::fprintf(stderr, "NARROWS_FUZZ_CODEC: there is no codec '%s'\n", name);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  using namespace narrows;
  use_library_codecs();
  static const auto wanted = wanted_codec();
  source from({data, size});
  // Expected by the plan, so sane; what the peer says about it is not.
  const shape expected{1, from.take<std::uint8_t>() % 40, from.take<std::uint8_t>() % 9, from.take<std::uint8_t>() % 9};
  const auto lies = from.take<std::uint8_t>();

  descriptor d;
  d.version = (lies & 1) != 0 ? from.take<std::int32_t>() : format_version;
  d.order = static_cast<value_order>(from.take<std::uint8_t>() % 4);
  d.dims = expected;
  if ((lies & 2) != 0) {
    const std::int64_t extents[] = {from.take<std::int64_t>(), from.take<std::int64_t>(), from.take<std::int64_t>()};
    if (const auto other = shape::make(extents)) d.dims = *other;
  }
  const auto which = from.take<std::uint8_t>();
  d.coded_as = (lies & 4) != 0 ? static_cast<codec>(which) : all_codecs[which % (all_codecs.size() - 3)];  // the last three are pictures
  if (wanted) d.coded_as = *wanted;
  d.width = (lies & 8) != 0 ? from.take<std::int32_t>() : from.take<std::uint8_t>() % 17;
  d.group.axis = (lies & 16) != 0 ? from.take<std::int32_t>() : from.take<std::int8_t>() % 5;
  std::size_t count = from.take<std::uint8_t>() % 42;
  if ((lies & 32) == 0)
    count = d.coded_as == codec::raw ? 0 : d.group.axis == 1 ? static_cast<std::size_t>(expected[1]) : 1;
  for (std::size_t i = 0; i < count; ++i) {
    affine a;
    if ((lies & 64) != 0) a = {from.take<float>(), from.take<std::int32_t>()};
    d.scales.push_back(a);
  }
  // Levels for a third of what could have them, of the right number or not, odd ones at times.
  if (const auto kind = which / 16; kind % 3 == 1 && is_packable_width(d.width)) {
    d.levels.assign(kind < 8 ? std::min(count, std::size_t{64}) << std::min(d.width, 9) : from.take<std::uint8_t>(), 0.5F);
    if (kind > 1 && !d.levels.empty()) d.levels.back() = from.take<float>();
  }
  const auto payload = from.rest();
  d.payload_bytes = (lies & 128) != 0 ? from.take<std::uint64_t>() : payload.size();

  std::vector<float> out(expected.elements());
  const auto decoded = decode(d, payload, out);
  if (decoded && check(d, d.dims, d.order) != errc::ok) std::abort();
  // What passes as the expected tensor is as large as the receiver's memory for it.
  if (!decoded && decoded.error() == errc::short_buffer && check(d, expected) == errc::ok) std::abort();
  // Into what an engine keeps, and in part: the same verdict, within the same memory.
  std::vector<std::uint16_t> halves(expected.elements());
  if (decode(d, payload, nchw_view(halves.data(), element::bfloat16, expected)) && !decoded) std::abort();
  const std::size_t first = expected.elements() / 3;
  const auto part = decode_part(d, payload, first, std::span(out).first(out.size() / 2));
  if (part && decoded && first + out.size() / 2 > d.dims.elements()) std::abort();
  return 0;
}
